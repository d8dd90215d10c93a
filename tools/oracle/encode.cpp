#include "encode.hpp"

#include <stdlib.h>

#include <map>
#include <sstream>

namespace bmbt::oracle {
namespace {

using x86::CodeSize;

Pattern parse(const Form& f) {
    Pattern p;
    std::istringstream opcode(f.opcode);
    for (std::string t; opcode >> t;) {
        if (t.back() == ':')
            p.mandatory = static_cast<u8>(strtoul(t.c_str(), nullptr, 16));
        else if (t == "W")
            p.rex_w = true;
        else if (t == "/r")
            p.modrm = true;
        else if (t[0] == '/')
            p.modrm = true, p.digit = atoi(t.c_str() + 1);
        else if (t == "+r")
            p.in_opcode = true;
        else if (t == "+i")
            p.stack_register = true;
        else if (t == "mo")
            p.address = true;
        else if (t[0] == 'i' || t[0] == 'c')
            p.immediates.push_back(t);
        else
            p.bytes.push_back(static_cast<u8>(strtoul(t.c_str(), nullptr, 16)));
    }
    std::istringstream operands(f.operands);
    for (std::string t; std::getline(operands, t, ',');) {
        if (t == "b" || t == "v" || t == "y") {
            p.operand_size = t;
            continue;
        }
        std::string size = t.substr(1);
        bool is_rm = std::string("EWQMRUN").find(t[0]) != std::string::npos;
        (is_rm ? p.rm : p.reg) = {t[0], size};
        if (size == "v" || size == "z" || (size == "y" && p.operand_size != "v") ||
            (size == "p" && p.operand_size.empty()))
            p.operand_size = size == "z" || size == "p" ? "z" : size;
    }
    return p;
}

void put(std::vector<u8>& out, u64 value, unsigned bytes) {
    for (; bytes--; value >>= 8) out.push_back(static_cast<u8>(value));
}

u8 segment_byte(x86::Seg s) { return static_cast<u8>(s < x86::Fs ? 0x26 + s * 8 : 0x60 + s); }

}  // namespace

const Pattern& pattern_of(const Form& f) {
    static std::map<const Form*, Pattern> all;
    auto found = all.find(&f);
    return found != all.end() ? found->second : all.emplace(&f, parse(f)).first->second;
}

Encoder::Encoder(Random& r, const Form& f, Draft& d) : random(r), form(f), pattern(pattern_of(f)), draft(d) {}

unsigned Encoder::size_of(const std::string& size) const {
    switch (size.empty() ? '0' : size[0]) {
        case 'b': return 1;
        case 'w': return 2;
        case 'd': return 4;
        case 'q': return 8;
        case 't': return 10;
        case 'x':
        case 'u': return 16;
        case 'v':
        case 'z':
        case 'y': return operand_size;
        case 'p': return operand_size + 2;
        default: return static_cast<unsigned>(atoi(size.c_str()));
    }
}

void Encoder::set_gpr(unsigned n, u64 value) { draft.before.gpr[n] = is64() ? value : value & 0xffff'ffff; }

u32 Encoder::pick(u32 choices) {
    variants *= choices;
    if (turn < 0) return random.below(choices);
    const u32 chosen = static_cast<u32>(turn % choices);
    turn /= choices;
    return chosen;
}

void Encoder::choose_size() {
    const std::string& size = pattern.operand_size;
    if (size == "v" && is64()) {
        static constexpr u8 sizes[] = {4, 8, 2}, often[] = {2, 4, 4, 8, 8, 8};
        if (has(note::indirect))
            operand_size = 8;  // CPUs differ about the prefix
        else if (has(note::default64))
            operand_size = turn < 0 ? (random.one_in(4) ? 2 : 8) : pick(2) ? 2 : 8;
        else
            operand_size = turn < 0 && !has(note::string) ? often[random.below(6)] : sizes[pick(3)];
    } else if (size == "v" || (size == "z" && !is64())) {
        operand_size = (turn < 0 ? random.one_in(3) : pick(2)) != is16() ? 2 : 4;
    } else if (size == "z") {
        operand_size = (turn < 0 ? random.one_in(4) : pick(2)) ? 2 : 4;
    } else if (size == "y") {
        operand_size = is64() && pick(2) ? 8 : 4;
    }
    wide_prefix = (size == "v" || size == "z") && operand_size == (is16() ? 4u : 2u);
}

bool Encoder::choose() {
    const Pattern& p = pattern;
    choose_size();
    bool only_memory = p.rm.kind == 'M', can = only_memory || p.rm.kind == 'E' || p.rm.kind == 'W' || p.rm.kind == 'Q';
    if (registers_only && (only_memory || p.address)) return false;
    memory = (can && !registers_only && (only_memory || pick(2))) || p.address;
    lock = memory && has(note::lock) && (turn < 0 ? random.one_in(4) : turn & 1);
    if (has(note::lock)) pick(2);
    if (has(note::string)) {
        static constexpr u8 repeats[] = {0, 0xf2, 0xf3};
        repeat_prefix = repeats[pick(3)];
    }
    address_chosen = turn >= 0 && (p.address || has(note::address));
    if (address_chosen) address_prefix = pick(2);
    tame |= turn == 0;

    unsigned general = is64() ? 16 : 8;
    auto number = [&](char kind) {
        return kind == 'P' || kind == 'Q' || kind == 'N' ? random.below(8) : random.below(general);
    };
    auto segment_number = [&] {
        const u32 n = random.below(6);
        return tame && n == x86::Cs ? u32{x86::Ds} : n;  // CS is #UD
    };
    rm = number(p.rm.kind);
    reg = p.digit >= 0 ? static_cast<unsigned>(p.digit) : p.reg.kind == 'S' ? segment_number() : number(p.reg.kind);
    if (p.stack_register) rm = random.below(8);
    if (memory) {
        memory_size = size_of(p.rm.size);
        memory_align = p.rm.size == "x" || memory_size == 512 ? 16 : memory_size == 576 ? 64 : 1;
        if (form.operands.find("Mx") != std::string::npos && p.rex_w) memory_align = 16;
        place = random_place(memory_size, memory_align);
        // Orders that are the CPU's own: pieces of a large operand at the end of a segment, alignment and a
        // non-canonical address, the target of a branch and the stack.
        bool inside = memory_size >= 10 && place.offset >= 0xf000;
        inside |= has(note::indirect) && place.offset >= layout::read_only;
        if (inside && !place.wild) place.offset = layout::data + 0x400;
        if (place.wild) place.offset &= ~u64{memory_align - 1};
        // Any of the six; ES to DS do nothing in 64-bit code, and a write through CS faults elsewhere.
        if (!tame && random.one_in(6)) segment_prefix = segment_byte(static_cast<x86::Seg>(random.below(6)));
    }
    return true;
}

Place Encoder::random_place(unsigned size, unsigned align) {
    constexpr u32 data = layout::data, end = layout::data_end;
    u32 n = size ? size : 1;
    unsigned what = random.below(100);
    Place p;
    u32 inside = n < layout::data_size ? layout::data_size - n : 1;
    if (tame || what < 70) {
        p.offset = data + random.below(inside);
        if (align > 1)
            p.offset &= ~u64{align - 1};
        else if (random.one_in(2))
            p.offset &= ~u64{7};
        if (p.offset < data) p.offset = data;
    } else if (what < 77) {  // aligned no more
        p.offset = data + random.below(inside);
    } else if (what < 84) {
        p.offset = data + 0x1000 - random.below(n + 1);
    } else if (what < 90) {
        p.offset = end - random.below(n);
    } else if (what < 93) {
        p.offset = data - random.below(n + 1);
    } else if (what < 95) {
        p.offset = end + random.below(0x1000 - n);
    } else if (what < 98) {
        p.offset = layout::read_only + random.below(0x1000 - n);
        if (align > 1) p.offset &= ~u64{align - 1};
    } else if (is64()) {
        p.wild = true;
        p.offset = 0x0000'8000'0000'0000 + (random.next() >> 2);
    } else if (is16()) {
        p.offset = 0x10000 - random.below(n + 1);
    } else {
        p.offset = layout::fs_base32 - layout::region + layout::fs_limit32 + 1 - random.below(n + 1);
    }
    return p;
}

u64 Encoder::address_of(const Place& p, u8 segment) const {
    if (p.wild) return p.offset;
    u64 base = is16() ? layout::region : 0;
    if (segment == 0x64) base = is64() ? layout::fs_base64 : layout::fs_base32;
    if (segment == 0x65) base = is64() ? layout::gs_base64 : layout::gs_base32;
    return layout::region + p.offset - base;
}

void Encoder::poke_place(const void* bytes, usize size) {
    if (place.wild || place.offset < layout::data || place.offset >= layout::data_end) return;
    size = std::min<usize>(size, layout::data_end - place.offset);
    draft.poke(static_cast<u16>(place.offset - layout::data), bytes, size);
}

// Chooses an addressing form and gives its registers the values that lead to the place.
void Encoder::encode_memory(unsigned reg_field) {
    u64 target = address_of(place, segment_prefix);
    auto modrm = [&](unsigned mod, unsigned rm_field) {
        address_bytes_.push_back(static_cast<u8>(mod << 6 | (reg_field & 7) << 3 | rm_field));
    };
    // 16-bit forms reach 64 KiB only: in 32-bit code what FS or GS make of it.
    bool narrow = is16() ? !address_prefix : address_prefix && !is64();
    if (narrow) {
        target &= 0xffff;
        static constexpr u8 bases[8] = {x86::Rbx, x86::Rbx, x86::Rbp, x86::Rbp, 0xff, 0xff, x86::Rbp, x86::Rbx};
        static constexpr u8 indexes[8] = {x86::Rsi, x86::Rdi, x86::Rsi, x86::Rdi, x86::Rsi, x86::Rdi, 0xff, 0xff};
        unsigned form_number = random.below(8), mod = random.below(3);
        auto used = [&](u8 r) { return r != 0xff && reserved >> r & 1; };
        if (absolute_only || used(bases[form_number]) || used(indexes[form_number]) || (mod == 0 && form_number == 6)) {
            modrm(0, 6);
            put(address_bytes_, target, 2);
            return;
        }
        u64 displacement = mod == 0   ? 0
                           : mod == 1 ? static_cast<u64>(static_cast<i8>(random.next()))
                                      : random.next() & 0xffff;
        modrm(mod, form_number);
        put(address_bytes_, displacement, mod);
        u8 base = bases[form_number], index = indexes[form_number];
        u64 left = target - displacement;
        if (base != 0xff && index != 0xff) {
            u64 part = random.next() & 0xffff;
            set_gpr(index, (draft.before.gpr[index] & ~u64{0xffff}) | part);
            left -= part;
        }
        u8 last = base != 0xff ? base : index;
        set_gpr(last, (draft.before.gpr[last] & ~u64{0xffff}) | (left & 0xffff));
        return;
    }

    // Registers that the address may use; an index is never rSP.
    auto pick = [&](bool index, int other) {
        for (unsigned tries = 0; tries < 20; tries++) {
            int r = static_cast<int>(random.below(is64() ? 16 : 8));
            if (r != other && !(reserved >> r & 1) && !(index && r == x86::Rsp)) return r;
        }
        return -1;
    };
    unsigned what = place.wild ? 0 : random.below(10);
    bool absolute = absolute_only || what >= 8;
    int base = absolute ? -1 : pick(false, -1), index = -1;
    if (!absolute && (what & 1)) index = pick(true, base);
    if (base < 0 && index < 0) absolute = true;
    if (!absolute && index >= 0 && random.one_in(5) && !place.wild) base = -1;
    u64 width = is64() && !address_prefix ? ~u64{0} : 0xffff'ffff;

    if (absolute) {
        if (is64() && random.one_in(2)) {  // relative to RIP, which is known when all is encoded
            rip_relative_ = true;
            modrm(0, 5);
            put(address_bytes_, target - (address_base(draft.mode) + draft.entry), 4);
            return;
        }
        if (is64() || random.one_in(4)) {
            modrm(0, 4);
            address_bytes_.push_back(static_cast<u8>(0x25 | random.below(4) << 6));
        } else {
            modrm(0, 5);
        }
        put(address_bytes_, target, 4);
        return;
    }

    unsigned mod = random.below(3), scale = random.below(4);
    if (base < 0) mod = 0;
    if (mod == 0 && base >= 0 && (base & 7) == 5) mod = 1;
    unsigned bytes = base < 0 ? 4 : mod == 0 ? 0 : mod == 1 ? 1 : 4;
    i64 displacement = bytes == 1 ? static_cast<i8>(random.next()) : bytes == 4 ? static_cast<i32>(random.next()) : 0;
    if (bytes == 4 && random.one_in(2)) displacement >>= 16;
    u64 left = target - static_cast<u64>(displacement);
    if (index >= 0) {
        u64 part = random.one_in(2) ? random.below(64) : -u64{random.below(4096)};
        if (base < 0) {  // the index makes up for all, as far as its scale lets it
            part = left >> scale;
            displacement += static_cast<i64>(left - (part << scale));
        }
        set_gpr(static_cast<unsigned>(index), part & width);
        left -= (part & width) << scale;
    }
    if (base >= 0) {
        u64 value = left & width;
        if (is64() && address_prefix) value |= random.next() << 32;  // the upper half does not count
        set_gpr(static_cast<unsigned>(base), value);
    }
    bool sib = index >= 0 || base < 0 || (base & 7) == 4 || random.one_in(16);
    modrm(mod, sib ? 4 : static_cast<unsigned>(base) & 7);
    if (sib) {
        unsigned i = index >= 0 ? static_cast<unsigned>(index) & 7 : 4,
                 b = base < 0 ? 5 : static_cast<unsigned>(base) & 7;
        address_bytes_.push_back(static_cast<u8>(scale << 6 | i << 3 | b));
    }
    if (base >= 8) rex_ |= 0x41;
    if (index >= 8) rex_ |= 0x42;
    put(address_bytes_, static_cast<u64>(displacement), bytes);
}

void Encoder::encode() {
    const Pattern& p = pattern;
    // 32-bit code seldom has 16-bit addresses, and they lead somewhere only from the base of FS or GS.
    if (!address_chosen && memory && random.one_in(8) && !place.wild) {
        if (draft.mode == CodeSize::Bits32 && !segment_prefix && memory_size <= 16 && random.one_in(3))
            segment_prefix = random.one_in(2) ? 0x64 : 0x65;
        address_prefix = draft.mode != CodeSize::Bits32 || segment_prefix == 0x64 || segment_prefix == 0x65;
    }
    if (p.address && address_prefix && place.wild) address_prefix = false;
    if (p.address && address_prefix && draft.mode == CodeSize::Bits32) segment_prefix = random.one_in(2) ? 0x64 : 0x65;
    if (p.address && address_prefix && is64()) segment_prefix = 0;  // the sum with a base reaches beyond 4 GiB
    // 32 bits of address and a base reach beyond 4 GiB, where of a large image any page may be the one that is named.
    if (is64() && segment_prefix && memory_size > 16) address_prefix = false;
    if (is64() && (p.rex_w || (operand_size == 8 && !has(note::default64) && !p.operand_size.empty()))) rex_ |= 0x48;

    std::vector<u8> immediate_bytes;
    for (const std::string& i : p.immediates) {
        unsigned size = i == "ib" || i == "cb" ? 1
                        : i == "iw"            ? 2
                        : i == "iz"            ? std::min(operand_size, 4u)
                        : i == "iv"            ? operand_size
                                               : 0;
        if (i == "cz") size = is16() ? 2 : 4;
        if (i == "cv") size = operand_size;
        if (i == "ip") {
            put(immediate_bytes, immediate & 0xffff'ffff, operand_size);
            put(immediate_bytes, immediate >> 32, 2);
            continue;
        }
        u64 value = interesting_integer(random);
        if (has('c')) value = random.below(random.one_in(2) ? 20 : 256);
        if (immediate_chosen) value = immediate, immediate >>= 16;
        put(immediate_bytes, value, size);
    }

    std::vector<u8> opcode = p.bytes;
    if (p.in_opcode || p.stack_register) {
        opcode.back() = static_cast<u8>(opcode.back() + (rm & 7));
        if (rm >= 8) rex_ |= 0x41;
    }
    if (p.modrm) {
        if (reg >= 8) rex_ |= 0x44;
        if (memory) {
            encode_memory(reg);
        } else {
            if (rm >= 8) rex_ |= 0x41;
            address_bytes_.push_back(static_cast<u8>(0xc0 | (reg & 7) << 3 | (rm & 7)));
        }
    } else if (p.address) {
        unsigned size = is64() ? (address_prefix ? 4 : 8) : is16() != address_prefix ? 2 : 4;
        put(address_bytes_, address_of(place, segment_prefix), size);
    }
    if (is64() && random.one_in(8) && p.bytes[0] != 0x90) rex_ |= 0x40;  // a REX prefix that only renames AH to DIL

    std::vector<u8>& code = draft.code;
    const usize start = code.size();
    decorate();
    if (lock) code.push_back(0xf0);
    if (segment_prefix) code.push_back(segment_prefix);
    if (address_prefix) code.push_back(0x67);
    if (wide_prefix) code.push_back(0x66);
    if (repeat_prefix) code.push_back(repeat_prefix);
    if (p.mandatory) code.push_back(p.mandatory);
    if (rex_ && is64()) code.push_back(rex_);
    code.insert(code.end(), opcode.begin(), opcode.end());
    usize address_at = code.size();
    code.insert(code.end(), address_bytes_.begin(), address_bytes_.end());
    code.insert(code.end(), immediate_bytes.begin(), immediate_bytes.end());
    if (!tame && random.one_in(200)) {  // as long as an instruction may be, or longer
        usize length = 14 + random.below(4), now = code.size() - start;
        if (now < length) {
            code.insert(code.begin() + static_cast<long>(start), length - now, 0x3e);
            address_at += length - now;
        }
    }
    if (rip_relative_) {
        i32 relative;
        std::memcpy(&relative, &code[address_at + 1], 4);
        relative -= static_cast<i32>(code.size());
        std::memcpy(&code[address_at + 1], &relative, 4);
    }
}

// Prefixes that do nothing here: once more the same, REX before others, F2 and F3 before opcodes that do not know them,
// a segment without memory. Seldom LOCK where nothing may be locked.
void Encoder::decorate() {
    std::vector<u8>& code = draft.code;
    const Pattern& p = pattern;
    static constexpr u8 segments[] = {0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65};
    const u8 first = p.bytes[0];
    bool odd = form.group == "segment" || form.group == "refused" || form.group == "undefined" || form.group == "fault";
    if (!odd && !lock && !tame && random.one_in(100)) lock = true;
    if (!random.one_in(8)) return;
    bool before_legacy = segment_prefix || address_prefix || wide_prefix || lock || p.mandatory || repeat_prefix;
    if (is64() && before_legacy && random.one_in(3)) code.push_back(static_cast<u8>(0x40 | random.below(16)));
    if (wide_prefix && random.one_in(3)) code.push_back(0x66);
    if (address_prefix && random.one_in(3)) code.push_back(0x67);
    bool knows = first == 0x0f || first == 0x90 || repeat_prefix || p.mandatory || has(note::string);
    if (!knows && random.one_in(3)) code.push_back(random.one_in(2) ? 0xf2 : 0xf3);
    // In 64-bit code FS or GS counts before one that does not: a large image must not begin elsewhere for it.
    const bool overridden = segment_prefix && memory_size <= 16;
    if ((!memory || overridden) && !has(note::string) && !has(note::special) && random.one_in(3))
        code.push_back(segments[random.below(6)]);
}

}  // namespace bmbt::oracle
