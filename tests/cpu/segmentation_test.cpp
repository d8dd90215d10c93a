#include "cpu/segmentation.hpp"

#include <gtest/gtest.h>

#include "cpu/system_machine.hpp"

namespace bmbt {
namespace {

using namespace x86;
using namespace test;

struct Expected {
    Vector vector;
    u32 error;
};
void expect_fault(const Guest<>& g, Vector vector, u32 error) {
    ASSERT_FALSE(g);
    EXPECT_EQ(g.error().vector, vector);
    EXPECT_EQ(g.error().error, error);
}

TEST(Segmentation, LoadingMarksTheDescriptorAccessed) {
    SystemMachine m(false);
    m.entry(free_entry, descriptor_of(0x12345678, 0xabcde, 0x4092));
    ASSERT_TRUE(load_segment(m.v, Es, free_entry));
    EXPECT_EQ(m.v.seg[Es].base, 0x12345678u);
    EXPECT_EQ(m.v.seg_base[Es], 0x12345678u);
    EXPECT_EQ(m.v.seg[Es].limit, 0xabcdeu);
    EXPECT_EQ(m.v.seg[Es].access, 0x4093);
    EXPECT_EQ(m.ram.get<u64>(gdt_at + free_entry), descriptor_of(0x12345678, 0xabcde, 0x4093));
}

TEST(Segmentation, DataSegmentChecks) {
    SystemMachine m(false);
    m.user({});
    expect_fault(load_segment(m.v, Ds, kernel_data), Vector::Gp, kernel_data);
    expect_fault(load_segment(m.v, Ds, 0x80), Vector::Gp, 0x80);  // beyond the limit
    expect_fault(load_segment(m.v, Ds, 0x0c), Vector::Gp, 0x0c);  // no LDT
    expect_fault(load_segment(m.v, Ds, tss_selector), Vector::Gp, tss_selector);
    expect_fault(load_segment(m.v, Ss, 0), Vector::Gp, 0);
    expect_fault(load_segment(m.v, Ss, user_data), Vector::Gp, user_data);  // RPL is not CPL
    expect_fault(load_segment(m.v, Ss, user_code | 3), Vector::Gp, user_code);
    EXPECT_TRUE(load_segment(m.v, Ss, user_data | 3));
    EXPECT_TRUE(load_segment(m.v, Fs, user_code | 3)) << "readable code";
    EXPECT_TRUE(load_segment(m.v, Gs, 3)) << "null";
    EXPECT_FALSE(m.v.seg[Gs].present());
    m.entry(free_entry, descriptor_of(0, 0xfffff, 0xc072));
    expect_fault(load_segment(m.v, Ds, free_entry), Vector::Np, free_entry);
    expect_fault(load_segment(m.v, Ss, free_entry | 3), Vector::Ss, free_entry);
    m.entry(free_entry, descriptor_of(0, 0xfffff, 0xc09f));  // conforming code of level 0
    EXPECT_TRUE(load_segment(m.v, Ds, free_entry | 3));
}

TEST(Segmentation, RealModeKeepsTheLimit) {
    Machine m;
    m.real_mode();
    m.v.seg[Ds].limit = ~u32{0};
    ASSERT_TRUE(load_segment(m.v, Ds, 0x1234));
    EXPECT_EQ(m.v.seg[Ds].base, 0x12340u);
    EXPECT_EQ(m.v.seg[Ds].limit, ~u32{0});
}

TEST(Segmentation, NullStackInA64BitKernel) {
    SystemMachine m(true);
    EXPECT_TRUE(load_segment(m.v, Ss, 0));
    m.user({});
    expect_fault(load_segment(m.v, Ss, 3), Vector::Gp, 0);
}

TEST(Segmentation, LdtAndTaskRegister) {
    SystemMachine m(false);
    ASSERT_TRUE(load_ldtr(m.v, ldt_selector));
    EXPECT_EQ(m.v.ldtr.base, ldt_at);
    m.ram.put<u64>(ldt_at + 8, descriptor_of(0, 0xfffff, data32));
    EXPECT_TRUE(load_segment(m.v, Ds, 0x0c));
    expect_fault(load_ldtr(m.v, tss_selector), Vector::Gp, tss_selector);
    expect_fault(load_tr(m.v, 0), Vector::Gp, 0);
    ASSERT_TRUE(load_tr(m.v, tss_selector));
    EXPECT_EQ(m.ram.get<u8>(gdt_at + tss_selector + 5), 0x8b) << "busy";
    expect_fault(load_tr(m.v, tss_selector), Vector::Gp, tss_selector);
    SystemMachine w(true);
    w.ram.put<u64>(gdt_at + tss_selector + 8, 0xffff'8000);
    ASSERT_TRUE(load_tr(w.v, tss_selector));
    EXPECT_EQ(w.v.tr.base, 0xffff'8000'0000'0000 | tss_at);
}

TEST(Segmentation, RightsAndLimitsAreTold) {
    SystemMachine m(false);
    m.v.gpr[Rcx] = user_code;
    EXPECT_FALSE(m.step({0x0f, 0x02, 0xc1}));  // lar eax, ecx
    EXPECT_EQ(m.v.gpr[Rax], 0x00c0'fb00u);
    EXPECT_TRUE(rflags(m.v) & flag::zf);
    EXPECT_FALSE(m.step({0x0f, 0x03, 0xc1}));  // lsl
    EXPECT_EQ(m.v.gpr[Rax], ~u32{0});
    m.v.gpr[Rcx] = 0x78 + 8;
    EXPECT_FALSE(m.step({0x0f, 0x02, 0xc1}));
    EXPECT_FALSE(rflags(m.v) & flag::zf);
    m.v.gpr[Rcx] = kernel_data;
    EXPECT_FALSE(m.step({0x0f, 0x00, 0xe9}));  // verw cx
    EXPECT_TRUE(rflags(m.v) & flag::zf);
    m.user({});
    EXPECT_FALSE(m.step({0x0f, 0x00, 0xe9}));
    EXPECT_FALSE(rflags(m.v) & flag::zf);
}

TEST(Segmentation, TableRegisters) {
    SystemMachine m(true);
    m.v.gpr[Rsi] = 0x5000;
    EXPECT_FALSE(m.step({0x0f, 0x01, 0x06}));  // sgdt [rsi]
    EXPECT_EQ(m.ram.get<u16>(0x5000), 0x7f);
    EXPECT_EQ(m.ram.get<u64>(0x5002), gdt_at);
    m.ram.put<u64>(0x5002, u64{1} << 47);
    EXPECT_EQ(m.step({0x0f, 0x01, 0x16})->vector, Vector::Gp) << "not canonical";
    m.ram.put<u64>(0x5002, 0xffff'8000'0000'1000);
    EXPECT_FALSE(m.step({0x0f, 0x01, 0x1e}));  // lidt
    EXPECT_EQ(m.v.idtr.base, 0xffff'8000'0000'1000);
    m.user({});
    m.v.paging.cr4 |= cr4::umip;
    EXPECT_EQ(m.step({0x0f, 0x01, 0x06})->vector, Vector::Gp);
    EXPECT_EQ(m.step({0x0f, 0x01, 0x16})->vector, Vector::Gp);
}

// With REX.W the offset has 64 bits; AMD's processors do not know that, so no vector asks.
TEST(Segmentation, FarPointersOf64Bits) {
    for (auto [opcode, seg] : {std::pair<u8, Seg>{0xb2, Ss}, {0xb4, Fs}, {0xb5, Gs}}) {
        SystemMachine m(true);
        m.v.gpr[Rbx] = 0x5000;
        m.ram.put<u64>(0x5000, 0x1122'3344'5566'7788);
        m.ram.put<u16>(0x5008, seg == Ss ? kernel_data : user_data);
        EXPECT_FALSE(m.step({0x48, 0x0f, opcode, 0x03}));
        EXPECT_EQ(m.v.gpr[Rax], 0x1122'3344'5566'7788u);
        EXPECT_EQ(m.v.seg[seg].selector, seg == Ss ? kernel_data : user_data);
    }
}

TEST(Segmentation, LoadingSsHoldsInterruptsForOneInstruction) {
    SystemMachine m(false);
    m.v.gpr[Rax] = kernel_data;
    EXPECT_FALSE(m.step({0x8e, 0xd0}));
    EXPECT_TRUE(m.v.shadow);
    EXPECT_FALSE(m.step({0x90}));
    EXPECT_FALSE(m.v.shadow);
    EXPECT_FALSE(m.step({0xfb}));
    EXPECT_TRUE(m.v.shadow);
    EXPECT_FALSE(m.step({0xfb}));
    EXPECT_FALSE(m.v.shadow) << "interrupts were on";
}

}  // namespace
}  // namespace bmbt
