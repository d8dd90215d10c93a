// Instructions whose result no program can see the same twice, or that only a kernel may execute: one check a form,
// with the manual's word for its result. What they refuse is among the vectors.
#include <gtest/gtest.h>

#include "cpu/system_machine.hpp"

namespace bmbt {
namespace {

using namespace x86;
using namespace test;

using Bytes = std::vector<u8>;

Vector raised(SystemMachine& m, const Bytes& code) {
    auto fault = m.step(code);
    return fault ? fault->vector : Vector::Bp;
}
constexpr Vector nothing = Vector::Bp;

TEST(Privileged, TaskSwitchedFlag) {
    SystemMachine m(true);
    m.v.paging.cr0 |= cr0::ts;
    EXPECT_EQ(raised(m, {0x0f, 0x06}), nothing);  // CLTS
    EXPECT_FALSE(m.v.paging.cr0 & cr0::ts);
}

TEST(Privileged, MachineStatusWord) {
    SystemMachine m(false);
    m.v.gpr[Rax] = cr0::ts;
    EXPECT_EQ(raised(m, {0x0f, 0x01, 0xf0}), nothing);  // LMSW AX: sets TS, cannot clear PE
    EXPECT_TRUE(m.v.paging.cr0 & cr0::ts);
    EXPECT_TRUE(m.v.paging.cr0 & cr0::pe);
    m.ram.put<u16>(0x5000, 0);
    m.v.gpr[Rbx] = 0x5000;
    EXPECT_EQ(raised(m, {0x0f, 0x01, 0x33}), nothing);  // LMSW [EBX]
    EXPECT_FALSE(m.v.paging.cr0 & cr0::ts);
    m.v.gpr[Rax] = ~u64{0};
    EXPECT_EQ(raised(m, {0x0f, 0x01, 0xe0}), nothing);  // SMSW EAX
    EXPECT_EQ(m.v.gpr[Rax] & 0xffff, m.v.paging.cr0 & 0xffff);
    m.v.gpr[Rax] = ~u64{0};
    EXPECT_EQ(raised(m, {0x66, 0x0f, 0x01, 0xe0}), nothing);  // SMSW AX
    EXPECT_EQ(m.v.gpr[Rax] & 0xffff'ffff, 0xffff'0000 | (m.v.paging.cr0 & 0xffff));
    m.ram.put<u32>(0x5000, ~u32{0});
    EXPECT_EQ(raised(m, {0x0f, 0x01, 0x23}), nothing);  // SMSW [EBX] has 16 bits
    EXPECT_EQ(m.ram.get<u32>(0x5000), 0xffff'0000 | (m.v.paging.cr0 & 0xffff));
}

TEST(Privileged, CachesAndTranslations) {
    SystemMachine m(true);
    EXPECT_EQ(raised(m, {0x0f, 0x08}), nothing);  // INVD
    EXPECT_EQ(raised(m, {0x0f, 0x09}), nothing);  // WBINVD
    m.platform.log.clear();
    m.v.gpr[Rbx] = 0x5678;
    EXPECT_EQ(raised(m, {0x0f, 0x01, 0x3b}), nothing);  // INVLPG [RBX]
    ASSERT_EQ(m.platform.log.size(), 1u);
    EXPECT_EQ(m.platform.log[0].substr(0, 10), "flush_page");
    m.v.gpr[Rax] = 4;  // no such type
    EXPECT_EQ(raised(m, {0x66, 0x0f, 0x38, 0x82, 0x03}), Vector::Gp);
    m.v.gpr[Rax] = 2;
    EXPECT_EQ(raised(m, {0x66, 0x0f, 0x38, 0x82, 0x03}), nothing);
}

TEST(Privileged, PortsOfEverySize) {
    SystemMachine m(false);
    m.platform.ports = {{0x70, 0x1122'3344}, {0x1234, 0x5566'7788}};
    m.v.gpr[Rdx] = 0x1234;
    const struct {
        Bytes code;
        u64 rax;
    } in[] = {{{0xe4, 0x70}, 0xffff'ff44}, {{0xe5, 0x70}, 0x1122'3344}, {{0x66, 0xe5, 0x70}, 0xffff'3344},
              {{0xec}, 0xffff'ff88},       {{0xed}, 0x5566'7788},       {{0x66, 0xed}, 0xffff'7788}};
    for (const auto& [code, rax] : in) {
        m.v.gpr[Rax] = 0xffff'ffff;
        EXPECT_EQ(raised(m, code), nothing);
        EXPECT_EQ(m.v.gpr[Rax] & 0xffff'ffff, rax) << unsigned{code[0]};
    }
    const struct {
        Bytes code;
        const char* log;
    } out[] = {{{0xe6, 0x70}, "out 70 1 ff"},         {{0xe7, 0x70}, "out 70 4 ffffffff"},
               {{0x66, 0xe7, 0x70}, "out 70 2 ffff"}, {{0xee}, "out 1234 1 ff"},
               {{0xef}, "out 1234 4 ffffffff"},       {{0x66, 0xef}, "out 1234 2 ffff"}};
    m.v.gpr[Rax] = 0xffff'ffff;
    for (const auto& [code, log] : out) {
        EXPECT_EQ(raised(m, code), nothing);
        std::string last = m.platform.log.back();
        EXPECT_EQ(last.substr(0, 8), std::string(log).substr(0, 8)) << log;
    }
}

TEST(Privileged, StringPortsOfEverySize) {
    SystemMachine m(false);
    m.platform.ports = {{0x1234, 0x5566'7788}};
    for (auto [code, size] : {std::pair<Bytes, u64>{{0x6c}, 1}, {{0x66, 0x6d}, 2}, {{0x6d}, 4}}) {
        m.v.gpr[Rdx] = 0x1234, m.v.gpr[Rdi] = 0x5000;
        m.ram.put<u64>(0x5000, 0);
        EXPECT_EQ(raised(m, code), nothing);
        EXPECT_EQ(m.ram.get<u64>(0x5000), 0x5566'7788 & mask(8 * size));
        EXPECT_EQ(m.v.gpr[Rdi], 0x5000 + size);
    }
    for (auto [code, size] : {std::pair<Bytes, u64>{{0x6e}, 1}, {{0x66, 0x6f}, 2}, {{0x6f}, 4}}) {
        m.v.gpr[Rsi] = 0x5000, m.v.gpr[Rcx] = 3;
        Bytes repeated = code;
        repeated.insert(repeated.begin(), 0xf3);
        m.platform.log.clear();
        for (unsigned n = 0; n < 4 && m.v.gpr[Rcx]; n++) EXPECT_EQ(raised(m, repeated), nothing);
        EXPECT_EQ(m.platform.log.size(), 3u);
        EXPECT_EQ(m.v.gpr[Rsi], 0x5000 + 3 * size);
    }
}

// INS and OUTS with each address size, operand size and repeat prefix, in code of each size.
TEST(Privileged, StringPortsOfEveryAddress) {
    for (CodeSize size : {CodeSize::Bits16, CodeSize::Bits32, CodeSize::Bits64})
        for (bool other_address : {false, true})
            for (u8 repeat : {0, 0xf2, 0xf3})
                for (unsigned bytes : {1u, 2u, 4u})
                    for (bool in : {false, true}) {
                        SystemMachine m(size == CodeSize::Bits64);
                        if (size == CodeSize::Bits16) m.set(Cs, kernel_code, code16, 0xffff, 0);
                        m.platform.ports = {{0x1234, 0x5566'7788}};
                        const unsigned own = size == CodeSize::Bits16 ? 2 : size == CodeSize::Bits32 ? 4 : 8;
                        const unsigned address = !other_address ? own : own == 4 ? 2 : 4;
                        const u64 junk = own == 8 && address == 4 ? u64{0xabcd} << 32 : address == 2 ? 0xabcd'0000 : 0;
                        const u64 counts = repeat ? 3 : 1;
                        Bytes code;
                        if (repeat) code.push_back(repeat);
                        if (other_address) code.push_back(0x67);
                        if (bytes != 1 && (bytes == 2) != (size == CodeSize::Bits16)) code.push_back(0x66);
                        code.push_back(static_cast<u8>((in ? 0x6c : 0x6e) | (bytes != 1)));
                        m.v.gpr[Rdx] = 0x1234;
                        m.v.gpr[Rcx] = junk | 3;
                        m.v.gpr[Rsi] = m.v.gpr[Rdi] = junk | 0x5000;
                        for (unsigned n = 0; n < counts; n++) EXPECT_EQ(raised(m, code), nothing);
                        // A 32-bit register that is written loses its upper half; of 16 bits the rest stays.
                        const u64 kept = address == 2 ? junk : 0;
                        EXPECT_EQ(m.v.gpr[in ? Rdi : Rsi], kept | (0x5000 + counts * bytes));
                        EXPECT_EQ(m.v.gpr[in ? Rsi : Rdi], junk | 0x5000);
                        EXPECT_EQ(m.v.gpr[Rcx], repeat ? kept : junk | 3);
                        if (in)
                            EXPECT_EQ(m.ram.get<u32>(0x5000 + (counts - 1) * bytes) & mask(8 * bytes),
                                      0x5566'7788 & mask(8 * bytes));
                        else
                            EXPECT_EQ(m.platform.log.size(), counts);
                    }
}

TEST(Privileged, CountersAndIdentity) {
    SystemMachine m(true);
    m.v.gpr[Rax] = m.v.gpr[Rdx] = ~u64{0};
    EXPECT_EQ(raised(m, {0x0f, 0x31}), nothing);  // RDTSC
    EXPECT_EQ(m.v.gpr[Rdx] >> 32, 0u);
    u64 first = m.v.gpr[Rax] | m.v.gpr[Rdx] << 32;
    m.v.tsc_aux = 0x1234;
    EXPECT_EQ(raised(m, {0x0f, 0x01, 0xf9}), nothing);  // RDTSCP
    EXPECT_GT(m.v.gpr[Rax] | m.v.gpr[Rdx] << 32, first);
    EXPECT_EQ(m.v.gpr[Rcx], 0x1234u);
    m.v.gpr[Rax] = 0xffff'ffff'0000'0000;
    EXPECT_EQ(raised(m, {0x0f, 0xa2}), nothing);  // CPUID
    EXPECT_EQ(m.v.gpr[Rbx], 0x756e'6547u);        // "Genu"
    EXPECT_EQ(m.v.gpr[Rax] >> 32, 0u);
    m.v.gpr[Rcx] = 0x7fff;
    EXPECT_EQ(raised(m, {0x0f, 0x33}), Vector::Gp) << "RDPMC of no counter";
    m.user({});
    m.v.paging.cr4 |= cr4::tsd;
    EXPECT_EQ(raised(m, {0x0f, 0x31}), Vector::Gp);
    EXPECT_EQ(raised(m, {0x0f, 0x01, 0xf9}), Vector::Gp);
}

TEST(Privileged, TableRegistersInEverySize) {
    SystemMachine m(false);
    m.v.gdtr = {.base = 0xff11'2233, .limit = 0x7f};
    m.v.gpr[Rbx] = 0x5000;
    EXPECT_EQ(raised(m, {0x0f, 0x01, 0x03}), nothing);  // SGDT: 32 bits of base, with a 16-bit operand too
    EXPECT_EQ(m.ram.get<u64>(0x5000) & mask(48), 0xff11'2233'007f);
    SystemMachine wide(true);
    wide.v.idtr = {.base = 0xffff'8000'1122'3344, .limit = 0xfff};
    wide.v.gpr[Rbx] = 0x5000;
    EXPECT_EQ(raised(wide, {0x66, 0x0f, 0x01, 0x0b}), nothing);  // SIDT: 64 bits whatever the prefix
    EXPECT_EQ(wide.ram.get<u16>(0x5000), 0xfff);
    EXPECT_EQ(wide.ram.get<u64>(0x5002), 0xffff'8000'1122'3344);
    wide.v.ldtr.selector = ldt_selector;
    for (auto [code, kept] : {std::pair<Bytes, u64>{{0x66, 0x0f, 0x00, 0xc0}, ~u64{0xffff}},
                              {{0x0f, 0x00, 0xc0}, 0},
                              {{0x48, 0x0f, 0x00, 0xc0}, 0}}) {
        wide.v.gpr[Rax] = ~u64{0};
        EXPECT_EQ(raised(wide, code), nothing);  // SLDT
        EXPECT_EQ(wide.v.gpr[Rax], kept | ldt_selector);
        Bytes str = code;
        str.back() |= 8;
        wide.v.gpr[Rax] = ~u64{0};
        EXPECT_EQ(raised(wide, str), nothing);  // STR
        EXPECT_EQ(wide.v.gpr[Rax], kept | tss_selector);
    }
    wide.ram.put<u64>(0x5000, ~u64{0});
    EXPECT_EQ(raised(wide, {0x48, 0x0f, 0x00, 0x03}), nothing);  // to memory 16 bits
    EXPECT_EQ(wide.ram.get<u64>(0x5000), ~u64{0xffff} | ldt_selector);
}

TEST(Privileged, UmipKeepsProgramsFromThem) {
    for (const Bytes& code :
         {Bytes{0x0f, 0x01, 0x03}, {0x0f, 0x01, 0x0b}, {0x0f, 0x00, 0xc0}, {0x0f, 0x00, 0xc8}, {0x0f, 0x01, 0xe0}}) {
        SystemMachine m(true);
        m.user({});
        m.v.gpr[Rbx] = 0x8000;
        EXPECT_EQ(raised(m, code), nothing);
        m.v.paging.cr4 |= cr4::umip;
        EXPECT_EQ(raised(m, code), Vector::Gp);
    }
}

TEST(Privileged, ExtendedControlRegister) {
    SystemMachine m(true);
    m.v.gpr[Rcx] = 0;
    EXPECT_EQ(raised(m, {0x0f, 0x01, 0xd0}), Vector::Ud) << "XGETBV without OSXSAVE";
    m.v.paging.cr4 |= cr4::osxsave;
    m.v.gpr[Rax] = 3, m.v.gpr[Rdx] = 0;
    EXPECT_EQ(raised(m, {0x0f, 0x01, 0xd1}), nothing);
    m.v.gpr[Rax] = m.v.gpr[Rdx] = ~u64{0};
    m.user({});
    EXPECT_EQ(raised(m, {0x0f, 0x01, 0xd0}), nothing) << "programs may read it";
    EXPECT_EQ(m.v.gpr[Rax], 3u);
    EXPECT_EQ(m.v.gpr[Rdx], 0u);
    m.v.gpr[Rcx] = 1;
    EXPECT_EQ(raised(m, {0x0f, 0x01, 0xd0}), Vector::Gp);
}

TEST(Privileged, InterruptFlagAndHalt) {
    SystemMachine m(true);
    EXPECT_EQ(raised(m, {0xfb}), nothing);  // STI
    EXPECT_TRUE(m.v.system_flags & flag::if_);
    EXPECT_TRUE(m.v.shadow);
    EXPECT_EQ(raised(m, {0xfa}), nothing);  // CLI
    EXPECT_FALSE(m.v.system_flags & flag::if_);
    EXPECT_EQ(raised(m, {0xf4}), nothing);  // HLT
    EXPECT_TRUE(m.v.halted);
}

TEST(Privileged, DebugTrapOfItsOwn) {
    SystemMachine m(true);
    m.idt(1, handler_at);  // of level 0: INT1 does not ask, INT 1 does
    m.user({});
    EXPECT_EQ(raised(m, {0xcd, 0x01}), Vector::Gp);
    EXPECT_EQ(raised(m, {0xf1}), nothing);
    EXPECT_EQ(m.v.rip, handler_at);
    EXPECT_EQ(m.v.cpl, 0u);
}

TEST(Privileged, HintsWithARegister) {
    for (bool wide : {false, true}) {
        SystemMachine m(wide);
        m.v.gpr[Rax] = 5;
        for (u8 modrm : {0xc0, 0xc8, 0xd7, 0xff}) EXPECT_EQ(raised(m, {0x0f, 0x0d, modrm}), nothing);
        EXPECT_EQ(m.v.gpr[Rax], 5u);
    }
}

TEST(Privileged, SystemCallsOfTheOtherVendor) {
    SystemMachine m(true);
    m.v.paging.efer |= efer::sce;
    m.set(Cs, kernel_code, code32, ~u32{0}, 0);      // compatibility mode
    EXPECT_EQ(raised(m, {0x0f, 0x05}), Vector::Ud);  // SYSCALL
    EXPECT_EQ(raised(m, {0x0f, 0x07}), Vector::Ud);  // SYSRET
}

}  // namespace
}  // namespace bmbt
