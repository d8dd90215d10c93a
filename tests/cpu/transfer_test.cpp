#include "cpu/transfer.hpp"

#include <gtest/gtest.h>

#include "cpu/system_machine.hpp"

namespace bmbt {
namespace {

using namespace x86;
using namespace test;

TEST(Transfer, InterruptFromUserAndBack32) {
    SystemMachine m(false);
    m.idt(0x80, handler_at, 15, 3);
    m.ram.put(handler_at, std::vector<u8>{0x89, 0xe0, 0xcf});  // mov eax, esp; iretd
    m.user({0xcd, 0x80, 0x8c, 0xc9});                          // int 80h; mov ecx, cs
    set_rflags(m.v, flag::if_);
    ASSERT_TRUE(interpret(m.v));
    EXPECT_EQ(m.v.cpl, 0);
    EXPECT_EQ(m.v.rip, handler_at);
    EXPECT_EQ(m.v.gpr[Rsp], kernel_stack - 20);
    EXPECT_EQ(m.stack32(0), user_at + 2);
    EXPECT_EQ(m.stack32(1), user_code | 3u);
    EXPECT_EQ(m.stack32(2), flag::if_ | flag::reserved1);
    EXPECT_EQ(m.stack32(3), user_stack);
    EXPECT_EQ(m.stack32(4), user_data | 3u);
    EXPECT_TRUE(m.v.system_flags & flag::if_) << "a trap gate leaves IF";
    ASSERT_TRUE(interpret(m.v));
    ASSERT_TRUE(interpret(m.v));
    EXPECT_EQ(m.v.cpl, 3);
    EXPECT_EQ(m.v.rip, user_at + 2);
    EXPECT_EQ(m.v.gpr[Rsp], user_stack);
    EXPECT_EQ(m.v.gpr[Rax], kernel_stack - 20);
}

// A program may hold any number as the kind of its lazy flags; generated kernel code jumps by it.
TEST(Transfer, InwardTransfersEvaluateTheProgramsFlags) {
    for (u64 kind : {flag_kind(FlagOp::Sub, 2), u64{0x1234'5678}, ~u64{0}})
        for (bool long_mode : {false, true}) {
            SystemMachine m(long_mode);
            m.idt(0x30, handler_at, long_mode ? 14 : 15, 3);
            m.ram.put(handler_at, std::vector<u8>{0x90});
            m.user({0xcd, 0x30});
            m.v.flags = {5, 5, kind};
            const u64 before = evaluate(m.v.flags);
            ASSERT_TRUE(interpret(m.v));
            EXPECT_EQ(m.v.cpl, 0);
            EXPECT_EQ(m.v.flags.kind, flag_kind(FlagOp::Bits, 0)) << kind;
            EXPECT_EQ(evaluate(m.v.flags), before & flag::arithmetic);
        }
}

TEST(Transfer, SoftwareInterruptsNeedTheGatesPrivilege) {
    SystemMachine m(true);
    m.idt(0x30, handler_at);
    m.idt(13, handler_at);
    m.user({0xcd, 0x30});
    m.go();
    ASSERT_EQ(m.faults.size(), 1u);
    EXPECT_EQ(m.faults[0].error, 0x30u * 8 + 2);
    EXPECT_EQ(m.stack64(0), 0x30u * 8 + 2);
    EXPECT_EQ(m.stack64(1), user_at) << "a fault: the INT itself";
}

TEST(Transfer, PageFaultFromUserInLongMode) {
    SystemMachine m(true);
    m.idt(14, handler_at);
    m.user({0x48, 0x8b, 0x04, 0x25, 0, 0, 0, 0x40});  // mov rax, [0x40000000]
    m.v.gpr[Rsp] = user_stack + 5;
    set_rflags(m.v, flag::if_);
    m.go();
    EXPECT_EQ(m.v.cr2, 0x4000'0000u);
    EXPECT_EQ(m.v.gpr[Rsp], kernel_stack - 48);
    EXPECT_EQ(m.stack64(0), pf_code::user);
    EXPECT_EQ(m.stack64(1), user_at);
    EXPECT_EQ(m.stack64(2), user_code64 | 3u);
    EXPECT_EQ(m.stack64(3), flag::if_ | flag::rf | flag::reserved1);
    EXPECT_EQ(m.stack64(4), user_stack + 5);
    EXPECT_EQ(m.stack64(5), user_data | 3u);
    EXPECT_EQ(m.v.seg[Ss].selector, 0);
    EXPECT_FALSE(m.v.system_flags & flag::if_);
    // and back: drop the error code, iretq
    m.code({0x48, 0x83, 0xc4, 0x08, 0x48, 0xcf}, handler_at);
    ASSERT_TRUE(interpret(m.v));
    ASSERT_TRUE(interpret(m.v));
    EXPECT_EQ(m.v.cpl, 3);
    EXPECT_EQ(m.v.rip, user_at);
    EXPECT_EQ(m.v.gpr[Rsp], user_stack + 5);
    EXPECT_EQ(m.v.seg[Ss].selector, user_data | 3);
}

TEST(Transfer, InterruptStackTable) {
    SystemMachine m(true);
    m.idt(2, handler_at, 14, 0, 3);
    m.ram.put<u64>(tss_at + 0x24 + 16, 0x6f08);
    m.code({0x90});
    interrupt(m.v, 2);
    EXPECT_EQ(m.v.gpr[Rsp], 0x6f00u - 40);
    EXPECT_EQ(m.stack64(3), kernel_stack);
    EXPECT_EQ(m.stack64(4), kernel_data) << "SS stays within a level";
    EXPECT_TRUE(m.v.nmi_blocked);
    m.code({0x48, 0xcf}, handler_at);
    ASSERT_TRUE(interpret(m.v));
    EXPECT_FALSE(m.v.nmi_blocked);
    EXPECT_EQ(m.v.gpr[Rsp], kernel_stack);
}

TEST(Transfer, DoubleAndTripleFaults) {
    SystemMachine m(true);
    m.idt(8, handler_at);
    m.code({0x0f, 0x22, 0xe0});  // mov cr4, rax with a reserved bit: #GP, whose gate is missing
    m.v.gpr[Rax] = ~u64{0};
    m.go();
    EXPECT_TRUE(m.v.halted) << "the double fault's handler";
    EXPECT_EQ(m.stack64(0), 0u);
    m.idt(8, handler_at, 0);
    m.code({0x0f, 0x22, 0xe0});
    m.go();
    EXPECT_TRUE(m.v.shutdown);
}

TEST(Transfer, CallGateCopiesParameters) {
    SystemMachine m(false);
    m.entry(gate_selector, gate_of(kernel_code, handler_at, 12, 3, 2));
    m.ram.put(handler_at, std::vector<u8>{0xca, 8, 0});  // retf 8
    m.user({0x9a, 0, 0, 0, 0, gate_selector | 3, 0, 0x90});
    m.v.gpr[Rsp] = user_stack - 8;
    m.ram.put<u64>(user_stack - 8, 0x2222'2222'1111'1111);
    ASSERT_TRUE(interpret(m.v));
    EXPECT_EQ(m.v.cpl, 0);
    EXPECT_EQ(m.v.rip, handler_at);
    EXPECT_EQ(m.stack32(0), user_at + 7);
    EXPECT_EQ(m.stack32(2), 0x1111'1111u);
    EXPECT_EQ(m.stack32(3), 0x2222'2222u);
    EXPECT_EQ(m.stack32(4), user_stack - 8);
    ASSERT_TRUE(interpret(m.v));
    EXPECT_EQ(m.v.cpl, 3);
    EXPECT_EQ(m.v.gpr[Rsp], user_stack);
    EXPECT_EQ(m.v.rip, user_at + 7);
}

TEST(Transfer, ReturningOutwardNullsInnerSegments) {
    SystemMachine m(false);
    m.code({0xcf});
    m.ram.put<u32>(kernel_stack - 20, user_at);
    m.ram.put<u32>(kernel_stack - 16, user_code | 3);
    m.ram.put<u32>(kernel_stack - 12, flag::if_ | flag::iopl);
    m.ram.put<u32>(kernel_stack - 8, user_stack);
    m.ram.put<u32>(kernel_stack - 4, user_data | 3);
    m.v.gpr[Rsp] = kernel_stack - 20;
    ASSERT_TRUE(load_segment(m.v, Fs, user_data | 3));
    ASSERT_TRUE(interpret(m.v));
    EXPECT_FALSE(m.v.seg[Ds].present());
    EXPECT_TRUE(m.v.seg[Fs].present());
    EXPECT_EQ(rflags(m.v), flag::if_ | flag::iopl | flag::reserved1);
}

TEST(Transfer, ReturningOutwardInLongModeKeepsTheBasesOfNulledFsAndGs) {
    SystemMachine m(true);
    m.set(Gs, kernel_data, data32, ~u32{0}, 0x40'0000);
    m.set(Fs, kernel_data, data32, ~u32{0}, 0x1234);
    m.v.gpr[Rsp] = 0x5000;
    const u64 frame[] = {user_at, user_code64 | 3, 2, user_stack, user_data | 3};
    for (unsigned n = 0; n < 5; n++) m.ram.put<u64>(0x5000 + 8 * n, frame[n]);
    m.code({0x48, 0xcf});  // iretq
    ASSERT_TRUE(interpret(m.v));
    EXPECT_EQ(m.v.seg[Gs].selector, 0);
    EXPECT_EQ(m.v.seg[Gs].base, 0x40'0000u);
    EXPECT_EQ(m.v.seg_base[Gs], 0x40'0000u);
    EXPECT_EQ(m.v.seg[Fs].base, 0x1234u);
    EXPECT_FALSE(m.v.seg[Ds].present());
}

TEST(Transfer, SoftwareInterruptsHaveNoSingleStepTrap) {
    for (auto [vector, code] : {std::pair<u8, std::vector<u8>>{3, {0xcc}}, {1, {0xf1}}, {0x40, {0xcd, 0x40}}}) {
        SystemMachine m(true);
        m.idt(vector, handler_at);
        set_rflags(m.v, flag::tf);
        EXPECT_FALSE(m.step(code)) << "vector " << unsigned{vector};
        EXPECT_EQ(m.v.rip, handler_at);
        EXPECT_EQ(m.stack64(2) & flag::tf, flag::tf);
    }
}

constexpr u64 dr7_execute_0 = 0x402, dr7_access_4_bytes_0 = 0x000f'0402;

TEST(Transfer, MovSsKeepsABreakpointFromWhatFollows) {
    SystemMachine m(true);
    m.v.dr[0] = code_at + 2;
    m.v.dr[7] = dr7_execute_0;
    m.v.gpr[Rax] = kernel_data;
    m.code({0x8e, 0xd0, 0x90, 0xf4});  // mov ss, eax; nop; hlt
    m.go();
    EXPECT_TRUE(m.faults.empty());
    m.code({0x90, 0x90, 0x90, 0xf4});
    m.idt(1, handler_at);
    m.go();
    EXPECT_EQ(m.faults.size(), 1u);
}

TEST(Transfer, ADebugExceptionNamesOnlyItsOwnBreakpoints) {
    SystemMachine m(true);
    m.idt(1, handler_at);
    m.v.dr[2] = code_at + 1;
    m.v.dr[6] = 0xffff'0ff0 | 1 << 14 | 2;
    m.v.dr[7] = 0x420;
    m.code({0x90, 0x90, 0xf4});
    m.go();
    EXPECT_EQ(m.v.dr[6], 0xffff'0ff0u | 1 << 14 | 4) << "BS stays, B1 goes";
}

TEST(Transfer, WhatMovSsHitsComesWithInt1) {
    SystemMachine m(true);
    m.idt(1, handler_at);
    m.ram.put<u16>(0x5000, kernel_data);
    m.v.dr[0] = 0x5000;
    m.v.dr[7] = dr7_access_4_bytes_0;
    m.v.gpr[Rbx] = 0x5000;
    m.code({0x8e, 0x13, 0xf1});  // mov ss, [rbx]; int1
    m.go();
    EXPECT_TRUE(m.v.halted);
    EXPECT_TRUE(m.faults.empty()) << "the handler runs once";
    EXPECT_EQ(m.v.gpr[Rsp], kernel_stack - 40);
    EXPECT_EQ(m.v.dr[6] & 15, 1u);
}

TEST(Transfer, PlainReturnsCannotGainPrivilege) {
    SystemMachine m(false);
    m.user({0xcb});
    m.ram.put<u32>(user_stack, handler_at);
    m.ram.put<u32>(user_stack + 4, kernel_code);
    auto f = interpret(m.v);
    ASSERT_FALSE(f);
    EXPECT_EQ(f.error().vector, Vector::Gp);
    EXPECT_EQ(f.error().error, kernel_code);
    EXPECT_EQ(m.step({0xf4})->vector, Vector::Gp);
    EXPECT_EQ(m.step({0xfa})->vector, Vector::Gp);
    m.ram.put<u32>(user_stack, flag::if_ | flag::iopl | flag::cf);
    EXPECT_FALSE(m.step({0x9d}));  // popfd
    EXPECT_EQ(rflags(m.v), flag::cf | flag::reserved1);
}

TEST(Transfer, SystemCallAndReturn) {
    SystemMachine m(true);
    m.v.star = u64{user_code} << 48 | u64{kernel_code} << 32;  // SYSRET: CS + 16, SS + 8
    m.v.lstar = handler_at;
    m.v.fmask = flag::if_ | flag::df;
    m.user({0x0f, 0x05});
    set_rflags(m.v, flag::if_ | flag::cf);
    ASSERT_TRUE(interpret(m.v));
    EXPECT_EQ(m.v.cpl, 0);
    EXPECT_EQ(m.v.rip, handler_at);
    EXPECT_EQ(m.v.gpr[Rcx], user_at + 2);
    EXPECT_EQ(m.v.gpr[R11], flag::if_ | flag::cf | flag::reserved1);
    EXPECT_FALSE(m.v.system_flags & flag::if_);
    EXPECT_EQ(m.v.seg[Ss].selector, kernel_data);
    m.v.kernel_gs_base = 0xffff'8880'0000'0000;
    EXPECT_FALSE(m.step({0x0f, 0x01, 0xf8}));
    EXPECT_EQ(m.v.segment_base, 0xffff'8880'0000'0000);
    EXPECT_FALSE(m.step({0x0f, 0x01, 0xf8}));
    EXPECT_FALSE(m.step({0x48, 0x0f, 0x07}));
    EXPECT_EQ(m.v.cpl, 3);
    EXPECT_EQ(m.v.seg[Cs].selector, (user_code + 16) | 3);
    EXPECT_TRUE(m.v.code64());
    EXPECT_EQ(rflags(m.v), flag::if_ | flag::cf | flag::reserved1);
    m.v.paging.efer &= ~efer::sce;
    EXPECT_EQ(m.step({0x0f, 0x05})->vector, Vector::Ud);
}

TEST(Transfer, FastCallsOf32BitCode) {
    SystemMachine m(false);
    m.v.sysenter_cs = kernel_code;
    m.v.sysenter_eip = handler_at;
    m.v.sysenter_esp = kernel_stack;
    m.user({0x0f, 0x34});
    ASSERT_TRUE(interpret(m.v));
    EXPECT_EQ(m.v.cpl, 0);
    EXPECT_EQ(m.v.rip, handler_at);
    EXPECT_EQ(m.v.gpr[Rsp], kernel_stack);
    m.v.gpr[Rdx] = user_at, m.v.gpr[Rcx] = user_stack;
    EXPECT_FALSE(m.step({0x0f, 0x35}));
    EXPECT_EQ(m.v.cpl, 3);
    EXPECT_EQ(m.v.seg[Cs].selector, user_code | 3);
    EXPECT_EQ(m.v.gpr[Rsp], user_stack);
}

TEST(Transfer, Virtual8086ModeAndBack) {
    SystemMachine m(false);
    m.idt(13, handler_at);
    const u32 frame[] = {0x10, 0x1000, static_cast<u32>(flag::vm | flag::if_), 0x100, 0x700, 0x11, 0x22, 0x33, 0x44};
    u64 at = kernel_stack - sizeof frame;
    for (unsigned n = 0; n < 9; n++) m.ram.put<u32>(at + 4 * n, frame[n]);
    m.v.gpr[Rsp] = at;
    EXPECT_FALSE(m.step({0xcf}));
    EXPECT_TRUE(m.v.v8086());
    EXPECT_EQ(m.v.cpl, 3);
    EXPECT_EQ(m.v.seg[Cs].base, 0x10000u);
    EXPECT_EQ(m.v.seg[Gs].base, 0x440u);
    EXPECT_EQ(m.v.gpr[Rsp], 0x100u);
    m.ram.put(0x10010, std::vector<u8>{0xb8, 0x34, 0x12, 0xfa});  // mov ax, 1234h; cli with IOPL 0
    m.go(3);
    EXPECT_EQ(m.v.gpr[Rax] & 0xffff, 0x1234u);
    ASSERT_EQ(m.faults.size(), 1u);
    EXPECT_EQ(m.v.cpl, 0);
    EXPECT_FALSE(m.v.v8086());
    EXPECT_EQ(m.stack32(0), 0u) << "error code";
    EXPECT_EQ(m.stack32(1), 0x13u);
    EXPECT_EQ(m.stack32(2), 0x1000u);
    EXPECT_EQ(m.stack32(3), flag::vm | flag::if_ | flag::rf | flag::reserved1);
    EXPECT_EQ(m.stack32(5), 0x700u);
    EXPECT_EQ(m.stack32(9), 0x44u);
    EXPECT_FALSE(m.v.seg[Ds].present());
    m.v.gpr[Rsp] += 4;
    EXPECT_FALSE(m.step({0xcf}));
    EXPECT_TRUE(m.v.v8086());
    EXPECT_EQ(m.v.rip, 0x13u);
}

TEST(Transfer, TasksCallEachOther) {
    SystemMachine m(false);
    u32 tss[26] = {};
    tss[8] = handler_at, tss[9] = flag::reserved1, tss[14] = 0x6800, tss[10] = 77;  // EIP EFLAGS ESP EAX
    tss[18] = kernel_data, tss[19] = kernel_code;
    for (unsigned n = 20; n < 24; n++) tss[n] = kernel_data;
    for (unsigned n = 0; n < 26; n++) m.ram.put<u32>(other_tss_at + 4 * n, tss[n]);
    m.entry(tss_selector, descriptor_of(tss_at, 0xff, 0x8b));
    m.v.gpr[Rax] = 5;
    m.code({0x9a, 0, 0, 0, 0, other_tss, 0, 0x90, 0xf4});
    m.ram.put(handler_at, std::vector<u8>{0x40, 0xcf});  // inc eax; iretd
    ASSERT_TRUE(interpret(m.v));
    EXPECT_EQ(m.v.gpr[Rax], 77u);
    EXPECT_EQ(m.v.tr.selector, other_tss);
    EXPECT_TRUE(m.v.system_flags & flag::nt);
    EXPECT_TRUE(m.v.paging.cr0 & cr0::ts);
    EXPECT_EQ(m.ram.get<u16>(other_tss_at), tss_selector);
    EXPECT_EQ(m.ram.get<u32>(tss_at + 0x20), code_at + 7);
    ASSERT_TRUE(interpret(m.v));
    ASSERT_TRUE(interpret(m.v));
    EXPECT_EQ(m.v.gpr[Rax], 5u);
    EXPECT_EQ(m.v.rip, code_at + 7);
    EXPECT_EQ(m.ram.get<u32>(other_tss_at + 0x28), 78u);
    EXPECT_EQ(m.ram.get<u8>(gdt_at + other_tss + 5), 0x89) << "no longer busy";
    EXPECT_EQ(m.ram.get<u8>(gdt_at + tss_selector + 5), 0x8b);
}

TEST(Transfer, FarJumpsCheckTheirTarget) {
    SystemMachine m(false);
    auto jump = [&](u8 selector) { return m.step({0xea, 0, 0x40, 0, 0, selector, 0}); };
    EXPECT_EQ(jump(0)->error, 0u);
    EXPECT_EQ(jump(kernel_data)->error, kernel_data);
    EXPECT_EQ(jump(user_code)->error, user_code);
    EXPECT_FALSE(jump(kernel_code));
    EXPECT_EQ(m.v.rip, handler_at);
    m.entry(free_entry, descriptor_of(0, 0xfff, 0x409b));
    EXPECT_EQ(jump(free_entry)->error, 0u) << "beyond the limit";
}

}  // namespace
}  // namespace bmbt
