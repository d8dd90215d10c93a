#include "oracle/compare.hpp"

namespace bmbt::oracle {
namespace {

constexpr u64 page_size = 4096;

// Returning from a kernel's handler turns null selectors into 0, so their lowest two bits were not recorded.
void drop_null_privileges(State& s) {
    for (u16& selector : s.seg)
        if (selector < 4) selector = 0;
}

// Numbers of one sign as integers that count representable values; the difference of two is their distance.
u128 ordinal(u64 significand, u64 sign_exponent) {
    return (u128{sign_exponent & 0x7fff} << 63) + (significand & ~u64{0} >> 1);
}

bool near_extended(const State& a, const State& b, unsigned n) {
    u64 am = get_word(a, word::st + 2 * n), ae = get_word(a, word::st + 2 * n + 1) & 0xffff;
    u64 bm = get_word(b, word::st + 2 * n), be = get_word(b, word::st + 2 * n + 1) & 0xffff;
    if ((ae ^ be) & 0x8000) return false;
    u128 x = ordinal(am, ae), y = ordinal(bm, be);
    return (x > y ? x - y : y - x) <= 1;
}

// Two approximations, each within 1.5 * 2^-12 of the true value, are less than 2 * 1.5 * 2^-12 * 2^24 units apart.
bool near_single(u32 x, u32 y) {
    if (x == y) return true;
    if ((x ^ y) >> 31 || (x & 0x7f80'0000) == 0x7f80'0000 || (y & 0x7f80'0000) == 0x7f80'0000) return false;
    return (x > y ? x - y : y - x) <= 3 << 12;
}
bool near_singles(u64 a, u64 b) {
    return near_single(static_cast<u32>(a), static_cast<u32>(b)) &&
           near_single(static_cast<u32>(a >> 32), static_cast<u32>(b >> 32));
}

bool tolerated(Tolerance t, unsigned index, const State& before, const State& expected, const State& actual) {
    const unsigned results = t == Tolerance::Transcendental ? 1 : t == Tolerance::TranscendentalPair ? 2 : 0;
    if (index >= word::st && index < word::st + 2 * results)
        return near_extended(expected, actual, (index - word::st) / 2);
    if (index < word::xmm) return false;
    const u64 want = get_word(expected, index), have = get_word(actual, index);
    const bool low = (index - word::xmm) % 2 == 0;
    if (t == Tolerance::ReciprocalScalar) return low && want >> 32 == have >> 32 && near_singles(want, have);
    const unsigned other = low ? index + 1 : index - 1;
    const bool changes = want != get_word(before, index) || get_word(expected, other) != get_word(before, other);
    return t == Tolerance::Reciprocal && changes && near_singles(want, have);
}

// Whether an x87 instruction ended with an invalid operation, as the flags tell that were not set before.
bool became_invalid(const State& before, const State& after) {
    constexpr u16 invalid = 0x41;  // IE, SF
    return after.fx.fsw & ~before.fx.fsw & invalid;
}

}  // namespace

void ExpectedMemory::prepare(const Vector& v, const u8* seeded) {
    std::memcpy(bytes, seeded, sizeof bytes);
    apply_patches(v.memory_before, bytes);
    apply_patches(v.memory_after, bytes);
    std::memset(ignore, 0, sizeof ignore);
    apply_patches(v.memory_ignore, ignore);
}

Differences compare(const Vector& v, const State& before, const State& found, const Outcome& outcome,
                    const ExpectedMemory& memory, const u8* data, u32 ignored_mxcsr) {
    using Kind = Difference::Kind;
    Differences out;
    if (outcome.vector != v.outcome.vector)
        out.add({Kind::Vector, 0, static_cast<u64>(v.outcome.vector), static_cast<u64>(outcome.vector)});
    else {
        if (outcome.error != v.outcome.error) out.add({Kind::ErrorCode, 0, v.outcome.error, outcome.error});
        u64 offset = v.options & option::any_byte ? page_size - 1 : 0;
        if ((outcome.address | offset) != (v.outcome.address | offset))
            out.add({Kind::FaultAddress, 0, v.outcome.address, outcome.address});
    }

    State expected = before, actual = found;
    apply_words(v.after, expected);
    drop_null_privileges(expected);
    drop_null_privileges(actual);
    Mask mask = always_ignored(v.mode);
    mask.words[word::mxcsr] |= ignored_mxcsr;
    for (usize i = 0; i + 9 <= v.ignore.size(); i += 9) {
        u64 bits;
        std::memcpy(&bits, &v.ignore[i + 1], 8);
        if (v.ignore[i] < state_words) mask.words[v.ignore[i]] |= bits;
    }
    // Rounding up (C1) and inexactness go with the last place; behind a stack fault C1 tells its direction.
    const bool transcendental =
        v.tolerance == Tolerance::Transcendental || v.tolerance == Tolerance::TranscendentalPair;
    if (transcendental && !became_invalid(before, expected)) mask.words[word::x87] |= u64{0x0220} << 16;

    for (unsigned i = 0; i < state_words; i++) {
        u64 want = get_word(expected, i), have = get_word(actual, i);
        if (((want ^ have) & ~mask.words[i]) == 0 || tolerated(v.tolerance, i, before, expected, actual)) continue;
        out.add({Kind::Word, static_cast<u16>(i), want & ~mask.words[i], have & ~mask.words[i]});
    }
    for (unsigned at = 0; at < layout::data_size; at += 8) {
        u64 want, have, ignore;
        std::memcpy(&want, memory.bytes + at, 8);
        std::memcpy(&have, data + at, 8);
        if (want == have) [[likely]]
            continue;
        std::memcpy(&ignore, memory.ignore + at, 8);
        if ((want ^ have) & ~ignore) out.add({Kind::Memory, static_cast<u16>(at), want, have});
    }
    return out;
}

const char* word_name(unsigned index) {
    static constexpr const char* names[state_words] = {
        "rax",         "rcx",     "rdx",         "rbx",     "rsp",      "rbp",     "rsi",      "rdi",      "r8",
        "r9",          "r10",     "r11",         "r12",     "r13",      "r14",     "r15",      "rip",      "flags",
        "es.cs.ss.ds", "fs.gs",   "fcw.fsw.ftw", "fip",     "fdp",      "mxcsr",   "st0",      "st0.exp",  "st1",
        "st1.exp",     "st2",     "st2.exp",     "st3",     "st3.exp",  "st4",     "st4.exp",  "st5",      "st5.exp",
        "st6",         "st6.exp", "st7",         "st7.exp", "xmm0",     "xmm0.hi", "xmm1",     "xmm1.hi",  "xmm2",
        "xmm2.hi",     "xmm3",    "xmm3.hi",     "xmm4",    "xmm4.hi",  "xmm5",    "xmm5.hi",  "xmm6",     "xmm6.hi",
        "xmm7",        "xmm7.hi", "xmm8",        "xmm8.hi", "xmm9",     "xmm9.hi", "xmm10",    "xmm10.hi", "xmm11",
        "xmm11.hi",    "xmm12",   "xmm12.hi",    "xmm13",   "xmm13.hi", "xmm14",   "xmm14.hi", "xmm15",    "xmm15.hi"};
    return index < state_words ? names[index] : "?";
}

}  // namespace bmbt::oracle
