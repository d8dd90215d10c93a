#include "cpu/control.hpp"

#include <gtest/gtest.h>

#include "cpu/system_machine.hpp"

namespace bmbt {
namespace {

using namespace x86;
using namespace test;

bool is_gp(const Guest<>& g) { return !g && g.error().vector == Vector::Gp; }

TEST(Control, FromRealModeToLongModeAndOn) {
    SystemMachine m(true);
    const u64 root = m.v.paging.cr3;
    m.v.paging = {};
    m.real_mode();
    m.v.idtr = {idt_at, 0x5ff};
    // mov eax, cr0; or al, 1; mov cr0, eax; jmp 08:2010 (to 16-bit code read as 32-bit)
    m.entry(kernel_code, descriptor_of(0, 0xfffff, code32));
    m.code({0x0f, 0x20, 0xc0, 0x0c, 0x01, 0x0f, 0x22, 0xc0, 0xea, 0x10, 0x20, kernel_code, 0});
    m.go(4);
    EXPECT_TRUE(m.v.protected_mode());
    EXPECT_EQ(m.v.rip, 0x2010u);
    EXPECT_EQ(code_size(m.v), CodeSize::Bits32);
    ASSERT_TRUE(load_segment(m.v, Ds, kernel_data));
    EXPECT_TRUE(is_gp(write_cr0(m.v, cr0::pg))) << "PG without PE";
    ASSERT_TRUE(write_msr(m.v, msr::efer, efer::lme | efer::nxe | efer::sce));
    EXPECT_TRUE(is_gp(write_cr0(m.v, cr0::pe | cr0::pg))) << "long mode needs PAE";
    ASSERT_TRUE(write_cr4(m.v, cr4::pae));
    ASSERT_TRUE(write_cr3(m.v, root));
    ASSERT_TRUE(write_cr0(m.v, cr0::pe | cr0::pg | cr0::wp));
    EXPECT_TRUE(m.v.long_mode());
    EXPECT_FALSE(m.v.code64());
    EXPECT_TRUE(is_gp(write_cr4(m.v, 0)));
    EXPECT_TRUE(is_gp(write_msr(m.v, msr::efer, 0))) << "LME while paging";
    m.entry(free_entry, descriptor_of(0, 0xfffff, code64));
    EXPECT_FALSE(m.step({0xea, 0, 0x40, 0, 0, free_entry, 0}));
    EXPECT_TRUE(m.v.code64());
    EXPECT_TRUE(is_gp(write_cr0(m.v, cr0::pe))) << "paging cannot end in 64-bit code";
    // back through compatibility mode
    m.ram.put<u32>(0x5000, 0x4000);
    m.ram.put<u16>(0x5004, kernel_code);
    EXPECT_FALSE(m.step({0xff, 0x2c, 0x25, 0, 0x50, 0, 0}));
    EXPECT_EQ(code_size(m.v), CodeSize::Bits32);
    ASSERT_TRUE(write_cr0(m.v, cr0::pe));
    EXPECT_FALSE(m.v.long_mode());
    EXPECT_TRUE(m.v.paging.efer & efer::lme);
}

TEST(Control, PaeLoadsItsPointers) {
    SystemMachine m(false);
    ASSERT_TRUE(write_cr4(m.v, cr4::pae));
    m.ram.put<u64>(0x5000, 0x8000 | 1);
    m.ram.put<u64>(0x5008, 0x9000 | 3);
    ASSERT_TRUE(write_cr3(m.v, 0x5000));
    EXPECT_TRUE(is_gp(write_cr0(m.v, cr0::pe | cr0::pg)));
    EXPECT_FALSE(m.v.paging.cr0 & cr0::pg);
    m.ram.put<u64>(0x5008, 0);
    ASSERT_TRUE(write_cr0(m.v, cr0::pe | cr0::pg));
    EXPECT_EQ(m.v.paging.pdpte[0], 0x8001u);
}

TEST(Control, PcidAndItsFlushes) {
    SystemMachine m(true);
    m.v.paging.cr3 |= 1;
    EXPECT_TRUE(is_gp(write_cr4(m.v, m.v.paging.cr4 | cr4::pcide)));
    m.v.paging.cr3 &= ~u64{0xfff};
    ASSERT_TRUE(write_cr4(m.v, m.v.paging.cr4 | cr4::pcide));
    m.platform.log.clear();
    ASSERT_TRUE(write_cr3(m.v, m.v.paging.cr3 | 5 | u64{1} << 63));
    EXPECT_EQ(m.platform.log.at(0), "switch_address_space 1");
    EXPECT_EQ(m.v.paging.cr3 & 0xfff, 5u);
    EXPECT_TRUE(is_gp(write_cr3(m.v, u64{1} << 45)));
    m.v.gpr[Rax] = 1, m.v.gpr[Rsi] = 0x5000;
    m.ram.put<u64>(0x5000, 7);
    EXPECT_FALSE(m.step({0x66, 0x0f, 0x38, 0x82, 0x06}));
    EXPECT_EQ(m.platform.log.back(), "flush_pcid 7");
    m.ram.put<u64>(0x5000, 0x1007);
    EXPECT_EQ(m.step({0x66, 0x0f, 0x38, 0x82, 0x06})->vector, Vector::Gp);
    EXPECT_FALSE(m.step({0x0f, 0x01, 0x3e}));
    EXPECT_EQ(m.platform.log.back(), "flush_page 5000");
}

TEST(Control, DebugRegisters) {
    SystemMachine m(true);
    m.v.gpr[Rax] = 0;
    EXPECT_FALSE(m.step({0x0f, 0x23, 0xf8}));  // mov dr7, rax
    EXPECT_EQ(m.v.dr[7], 0x400u);
    EXPECT_FALSE(m.step({0x0f, 0x23, 0xf0}));
    EXPECT_EQ(m.v.dr[6], 0xffff'0ff0u);
    EXPECT_FALSE(m.step({0x0f, 0x21, 0xe3})) << "DR4 is DR6";
    EXPECT_EQ(m.v.gpr[Rbx], 0xffff'0ff0u);
    m.v.paging.cr4 |= cr4::de;
    EXPECT_EQ(m.step({0x0f, 0x21, 0xe3})->vector, Vector::Ud);
    m.v.dr[7] |= 1 << 13;
    EXPECT_EQ(m.step({0x0f, 0x21, 0xc3})->vector, Vector::Db);
}

TEST(Control, MsrsRefuseWhatTheyCannotHold) {
    SystemMachine m(true);
    EXPECT_TRUE(is_gp(write_msr(m.v, msr::lstar, u64{1} << 47)));
    EXPECT_TRUE(is_gp(write_msr(m.v, msr::pat, 2)));
    EXPECT_TRUE(is_gp(write_msr(m.v, msr::efer, 1 << 13)));
    EXPECT_TRUE(is_gp(write_msr(m.v, 0x12345, 0)));
    EXPECT_FALSE(read_msr(m.v, 0x12345));
    ASSERT_TRUE(write_msr(m.v, msr::gs_base, 0xffff'9000'0000'0000));
    EXPECT_EQ(m.v.seg_base[Gs], 0xffff'9000'0000'0000);
    EXPECT_EQ(m.v.segment_base, 0xffff'9000'0000'0000);
    ASSERT_TRUE(write_msr(m.v, msr::mtrr_physbase0 + 3, 0x1800));
    EXPECT_EQ(*read_msr(m.v, msr::mtrr_physbase0 + 3), 0x1800u);
}

TEST(Control, TheTscAndItsAdjustment) {
    SystemMachine m(true);
    m.platform.tsc = 1000;
    ASSERT_TRUE(write_msr(m.v, msr::tsc, 1'000'000));
    u64 adjust = *read_msr(m.v, msr::tsc_adjust), now = guest_tsc(m.v);
    EXPECT_GT(now, 999'999u);
    EXPECT_LT(now, 1'000'010u);
    EXPECT_GT(adjust, 998'000u);
    ASSERT_TRUE(write_msr(m.v, msr::tsc_adjust, 0));
    EXPECT_LT(guest_tsc(m.v), 2000u);
    EXPECT_EQ(m.platform.tsc_moves, 2u);
    m.user({});
    EXPECT_FALSE(m.step({0x0f, 0x31}));
    m.v.paging.cr4 |= cr4::tsd;
    EXPECT_EQ(m.step({0x0f, 0x31})->vector, Vector::Gp);
}

TEST(Control, CpuidIsAMachineOfLevel2) {
    SystemMachine m(true);
    CpuidResult r = cpuid(m.v, 1, 0);
    const u32 v2 = 1u << 0 | 1 << 9 | 1 << 13 | 1 << 19 | 1 << 20 | 1 << 23;
    EXPECT_EQ(r.ecx & v2, v2);
    EXPECT_FALSE(r.ecx & 1 << 27);
    m.v.paging.cr4 |= cr4::osxsave;
    EXPECT_TRUE(cpuid(m.v, 1, 0).ecx & 1 << 27);
    EXPECT_FALSE(r.ecx & 1 << 28) << "AVX";
    EXPECT_EQ(cpuid(m.v, 0x15, 0).ecx, 1'000'000'000u);
    EXPECT_EQ(cpuid(m.v, 0x8000'0008, 0).eax, 0x3028u);
    EXPECT_TRUE(cpuid(m.v, 7, 0).edx & 1 << 29);
    EXPECT_TRUE(*read_msr(m.v, 0x10a) & 1);
    EXPECT_EQ(cpuid(m.v, 0x8000'0002, 0).eax, 0x54424d42u);
}

TEST(Control, TheIoPermissionMap) {
    SystemMachine m(true);
    m.ram.put<u16>(tss_at + 0x66, 0x68);
    m.ram.put<u8>(tss_at + 0x68 + 0x60 / 8, 0xfe);  // port 60h allowed, 61h not
    m.user({});
    EXPECT_FALSE(m.step({0xe4, 0x60}));
    EXPECT_EQ(m.step({0xe4, 0x61})->vector, Vector::Gp);
    EXPECT_EQ(m.step({0xe5, 0x60})->vector, Vector::Gp) << "one of its four ports is forbidden";
    m.v.gpr[Rdx] = 0x8000;
    EXPECT_EQ(m.step({0xec})->vector, Vector::Gp) << "beyond the limit";
    set_rflags(m.v, flag::iopl);
    EXPECT_FALSE(m.step({0xec}));
}

TEST(Control, XsaveRoundTrip) {
    SystemMachine m(true);
    EXPECT_EQ(m.step({0x0f, 0x01, 0xd0})->vector, Vector::Ud) << "XGETBV without OSXSAVE";
    m.v.paging.cr4 |= cr4::osxsave;
    m.v.gpr[Rcx] = 0, m.v.gpr[Rax] = 3, m.v.gpr[Rdx] = 0;
    EXPECT_FALSE(m.step({0x0f, 0x01, 0xd1}));
    m.v.gpr[Rax] = 2;
    EXPECT_EQ(m.step({0x0f, 0x01, 0xd1})->vector, Vector::Gp);
    m.v.gpr[Rax] = 7, m.v.gpr[Rsi] = 0x5000;
    m.v.xmm[9] = {1, 2};
    EXPECT_FALSE(m.step({0x48, 0x0f, 0xae, 0x26}));
    EXPECT_EQ(m.ram.get<u64>(0x5000 + 512), 3u);
    EXPECT_EQ(m.ram.get<u64>(0x5000 + 160 + 9 * 16), 1u);
    m.v.xmm[9] = {};
    EXPECT_FALSE(m.step({0x48, 0x0f, 0xae, 0x2e}));
    EXPECT_EQ(m.v.xmm[9].hi, 2u);
    m.ram.put<u64>(0x5000 + 512, 1);
    EXPECT_FALSE(m.step({0x48, 0x0f, 0xae, 0x2e}));
    EXPECT_EQ(m.v.xmm[9].hi, 0u) << "the initial state";
    m.ram.put<u64>(0x5000 + 512, 4);
    EXPECT_EQ(m.step({0x48, 0x0f, 0xae, 0x2e})->vector, Vector::Gp);
    m.v.gpr[Rsi] = 0x5010;
    EXPECT_EQ(m.step({0x48, 0x0f, 0xae, 0x26})->vector, Vector::Gp) << "alignment";
}

}  // namespace
}  // namespace bmbt
