// What single instructions need so that a vector about them says something: see generate.hpp.
#include "generate.hpp"

namespace bmbt::oracle {

using namespace x86;
using x86::CodeSize;

namespace {

bool named(const Encoder& e, const char* name) { return std::string(e.form.name) == name; }
bool starts(const Encoder& e, const char* name) { return std::string(e.form.name).starts_with(name); }

}  // namespace

u16 random_selector(Random& r) {
    static constexpr u16 selectors[] = {0,    1,    2,    3,    0x2b, 0x2b, 0x28, 0x2a, 0x23, 0x33, 0x0f, 0x0f, 0x0e,
                                        0x17, 0x1f, 0x07, 0x10, 0x18, 0x27, 0x83, 0x37, 0x3f, 0x3c, 0x47, 0x4f, 0x57};
    return selectors[r.below(std::size(selectors))];
}

void arrange_stack(Encoder& e, const void* popped, usize size) {
    Random& r = e.random;
    u32 at = layout::data + 0x200 + r.below(0x1800) / 8 * 8;
    if (r.one_in(8)) at += r.below(8);
    // How far PUSHA, POPA, ENTER and far transfers have come when they fault is the CPU's own affair.
    bool whole = starts(e, "pusha") || starts(e, "popa") || named(e, "enter") || e.form.group == "far";
    if (e.tame) whole = true;
    if (!whole && r.one_in(10)) at = layout::data + r.below(24);
    if (!whole && r.one_in(10)) at = layout::data_end - r.below(24);
    if (r.one_in(8)) at = layout::data + 0x1000 - 12 + r.below(24);
    e.set_gpr(Rsp, address_base(e.draft.mode) + at);
    // Wraps, or leaves what a pointer may be. What happens at the end of 4 GiB is the CPU's own affair.
    if (!whole && r.one_in(24) && e.is64()) return e.set_gpr(Rsp, 0x0000'8000'0000'0000 + (r.next() >> 2));
    if (!whole && r.one_in(24) && e.is16())
        return e.set_gpr(Rsp, (r.next() & ~u64{0xffff}) | ((u64{r.below(24)} - 12) & 0xffff));
    if (!popped || at >= layout::data_end) return;
    e.draft.poke(static_cast<u16>(at - layout::data), popped, std::min<usize>(size, layout::data_end - at));
}

namespace {

// Where code may be sent: INT3s.
u64 code_target(Encoder& e) {
    u32 at = layout::code + 0x10 + e.random.below(layout::code_size - 0x20);
    if (at >= e.draft.entry && at < e.draft.entry + 16u) at += 32;
    return address_base(e.draft.mode) + at;
}

void set_operand(Encoder& e, const void* bytes, usize size) {
    if (e.memory) return e.poke_place(bytes, size);
    u64 v = 0;
    std::memcpy(&v, bytes, std::min<usize>(size, 8));
    e.set_gpr(e.rm, v);
}

// 16-bit addresses in 32-bit code reach the data through segments that begin with the region.
void reach_by_16_bits(Encoder& e) {
    if (e.draft.mode == CodeSize::Bits32 && e.address_prefix)
        e.draft.before.seg[Ds] = e.draft.before.seg[Es] = selector::data16;
}

// Of an address, what the instruction's address size has; junk above, which does not count.
u64 cut_address(Encoder& e, u64 address) {
    const bool narrow = e.is16() != (e.address_prefix && !e.is64());
    if (narrow) return (address & 0xffff) | (e.random.next() & 0xffff'0000);
    if (e.is64() && e.address_prefix) return (address & 0xffff'ffff) | e.random.next() << 32;
    return e.is64() ? address : address & 0xffff'ffff;
}

void arrange_string(Encoder& e) {
    Random& r = e.random;
    Draft& d = e.draft;
    bool compares = starts(e, "cmps") || starts(e, "scas");
    unsigned size = e.pattern.operand_size == "b" ? 1 : e.operand_size;
    bool down = r.one_in(4);
    if (down) d.before.flags |= flag::df;
    u32 count = e.tame ? 1 + r.below(23) : r.one_in(12) ? 100 + r.below(4000 / size) : r.below(24);
    u32 span = count * size;
    auto place = [&] {
        if (!e.tame && r.one_in(12)) return layout::data + r.below(layout::data_size);
        if (!e.tame && r.one_in(16)) return layout::data_end - size + r.below(2 * size);
        u32 room = span < layout::data_size ? layout::data_size - span : 1;
        u32 at = layout::data + r.below(room);
        if (r.one_in(2)) at &= ~7u;
        return down ? at + span - (span ? size : 0) : at;
    };
    // Which of two operands that both fault is named is open.
    if (starts(e, "cmps")) count = count < 64 ? count : 64;
    u32 source = place(), target = place();
    if (starts(e, "cmps")) source = layout::data + 0x400 + r.below(0xc00);
    if (!e.tame && r.one_in(6)) target = source + r.below(33) - 16;  // overlapping
    if (compares && r.one_in(2)) {
        u8 same[256];
        std::memset(same, static_cast<int>(r.next()), sizeof same);
        for (u32 at : {source, target}) {
            u32 from = down ? at - 200 : at;
            if (from >= layout::data && from < layout::data_end) {
                usize n = std::min<u32>(200 + size, layout::data_end - from);
                d.poke(static_cast<u16>(from - layout::data), same, n);
            }
        }
        if (starts(e, "scas")) e.set_gpr(Rax, u64{same[0]} * 0x0101'0101'0101'0101);
    }
    if (!e.tame && r.one_in(6)) {
        static constexpr u8 prefixes[] = {0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65};
        e.segment_prefix = prefixes[r.below(6)];
    }
    // GS's base takes a 32-bit address beyond 4 GiB; 16 bits reach nothing through CS and SS.
    if (starts(e, "cmps") && !e.is16() && e.address_prefix) e.segment_prefix = 0;
    reach_by_16_bits(e);
    e.set_gpr(Rsi, cut_address(e, e.address_of({false, source}, e.segment_prefix)));
    e.set_gpr(Rdi, cut_address(e, e.address_of({false, target}, 0)));
    e.set_gpr(Rcx, cut_address(e, count));
}

// Half of all divisions do not overflow.
void arrange_division(Encoder& e) {
    Random& r = e.random;
    unsigned size = e.pattern.operand_size == "v" ? e.operand_size : 1;
    if (e.tame) {
        if (!e.memory && (e.rm == Rax || e.rm == Rdx || e.rm >= Rsp)) e.rm = Rcx;
        u64 divisor = 2 + r.below(100);
        set_operand(e, &divisor, size);
        e.set_gpr(size == 1 ? Rax : Rdx, size == 1 ? e.draft.before.gpr[Rax] & ~u64{0xff00} : 0);
        e.reserved |= 1 << Rax | 1 << Rdx | (e.memory ? 0u : 1u << Rcx);
        return;
    }
    if (r.one_in(4)) return;
    u64 divisor = interesting_integer(r);
    if (r.one_in(2)) divisor = 1 + (divisor & 0xff);
    set_operand(e, &divisor, size);
    if (!e.memory && (e.rm == Rax || e.rm == Rdx || (size == 1 && !e.draft.code.size() && e.rm == Rsp))) return;
    u64 high = r.one_in(2) ? 0 : r.below(5);
    bool is_signed = named(e, "idiv");
    if (is_signed && r.one_in(2)) high = ~u64{0};
    if (is_signed && r.one_in(4)) high = e.draft.before.gpr[Rax] >> (size * 8 - 1) & 1 ? ~u64{0} : 0;
    if (size == 1)
        e.set_gpr(Rax, (e.draft.before.gpr[Rax] & ~u64{0xff00}) | (high & 0xff) << 8);
    else
        e.set_gpr(Rdx, high);
    e.reserved |= 1 << Rax | 1 << Rdx;
}

void vary_mxcsr(Encoder& e) {
    Random& r = e.random;
    u32& mxcsr = e.draft.before.fx.mxcsr;
    mxcsr = 0x1f80 | r.below(4) << 13;
    if (r.one_in(3)) mxcsr |= 0x8000;                          // flush to zero
    if (r.one_in(3)) mxcsr |= 0x0040;                          // denormals are zero
    if (r.one_in(3)) mxcsr |= r.below(64);                     // flags stay
    if (!e.tame && r.one_in(4)) mxcsr &= ~(r.below(64) << 7);  // unmasked
}

void arrange_floats(Encoder& e) {
    Random& r = e.random;
    bool single = e.has(note::single);
    auto value = [&](u8* out, usize n) {
        for (usize i = 0; i < n; i += 8) {
            u64 v = single ? interesting_single(r) | u64{interesting_single(r)} << 32 : interesting_double(r);
            std::memcpy(out + i, &v, 8);
        }
    };
    u8 bytes[16];
    if (e.memory && !r.one_in(4)) {
        value(bytes, 16);
        e.poke_place(bytes, e.memory_size);
    }
    if (e.has(note::x87)) {
        for (u8* x : {e.draft.before.fx.xmm[e.rm & 15]})
            if (!e.memory) value(x, 16);
        if (e.pattern.rm.kind != 'W') return;
    } else if (!r.one_in(4)) {
        if (!e.memory) value(e.draft.before.fx.xmm[e.rm & 15], 16);
        value(e.draft.before.fx.xmm[e.reg & 15], 16);
        if (!e.memory && r.one_in(8))
            std::memcpy(e.draft.before.fx.xmm[e.reg & 15], e.draft.before.fx.xmm[e.rm & 15], 16);
    }
    if (r.one_in(2)) vary_mxcsr(e);
}

u16 random_control(Random& r) {
    static constexpr u16 precision[] = {0x000, 0x200, 0x300, 0x300};
    return static_cast<u16>(0x7f | precision[r.below(4)] | r.below(4) << 10);
}

void arrange_x87(Encoder& e) {
    Random& r = e.random;
    Fxsave& fx = e.draft.before.fx;
    if (r.one_in(4)) fx.fsw |= r.below(0x40);  // sticky flags
    if (e.form.group == "transcendental") {
        // Arguments in the instructions' domain more often than not; seeded ones have any exponent.
        for (unsigned n = 0; n < 2; n++) {
            if (r.one_in(4)) continue;
            u64 significand = r.next() | 1ull << 63;
            u16 exponent = static_cast<u16>(0x3fff - r.below(12) + (r.one_in(3) ? r.below(8) : 0));
            if (named(e, "fyl2xp1") || named(e, "f2xm1")) exponent = static_cast<u16>(0x3ffd - r.below(20));
            if (r.one_in(2) && !(named(e, "fyl2x") && n == 0)) exponent |= 0x8000;
            std::memcpy(fx.st[n], &significand, 8);
            std::memcpy(fx.st[n] + 8, &exponent, 2);
        }
        return;
    }
    if (r.one_in(2)) {
        // As compilers leave it, with room on the stack, and close numbers: what translated code does itself.
        fx.fcw = static_cast<u16>(r.one_in(8) ? 0x0f7f : 0x037f);
        fx.ftw = static_cast<u8>(r.next() | r.next());
        for (unsigned n = 0; n < 2; n++) {
            if (r.one_in(4)) continue;
            u64 value = r.next() | 1ull << 63;
            if (r.one_in(3)) value = ~0ull << r.below(64) | 1ull << 63;  // ties
            if (r.one_in(8)) value = 1ull << 63 | r.below(4);
            u16 exponent = static_cast<u16>(0x3fff + r.below(r.one_in(2) ? 4 : 80) | r.below(2) << 15);
            if (n == 1 && r.one_in(8)) std::memcpy(&value, fx.st[0], 8);
            std::memcpy(fx.st[n], &value, 8);
            std::memcpy(fx.st[n] + 8, &exponent, 2);
        }
    } else if (!e.tame && r.one_in(3)) {
        fx.fcw &= static_cast<u16>(~r.below(64));
        fx.fsw &= static_cast<u16>(~0x3f);
        if (r.one_in(4)) {  // one is pending already
            u16 pending = static_cast<u16>(1 << r.below(6));
            fx.fcw &= static_cast<u16>(~pending);
            fx.fsw |= static_cast<u16>(pending | 0x8080);
        }
    }
    u8 bytes[16];
    if (named(e, "fld") && e.memory && e.memory_size == 10) {
        interesting_extended(r, bytes);
        e.poke_place(bytes, 10);
    } else if (named(e, "fbld")) {
        for (unsigned n = 0; n < 9; n++) bytes[n] = static_cast<u8>(r.below(10) << 4 | r.below(10));
        bytes[9] = static_cast<u8>(r.below(2) << 7);
        if (!r.one_in(8)) e.poke_place(bytes, 10);
    } else if (starts(e, "fi") && e.memory && r.one_in(2)) {
        u64 v = interesting_integer(r);
        e.poke_place(&v, e.memory_size);
    } else if (named(e, "fldcw")) {
        u16 control = random_control(r);
        if (r.one_in(3)) control &= static_cast<u16>(~r.below(64));
        e.poke_place(&control, 2);
    } else if (named(e, "fldenv") || named(e, "frstor")) {
        u8 image[108] = {};
        unsigned field = e.operand_size == 2 ? 2 : 4;
        u16 control = random_control(r), status = static_cast<u16>(r.next() & 0x7f7f), tag = static_cast<u16>(r.next());
        if (!e.tame && r.one_in(4)) control &= static_cast<u16>(~r.below(64));
        if (status & ~control & 0x3f) status |= 0x8080;
        std::memcpy(image, &control, 2);
        std::memcpy(image + field, &status, 2);
        std::memcpy(image + field * 2, &tag, 2);
        for (unsigned n = 0; n < 8; n++) interesting_extended(r, image + field * 7 + n * 10);
        e.poke_place(image, named(e, "fldenv") ? field * 7 : field * 7 + 80);
    } else if (starts(e, "fxrstor")) {
        State s;
        seeded_state(static_cast<u32>(r.next()) | 1, e.draft.mode, true, s);
        s.fx.mxcsr = 0x1f80 | r.below(4) << 13 | r.below(64);
        if (r.one_in(16)) s.fx.mxcsr |= 0x8000'0000;
        e.poke_place(&s.fx, sizeof s.fx);
    }
}

// Bytes from a small alphabet, so that strings have something in common.
void arrange_string_compare(Encoder& e) {
    Random& r = e.random;
    auto text = [&](u8* out) {
        for (unsigned n = 0; n < 16; n++) out[n] = static_cast<u8>(r.one_in(10) ? 0 : 'a' + r.below(4));
        if (r.one_in(3))
            for (unsigned n = 1; n < 16; n += 2) out[n] = 0;
    };
    u8 bytes[16];
    if (!r.one_in(5)) {
        text(e.draft.before.fx.xmm[e.reg & 15]);
        if (!e.memory) text(e.draft.before.fx.xmm[e.rm & 15]);
        text(bytes);
        e.poke_place(bytes, 16);
    }
    if (r.one_in(5)) return;
    e.set_gpr(Rax, u64{r.below(24)} - 4);
    e.set_gpr(Rdx, u64{r.below(24)} - 4);
    if (e.pattern.rex_w && r.one_in(3)) {  // the upper halves count
        e.draft.before.gpr[Rax] += u64{r.below(3)} << 32;
        e.draft.before.gpr[Rdx] -= u64{r.below(3)} << 32;
    }
    e.reserved |= 1 << Rax | 1 << Rdx;
}

void arrange_compare_exchange(Encoder& e) {
    Random& r = e.random;
    e.reserved |= 1 << Rax | 1 << Rdx;
    if (starts(e, "cmpxchg8b") || starts(e, "cmpxchg16b")) {
        u64 a = e.draft.before.gpr[Rax], d = e.draft.before.gpr[Rdx];
        if (r.one_in(2)) return;
        if (named(e, "cmpxchg8b")) {
            u64 both = (a & 0xffff'ffff) | d << 32;
            e.poke_place(&both, 8);
        } else {
            u64 both[2] = {a, d};
            e.poke_place(both, 16);
        }
        return;
    }
    if (r.one_in(2)) return;
    if (e.memory)
        e.poke_place(&e.draft.before.gpr[Rax], e.operand_size);
    else
        e.set_gpr(Rax, e.draft.before.gpr[e.rm]);
}

// Rows of which generate's general rules know nothing, by name.
void arrange_special(Encoder& e) {
    Random& r = e.random;
    Draft& d = e.draft;
    const std::string& group = e.form.group;
    if (arrange_edge(e)) return;
    if (named(e, "div") || named(e, "idiv")) return arrange_division(e);
    if (group == "shift") {
        if (r.one_in(4)) return;
        e.set_gpr(Rcx, (d.before.gpr[Rcx] & ~u64{0xff}) | r.below(r.one_in(2) ? 256 : 20));
        e.reserved |= 1 << Rcx;
        return;
    }
    if (named(e, "aam") || named(e, "aad")) {
        e.immediate_chosen = !r.one_in(4);
        e.immediate = r.below(12);
        return;
    }
    if (starts(e, "cmpxchg")) return arrange_compare_exchange(e);
    if (group == "string42") return arrange_string_compare(e);
    if (starts(e, "cmpp") || starts(e, "cmps") || starts(e, "round")) {
        e.immediate_chosen = true;
        e.immediate = r.below(named(e, "cmpps") || starts(e, "cmp") ? 8 : 16);
        return;
    }
    if (named(e, "xlat")) {
        Place p{false, layout::data + r.below(0x1f00)};
        if (!e.tame && r.one_in(8)) p.offset = layout::data_end - r.below(200);
        if (!e.tame && r.one_in(6)) e.segment_prefix = r.one_in(2) ? 0x64 : 0x26;
        if (e.is64() && e.address_prefix) e.segment_prefix = 0;
        reach_by_16_bits(e);
        return e.set_gpr(Rbx, cut_address(e, e.address_of(p, e.segment_prefix) - (d.before.gpr[Rax] & 0xff)));
    }
    if (starts(e, "maskmov")) {
        reach_by_16_bits(e);
        return e.set_gpr(Rdi, cut_address(e, e.address_of({false, layout::data + r.below(layout::data_size - 16)}, 0)));
    }
    if (named(e, "ldmxcsr")) {
        u32 mxcsr = 0x1f80 | static_cast<u32>(r.next() & 0xe07f);
        if (r.one_in(6)) mxcsr = static_cast<u32>(r.next()) & ~(1u << 17);
        return e.poke_place(&mxcsr, 4);
    }
    if (named(e, "popf")) {
        u64 flags = r.next() & ~(flag::tf | flag::vm | flag::rf | ~mask(22));
        return arrange_stack(e, &flags, e.operand_size);
    }
    if (named(e, "ret")) {
        u64 target = code_target(e);
        e.immediate_chosen = true;
        e.immediate = r.below(64);
        return arrange_stack(e, &target,
                             e.pattern.operand_size == "v" ? e.operand_size
                             : e.is64()                    ? 8
                             : e.is16()                    ? 2
                                                           : 4);
    }
    if (named(e, "enter") || named(e, "leave")) {
        arrange_stack(e);
        e.immediate_chosen = true;
        e.immediate = r.below(200) | (r.one_in(2) ? 0 : r.below(34)) << 16;
        return e.set_gpr(Rbp, address_base(d.mode) + layout::data + 0x100 + r.below(0x1f00));
    }
    if (named(e, "bound")) {
        i32 low = static_cast<i32>(interesting_integer(r)), high = static_cast<i32>(interesting_integer(r));
        u32 index = static_cast<u32>(low) + r.below(5) - 2;
        if (r.one_in(2)) std::swap(low, high);
        if (e.tame)
            low = -static_cast<i32>(r.below(50)), high = static_cast<i32>(r.below(50)),
            index = r.below(2) * static_cast<u32>(high);
        e.set_gpr(e.reg, index);
        e.reserved |= 1 << e.reg;
        if (e.operand_size == 2) {
            i16 pair[2] = {static_cast<i16>(low), static_cast<i16>(high)};
            e.place = {false, layout::data + r.below(0x1ff0)};
            return e.poke_place(pair, 4);
        }
        e.place = {false, layout::data + r.below(0x1ff0)};
        i32 pair[2] = {low, high};
        return e.poke_place(pair, 8);
    }
    if (group == "segment") {
        const u16 selector = e.tame ? selector::data32 : random_selector(r);
        if (starts(e, "pop")) {
            u64 wide = selector;
            return arrange_stack(e, &wide, e.operand_size);
        }
        if (e.form.operands.find("Mp") != std::string::npos) {
            u8 pointer[6] = {};  // read in two pieces, in an order that shows at the end of a segment
            if (e.place.offset >= 0xf000) e.place.offset = layout::data + 0x100;
            u32 offset = static_cast<u32>(r.next());
            std::memcpy(pointer, &offset, 4);
            std::memcpy(pointer + e.operand_size, &selector, 2);
            return e.poke_place(pointer, e.operand_size + 2);
        }
        if (!e.memory) return e.set_gpr(e.rm, (d.before.gpr[e.rm] & ~u64{0xffff}) | selector);
        return e.poke_place(&selector, 2);
    }
}

}  // namespace

void arrange(Encoder& e) {
    Random& r = e.random;
    const std::string& opcode = e.form.opcode;
    if (opcode.find(" cb") != std::string::npos || opcode.find(" cz") != std::string::npos ||
        opcode.find(" cv") != std::string::npos) {
        bool near = opcode.find(" cb") != std::string::npos;
        e.immediate = near ? static_cast<u64>(static_cast<i8>(r.next())) : u64{r.below(0x1000)} - 0x700;
        if (near && static_cast<i8>(e.immediate) < 0 && static_cast<i8>(e.immediate) > -16) e.immediate = 5;
        if (!near && e.immediate + 16 < 16) e.immediate = 9;
        e.immediate_chosen = true;
        if (!r.one_in(3)) e.set_gpr(Rcx, r.below(3));  // LOOP, JCXZ
        // In 32-bit code a displacement from here stays in the code pages; 16-bit code may leave its segment.
        i64 at = static_cast<i64>(e.draft.entry) + static_cast<i64>(e.immediate);
        if (at < layout::code || at > layout::code_end - 32) e.immediate = near ? 0x20 : 0x40;
    }
    if (e.has(note::single) || e.has(note::real))
        arrange_floats(e);
    else if (e.form.group == "convert" && e.random.one_in(2))
        vary_mxcsr(e);  // integers to floating point
    if (e.has(note::x87)) arrange_x87(e);
    if (e.has(note::string)) return arrange_string(e);
    if (e.has(note::bit_string)) {
        // In bits, from a little before the operand to a little behind; the operand itself is inside.
        if (e.memory) {
            i64 offset = static_cast<i64>(r.below(0x1000)) - 0x800;
            if (e.tame) e.place = {false, layout::data + 0x200 + r.below(layout::data_size - 0x400)};
            e.set_gpr(e.reg, static_cast<u64>(offset));
            if (e.operand_size == 2)
                e.draft.before.gpr[e.reg] = (e.draft.before.gpr[e.reg] & 0xffff) | (r.next() & 0xffff'0000);
            if (e.operand_size == 4 && e.is64()) e.draft.before.gpr[e.reg] &= 0xffff'ffff;
        }
        e.reserved |= 1 << e.reg;
    }
    if (e.has(note::indirect)) {
        u64 target = code_target(e);
        set_operand(e, &target, e.operand_size);
    }
    if (e.has(note::stack) && !e.has(note::special)) arrange_stack(e);
    if (e.has(note::special)) arrange_special(e);
    if (e.has(note::indirect) && !e.memory) e.reserved |= 1 << e.rm;
}

namespace {

// The segment register that the instruction loads, or -1.
int loaded_segment(const Encoder& e) {
    if (e.pattern.reg.kind == 'S') return static_cast<int>(e.reg);
    static constexpr const char* names[] = {"es", "cs", "ss", "ds", "fs", "gs"};
    for (int n = 0; n < 6; n++)
        if (std::string(e.form.name).ends_with(names[n]) || named(e, (std::string("l") + names[n]).c_str())) return n;
    return -1;
}

}  // namespace

void append_after(Encoder& e) {
    // Unmasked exceptions show at the next waiting instruction.
    if (e.has(note::x87) && (e.draft.before.fx.fcw & 0x3f) != 0x3f && e.random.one_in(2)) e.draft.code.push_back(0x9b);
    // A segment shows in what is reached through it: MOV EAX, seg:[address], or the other way round.
    int seg = e.form.group != "segment" || e.is64() ? -1 : loaded_segment(e);
    if (seg >= 0 && e.random.one_in(2)) {
        u32 at = layout::data - 0x10 + e.random.below(layout::data_size + 0x20);
        if (e.random.one_in(2)) at += e.is16() ? 0x1000 : layout::region;
        static constexpr u8 prefixes[] = {0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65};
        std::vector<u8>& code = e.draft.code;
        for (u8 b : {prefixes[seg], static_cast<u8>(e.random.one_in(2) ? 0x8b : 0x89),
                     static_cast<u8>(e.is16() ? 0x06 : 0x05)})
            code.push_back(b);
        for (unsigned n = 0; n < (e.is16() ? 2u : 4u); n++) code.push_back(static_cast<u8>(at >> 8 * n));
    }
    // A base shows in what is read with it: MOV RAX, FS:[0].
    bool fs = named(e, "wrfsbase"), gs = named(e, "wrgsbase");
    if (!fs && !gs) return;
    for (u8 b : {fs ? 0x64 : 0x65, 0x48, 0x8b, 0x04, 0x25, 0, 0, 0, 0}) e.draft.code.push_back(b);
}

}  // namespace bmbt::oracle
