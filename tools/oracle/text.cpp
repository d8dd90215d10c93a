#include "text.hpp"

#include <stdio.h>
#include <stdlib.h>

#include <fstream>
#include <sstream>

#include "oracle/compare.hpp"
#include "oracle/seed.hpp"

namespace bmbt::oracle {
namespace {

constexpr const char* vector_names[] = {"de", "db", "nmi", "bp", "of", "br",    "ud", "nm", "df", nullptr,
                                        "ts", "np", "ss",  "gp", "pf", nullptr, "mf", "ac", "mc", "xm"};
constexpr const char* segment_names[] = {"es", "cs", "ss", "ds", "fs", "gs"};

bool hex(const std::string& s, u64& out) {
    if (s.empty() || s.size() > 16) return false;
    char* end;
    out = strtoull(s.c_str(), &end, 16);
    return !*end;
}

bool hex_bytes(std::string s, std::vector<u8>& out) {
    std::erase(s, ' ');
    if (s.size() % 2) return false;
    for (usize i = 0; i < s.size(); i += 2) {
        u64 v;
        if (!hex(s.substr(i, 2), v)) return false;
        out.push_back(static_cast<u8>(v));
    }
    return true;
}

// A number of up to 16 bytes, most significant digit first, into little-endian bytes.
bool wide(std::string s, u8* out, usize bytes) {
    if (s.size() > bytes * 2) return false;
    s.insert(0, bytes * 2 - s.size(), '0');
    std::vector<u8> v;
    if (!hex_bytes(s, v)) return false;
    for (usize i = 0; i < bytes; i++) out[i] = v[bytes - 1 - i];
    return true;
}

bool set_register(State& s, const std::string& name, const std::string& value) {
    u64 v = 0;
    bool narrow = hex(value, v);
    for (unsigned n = 0; n < 6; n++)
        if (name == segment_names[n]) return s.seg[n] = static_cast<u16>(v), narrow;
    if (name == "fcw") return s.fx.fcw = static_cast<u16>(v), narrow;
    if (name == "fsw") return s.fx.fsw = static_cast<u16>(v), narrow;
    if (name == "ftw") return s.fx.ftw = static_cast<u8>(v), narrow;
    if (name == "mxcsr") return s.fx.mxcsr = static_cast<u32>(v), narrow;
    if (name.starts_with("xmm") || name.starts_with("st")) {
        bool x = name[0] == 'x';
        char* end;
        unsigned long n = strtoul(name.c_str() + (x ? 3 : 2), &end, 10);
        if (*end || n >= (x ? 16u : 8u)) return false;
        return x ? wide(value, s.fx.xmm[n], 16) : wide(value, s.fx.st[n], 10);
    }
    for (unsigned n = 0; n <= word::flags; n++)
        if (name == word_name(n)) return set_word(s, n, v), narrow;
    return false;
}

bool parse_exception(const std::string& token, Outcome& out) {
    auto open = token.find('(');
    std::string name = token.substr(0, open);
    for (unsigned n = 0; n < std::size(vector_names); n++) {
        if (!vector_names[n] || name != vector_names[n]) continue;
        out = {static_cast<x86::Vector>(n), 0, 0};
        if (open == std::string::npos) return true;
        if (token.back() != ')') return false;
        std::string inside = token.substr(open + 1, token.size() - open - 2);
        auto comma = inside.find(',');
        u64 error, address = 0;
        if (!hex(inside.substr(0, comma), error)) return false;
        if (comma != std::string::npos && !hex(inside.substr(comma + 1), address)) return false;
        out.error = static_cast<u32>(error);
        out.address = address;
        return true;
    }
    return false;
}

// The tokens of a line; what is in quotes is one token, without them.
std::vector<std::string> tokens(const std::string& line) {
    std::vector<std::string> out;
    std::string now;
    bool quoted = false, any = false;
    for (char c : line + " ") {
        if (c == '"')
            quoted = !quoted, any = true;
        else if (c == ' ' && !quoted) {
            if (any) out.push_back(now);
            now.clear(), any = false;
        } else
            now += c, any = true;
    }
    return out;
}

std::string format(const char* form, u64 value) {
    char buffer[64];
    snprintf(buffer, sizeof buffer, form, static_cast<unsigned long long>(value));
    return buffer;
}

std::string digits(const u8* bytes, usize n) {
    std::string out;
    while (n--) out += format("%02llx", bytes[n]);
    return out;
}

std::string changes(const State& from, const State& to) {
    std::string out;
    auto add = [&](const std::string& name, u64 a, u64 b) {
        if (a != b) out += " " + name + "=" + format("%llx", b);
    };
    for (unsigned n = 0; n <= word::flags; n++) add(word_name(n), get_word(from, n), get_word(to, n));
    for (unsigned n = 0; n < 6; n++) add(segment_names[n], from.seg[n], to.seg[n]);
    add("fcw", from.fx.fcw, to.fx.fcw);
    add("fsw", from.fx.fsw, to.fx.fsw);
    add("ftw", from.fx.ftw, to.fx.ftw);
    add("mxcsr", from.fx.mxcsr, to.fx.mxcsr);
    for (unsigned n = 0; n < 8; n++)
        if (std::memcmp(from.fx.st[n], to.fx.st[n], 10))
            out += " st" + std::to_string(n) + "=" + digits(to.fx.st[n], 10);
    for (unsigned n = 0; n < 16; n++)
        if (std::memcmp(from.fx.xmm[n], to.fx.xmm[n], 16))
            out += " xmm" + std::to_string(n) + "=" + digits(to.fx.xmm[n], 16);
    return out;
}

std::string memory(const std::vector<Patch>& patches) {
    std::string out;
    for (const Patch& p : patches) {
        out += " [" + format("%llx", layout::data + p.offset) + "]=";
        for (u8 b : p.bytes) out += format("%02llx", b);
    }
    return out;
}

}  // namespace

bool parse_line(const std::string& line, Draft& d, std::string& error) {
    d = Draft{};
    auto all = tokens(line);
    auto bad = [&](const std::string& what) {
        error = what;
        return false;
    };
    if (all.size() < 2) return bad("a vector needs a code size and code");
    if (all[0] == "64")
        d.mode = x86::CodeSize::Bits64;
    else if (all[0] == "32")
        d.mode = x86::CodeSize::Bits32;
    else if (all[0] == "16")
        d.mode = x86::CodeSize::Bits16;
    else
        return bad("the code size is 16, 32 or 64");
    if (!hex_bytes(all[1], d.code) || d.code.empty() || d.code.size() > max_code)
        return bad("this is not code: " + all[1]);

    // What the state starts from comes first, wherever it stands.
    for (const std::string& t : all) {
        u64 v;
        if (t == "x87") d.options |= option::x87;
        if (t == "user") d.options |= option::user_only;
        if (t == "smc") d.options |= option::writes_code;
        if (t == "long") d.options |= option::long_mode;
        if (t.starts_with("seed=") && hex(t.substr(5), v)) d.seed = static_cast<u32>(v);
        if (t.starts_with("at=") && hex(t.substr(3), v)) d.entry = static_cast<u16>(v);
    }
    if (d.entry < layout::code || d.entry + d.code.size() > layout::code_end)
        return bad("at= is outside the code pages");
    d.reset_state();
    bool after = false;
    for (usize i = 2; i < all.size(); i++) {
        const std::string& t = all[i];
        if (t == "x87" || t == "user" || t == "smc" || t == "long" || t.starts_with("seed=") || t.starts_with("at="))
            continue;
        if (t == "->") {
            after = true;
            d.options |= option::recorded;
            d.after = d.before;
            d.after.rip += d.code.size() + 1;
            continue;
        }
        auto equals = t.find('=');
        if (equals == std::string::npos) {
            if (!after || !parse_exception(t, d.outcome)) return bad("unknown word: " + t);
            d.after.rip = d.before.rip;
            continue;
        }
        std::string name = t.substr(0, equals), value = t.substr(equals + 1);
        if (name.size() > 2 && name.front() == '[' && name.back() == ']') {
            u64 offset;
            Patch p;
            if (!hex(name.substr(1, name.size() - 2), offset) || !hex_bytes(value, p.bytes) || offset < layout::data ||
                offset + p.bytes.size() > layout::data_end)
                return bad("this memory is not in the data pages: " + t);
            p.offset = static_cast<u16>(offset - layout::data);
            (after ? d.memory_after : d.memory).push_back(p);
            continue;
        }
        if (!set_register(after ? d.after : d.before, name, value)) return bad("unknown register or bad value: " + t);
    }
    return true;
}

std::string to_line(const Draft& d) {
    std::string out = d.mode == x86::CodeSize::Bits64 ? "64 \"" : d.mode == x86::CodeSize::Bits32 ? "32 \"" : "16 \"";
    for (usize i = 0; i < d.code.size(); i++) out += format(i ? " %02llx" : "%02llx", d.code[i]);
    out += '"';
    if (d.seed) out += " seed=" + format("%llx", d.seed);
    if (d.options & option::x87) out += " x87";
    if (d.options & option::user_only) out += " user";
    if (d.options & option::writes_code) out += " smc";
    if (d.options & option::long_mode) out += " long";
    if (d.entry != Draft{}.entry) out += " at=" + format("%llx", d.entry);
    Draft plain = d;
    plain.reset_state();
    out += changes(plain.before, d.before) + memory(d.memory);
    if (!(d.options & option::recorded)) return out;
    out += " ->";
    State expected = d.before;
    if (d.outcome.vector == x86::Vector::Bp) {
        expected.rip += d.code.size() + 1;
    } else {
        u8 v = static_cast<u8>(d.outcome.vector);
        out += v < std::size(vector_names) && vector_names[v] ? std::string(" ") + vector_names[v]
                                                              : format(" vector%llu", v);
        if (d.outcome.error || d.outcome.address) out += "(" + format("%llx", d.outcome.error);
        if (d.outcome.address) out += "," + format("%llx", d.outcome.address);
        if (d.outcome.error || d.outcome.address) out += ")";
    }
    State shown = d.after;
    shown.fx.fip = expected.fx.fip, shown.fx.fdp = expected.fx.fdp, shown.fx.fop = expected.fx.fop;
    return out + changes(expected, shown) + memory(d.memory_after);
}

void print_differences(const Differences& d) {
    static constexpr const char* kinds[] = {"exception", "error code", "fault address"};
    for (unsigned n = 0; n < std::min(d.count, Differences::capacity); n++) {
        const Difference& f = d.first[n];
        auto expected = static_cast<unsigned long long>(f.expected), actual = static_cast<unsigned long long>(f.actual);
        if (f.kind == Difference::Kind::Word)
            printf("    %s", word_name(f.index));
        else if (f.kind == Difference::Kind::Memory)
            printf("    [%x]", layout::data + f.index);
        else
            printf("    %s", kinds[static_cast<u8>(f.kind)]);
        printf(": expected %llx, is %llx\n", expected, actual);
    }
}

std::vector<Draft> parse_file(const std::string& name) {
    std::ifstream in(name);
    if (!in) {
        fprintf(stderr, "oracle: cannot read %s\n", name.c_str());
        exit(2);
    }
    std::vector<Draft> out;
    std::string line, error;
    for (unsigned number = 1; std::getline(in, line); number++) {
        if (line.empty() || line[0] == '#') continue;
        out.emplace_back();
        if (parse_line(line, out.back(), error)) continue;
        fprintf(stderr, "%s:%u: %s\n", name.c_str(), number, error.c_str());
        exit(2);
    }
    return out;
}

}  // namespace bmbt::oracle
