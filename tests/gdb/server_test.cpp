#include "gdb/server.hpp"

#include <gtest/gtest.h>

#include <map>
#include <regex>
#include <vector>

#include "gdb/description.hpp"
#include "gdb/fake_stream.hpp"

namespace bmbt::gdb {
namespace {

// Memory at [1000h, 1010h); every register holds its number in each byte, and cr0 cannot be changed.
class FakeTarget final : public Target {
 public:
    FakeTarget() {
        for (unsigned n = 0; n < reg::count; n++) registers[n] = std::vector<u8>(register_bytes(n), static_cast<u8>(n));
    }
    void read_register(unsigned n, std::span<u8> value) override {
        EXPECT_EQ(value.size(), registers[n].size());
        std::ranges::copy(registers[n], value.begin());
    }
    bool write_register(unsigned n, std::span<const u8> value) override {
        EXPECT_EQ(value.size(), registers[n].size());
        if (n == reg::cr0) return std::ranges::equal(value, registers[n]);
        registers[n].assign(value.begin(), value.end());
        return true;
    }
    usize read_memory(u64 address, std::span<u8> to) override {
        usize n = 0;
        for (; n < to.size() && address + n >= base && address + n < base + sizeof memory; n++) to[n] = memory[address + n - base];
        return n;
    }
    bool write_memory(u64 address, std::span<const u8> from) override {
        if (address < base || address + from.size() > base + sizeof memory) return false;
        std::ranges::copy(from, memory + (address - base));
        return true;
    }
    bool add_point(Point p, u64 address, u64 size) override {
        if (size > 8) return false;
        points[{address, p}] = size;
        return true;
    }
    void remove_point(Point p, u64 address, u64) override { points.erase({address, p}); }
    void remove_all_points() override { points.clear(); }

    static constexpr u64 base = 0x1000;
    u8 memory[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    std::map<unsigned, std::vector<u8>> registers;
    std::map<std::pair<u64, Point>, u64> points;
};

class ServerTest : public testing::Test {
 protected:
    // What is answered to a packet, without the acknowledgement before it.
    std::string ask(const std::string& data) {
        stream.comes(packet(data));
        EXPECT_THROW(server.stopped({}), std::runtime_error);
        std::string out = stream.taken();
        if (acknowledges) {
            EXPECT_EQ(out.substr(0, 1), "+");
            out = out.substr(1);
        }
        EXPECT_GE(out.size(), 4u);
        if (out.size() < 4) return out;
        std::string answer = out.substr(1, out.size() - 4);
        EXPECT_EQ(out, packet(answer));
        return answer;
    }
    Resume resume(const std::string& data, Stop why = {}) {
        stream.comes(packet(data));
        return server.stopped(why);
    }

    FakeTarget target;
    FakeStream stream;
    Server server{target, stream};
    bool acknowledges = true;
};

constexpr const char* registers_of_stop = "thread:1;06:0606060606060606;07:0707070707070707;10:1010101010101010;";

TEST_F(ServerTest, SaysWhatItCan) {
    std::string answer = ask("qSupported:multiprocess+;swbreak+");
    EXPECT_NE(answer.find("PacketSize=1000"), answer.npos);
    for (const char* feature : {"QStartNoAckMode+", "qXfer:features:read+", "vContSupported+", "swbreak+", "hwbreak+"})
        EXPECT_NE(answer.find(feature), answer.npos) << feature;
    EXPECT_EQ(ask("vCont?"), "vCont;c;C;s;S;r");
    EXPECT_EQ(ask("qC"), "QC1");
    EXPECT_EQ(ask("qfThreadInfo"), "m1");
    EXPECT_EQ(ask("qsThreadInfo"), "l");
    EXPECT_EQ(ask("qAttached"), "1");
    EXPECT_EQ(ask("Hg0"), "OK");
    EXPECT_EQ(ask("T1"), "OK");
    for (const char* unknown : {"", "vMustReplyEmpty", "qTStatus", "!", "R00", "QNonStop:1", "qXfer:threads:read::0,100"})
        EXPECT_EQ(ask(unknown), "") << unknown;
}

TEST_F(ServerTest, StopsAcknowledging) {
    EXPECT_EQ(ask("QStartNoAckMode"), "OK");
    acknowledges = false;
    EXPECT_EQ(ask("qC"), "QC1");
    acknowledges = true;  // for the next debugger
    EXPECT_NE(ask("qSupported"), "");
    EXPECT_EQ(ask("qC"), "QC1");
}

TEST_F(ServerTest, AsksAndSaysAgain) {
    stream.comes("$qC#00");
    EXPECT_THROW(server.stopped({}), std::runtime_error);
    EXPECT_EQ(stream.taken(), "-");
    EXPECT_EQ(ask("qC"), "QC1");
    stream.comes("-");
    EXPECT_THROW(server.stopped({}), std::runtime_error);
    EXPECT_EQ(stream.taken(), packet("QC1"));
}

TEST_F(ServerTest, ServesTheDescriptionInPieces) {
    std::string all, piece;
    do {
        char offset[16];
        snprintf(offset, sizeof offset, "%zx", all.size());
        piece = ask("qXfer:features:read:target.xml:" + std::string(offset) + ",3ff");
        ASSERT_FALSE(piece.empty());
        for (usize n = 1; n < piece.size(); n++) all += piece[n] == '}' ? static_cast<char>(piece[++n] ^ 0x20) : piece[n];
    } while (piece[0] == 'm');
    EXPECT_EQ(piece[0], 'l');
    EXPECT_EQ(all, target_description);
    EXPECT_EQ(ask("qXfer:features:read:other.xml:0,fff"), "E00");
    EXPECT_EQ(ask("qXfer:features:read:target.xml:fffff,fff"), "E00");
}

// The numbers and sizes that the code has are those of the description.
TEST(Description, AgreesWithTheNumbers) {
    const std::string text(target_description);
    const std::map<std::string, unsigned> numbers = {
        {"rax", reg::rax}, {"rbx", reg::rbx}, {"rcx", reg::rcx}, {"rdx", reg::rdx}, {"rsi", reg::rsi}, {"rdi", reg::rdi},
        {"rbp", reg::rbp}, {"rsp", reg::rsp}, {"r8", reg::r8}, {"rip", reg::rip}, {"eflags", reg::eflags}, {"cs", reg::cs},
        {"gs", reg::gs}, {"st0", reg::st0}, {"fctrl", reg::fctrl}, {"fop", reg::fop}, {"xmm0", reg::xmm0},
        {"mxcsr", reg::mxcsr}, {"fs_base", reg::fs_base}, {"gs_base", reg::gs_base}, {"k_gs_base", reg::kernel_gs_base},
        {"cs_base", reg::cs_base}, {"gdtr_base", reg::gdtr}, {"idtr_base", reg::idtr}, {"cr0", reg::cr0}, {"cr8", reg::cr8},
        {"efer", reg::efer}, {"dr0", reg::dr0}, {"dr6", reg::dr6}, {"dr7", reg::dr7}};
    std::regex entry(R"re(<reg name="(\w+)" bitsize="(\d+)")re");
    unsigned n = 0, found = 0;
    for (auto i = std::sregex_iterator(text.begin(), text.end(), entry); i != std::sregex_iterator(); ++i, n++) {
        EXPECT_EQ(std::stoul((*i)[2]), register_bytes(n) * 8) << (*i)[1];
        auto k = numbers.find((*i)[1]);
        if (k == numbers.end()) continue;
        EXPECT_EQ(k->second, n) << (*i)[1];
        found++;
    }
    EXPECT_EQ(n, reg::count);
    EXPECT_EQ(found, numbers.size());
    EXPECT_LE(2 * all_register_bytes, packet_size);
}

TEST_F(ServerTest, ReadsAndWritesRegisters) {
    EXPECT_EQ(ask("p10"), "1010101010101010");
    EXPECT_EQ(ask("p11"), "11111111");
    EXPECT_EQ(ask("p18"), "18181818181818181818");
    EXPECT_EQ(ask("p4e"), "E16");
    EXPECT_EQ(ask("P3=8877665544332211"), "OK");
    EXPECT_EQ(ask("p3"), "8877665544332211");
    EXPECT_EQ(ask("P3=887766"), "E16");
    EXPECT_EQ(ask("P42=0000000000000000"), "E01");
    std::string all = ask("g");
    EXPECT_EQ(all.size(), 2 * all_register_bytes);
    EXPECT_EQ(all.substr(3 * 16, 16), "8877665544332211");
    all.replace(0, 16, "efcdab8967452301");
    EXPECT_EQ(ask("G" + all), "OK");
    EXPECT_EQ(ask("p0"), "efcdab8967452301");
    EXPECT_EQ(ask("G00"), "E16");
}

TEST_F(ServerTest, ReadsAndWritesMemory) {
    EXPECT_EQ(ask("m1000,4"), "00010203");
    EXPECT_EQ(ask("m100e,8"), "0e0f");  // what is there
    EXPECT_EQ(ask("m2000,4"), "E0e");
    EXPECT_EQ(ask("m1000"), "E16");
    EXPECT_EQ(ask("M1001,2:aabb"), "OK");
    EXPECT_EQ(ask("m1000,4"), "00aabb03");
    EXPECT_EQ(ask("M100f,2:aabb"), "E0e");
    EXPECT_EQ(ask("M1001,2:aa"), "E16");
    EXPECT_EQ(ask("X1002,3:}\x03}]x"), "OK");
    EXPECT_EQ(ask("m1000,6"), "00aa237d7805");
    EXPECT_EQ(ask("X1002,0:"), "OK");
    EXPECT_EQ(ask("X1002,2:x"), "E16");
}

TEST_F(ServerTest, KeepsPoints) {
    EXPECT_EQ(ask("Z0,1000,1"), "OK");
    EXPECT_EQ(ask("Z1,1001,1"), "OK");
    EXPECT_EQ(ask("Z2,1002,4"), "OK");
    EXPECT_EQ(ask("Z3,1003,8"), "OK");
    EXPECT_EQ(ask("Z4,1004,8"), "OK");
    EXPECT_EQ(target.points.size(), 5u);
    EXPECT_EQ(ask("Z4,1004,100"), "E01");
    EXPECT_EQ(ask("Z5,1004,8"), "");
    EXPECT_EQ(ask("Z0,1004"), "E16");
    EXPECT_EQ(ask("z2,1002,4"), "OK");
    EXPECT_EQ(ask("z2,1002,4"), "OK");
    EXPECT_EQ(target.points.size(), 4u);
    EXPECT_EQ(resume("D").kind, Resume::Kind::Detach);
    EXPECT_TRUE(target.points.empty());
}

TEST_F(ServerTest, GoesOn) {
    EXPECT_EQ(resume("c").kind, Resume::Kind::Continue);
    EXPECT_EQ(resume("C05").kind, Resume::Kind::Continue);
    EXPECT_EQ(resume("s").kind, Resume::Kind::Step);
    EXPECT_EQ(resume("S05;1234").kind, Resume::Kind::Step);
    EXPECT_EQ(target.registers[reg::rip], (std::vector<u8>{0x34, 0x12, 0, 0, 0, 0, 0, 0}));
    EXPECT_EQ(resume("k").kind, Resume::Kind::Kill);
    EXPECT_EQ(resume("vKill;1").kind, Resume::Kind::Kill);
    EXPECT_EQ(resume("vCont;c").kind, Resume::Kind::Continue);
    EXPECT_EQ(resume("vCont;s:1;c").kind, Resume::Kind::Step);
    Resume range = resume("vCont;r1000,1010:1");
    EXPECT_EQ(range.kind, Resume::Kind::Step);
    EXPECT_EQ(range.begin, 0x1000u);
    EXPECT_EQ(range.end, 0x1010u);
}

TEST_F(ServerTest, BadResumesAreRefused) {
    for (const char* bad : {"vCont;", "vCont;t", "vCont;r1000", "Cxx", "C05;", "cxx"}) EXPECT_EQ(ask(bad), "E16") << bad;
}

TEST_F(ServerTest, ReportsWhyItStopped) {
    const std::string registers = "06:0606060606060606;07:0707070707070707;10:1010101010101010;";
    auto reported = [&](Stop why) {
        resume("c");
        stream.taken();
        EXPECT_THROW(server.stopped(why), std::runtime_error);
        return stream.taken();
    };
    using Kind = Stop::Kind;
    EXPECT_EQ(reported({Kind::Step}), packet("T05thread:1;" + registers));
    EXPECT_EQ(reported({Kind::Breakpoint}), packet("T05thread:1;" + registers));
    ask("qSupported:swbreak+;hwbreak+");
    EXPECT_EQ(reported({Kind::Breakpoint}), packet("T05thread:1;swbreak:;" + registers));
    EXPECT_EQ(reported({Kind::HardBreakpoint}), packet("T05thread:1;hwbreak:;" + registers));
    EXPECT_EQ(reported({Kind::Interrupt}), packet("T02thread:1;" + registers));
    EXPECT_EQ(reported({Kind::WriteWatch, 0x1234}), packet("T05thread:1;watch:1234;" + registers));
    EXPECT_EQ(reported({Kind::ReadWatch, 0x1234}), packet("T05thread:1;rwatch:1234;" + registers));
    EXPECT_EQ(reported({Kind::AccessWatch, 0xffff'ffff'8100'0000}), packet("T05thread:1;awatch:ffffffff81000000;" + registers));
    EXPECT_EQ(ask("?"), "T05" + std::string(registers_of_stop));
}

TEST_F(ServerTest, SaysNothingUnasked) {
    stream.comes("");
    EXPECT_THROW(server.stopped({}), std::runtime_error);  // nobody has connected yet
    EXPECT_EQ(stream.taken(), "");
    resume("D");
    stream.taken();
    server.ended(0);
    EXPECT_EQ(stream.taken(), "");
    resume("c");
    stream.taken();
    server.ended(1);
    EXPECT_EQ(stream.taken(), packet("W01"));
    server.ended(1);
    EXPECT_EQ(stream.taken(), "");
}

TEST_F(ServerTest, IsInterruptedWhileItRuns) {
    resume("c");
    stream.taken();
    EXPECT_FALSE(server.wants_stop());
    stream.comes("+\x03");
    EXPECT_TRUE(server.wants_stop());
    EXPECT_TRUE(server.wants_stop());
    EXPECT_THROW(server.stopped({Stop::Kind::Interrupt}), std::runtime_error);
    EXPECT_EQ(stream.taken().substr(0, 4), "$T02");
    EXPECT_FALSE(server.wants_stop());
}

TEST_F(ServerTest, StopsForAnotherDebugger) {
    resume("D");
    stream.taken();
    stream.comes("+" + packet("qSupported:swbreak+"));
    EXPECT_TRUE(server.wants_stop());
    EXPECT_THROW(server.stopped({Stop::Kind::Interrupt}), std::runtime_error);
    EXPECT_EQ(stream.taken().substr(0, 13), "+$PacketSize=");
}

TEST_F(ServerTest, AnInterruptOfWhatHasStoppedIsNothing) {
    stream.comes("\x03");
    EXPECT_THROW(server.stopped({}), std::runtime_error);
    EXPECT_EQ(stream.taken(), "");
    EXPECT_FALSE(server.wants_stop());
}

}  // namespace
}  // namespace bmbt::gdb
