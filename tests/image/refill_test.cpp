// The refill handler over x86 page tables made by hand.
#include "bench.hpp"

namespace bmbt::test {

namespace {

constexpr u64 user_va = 0x0000'1234'5678'0000, kernel_va = 0xffff'8880'1234'4000;

// One access; where it ended is the answer.
End load(Bench& b, Plv plv, u64 va) { return b.run(plv, snippet_load, va); }
End store(Bench& b, Plv plv, u64 va, u64 value) { return b.run(plv, snippet_store, va, value); }
constexpr unsigned done = ECODE_SYS;

bool maybe_writable(Bench& b, u64 gpa) { return Frame::maybe_writable_.of(b.map.frame(gpa).raw); }

void test_pages(Bench& b) {
    b.fresh_tables();
    b.word(0x10'0000) = 0x1111;
    b.word(0x10'1008) = 0x2222;
    b.entry(user_va) = 0x10'0000 | P | W | U | A | D;
    b.entry(user_va + 0x1000) = 0x10'1000 | P | W | U | A;
    for (Plv plv : {Plv::User, Plv::Kernel}) {
        EXPECT_EQ(load(b, plv, user_va).code, done);
        EXPECT_EQ(b.v.gpr[x86::Rax], 0x1111);
        EXPECT_EQ(load(b, plv, user_va + 0x1008).code, done);
        EXPECT_EQ(b.v.gpr[x86::Rax], 0x2222);
    }
    EXPECT_EQ(b.v.counters[host::counter::slow_refills], 0);
    EXPECT_EQ(store(b, Plv::User, user_va, 0x3333).code, done);
    EXPECT_EQ(b.word(0x10'0000), 0x3333);
    EXPECT(maybe_writable(b, 0x10'0000));
    // D clear: the first write shows itself.
    EXPECT(!maybe_writable(b, 0x10'1000));
    End e = store(b, Plv::User, user_va + 0x1008, 1);
    EXPECT_EQ(e.code, ECODE_PME);
    EXPECT_EQ(e.address, user_va + 0x1008);
    EXPECT_EQ(b.word(0x10'1008), 0x2222);
    b.entry(user_va + 0x1000) |= D;
    host::Tlb::invalidate_page(0, user_va + 0x1000);
    EXPECT_EQ(store(b, Plv::User, user_va + 0x1008, 1).code, done);
    EXPECT_EQ(b.word(0x10'1008), 1);
    EXPECT(maybe_writable(b, 0x10'1000));
}

void test_rights(Bench& b) {
    b.fresh_tables();
    b.entry(kernel_va) = 0x10'0000 | P | W | A | D;
    EXPECT_EQ(load(b, Plv::Kernel, kernel_va).code, done);
    EXPECT_EQ(store(b, Plv::Kernel, kernel_va, 9).code, done);
    End e = load(b, Plv::User, kernel_va);
    EXPECT_EQ(e.code, ECODE_PPI);
    EXPECT_EQ(e.address, kernel_va);
    EXPECT_EQ(store(b, Plv::User, kernel_va, 1).code, ECODE_PPI);
    EXPECT_EQ(b.word(0x10'0000), 9);

    b.entry(user_va) = 0x10'2000 | P | U | A | D;  // read-only
    EXPECT_EQ(load(b, Plv::User, user_va).code, done);
    EXPECT_EQ(store(b, Plv::User, user_va, 1).code, ECODE_PME);
    EXPECT_EQ(store(b, Plv::Kernel, user_va, 1).code, ECODE_PME);
    EXPECT(!maybe_writable(b, 0x10'2000));

    // Every level narrows.
    for (unsigned level = 1; level <= 3; level++) {
        b.fresh_tables();
        b.entry(user_va) = 0x10'0000 | P | W | U | A | D;
        b.entry(user_va, level) &= ~W;
        EXPECT_EQ(load(b, Plv::User, user_va).code, done);
        EXPECT_EQ(store(b, Plv::User, user_va, 1).code, ECODE_PME);
        b.entry(user_va, level) &= ~U;
        host::Tlb::invalidate_all();
        EXPECT_EQ(load(b, Plv::User, user_va).code, ECODE_PPI);
        EXPECT_EQ(load(b, Plv::Kernel, user_va).code, done);
        b.entry(user_va, level) &= ~A;
        host::Tlb::invalidate_all();
        e = load(b, Plv::Kernel, user_va);
        EXPECT_EQ(e.code, ECODE_REFILL);
        EXPECT_EQ(e.address, user_va);
        EXPECT_EQ(b.v.host.refill, 1);
        EXPECT_EQ(b.v.host.pc, b.address_of(Plv::Kernel, snippet_load));
    }
}

void test_absent(Bench& b) {
    b.fresh_tables();
    End e = load(b, Plv::User, user_va + 0x18);
    EXPECT_EQ(e.code, ECODE_REFILL);
    EXPECT_EQ(e.address, user_va + 0x18);
    EXPECT_EQ(b.v.gpr[x86::Rax], user_va + 0x18);
    EXPECT_EQ(b.v.host.prmd, host::prmd_user);
    // The other half of a filled pair is invalid; when its page appears the entry is replaced.
    b.entry(user_va) = 0x10'0000 | P | W | U | A | D;
    EXPECT_EQ(load(b, Plv::User, user_va).code, done);
    e = load(b, Plv::User, user_va + 0x1000);
    EXPECT_EQ(e.code, ECODE_PIL);
    EXPECT_EQ(e.address, user_va + 0x1000);
    EXPECT_EQ(store(b, Plv::User, user_va + 0x1000, 1).code, ECODE_PIS);
    b.entry(user_va + 0x1000) = 0x10'1000 | P | W | U | A | D;
    host::Tlb::invalidate_page(0, user_va + 0x1000);
    EXPECT_EQ(load(b, Plv::User, user_va + 0x1000).code, done);
    // An absent wanted half fills nothing.
    b.fresh_tables();
    b.entry(user_va) = 0x10'0000 | P | W | U | A | D;
    EXPECT_EQ(load(b, Plv::User, user_va + 0x1000).code, ECODE_REFILL);
    EXPECT_EQ(b.v.counters[host::counter::slow_refills], 1);
    EXPECT_EQ(load(b, Plv::User, user_va).code, done);
    // No root: all is slow, and C++ fills.
    b.fresh_tables();
    host::set_refill_tables(b.v, {});
    b.word(0x20'0000) = 77;
    b.on_exit = [](Bench& bench) {
        if (host::exception_code(bench.v) != ECODE_REFILL) return false;
        using namespace host::tlb_lo;
        u64 lo = bench.host_physical(0x20'0000) | valid() | dirty() | plv(3) | mat(cached) | no_execute();
        host::Tlb::fill(bench.v.host.badv, 0, lo, lo, 12);
        return true;
    };
    EXPECT_EQ(load(b, Plv::User, user_va).code, done);
    EXPECT_EQ(b.v.gpr[x86::Rax], 77);
    EXPECT_EQ(b.v.counters[host::counter::slow_refills], 1);
    b.on_exit = nullptr;
}

void test_code_frames(Bench& b) {
    b.fresh_tables();
    b.entry(user_va) = 0x10'0000 | P | W | U | A | D;
    b.map.frame_ref(0x10'0000).raw |= Frame::holds_code_.mask();
    EXPECT_EQ(load(b, Plv::User, user_va).code, done);
    EXPECT_EQ(store(b, Plv::User, user_va, 1).code, ECODE_PME);
    EXPECT_EQ(store(b, Plv::Kernel, user_va, 1).code, ECODE_PME);
    EXPECT(!maybe_writable(b, 0x10'0000));
    b.map.frame_ref(0x10'0000).raw &= ~Frame::holds_code_.mask();
    host::Tlb::invalidate_page(0, user_va);
    EXPECT_EQ(store(b, Plv::User, user_va, 1).code, done);
    EXPECT(maybe_writable(b, 0x10'0000));
}

void test_large(Bench& b) {
    constexpr u64 va = 0x0000'2000'0040'0000, gpa = 8_MiB;
    for (u64 page = 0; page < 1024; page++) b.word(gpa + page * page_size) = page;
    for (bool plain : {false, true})
        for (unsigned level : {1u, 2u}) {
            b.fresh_tables();
            b.entry(va, level) = (level == 1 ? gpa : 0) | P | W | U | A | D | PS;
            u64 at = level == 1 ? va : align_down(va, 1_GiB) + gpa;
            if (plain) b.summary[gpa >> 21] = host::summary::plain;
            End e = b.run(Plv::User, snippet_touch, at, 512);
            EXPECT_EQ(e.code, done);
            EXPECT_EQ(b.v.gpr[x86::Rax], 512 * 511 / 2);
            EXPECT_EQ(b.v.counters[host::counter::large_refills], plain ? 1 : 0);
            EXPECT_EQ(b.v.counters[host::counter::refills] - b.v.counters[host::counter::window_refills],
                      plain ? 1 : 256);
            EXPECT_EQ(b.v.counters[host::counter::slow_refills], 0);
            EXPECT_EQ(b.summary[gpa >> 21], plain ? host::summary::plain | host::summary::writable : 0);
            EXPECT_EQ(store(b, Plv::User, at + 0x10'3008, 5).code, done);
            EXPECT_EQ(b.word(gpa + 0x10'3008), 5);
            EXPECT_EQ(maybe_writable(b, gpa + 0x10'3000), !plain);
            // And 4 KiB pages are filled as such again.
            b.entry(user_va) = 0x10'0000 | P | W | U | A | D;
            EXPECT_EQ(load(b, Plv::User, user_va).code, done);
            EXPECT_EQ(load(b, Plv::User, user_va + 0x2000).code, ECODE_REFILL);
        }
    b.fresh_tables();
    b.entry(va, 1) = gpa | P | U | A | PS;  // neither writable nor dirty
    b.summary[gpa >> 21] = host::summary::plain;
    EXPECT_EQ(load(b, Plv::User, va + 0x1f'fff8).code, done);
    EXPECT_EQ(store(b, Plv::User, va + 8, 1).code, ECODE_PME);
    EXPECT_EQ(b.summary[gpa >> 21], host::summary::plain);
    b.entry(va, 1) &= ~U;
    host::Tlb::invalidate_page(0, va + 0x12'3456);
    EXPECT_EQ(load(b, Plv::User, va).code, ECODE_PPI);
}

void test_global(Bench& b) {
    b.fresh_tables();
    b.entry(kernel_va) = 0x10'0000 | P | W | A | D | G;
    b.entry(kernel_va + 0x1000) = 0x10'1000 | P | W | A | D | G;
    b.entry(user_va) = 0x10'2000 | P | W | U | A | D;
    EXPECT_EQ(load(b, Plv::Kernel, kernel_va).code, done);
    EXPECT_EQ(load(b, Plv::Kernel, user_va).code, done);
    u64 before = b.v.counters[host::counter::refills];
    host::Tlb::set_asid(5);
    EXPECT_EQ(load(b, Plv::Kernel, kernel_va + 0x1000).code, done);
    EXPECT_EQ(b.v.counters[host::counter::refills], before);
    EXPECT_EQ(load(b, Plv::Kernel, user_va).code, done);
    EXPECT_EQ(b.v.counters[host::counter::refills], before + 1);
    EXPECT(!host::mixed_global(b.v));
    host::Tlb::invalidate_page(5, kernel_va);
    host::Tlb::set_asid(0);
    EXPECT_EQ(load(b, Plv::Kernel, kernel_va).code, done);
    EXPECT_EQ(b.v.counters[host::counter::refills], before + 2);
    // One half global, the other absent: still global. The other there but not global: not, and remembered.
    b.entry(kernel_va + 0x1000) = 0;
    host::Tlb::invalidate_all();
    EXPECT_EQ(load(b, Plv::Kernel, kernel_va).code, done);
    before = b.v.counters[host::counter::refills];
    host::Tlb::set_asid(6);
    EXPECT_EQ(load(b, Plv::Kernel, kernel_va).code, done);
    EXPECT_EQ(b.v.counters[host::counter::refills], before);
    EXPECT(!host::mixed_global(b.v));
    b.entry(kernel_va + 0x1000) = 0x10'1000 | P | W | A | D;
    host::Tlb::invalidate_page(6, kernel_va);
    EXPECT_EQ(load(b, Plv::Kernel, kernel_va).code, done);
    EXPECT(host::mixed_global(b.v));
    before = b.v.counters[host::counter::refills];
    host::Tlb::set_asid(7);
    EXPECT_EQ(load(b, Plv::Kernel, kernel_va).code, done);
    EXPECT_EQ(b.v.counters[host::counter::refills], before + 1);
    // CR4.PGE off.
    b.fresh_tables(false);
    b.entry(kernel_va) = 0x10'0000 | P | W | A | D | G;
    b.entry(kernel_va + 0x1000) = 0x10'1000 | P | W | A | D | G;
    EXPECT_EQ(load(b, Plv::Kernel, kernel_va).code, done);
    host::Tlb::set_asid(5);
    EXPECT_EQ(load(b, Plv::Kernel, kernel_va).code, done);
    EXPECT_EQ(b.v.counters[host::counter::refills], 2);
    host::Tlb::set_asid(0);
}

// A store by each spelling of a 32-bit address goes where one of them says.
void both_spellings(Bench& b, u32 va, u64 gpa) {
    for (u64 spelling : {u64{va}, static_cast<u64>(sign_extend(va, 32))}) {
        EXPECT_EQ(store(b, Plv::User, spelling, spelling ^ gpa).code, done);
        EXPECT_EQ(b.word(gpa), spelling ^ gpa);
        EXPECT_EQ(load(b, Plv::Kernel, spelling).code, done);
        EXPECT_EQ(b.v.gpr[x86::Rax], spelling ^ gpa);
    }
    EXPECT_EQ(b.v.counters[host::counter::slow_refills], 0);
}

constexpr u32 high_va = 0xc123'4000;
constexpr u64 directory = 0x20'0000, table = 0x20'1000;

void test_pae(Bench& b) {
    auto fresh = [&](u16 refused) -> u64& {
        b.fresh_tables();
        __builtin_memset(&b.word(directory), 0, 2 * page_size);
        for (u64& e : b.v.paging.pdpte) e = 0;
        b.v.paging.pdpte[3] = directory | P;
        b.word(directory + bits(high_va, 29, 21) * 8) = table | P | W | U | A;
        host::set_refill_tables(b.v, {.walk = RefillWalk::Pae, .global_pages = true, .refused = refused});
        u64& e = b.word(table + bits(high_va, 20, 12) * 8);
        e = 0x10'0000 | P | W | U | A | D;
        return e;
    };
    constexpr u16 nxe = 0x7ff, no_nxe = 0xfff;
    fresh(nxe);
    both_spellings(b, high_va + 0x10, 0x10'0010);
    fresh(nxe) |= NX;
    both_spellings(b, high_va, 0x10'0000);
    fresh(no_nxe) |= NX;
    EXPECT_EQ(load(b, Plv::User, high_va).code, ECODE_REFILL);
    fresh(nxe) |= u64{1} << 52;
    EXPECT_EQ(load(b, Plv::User, high_va).code, ECODE_REFILL);
    fresh(nxe);
    b.word(directory + bits(high_va, 29, 21) * 8) |= u64{1} << 62;
    EXPECT_EQ(load(b, Plv::User, high_va).code, ECODE_REFILL);
    fresh(nxe);
    b.v.paging.pdpte[3] = 0;
    EXPECT_EQ(load(b, Plv::User, high_va).code, ECODE_REFILL);
    fresh(nxe);
    b.v.paging.pdpte[3] = Bench::memory_size | P;
    EXPECT_EQ(load(b, Plv::User, high_va).code, ECODE_REFILL);
    for (bool plain : {false, true}) {
        fresh(nxe);
        b.word(directory + bits(high_va, 29, 21) * 8) = 8_MiB | P | W | U | A | D | PS;
        b.summary[4] = plain ? host::summary::plain : 0;
        both_spellings(b, high_va, 8_MiB + high_va % 2_MiB);
        EXPECT_EQ(b.v.counters[host::counter::large_refills], plain ? 2 : 0);
        b.word(directory + bits(high_va, 29, 21) * 8) |= u64{1} << 13;
        host::Tlb::invalidate_all();
        EXPECT_EQ(load(b, Plv::User, high_va).code, ECODE_REFILL);
    }
    fresh(nxe) &= ~U;
    EXPECT_EQ(load(b, Plv::User, high_va).code, ECODE_PPI);
}

void test_two_level(Bench& b) {
    auto words = [&](u64 gpa) { return reinterpret_cast<u32*>(&b.word(gpa)); };
    auto fresh = [&](u16 refused) -> u32& {
        b.fresh_tables();
        __builtin_memset(&b.word(directory), 0, 2 * page_size);
        words(directory)[high_va >> 22] = table | P | W | U | A;
        host::set_refill_tables(b.v, {.walk = RefillWalk::TwoLevel, .global_pages = true, .refused = refused,
                                      .root = b.host_physical(directory)});
        words(table)[bits(high_va, 21, 12)] = 0x10'0000 | P | W | U | A | D;
        words(table)[bits(high_va, 21, 12) + 1] = 0x10'3000 | P | W | U | A | D;
        return words(directory)[high_va >> 22];
    };
    constexpr u16 pse = 0, no_pse = PS;
    fresh(pse);
    both_spellings(b, high_va, 0x10'0000);
    both_spellings(b, high_va + 0x1008, 0x10'3008);
    fresh(pse) &= ~W;
    EXPECT_EQ(store(b, Plv::User, high_va, 1).code, ECODE_PME);
    fresh(pse) &= ~A;
    EXPECT_EQ(load(b, Plv::User, high_va).code, ECODE_REFILL);
    fresh(no_pse) = 8_MiB | P | W | U | A | D | PS;
    EXPECT_EQ(load(b, Plv::User, high_va).code, ECODE_REFILL);
    for (bool plain : {false, true}) {
        fresh(pse) = 8_MiB | P | W | U | A | D | PS;
        b.summary[5] = plain ? host::summary::plain : 0;
        both_spellings(b, high_va, 8_MiB + high_va % 4_MiB);
        EXPECT_EQ(b.v.counters[host::counter::large_refills], plain ? 2 : 0);
        fresh(pse) = 8_MiB | P | W | U | A | D | PS | 1 << 21;
        EXPECT_EQ(load(b, Plv::User, high_va).code, ECODE_REFILL);
        fresh(pse) = 8_MiB | P | W | U | A | D | PS | 1 << 13;  // bit 32 of the address
        EXPECT_EQ(load(b, Plv::User, high_va).code, ECODE_REFILL);
    }
}

void test_identity(Bench& b) {
    b.fresh_tables();
    host::set_refill_tables(b.v, {.walk = RefillWalk::Identity});
    b.summary[4] = host::summary::plain;
    both_spellings(b, 8_MiB + 0x12'3458, 8_MiB + 0x12'3458);
    both_spellings(b, 0x10'2038, 0x10'2038);
    EXPECT_EQ(b.v.counters[host::counter::large_refills], 1);
    EXPECT_EQ(load(b, Plv::User, Bench::memory_size).code, ECODE_REFILL);
    EXPECT_EQ(load(b, Plv::User, sign_extend(0xffff'f000, 32)).code, ECODE_REFILL);
}

}  // namespace

void test_refill(Bench& b) {
    test_pages(b);
    test_rights(b);
    test_absent(b);
    test_code_frames(b);
    test_large(b);
    test_global(b);
    test_pae(b);
    test_two_level(b);
    test_identity(b);
    // One refill for two pages.
    b.fresh_tables();
    for (u64 i = 0; i < 64; i++) b.entry(user_va + i * page_size) = (0x40'0000 + i * page_size) | P | W | U | A | D;
    EXPECT_EQ(b.run(Plv::User, snippet_touch, user_va, 64).code, done);
    EXPECT_EQ(b.v.counters[host::counter::refills] - b.v.counters[host::counter::window_refills], 32);
}

// Whatever the tables say, an access ends in the guest's memory or in C++.
void test_hostile_tables(Bench& b) {
    struct Case {
        unsigned level;
        u64 entry;
    };
    const u64 beyond = Bench::memory_size;
    for (Case c : {Case{3, 0x10'0000 | P | W | U | A | PS},  // a large PML4E
                   Case{3, beyond | P | W | U | A},          // tables outside memory
                   Case{2, beyond | P | W | U | A}, Case{1, beyond | P | W | U | A},
                   Case{1, 0xf'ffff'ffff'f000 | P | W | U | A},       // every address bit
                   Case{2, 0xf'ffff'c000'0000 | P | W | U | A | PS},  // and in large pages
                   Case{1, 0xf'ffff'ffe0'0000 | P | W | U | A | PS}, Case{0, 0xf'ffff'ffff'f000 | P | W | U | A | D},
                   Case{0, beyond | P | W | U | A | D}, Case{1, beyond | P | W | U | A | D | PS},
                   Case{1, 0x2000 | P | W | U | A | D | PS},  // reserved bits of large entries
                   Case{1, 0x10'0000 | P | W | U | A | D | PS}, Case{2, 0x20'0000 | P | W | U | A | D | PS},
                   Case{0, 0x30'0000 | P | W | U | A | D},  // a device, made one below
                   Case{0, 0x30'1000 | P | W | U | A | D},  // ROM
                   Case{0, 0x30'2000 | P | W | U | A | D},  // absent
                   Case{1, 0x30'0000 | P | W | U | A},      // tables in them
                   Case{1, 0x30'1000 | P | W | U | A}, Case{1, 0x30'2000 | P | W | U | A}}) {
        b.fresh_tables();
        b.map.map(0x30'0000, page_size, FrameKind::Device, 0);
        b.map.map(0x30'1000, page_size, FrameKind::Rom, b.host_physical(0x30'1000));
        b.map.map(0x30'2000, page_size, FrameKind::Absent, 0);
        b.summary[1] = 0;
        b.entry(user_va, c.level) = c.entry;
        for (Plv plv : {Plv::User, Plv::Kernel}) {
            EXPECT_EQ(load(b, plv, user_va).code, ECODE_REFILL);
            EXPECT_EQ(store(b, plv, user_va, 1).code, ECODE_REFILL);
        }
    }
    // A root that contains itself is a table like any other.
    b.fresh_tables();
    b.entry(u64{256} << 39, 3) = b.cr3() | P | W | A | D;
    u64 self = 0xffff'8000'0000'0000 | u64{256} << 30 | u64{256} << 21 | u64{256} << 12;
    EXPECT_EQ(load(b, Plv::Kernel, self + 256 * 8).code, done);
    EXPECT_EQ(b.v.gpr[x86::Rax], b.cr3() | P | W | A | D);
    EXPECT_EQ(load(b, Plv::User, self).code, ECODE_PPI);
    // Addresses that are not canonical.
    for (u64 va : {u64{0x0001'0000'0000'0000}, u64{0x1234'5678'9abc'def0}, u64{0xfffe'ffff'ffff'fff8}}) {
        End e = load(b, Plv::User, va);
        EXPECT(e.code == ECODE_ADE || e.code == ECODE_REFILL);
        EXPECT_EQ(e.address, va);
        e = load(b, Plv::Kernel, va);
        EXPECT(e.code == ECODE_ADE || e.code == ECODE_REFILL);
    }
    b.entry(0xffff'8000'0000'0000) = 0x10'0000 | P | W | U | A | D;
    EXPECT_EQ(load(b, Plv::User, 0x0000'8000'0000'0000).code, ECODE_REFILL);
}

void test_window(Bench& b) {
    b.fresh_tables();
    auto state = reinterpret_cast<u64*>(b.user_page + VCPU_SCRATCH);
    *state = 0x5555;
    EXPECT_EQ(b.run(Plv::User, snippet_state, 0, 0x6666).code, done);
    EXPECT_EQ(b.v.gpr[x86::Rax], 0x5555);
    EXPECT_EQ(*state, 0x6666);
    *reinterpret_cast<u64*>(b.jump_cache + 0x1008) = 0x7777;
    EXPECT_EQ(load(b, Plv::User, b.window.jump_cache() + 0x1008).code, done);
    EXPECT_EQ(b.v.gpr[x86::Rax], 0x7777);

    // PLV3 cannot change what it executes or where it is led, nor read code where the chip can say so.
    EXPECT_EQ(store(b, Plv::User, b.window.jump_cache() + 0x1008, 0).code, ECODE_PME);
    EXPECT_EQ(*reinterpret_cast<u64*>(b.jump_cache + 0x1008), 0x7777);
    EXPECT(store(b, Plv::User, b.window.code(), 0).code != done);
    host::Tlb::invalidate_all();
    EXPECT(store(b, Plv::User, b.window.code(), 0).code != done);
    host::Tlb::invalidate_all();
    unsigned read = load(b, Plv::User, b.window.code()).code;
    EXPECT(read == ECODE_PNR || read == done);  // QEMU forgets NR once a page has been fetched from
    // Outside the parts there is nothing.
    for (u64 offset : {u64{1} << 35, u64{64} << 10, (u64{1} << 36) + 8_KiB, (u64{1} << 37) + 2_MiB, (u64{1} << 39) - 8})
        EXPECT_EQ(load(b, Plv::User, b.window.base() + offset).code, ECODE_REFILL);
    EXPECT(load(b, Plv::User, b.window.base() - 8).code == ECODE_REFILL);

    // PLV0 does not see the window: not after PLV3 has filled it, and not by itself.
    for (u64 va : {b.window.page(), b.window.jump_cache(), b.window.code()}) {
        load(b, Plv::User, va);
        unsigned end = load(b, Plv::Kernel, va).code;
        EXPECT(end == ECODE_PPI || end == ECODE_PNR);
        host::Tlb::invalidate_all();
        EXPECT_EQ(load(b, Plv::Kernel, va).code, ECODE_REFILL);
        EXPECT_EQ(store(b, Plv::Kernel, va, 0).code, ECODE_REFILL);
    }

    // The hypervisor's memory and devices, by either window's address and by every other nibble.
    for (u64 nibble = 1; nibble < 16; nibble++) {
        u64 va = nibble << 60 | 0x20'0000;
        End e = load(b, Plv::User, va);
        EXPECT(e.code == ECODE_ADE || e.code == ECODE_REFILL);
        EXPECT_EQ(e.address, va);
        EXPECT(store(b, Plv::User, va, 0).code != done);
    }
    EXPECT_EQ(load(b, Plv::User, reinterpret_cast<u64>(&b.v)).code, ECODE_ADE);
    // While guest code runs there is no window onto devices even for the kernel.
    End e = load(b, Plv::Kernel, UNCACHED_BASE | 0x20'0000);
    EXPECT(e.code == ECODE_ADE || e.code == ECODE_REFILL);
    // Jumps of PLV3 to the hypervisor.
    e = b.run(Plv::User, snippet_jump, reinterpret_cast<u64>(&guest_gate));
    EXPECT_EQ(e.code, ECODE_ADE);
    EXPECT_EQ(e.subcode, 0);
    // The guest's own tables in the window's slot are not looked at.
    b.entry(b.window.page()) = 0x10'0000 | P | W | U | A | D;
    b.word(0x10'0000) = 1;
    host::Tlb::invalidate_all();
    EXPECT_EQ(load(b, Plv::User, b.window.page() + VCPU_SCRATCH).code, done);
    EXPECT_EQ(b.v.gpr[x86::Rax], 0x6666);
    b.window.place(b.v, host::UserWindow::no_slot);
    EXPECT_EQ(load(b, Plv::Kernel, b.window.page()).code, ECODE_REFILL);
    b.window.place(b.v, Bench::window_slot);
}

}  // namespace bmbt::test
