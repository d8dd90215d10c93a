// Every way out of guest code and back keeps every register.
#include "bench.hpp"

namespace bmbt::test {

namespace {

u64 pattern(u64 seed, u64 n) { return (seed + n + 1) * 0x9e37'79b9'7f4a'7c15; }

void fill(Vcpu& v, u64 seed) {
    u64 n = 0;
    for (u64& r : v.gpr) r = pattern(seed, n++);
    v.flags = {pattern(seed, 16), pattern(seed, 17), pattern(seed, 18)};
    v.segment_base = pattern(seed, 19);
    for (unsigned i = 0; i < 10; i++) v.host.temp[i] = pattern(seed, 20 + i);
}

u64 differences(const Vcpu& v, u64 seed) {
    u64 wrong = 0;
    for (unsigned i = 0; i < 16; i++) wrong |= u64{v.gpr[i] != pattern(seed, i)} << i;
    wrong |= u64{v.flags.a != pattern(seed, 16)} << 16 | u64{v.flags.b != pattern(seed, 17)} << 17 |
             u64{v.flags.kind != pattern(seed, 18)} << 18 | u64{v.segment_base != pattern(seed, 19)} << 19;
    for (unsigned i = 0; i < 10; i++) wrong |= u64{v.host.temp[i] != pattern(seed, 20 + i)} << (20 + i);
    return wrong;
}

unsigned exits;

void test_round_trip(Bench& b, Plv plv) {
    exits = 0;
    fill(b.v, 100);
    for (unsigned i = 0; i < 16; i++) b.v.xmm[i] = {pattern(7, i), pattern(8, i)};
    b.v.xmm_in_memory = true;
    b.on_exit = [](Bench& bench) {
        if (host::exception_code(bench.v) == ECODE_INT || host::exception_code(bench.v) == ECODE_REFILL) return false;
        EXPECT_EQ(differences(bench.v, 100 + exits), 0);
        EXPECT_EQ(host::exception_code(bench.v), ECODE_SYS);
        EXPECT(!bench.v.xmm_in_memory);
        if (++exits == 2) return false;
        for (unsigned i = 0; i < 16; i++) {
            EXPECT_EQ(vcpu_xmm(bench.v, i).lo, pattern(7, i));
            EXPECT_EQ(vcpu_xmm(bench.v, i).hi, pattern(8, i));
            bench.v.xmm[i].lo = ~bench.v.xmm[i].lo;
        }
        EXPECT(bench.v.xmm_in_memory);
        fill(bench.v, 100 + exits);
        bench.v.host.pc += 4;
        return true;
    };
    b.v.host.pc = b.address_of(plv, snippet_two_calls);
    b.v.host.prmd = plv == Plv::Kernel ? host::prmd_kernel : host::prmd_user;
    run_guest(b.v);
    EXPECT_EQ(exits, 2);
    EXPECT_EQ(b.v.host.pc, b.address_of(plv, snippet_two_calls) + 4);
    EXPECT_EQ(b.v.host.prmd & 3, plv == Plv::Kernel ? 0 : 3);
    EXPECT_EQ(vcpu_xmm(b.v, 15).lo, ~pattern(7, 15));
    b.on_exit = nullptr;
}

void test_gate(Bench& b) {
    exits = 0;
    fill(b.v, 300);
    b.on_exit = [](Bench& bench) {
        EXPECT_EQ(host::exception_code(bench.v), ECODE_SYS);
        EXPECT_EQ(bench.v.host.prmd, host::prmd_kernel);
        // t0 and ra are the call's own; a0 to a1 are what run() gave.
        constexpr u64 callers = 1 << 20 | 1 << 29;
        if (exits == 0) {
            EXPECT_EQ(differences(bench.v, 300) & ~callers & ~3, 0);
            EXPECT_EQ(bench.v.host.temp[0], bench.v.gate_target);
            EXPECT_EQ(bench.v.host.temp[9], bench.v.host.pc);
            EXPECT_EQ(bench.v.host.pc, bench.address_of(Plv::Kernel, snippet_gate) + 8);
            fill(bench.v, 301);
        } else {
            EXPECT_EQ(differences(bench.v, 301), 0);
            EXPECT_EQ(bench.v.host.pc, bench.address_of(Plv::Kernel, snippet_gate) + 8);
        }
        return ++exits < 2;
    };
    b.run(Plv::Kernel, snippet_gate);
    EXPECT_EQ(exits, 2);
    b.on_exit = nullptr;
}

}  // namespace

void test_exceptions(Bench& b) {
    b.fresh_tables();
    test_round_trip(b, Plv::Kernel);
    test_round_trip(b, Plv::User);
    test_gate(b);
    EXPECT_EQ(b.run(Plv::Kernel, snippet_break).code, ECODE_BRK);
    EXPECT_EQ(b.run(Plv::User, snippet_break).code, ECODE_BRK);
    EXPECT_EQ(b.run(Plv::User, snippet_privileged).code, ECODE_IPE);
    EXPECT_EQ(b.run(Plv::User, snippet_invtlb).code, ECODE_IPE);
    End e = b.run(Plv::User, snippet_stack_pointer_of_terror);
    EXPECT_EQ(e.code, ECODE_ADE);
    EXPECT_EQ(e.address, 0x123456789abcd);
    EXPECT_EQ(b.v.gpr[x86::Rsp], 0x123456789abcd);
}

// memcpy and its kin against plain loops.
void test_memory_functions(host::Arena& arena) {
    auto* a = static_cast<u8*>(arena.take(4096));
    auto* b = static_cast<u8*>(arena.take(4096));
    auto seed = [](u8* p) {
        for (unsigned i = 0; i < 4096; i++) p[i] = static_cast<u8>(i * 7 + i / 256);
    };
    unsigned wrong = 0;
    for (unsigned size = 0; size < 300; size++)
        for (unsigned from : {1000u, 1001u, 1003u})
            for (unsigned to : {500u, 990u, 996u, 1000u, 1001u, 1008u, 1064u, 1200u, 2003u}) {
                seed(a);
                seed(b);
                __builtin_memmove(a + to, a + from, size);
                u8 copy[300];
                for (unsigned i = 0; i < size; i++) *static_cast<volatile u8*>(copy + i) = b[from + i];
                for (unsigned i = 0; i < size; i++) *static_cast<volatile u8*>(b + to + i) = copy[i];
                for (unsigned i = 0; i < 4096; i++) wrong += a[i] != b[i];
            }
    EXPECT_EQ(wrong, 0);
    for (unsigned size = 0; size < 300; size++)
        for (unsigned at : {64u, 65u, 71u}) {
            seed(a);
            __builtin_memset(a + at, 0x1a5, size);
            for (unsigned i = 0; i < 4096; i++)
                wrong += a[i] != (i >= at && i < at + size ? 0xa5 : static_cast<u8>(i * 7 + i / 256));
        }
    EXPECT_EQ(wrong, 0);
    seed(a);
    seed(b);
    for (unsigned size = 0; size < 100; size++) {
        EXPECT(__builtin_memcmp(a, b, size) == 0);
        if (!size) continue;
        b[size - 1]++;
        EXPECT((__builtin_memcmp(a, b, size) < 0) == (a[size - 1] < b[size - 1]));
        b[size - 1]--;
    }
    char text[] = "0123456789abcdef";
    for (unsigned n = 0; n <= 16; n++) EXPECT_EQ(__builtin_strlen(text + n), 16 - n);
}

}  // namespace bmbt::test
