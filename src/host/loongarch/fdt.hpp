// A flattened device tree, read in place. Source: Devicetree Specification, "Flattened Devicetree (DTB) Format".
// The blob comes from outside: parse() walks it once and refuses what is not well formed; every later read is still
// inside the blob, whatever it holds.
#pragma once
#include <optional>
#include <span>
#include <string_view>

#include "base/result.hpp"
#include "base/types.hpp"

namespace bmbt::host {

class Fdt {
 public:
    static constexpr u32 magic = 0xd00dfeed;
    static constexpr unsigned max_depth = 32;

    // A node by the offset of its FDT_BEGIN_NODE token in the structure block.
    struct Node {
        u32 at = none;
        static constexpr u32 none = ~u32{0};
        explicit operator bool() const { return at != none; }
        friend bool operator==(Node, Node) = default;
    };

    // A property's value.
    class Value {
     public:
        Value() = default;
        explicit Value(std::span<const u8> bytes) : bytes_(bytes) {}
        explicit operator bool() const { return bytes_.data() != nullptr; }  // an empty property is there
        usize size() const { return bytes_.size(); }
        usize cells() const { return bytes_.size() / 4; }
        u32 cell(usize i) const { return i < cells() ? be32(bytes_.subspan(4 * i)) : 0; }  // 0 behind the end
        // `count` cells (0 to 2; more keep the low 64 bits) from cell i as one number.
        u64 number(usize i, usize count) const {
            u64 v = 0;
            for (usize k = 0; k < count; k++) v = v << 32 | cell(i + k);
            return v;
        }
        // The first string, without its end.
        std::string_view text() const { return string_at(0); }
        // One of the strings of a string list.
        bool lists(std::string_view wanted) const {
            for (usize i = 0; i < bytes_.size();) {
                std::string_view s = string_at(i);
                if (s == wanted) return true;
                i += s.size() + 1;
            }
            return false;
        }

     private:
        std::string_view string_at(usize i) const {
            usize n = i;
            while (n < bytes_.size() && bytes_[n]) n++;
            return {reinterpret_cast<const char*>(bytes_.data()) + i, n - i};
        }
        std::span<const u8> bytes_;
    };

    struct Range {
        u64 base = 0, size = 0;
    };

    Fdt() = default;
    static Result<Fdt> parse(std::span<const u8> blob);
    // What the header says of the blob's size if its magic is right, else 0: to be asked before the whole is read.
    static u32 total_size(std::span<const u8, 8> start) { return be32(start) == magic ? be32(start.subspan<4>()) : 0; }

    Node root() const { return {0}; }
    std::string_view name(Node) const;
    Value property(Node, std::string_view name) const;
    Node first_child(Node) const;
    Node next_sibling(Node) const;
    Node parent(Node) const;
    Node child(Node, std::string_view name) const;  // name with or without its unit address

    // The next node of the whole tree in order, none behind the last.
    Node next(Node) const;
    Node compatible(std::string_view what, Node after) const;                          // the next behind `after`
    Node compatible(std::string_view what) const { return compatible(what, Node{}); }  // the first
    Node phandle(u32 value) const;
    Node path(std::string_view path) const;  // absolute; a ':' ends it

    // Entry i of `reg`, moved through the `ranges` of all parents to the CPU's addresses.
    std::optional<Range> reg(Node, usize i = 0) const;
    u64 to_cpu(Node bus, u64 address) const;  // an address on `bus`, a node with children
    u32 address_cells(Node) const;            // of the node's children
    u32 size_cells(Node) const;
    Node interrupt_parent(Node) const;

 private:
    enum Token : u32 { begin = 1, end = 2, prop = 3, nop = 4, last = 9 };

    static u32 be32(std::span<const u8> s) {
        return s.size() < 4 ? 0 : u32{s[0]} << 24 | u32{s[1]} << 16 | u32{s[2]} << 8 | s[3];
    }
    u32 token(u32 at) const { return at < structure_.size() ? be32(structure_.subspan(at)) : u32{last}; }
    u32 after(u32 at) const;  // the token behind the one at `at`; the structure's size when there is none
    u32 body(Node n) const { return after(n.at); }
    u32 skip(Node n) const;  // behind the node's FDT_END_NODE
    std::string_view structure_string(u32 at) const;

    std::span<const u8> structure_, strings_;
};

// --- implementation

inline std::string_view Fdt::structure_string(u32 at) const {
    if (at >= structure_.size()) return {};
    usize n = at;
    while (n < structure_.size() && structure_[n]) n++;
    return {reinterpret_cast<const char*>(structure_.data()) + at, n - at};
}

inline u32 Fdt::after(u32 at) const {
    u64 size = structure_.size(), next = u64{at} + 4;
    switch (token(at)) {
        case begin: next = (next + structure_string(static_cast<u32>(next)).size() + 1 + 3) & ~u64{3}; break;
        case prop: next = (next + 8 + token(static_cast<u32>(next)) + 3) & ~u64{3}; break;
        case end:
        case nop: break;
        default: next = size;
    }
    return static_cast<u32>(next < size ? next : size);
}

inline u32 Fdt::skip(Node n) const {
    unsigned depth = 0;
    u32 at = n.at;
    while (at < structure_.size()) {
        u32 t = token(at);
        if (t == last) break;
        if (t == begin) depth++;
        at = after(at);
        if (t == end && --depth == 0) break;
    }
    return at;
}

inline Result<Fdt> Fdt::parse(std::span<const u8> blob) {
    if (blob.size() < 40 || be32(blob) != magic) return std::unexpected(Error{"the device tree has no valid header"});
    u32 total = be32(blob.subspan(4)), structure = be32(blob.subspan(8)), strings = be32(blob.subspan(12));
    u32 strings_size = be32(blob.subspan(32)), structure_size = be32(blob.subspan(36));
    if (total > blob.size() || structure > total || structure_size > total - structure || strings > total ||
        strings_size > total - strings || structure % 4 != 0)
        return std::unexpected(Error{"the device tree's blocks do not lie inside it"});
    Fdt fdt;
    fdt.structure_ = blob.subspan(structure, structure_size & ~u32{3});
    fdt.strings_ = blob.subspan(strings, strings_size);
    unsigned depth = 0;
    bool seen = false;
    for (u32 at = 0; at < fdt.structure_.size();) {
        u32 t = fdt.token(at);
        if (!seen && t != begin) break;  // the root comes first, so that its offset is 0
        seen = true;
        if (t == begin && ++depth > max_depth)
            return std::unexpected(Error{"the device tree's nodes are nested too deep"});
        if (t == end && depth == 0) break;
        if (t == prop && (depth == 0 || fdt.structure_.size() - at < 12 ||
                          fdt.token(at + 4) > fdt.structure_.size() - at - 12 || fdt.token(at + 8) >= strings_size))
            break;
        if (t == last) {
            if (depth == 0) return fdt;
            break;
        }
        if (t != begin && t != end && t != prop && t != nop) break;
        if (t == end) depth--;
        at = fdt.after(at);
    }
    return std::unexpected(Error{"the device tree's structure is broken"});
}

inline std::string_view Fdt::name(Node n) const { return n ? structure_string(n.at + 4) : std::string_view{}; }

inline Fdt::Value Fdt::property(Node n, std::string_view wanted) const {
    if (!n) return {};
    for (u32 at = body(n); at < structure_.size(); at = after(at)) {
        u32 t = token(at);
        if (t == nop) continue;
        if (t != prop) break;
        u32 size = token(at + 4), name = token(at + 8);
        if (name >= strings_.size() || size > structure_.size() - at - 12) break;
        std::span<const u8> s = strings_.subspan(name);
        if (s.size() <= wanted.size() || s[wanted.size()] != 0) continue;
        if (std::string_view(reinterpret_cast<const char*>(s.data()), wanted.size()) == wanted)
            return Value(structure_.subspan(at + 12, size));
    }
    return {};
}

inline Fdt::Node Fdt::first_child(Node n) const {
    if (!n) return {};
    for (u32 at = body(n); at < structure_.size(); at = after(at)) {
        u32 t = token(at);
        if (t == begin) return {at};
        if (t == end || t == last) break;
    }
    return {};
}

inline Fdt::Node Fdt::next_sibling(Node n) const {
    if (!n) return {};
    for (u32 at = skip(n); at < structure_.size(); at = after(at)) {
        if (token(at) == begin) return {at};
        if (token(at) != nop) break;
    }
    return {};
}

inline Fdt::Node Fdt::next(Node n) const {
    if (!n) return {};
    for (u32 at = after(n.at); at < structure_.size(); at = after(at))
        if (token(at) == begin) return {at};
    return {};
}

inline Fdt::Node Fdt::parent(Node n) const {
    if (!n || n == root()) return {};
    u32 stack[max_depth + 1];
    unsigned depth = 0;
    for (u32 at = 0; at < structure_.size() && at < n.at; at = after(at)) {
        if (token(at) == begin && depth <= max_depth) stack[depth++] = at;
        if (token(at) == end && depth) depth--;
    }
    return depth ? Node{stack[depth - 1]} : Node{};
}

inline Fdt::Node Fdt::child(Node n, std::string_view wanted) const {
    for (Node c = first_child(n); c; c = next_sibling(c)) {
        std::string_view s = name(c);
        if (s == wanted || (wanted.find('@') == wanted.npos && s.substr(0, s.find('@')) == wanted)) return c;
    }
    return {};
}

inline Fdt::Node Fdt::compatible(std::string_view what, Node behind) const {
    for (Node n = behind ? next(behind) : root(); n; n = next(n))
        if (Value v = property(n, "compatible"); v && v.lists(what)) return n;
    return {};
}

inline Fdt::Node Fdt::phandle(u32 value) const {
    for (Node n = root(); n; n = next(n))
        if (Value v = property(n, "phandle"); v && v.cell(0) == value) return n;
    return {};
}

inline Fdt::Node Fdt::path(std::string_view text) const {
    text = text.substr(0, text.find(':'));
    if (text.empty() || text[0] != '/') return {};
    Node n = root();
    while (n && !text.empty()) {
        text.remove_prefix(1);
        std::string_view part = text.substr(0, text.find('/'));
        if (!part.empty()) n = child(n, part);
        text.remove_prefix(part.size());
    }
    return n;
}

inline u32 Fdt::address_cells(Node n) const {
    Value v = property(n, "#address-cells");
    return v && v.cell(0) <= 3 ? v.cell(0) : 2;
}
inline u32 Fdt::size_cells(Node n) const {
    Value v = property(n, "#size-cells");
    return v && v.cell(0) <= 2 ? v.cell(0) : 1;
}

inline u64 Fdt::to_cpu(Node bus, u64 address) const {
    for (Node up = parent(bus); up; bus = up, up = parent(up)) {
        Value ranges = property(bus, "ranges");
        if (!ranges || ranges.size() == 0) continue;
        usize from = address_cells(bus), to = address_cells(up), size = size_cells(bus), step = from + to + size;
        for (usize i = 0; step && i + step <= ranges.cells(); i += step) {
            u64 start = ranges.number(i, from);
            if (address < start || address - start >= ranges.number(i + from + to, size)) continue;
            address = address - start + ranges.number(i + from, to);
            break;
        }
    }
    return address;
}

inline std::optional<Fdt::Range> Fdt::reg(Node n, usize i) const {
    Node bus = parent(n);
    Value v = property(n, "reg");
    usize a = address_cells(bus), s = size_cells(bus), step = a + s;
    if (!v || !bus || !step || (i + 1) * step > v.cells()) return {};
    return Range{to_cpu(bus, v.number(i * step, a)), v.number(i * step + a, s)};
}

inline Fdt::Node Fdt::interrupt_parent(Node n) const {
    for (Node at = n; at; at = parent(at))
        if (Value v = property(at, "interrupt-parent")) return phandle(v.cell(0));
    return {};
}

}  // namespace bmbt::host
