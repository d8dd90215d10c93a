// Short programs run by the interpreter, one mechanism each.
#include "cpu/interpret.hpp"

#include <gtest/gtest.h>

#include "cpu/machine.hpp"
#include "cpu/transfer.hpp"

namespace bmbt {
namespace {

using namespace x86;
using test::Machine;

constexpr u64 code_at = 0x1000;

struct Runner : Machine {
    // Executes until HLT or a fault; faults are delivered when `deliver_faults`.
    bool deliver_faults = false;
    std::vector<Fault> faults;
    void code(const std::vector<u8>& bytes, u64 at = code_at) {
        ram.put(at, bytes);
        v.rip = v.next_rip = at;
    }
    int go(int limit = 1000) {
        for (int n = 0; n < limit; n++) {
            if (v.halted || v.shutdown) return n;
            if (auto done = interpret(v); !done) {
                faults.push_back(done.error());
                if (!deliver_faults) return n;
                raise(v, done.error());
            }
        }
        ADD_FAILURE() << "does not end";
        return limit;
    }
    Vector first_fault() { return faults.empty() ? Vector::Nmi : faults[0].vector; }
};

TEST(Interpret, AddsInALoop) {
    Runner m;
    m.long_mode();
    m.code({0x31, 0xc0, 0xb9, 10, 0, 0, 0,   // xor eax, eax; mov ecx, 10
            0x01, 0xc8, 0xe2, 0xfc, 0xf4});  // add eax, ecx; loop; hlt
    m.go();
    EXPECT_EQ(m.v.gpr[Rax], 55u);
    EXPECT_TRUE(m.v.halted);
}

TEST(Interpret, HelloInRealMode) {
    Runner m;
    m.real_mode();
    m.v.gpr[Rsp] = 0x8000;
    // mov si, 1009h; lodsb; out 0xf1, al; test al, al; jnz lodsb; hlt
    m.code({0xbe, 0x0b, 0x10, 0xac, 0xe6, 0xf1, 0x84, 0xc0, 0x75, 0xf9, 0xf4, 'H', 'i', 0});
    m.go();
    EXPECT_EQ(m.platform.log, (std::vector<std::string>{"out f1 1 48", "out f1 1 69", "out f1 1 0"}));
}

TEST(Interpret, EnterKeepsTheUpperHalfOfEspWhereASmallStackWraps) {
    Runner m;
    m.real_mode();
    m.v.gpr[Rsp] = 0x1'0000;
    m.v.gpr[Rbp] = 0x1234'5678;
    m.code({0x66, 0xc8, 0x08, 0x00, 0x01, 0xf4});  // enter 8, 1; hlt
    m.go();
    EXPECT_EQ(m.v.gpr[Rbp], 0x1'fffcu);
    EXPECT_EQ(m.v.gpr[Rsp], 0x1'fff0u);
    EXPECT_EQ(m.ram.get<u32>(0xfffc), 0x1234'5678u);
    EXPECT_EQ(m.ram.get<u32>(0xfff8), 0x1'fffcu) << "the frame pointer in the display";
}

TEST(Interpret, RealModeInterruptAndReturn) {
    Runner m;
    m.real_mode();
    m.v.gpr[Rsp] = 0x8000;
    set_rflags(m.v, flag::if_ | flag::cf);
    m.ram.put<u32>(0x21 * 4, 0x0200'0010);                    // 0200:0010 = 2010h
    m.ram.put(0x2010, std::vector<u8>{0xb0, 7, 0xf8, 0xcf});  // mov al, 7; clc; iret
    m.code({0xcd, 0x21, 0xf4});
    m.go();
    EXPECT_EQ(m.v.gpr[Rax] & 0xff, 7u);
    EXPECT_EQ(m.v.gpr[Rsp], 0x8000u);
    EXPECT_EQ(rflags(m.v), flag::if_ | flag::cf | flag::reserved1);
    EXPECT_EQ(m.ram.get<u16>(0x7ffa), 0x1002) << "return address";
}

TEST(Interpret, PageFaultWhileFetchingNamesTheSecondPage) {
    Runner m;
    m.long_mode();
    m.code({0x48, 0xb8}, 0x1ffe);  // mov rax, imm64 runs into page 2
    m.ram.put<u64>(1_MiB - 4_KiB + 16, 0);
    m.go();
    EXPECT_EQ(m.first_fault(), Vector::Pf);
    EXPECT_EQ(m.faults[0].address, 0x2000u);
    EXPECT_EQ(m.faults[0].error, pf_code::fetch);
    EXPECT_EQ(m.v.rip, 0x1ffeu);
}

TEST(Interpret, ReadModifyWriteFaultsAsAWrite) {
    Runner m;
    m.long_mode(3);
    m.ram.put<u64>(1_MiB - 4_KiB + 16, 0);
    m.code({0xff, 0x04, 0x25, 0, 0x20, 0, 0});  // inc dword [0x2000]
    m.go();
    EXPECT_EQ(m.faults[0].error, pf_code::write | pf_code::user);
}

TEST(Interpret, RepMovsStopsAtTheFaultAndGoesOn) {
    Runner m;
    m.long_mode();
    for (u64 n = 0; n < 0x2000; n++) m.ram.put<u8>(0x10000 + n, n * 7);
    m.ram.put<u64>(1_MiB - 4_KiB + 8 * 0x21, 0);  // 0x21000 is missing
    m.v.gpr[Rsi] = 0x10000, m.v.gpr[Rdi] = 0x20000, m.v.gpr[Rcx] = 0x2000;
    m.code({0xf3, 0xa4, 0xf4});
    m.go();
    ASSERT_EQ(m.first_fault(), Vector::Pf);
    EXPECT_EQ(m.faults[0].address, 0x21000u);
    EXPECT_EQ(m.v.gpr[Rcx], 0x1000u);
    EXPECT_EQ(m.v.gpr[Rsi], 0x11000u);
    m.ram.put<u64>(1_MiB - 4_KiB + 8 * 0x21, 0x21000 | 7);
    m.go();
    EXPECT_EQ(m.v.gpr[Rcx], 0u);
    EXPECT_EQ(m.ram.get<u8>(0x21fff), static_cast<u8>(0x1fff * 7));
}

TEST(Interpret, OverlappingMovsSpreadsAPattern) {
    Runner m;
    m.long_mode();
    m.ram.put<u32>(0x10000, 0x0302'0100);
    m.v.gpr[Rsi] = 0x10000, m.v.gpr[Rdi] = 0x10004, m.v.gpr[Rcx] = 100;
    m.code({0xf3, 0xa4, 0xf4});
    m.go();
    EXPECT_EQ(m.ram.get<u32>(0x10000 + 100), 0x0302'0100u);
    EXPECT_EQ(m.ram.get<u32>(0x10000 + 104), 0u);
    // Downwards, moving up by one: a plain move.
    m.v.halted = false;
    for (int n = 0; n < 64; n++) m.ram.put<u8>(0x11000 + n, n);
    m.v.gpr[Rsi] = 0x1103f, m.v.gpr[Rdi] = 0x11040, m.v.gpr[Rcx] = 64;
    m.code({0xfd, 0xf3, 0xa4, 0xf4});
    m.go();
    EXPECT_EQ(m.ram.get<u32>(0x11001), 0x0302'0100u);
    EXPECT_EQ(m.v.gpr[Rsi], 0x10fffu);
}

TEST(Interpret, ScansAndComparesStopWhereTheyShould) {
    Runner m;
    m.long_mode();
    m.ram.put(0x10000, std::vector<u8>{'a', 'b', 'c', 0, 'd'});
    m.v.gpr[Rdi] = 0x10000, m.v.gpr[Rcx] = ~u64{0};
    m.code({0x31, 0xc0, 0xf2, 0xae, 0xf4});
    m.go();
    EXPECT_EQ(m.v.gpr[Rdi], 0x10004u);
    EXPECT_EQ(m.v.gpr[Rcx], ~u64{0} - 4);
    EXPECT_TRUE(rflags(m.v) & flag::zf);
    m.v.halted = false;
    m.ram.put(0x11000, std::vector<u8>{'a', 'b', 'x', 0, 'd'});
    m.v.gpr[Rsi] = 0x10000, m.v.gpr[Rdi] = 0x11000, m.v.gpr[Rcx] = 5;
    m.code({0xfc, 0xf3, 0xa6, 0xf4});
    m.go();
    EXPECT_EQ(m.v.gpr[Rcx], 2u);
    EXPECT_TRUE(rflags(m.v) & flag::cf);
}

// Hears of accesses to [begin, end).
struct Watcher final : AccessWatch {
    Watcher(u64 b, u64 e) : begin(b), end(e) {}
    bool watches(u64 linear, u64 size) const override { return linear < end && linear + size > begin; }
    void accessed(u64 linear, u64 size, bool write) override {
        if (watches(linear, size)) log.push_back({linear, size, write});
    }
    u64 begin, end;
    std::vector<std::tuple<u64, u64, bool>> log;
};

TEST(Interpret, AScanReadsNoFurtherThanWhereItEnds) {
    Runner m;
    m.long_mode();
    m.ram.put(0x10000, std::vector<u8>{'a', 'b', 'c', 0, 'd'});
    m.ram.put(0x11000, std::vector<u8>{'a', 'b', 'x', 0, 'd'});
    Watcher behind(0x10004, 0x10100), last(0x11002, 0x11100);
    m.v.watch = &behind;
    m.v.gpr[Rdi] = 0x10000, m.v.gpr[Rcx] = ~u64{0};
    m.code({0x31, 0xc0, 0xf2, 0xae, 0xf4});  // xor eax, eax; repne scasb; hlt
    m.go();
    EXPECT_EQ(m.v.gpr[Rdi], 0x10004u);
    EXPECT_TRUE(behind.log.empty());
    m.v.halted = false;
    m.v.watch = &last;
    m.v.gpr[Rsi] = 0x10000, m.v.gpr[Rdi] = 0x11000, m.v.gpr[Rcx] = 5;
    m.code({0xf3, 0xa6, 0xf4});  // repe cmpsb; hlt
    m.go();
    EXPECT_EQ(m.v.gpr[Rcx], 2u);
    EXPECT_EQ(last.log, (std::vector<std::tuple<u64, u64, bool>>{{0x11002, 1, false}}));
}

TEST(Interpret, ReadModifyWriteIsSeenToReadAndToWrite) {
    const std::vector<u8> instructions[] = {
        {0xff, 0x07},              // inc dword [rdi]
        {0x01, 0x07},              // add [rdi], eax
        {0x87, 0x07},              // xchg [rdi], eax
        {0xc1, 0x27, 0x03},        // shl dword [rdi], 3
        {0x0f, 0xab, 0x07},        // bts [rdi], eax
        {0x0f, 0xb1, 0x07},        // cmpxchg [rdi], eax
        {0x0f, 0xc7, 0x0f},        // cmpxchg8b [rdi]
        {0x48, 0x0f, 0xc7, 0x0f},  // cmpxchg16b [rdi]
    };
    for (const auto& bytes : instructions) {
        Runner m;
        m.long_mode();
        Watcher watcher(0x10000, 0x10010);
        m.v.watch = &watcher;
        m.v.gpr[Rdi] = 0x10000;
        m.code(bytes);
        ASSERT_TRUE(interpret(m.v));
        ASSERT_EQ(watcher.log.size(), 2u) << int{bytes[0]} << " " << int{bytes[1]};
        EXPECT_FALSE(std::get<2>(watcher.log[0]));
        EXPECT_TRUE(std::get<2>(watcher.log[1]));
    }
    Runner m;
    m.long_mode();
    Watcher watcher(0x10000, 0x10010);
    m.v.watch = &watcher;
    m.v.gpr[Rdi] = 0x10000;
    m.code({0x89, 0x07});  // mov [rdi], eax
    ASSERT_TRUE(interpret(m.v));
    EXPECT_EQ(watcher.log, (std::vector<std::tuple<u64, u64, bool>>{{0x10000, 4, true}}));
}

TEST(Interpret, LongStringsStopForInterrupts) {
    Runner m;
    m.long_mode();
    m.v.gpr[Rdi] = 0x20000, m.v.gpr[Rcx] = 0x18000, m.v.gpr[Rax] = 0x55;
    m.code({0xf3, 0xaa, 0xf4});
    ASSERT_TRUE(interpret(m.v));
    EXPECT_EQ(m.v.gpr[Rcx], 0x8000u);
    EXPECT_EQ(m.v.rip, code_at);
    m.go();
    EXPECT_EQ(m.ram.get<u8>(0x20000 + 0x17fff), 0x55);
}

TEST(Interpret, StringPortsOneElementAtATime) {
    Runner m;
    m.real_mode();
    m.platform.ports[0x1f0] = 0x1234;
    m.v.gpr[Rdx] = 0x1f0, m.v.gpr[Rdi] = 0x2000, m.v.gpr[Rcx] = 3;
    m.code({0xf3, 0x6d, 0xf4});
    m.go();
    EXPECT_EQ(m.ram.get<u64>(0x2000), 0x1234'1234'1234u);
    EXPECT_EQ(m.platform.log.size(), 3u);
}

TEST(Interpret, DivisionFaultsOnOverflow) {
    Runner m;
    m.long_mode();
    m.v.gpr[Rax] = 1, m.v.gpr[Rdx] = 5, m.v.gpr[Rcx] = 5;
    m.code({0x48, 0xf7, 0xf1});
    m.go();
    EXPECT_EQ(m.first_fault(), Vector::De);
    EXPECT_EQ(m.v.gpr[Rax], 1u);
    m.faults.clear();
    m.v.gpr[Rax] = u64{1} << 63, m.v.gpr[Rdx] = ~u64{0}, m.v.gpr[Rcx] = ~u64{0};
    m.code({0x48, 0xf7, 0xf9});
    m.go();
    EXPECT_EQ(m.first_fault(), Vector::De);
    m.v.gpr[Rax] = -u64{7}, m.v.gpr[Rdx] = ~u64{0}, m.v.gpr[Rcx] = 2;
    m.code({0x48, 0xf7, 0xf9, 0xf4});
    m.go();
    EXPECT_EQ(m.v.gpr[Rax], -u64{3});
    EXPECT_EQ(m.v.gpr[Rdx], -u64{1});
}

TEST(Interpret, SixteenBytePairsMustBeAligned) {
    Runner m;
    m.long_mode();
    m.ram.put<u64>(0x2000, 1);
    m.ram.put<u64>(0x2008, 2);
    m.v.gpr[Rax] = 1, m.v.gpr[Rdx] = 2, m.v.gpr[Rbx] = 3, m.v.gpr[Rcx] = 4, m.v.gpr[Rsi] = 0x2000;
    m.code({0xf0, 0x48, 0x0f, 0xc7, 0x0e, 0xf4});
    m.go();
    EXPECT_EQ(m.ram.get<u64>(0x2000), 3u);
    EXPECT_EQ(m.ram.get<u64>(0x2008), 4u);
    EXPECT_TRUE(rflags(m.v) & flag::zf);
    m.v.halted = false;
    m.v.gpr[Rsi] = 0x2008;
    m.code({0xf0, 0x48, 0x0f, 0xc7, 0x0e, 0xf4});
    m.go();
    EXPECT_EQ(m.first_fault(), Vector::Gp);
}

TEST(Interpret, SingleStepTrapsAfterEachInstruction) {
    Runner m;
    m.long_mode();
    set_rflags(m.v, flag::tf);
    m.code({0x90, 0xf4});
    m.go();
    ASSERT_EQ(m.first_fault(), Vector::Db);
    EXPECT_TRUE(m.faults[0].trap);
    EXPECT_EQ(m.faults[0].dr6, 1u << 14);
    EXPECT_EQ(m.v.rip, code_at + 1);
}

TEST(Interpret, X87ComputesAndStores) {
    Runner m;
    m.long_mode();
    m.ram.put<double>(0x2000, 1.5);
    m.v.gpr[Rsi] = 0x2000;
    m.code({0xdd, 0x06, 0xd8, 0xc0, 0xdd, 0x5e, 0x08, 0xf4});  // fld; fadd st0, st0; fstp [rsi+8]
    m.go();
    EXPECT_EQ(m.ram.get<double>(0x2008), 3.0);
    EXPECT_EQ(vcpu_x87(m.v).ip, code_at + 4);
    m.v.halted = false;
    m.v.paging.cr0 |= cr0::ts;
    m.code({0xd9, 0xe8});
    m.go();
    EXPECT_EQ(m.first_fault(), Vector::Nm);
}

TEST(Interpret, UnknownInstructionsAreUndefined) {
    Runner m;
    m.long_mode();
    m.code({0xc5, 0xf8, 0x28, 0xc1});  // vmovaps
    m.go();
    EXPECT_EQ(m.first_fault(), Vector::Ud);
}

}  // namespace
}  // namespace bmbt
