// PCMPESTRI, PCMPESTRM, PCMPISTRI, PCMPISTRM. Intel SDM vol. 2, "Imm8 Control Byte Operation for PCMPxSTRx".
#include <Zydis/Zydis.h>

#include "cpu/media.hpp"

namespace bmbt {

using namespace x86;

namespace {

enum Aggregation : u8 { EqualAny, Ranges, EqualEach, EqualOrdered };

// One string: its elements as numbers of the chosen kind, and how many are valid.
struct Text {
    i32 element[16];
    unsigned length;
};

Text elements(const Vector128& x, u8 imm) {
    Text t{};
    for (unsigned n = 0; n < 16; n++) {
        switch (imm & 3) {
            case 0: t.element[n] = x.get<u8>(n); break;
            case 1: t.element[n] = x.get<u16>(n & 7); break;
            case 2: t.element[n] = x.get<i8>(n); break;
            default: t.element[n] = x.get<i16>(n & 7); break;
        }
    }
    return t;
}

// Implicit length: up to the first zero element.
unsigned implicit_length(const Text& t, unsigned count) {
    unsigned n = 0;
    while (n < count && t.element[n]) n++;
    return n;
}
// Explicit length: the magnitude of EAX or EDX (RAX, RDX with REX.W), at most `count`.
unsigned explicit_length(u64 value, bool wide, unsigned count) {
    i64 x = wide ? static_cast<i64>(value) : sign_extend(value, 32);
    u64 magnitude = x < 0 ? u64{0} - static_cast<u64>(x) : static_cast<u64>(x);
    return magnitude > count ? count : magnitude;
}

// IntRes1: a is the first operand (the set, ranges or needle), b the second.
u32 aggregate(const Text& a, const Text& b, unsigned count, u8 imm) {
    u32 result = 0;
    for (unsigned j = 0; j < count; j++) {
        const bool b_valid = j < b.length;
        bool found = false;
        switch (imm >> 2 & 3) {
            case EqualAny:
                for (unsigned k = 0; k < a.length; k++) found |= b_valid && a.element[k] == b.element[j];
                break;
            case Ranges:
                for (unsigned k = 0; k + 1 < a.length; k += 2)
                    found |= b_valid && a.element[k] <= b.element[j] && b.element[j] <= a.element[k + 1];
                break;
            case EqualEach: {
                const bool a_valid = j < a.length;
                found = a_valid && b_valid ? a.element[j] == b.element[j] : a_valid == b_valid;
                break;
            }
            default:
                found = true;
                for (unsigned k = 0; k < a.length && j + k < count; k++)
                    found = found && j + k < b.length && a.element[k] == b.element[j + k];
        }
        if (found) result |= 1u << j;
    }
    return result;
}

Guest<> compare_text(Vcpu& v, const Insn& i, bool explicit_lengths, bool mask_result) {
    const u8 imm = i.imm;
    const unsigned count = imm & 1 ? 8 : 16;
    const bool wide = i.operand_size == 8;
    CHECK(need_sse(v));
    Vector128 second = TRY(get_vector(v, i, 1, true)), first = vector_register(v, i.op[0]);
    Text a = elements(first, imm), b = elements(second, imm);
    a.length = explicit_lengths ? explicit_length(v.gpr[Rax], wide, count) : implicit_length(a, count);
    b.length = explicit_lengths ? explicit_length(v.gpr[Rdx], wide, count) : implicit_length(b, count);

    u32 result = aggregate(a, b, count, imm);
    const u32 all = (1u << count) - 1;
    if (imm & 0x10) result ^= imm & 0x20 ? (1u << b.length) - 1 : all;  // masked negative: valid elements only
    result &= all;

    if (mask_result) {
        Vector128 r;
        if (imm & 0x40) {
            for (unsigned n = 0; n < count; n++) {
                if (count == 16)
                    r.set<u8>(n, bit(result, n) ? 0xff : 0);
                else
                    r.set<u16>(n, bit(result, n) ? 0xffff : 0);
            }
        } else {
            r.q[0] = result;
        }
        set_vector_register(v, {.kind = OperandKind::Xmm, .reg = 0, .size = 16}, r);
    } else {
        u64 index = !result ? count : imm & 0x40 ? 31 - __builtin_clz(result) : __builtin_ctz(result);
        set_gpr(v, Rcx, 4, index);
    }
    u64 flags = 0;
    if (result) flags |= flag::cf;
    if (b.length < count) flags |= flag::zf;
    if (a.length < count) flags |= flag::sf;
    if (result & 1) flags |= flag::of;
    set_arithmetic(v, flags);
    return {};
}

Guest<> pcmpestri(Vcpu& v, const Insn& i) { return compare_text(v, i, true, false); }
Guest<> pcmpestrm(Vcpu& v, const Insn& i) { return compare_text(v, i, true, true); }
Guest<> pcmpistri(Vcpu& v, const Insn& i) { return compare_text(v, i, false, false); }
Guest<> pcmpistrm(Vcpu& v, const Insn& i) { return compare_text(v, i, false, true); }

}  // namespace

Semantics sse_text_semantics(const Insn& i) {
    switch (i.mnemonic) {
        case ZYDIS_MNEMONIC_PCMPESTRI: return pcmpestri;
        case ZYDIS_MNEMONIC_PCMPESTRM: return pcmpestrm;
        case ZYDIS_MNEMONIC_PCMPISTRI: return pcmpistri;
        case ZYDIS_MNEMONIC_PCMPISTRM: return pcmpistrm;
        default: return nullptr;
    }
}

}  // namespace bmbt
