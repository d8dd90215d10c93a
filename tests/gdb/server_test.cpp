#include "gdb/server.hpp"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <regex>
#include <vector>

#include "gdb/description.hpp"
#include "gdb/fake_stream.hpp"

namespace bmbt::gdb {
namespace {

// Memory at [1000h, 1010h); every register holds its number in each byte, and cr0 cannot be changed. It knows one command.
class FakeTarget final : public Target {
 public:
    Arch arch() override { return now; }
    FakeTarget() {
        for (unsigned n = 0; n < reg::count; n++) registers[n] = std::vector<u8>(register_bytes(n), static_cast<u8>(n));
    }
    void read_register(unsigned n, std::span<u8> value) override {
        EXPECT_EQ(value.size(), registers[n].size());
        std::ranges::copy(registers[n], value.begin());
    }
    const char* write_register(unsigned n, std::span<const u8> value) override {
        EXPECT_EQ(value.size(), registers[n].size());
        written.push_back(n);
        if (n == reg::cr0) return std::ranges::equal(value, registers[n]) ? nullptr : "not this one";
        registers[n].assign(value.begin(), value.end());
        return nullptr;
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
    bool monitor(std::string_view command, Console& out) override {
        Words words(command);
        const std::string_view first = words.next();
        if (first == "help") return out.text("count N").end_line(), true;
        u64 lines;
        if (first != "count" || !words.number(lines) || !words.at_end()) return false;
        for (u64 n = 0; n < lines; n++) out.number(n).text(" ").hex(n, 4).pad(10).text("$#}*").end_line();
        return true;
    }

    Arch now = Arch::X86_64;
    static constexpr u64 base = 0x1000;
    u8 memory[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    std::map<unsigned, std::vector<u8>> registers;
    std::vector<unsigned> written;
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

    // What a monitor command prints before its OK.
    std::string printed(const std::string& command) {
        std::string hex;
        for (char c : command) {
            char digits[3];
            snprintf(digits, sizeof digits, "%02x", static_cast<unsigned char>(c));
            hex += digits;
        }
        stream.comes(packet("qRcmd," + hex));
        EXPECT_THROW(server.stopped({}), std::runtime_error);
        std::string out = stream.taken(), text;
        EXPECT_TRUE(out.ends_with("$OK#9a")) << out;
        std::regex each(R"(\$O((?:[0-9a-f]{2})*)#([0-9a-f]{2}))");
        for (auto i = std::sregex_iterator(out.begin(), out.end(), each); i != std::sregex_iterator(); ++i) {
            const std::string digits = (*i)[1];
            EXPECT_EQ(packet("O" + digits), i->str());
            EXPECT_FALSE(digits.empty());
            for (usize n = 0; n < digits.size(); n += 2) text += static_cast<char>(std::stoi(digits.substr(n, 2), nullptr, 16));
        }
        return text;
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
    EXPECT_EQ(all, Description(Arch::X86_64).xml());
    EXPECT_EQ(ask("qXfer:features:read:other.xml:0,fff"), "E00");
    EXPECT_EQ(ask("qXfer:features:read:target.xml:fffff,fff"), "E00");
}

// A description's XML, numbers and sizes are the same list; gdb's own features are whole.
class DescriptionTest : public testing::TestWithParam<Arch> {};
INSTANTIATE_TEST_SUITE_P(All, DescriptionTest, testing::Values(Arch::X86_64, Arch::I386, Arch::I8086));

TEST_P(DescriptionTest, AgreesWithTheNumbers) {
    const Description d(GetParam());
    const std::string text(d.xml());
    EXPECT_TRUE(text.ends_with("</target>\n"));
    const std::map<std::string, unsigned> targets = {
        {"rax", reg::rax}, {"rbx", reg::rbx}, {"rcx", reg::rcx}, {"rdx", reg::rdx}, {"rsi", reg::rsi}, {"rdi", reg::rdi},
        {"rbp", reg::rbp}, {"rsp", reg::rsp}, {"r8", reg::r8}, {"r15", reg::r8 + 7}, {"rip", reg::rip},
        {"eax", reg::rax}, {"ecx", reg::rcx}, {"ebx", reg::rbx}, {"esp", reg::rsp}, {"edi", reg::rdi}, {"eip", d.pc()}, {"ip", reg::rip},
        {"eflags", reg::eflags}, {"cs", reg::cs}, {"gs", reg::gs}, {"st0", reg::st0}, {"fctrl", reg::fctrl}, {"fop", reg::fop},
        {"xmm0", reg::xmm0}, {"xmm15", reg::xmm0 + 15}, {"mxcsr", reg::mxcsr}, {"fs_base", reg::fs_base}, {"gs_base", reg::gs_base},
        {"k_gs_base", reg::kernel_gs_base}, {"cs_base", reg::cs_base}, {"gdtr_base", reg::gdtr}, {"idtr_base", reg::idtr},
        {"cr0", reg::cr0}, {"cr8", reg::cr8}, {"efer", reg::efer}, {"dr0", reg::dr0}, {"dr6", reg::dr6}, {"dr7", reg::dr7},
        {"linear_pc", reg::linear_pc}};
    std::regex entry(R"re(<reg name="(\w+)" bitsize="(\d+)" type="\w+"( group="\w+")?/>)re");
    unsigned n = 0, found = 0, bytes = 0;
    for (auto i = std::sregex_iterator(text.begin(), text.end(), entry); i != std::sregex_iterator(); ++i, n++) {
        ASSERT_LT(n, d.count());
        EXPECT_EQ(std::stoul((*i)[2]), d[n].bytes * 8u) << (*i)[1];
        EXPECT_LE(d[n].bytes, register_bytes(d[n].target));
        EXPECT_EQ(d.number_of(d[n].target), n) << (*i)[1];
        bytes += d[n].bytes;
        auto k = targets.find((*i)[1]);
        if (k == targets.end()) continue;
        EXPECT_EQ(k->second, d[n].target) << (*i)[1];
        found++;
    }
    EXPECT_EQ(n, d.count());
    EXPECT_GE(found, 25u);
    EXPECT_LE(2 * bytes, packet_size);
    if (GetParam() == Arch::X86_64) {
        for (unsigned k = 0; k < d.count(); k++) EXPECT_EQ(d[k].target, k);
        EXPECT_EQ(d.count(), reg::count);
    }
}

TEST_F(ServerTest, TellsWhatFitsTheCode) {
    constexpr const char* read = "qXfer:features:read:target.xml:0,7ff";
    auto told = [&] {
        ask("qSupported");
        std::smatch m;
        std::string xml = ask(read);
        return std::regex_search(xml, m, std::regex("<architecture>(.*)</architecture>")) ? m[1].str() : xml;
    };
    EXPECT_EQ(told(), "i386:x86-64");
    target.now = Arch::I386;
    EXPECT_NE(ask(read).find("i386:x86-64"), std::string::npos);  // it cannot change its mind
    EXPECT_EQ(told(), "i386");
    target.now = Arch::I8086;
    EXPECT_EQ(told(), "i8086");
    EXPECT_EQ(printed("arch i386"), "told: i8086; next: i386\n");
    EXPECT_EQ(told(), "i386");
    EXPECT_EQ(printed("arch auto"), "told: i386; next: i8086 (auto)\n");
    EXPECT_EQ(printed("arch z80"), "arch wants one of auto, x86-64, i386, i8086\n");
    Server forced(target, stream, Arch::I386);
    stream.comes(packet("qSupported") + packet(read));
    EXPECT_THROW(forced.stopped({}), std::runtime_error);
    EXPECT_NE(stream.taken().find("<architecture>i386<"), std::string::npos);
}

TEST_F(ServerTest, HasNarrowRegistersOfWideOnes) {
    target.now = Arch::I386;
    ask("qSupported");
    EXPECT_EQ(ask("p0"), "00000000");
    EXPECT_EQ(ask("p3"), "01010101");                      // EBX
    EXPECT_EQ(ask("p8"), "10101010");                      // EIP
    EXPECT_EQ(ask("P3=78563412"), "OK");
    EXPECT_EQ(target.registers[reg::rbx], (std::vector<u8>{0x78, 0x56, 0x34, 0x12, 1, 1, 1, 1}));  // the upper half stays
    EXPECT_EQ(ask("P3=7856341200000000"), "E16");
    EXPECT_EQ(ask("?"), "T05thread:1;05:06060606;04:07070707;08:10101010;");
    std::string all = ask("g");
    EXPECT_EQ(ask("G" + all), "OK");
    EXPECT_EQ(ask("G" + all + "00"), "E16");
    EXPECT_FALSE(resume("vCont;r1000,1010").linear);
    server.ended(0);  // nobody waits any more
    stream.taken();

    target.now = Arch::I8086;
    ask("qSupported");
    EXPECT_EQ(ask("p8"), "4e4e4e4e");                      // where it lies
    EXPECT_TRUE(resume("vCont;r1000,1010").linear);
    EXPECT_EQ(resume("c7c00").kind, Resume::Kind::Continue);
    EXPECT_EQ(target.registers[reg::linear_pc], (std::vector<u8>{0, 0x7c, 0, 0, 0, 0, 0, 0}));
}

TEST_F(ServerTest, PrintsForThePerson) {
    EXPECT_EQ(printed("count 3"), "0 0000    $#}*\n1 0001    $#}*\n2 0002    $#}*\n");
    EXPECT_EQ(printed("fly"), "fly: no such command; monitor help names all\n");
    EXPECT_EQ(printed("count"), "count: no such command; monitor help names all\n");
    EXPECT_EQ(printed("help"), printed(""));
    EXPECT_NE(printed("help").find("count N"), std::string::npos);
    EXPECT_NE(printed(std::string(1900, 'x')).find(std::string(1900, 'x')), std::string::npos);  // more than one packet's worth
    EXPECT_EQ(ask("qRcmd,6"), "E16");
    EXPECT_EQ(ask("qRcmd,zz"), "E16");
    EXPECT_EQ(ask("qRcmd"), "");
}

TEST(Words, TakesNumbersApart) {
    u64 n = 7;
    EXPECT_TRUE(Words(" 1f ").hex(n));
    EXPECT_EQ(n, 0x1fu);
    EXPECT_TRUE(Words("0xffffffffffffffff").hex(n));
    EXPECT_EQ(n, ~u64{0});
    EXPECT_TRUE(Words("16").number(n));
    EXPECT_EQ(n, 16u);
    EXPECT_TRUE(Words("0x16").number(n));
    EXPECT_EQ(n, 0x16u);
    for (const char* bad : {"", "0x", "1g", "-1", "10000000000000000"}) EXPECT_FALSE(Words(bad).hex(n)) << bad;
    for (const char* bad : {"", "1f", "9999999999999999999", "0xz"}) EXPECT_FALSE(Words(bad).number(n)) << bad;
    Words words("\ta  b");
    EXPECT_EQ(words.next(), "a");
    EXPECT_FALSE(words.at_end());
    EXPECT_EQ(words.next(), "b");
    EXPECT_TRUE(words.at_end());
    EXPECT_EQ(words.next(), "");
}

TEST_F(ServerTest, ReadsAndWritesRegisters) {
    EXPECT_EQ(ask("p10"), "1010101010101010");
    EXPECT_EQ(ask("p11"), "11111111");
    EXPECT_EQ(ask("p18"), "18181818181818181818");
    EXPECT_EQ(ask("p4f"), "E16");
    EXPECT_EQ(ask("p10;"), "E16");
    EXPECT_EQ(ask("P3=8877665544332211"), "OK");
    EXPECT_EQ(ask("p3"), "8877665544332211");
    EXPECT_EQ(ask("P3=887766"), "E16");
    EXPECT_EQ(ask("P42=0000000000000000"), "E.not this one");
    std::string all = ask("g");
    EXPECT_EQ(all.size(), 2 * all_register_bytes);
    EXPECT_EQ(ask("G" + all.substr(1)), "E16");
    EXPECT_EQ(all.substr(3 * 16, 16), "8877665544332211");
    all.replace(0, 16, "efcdab8967452301");
    EXPECT_EQ(ask("G" + all), "OK");
    EXPECT_EQ(ask("p0"), "efcdab8967452301");
    EXPECT_EQ(ask("G00"), "E16");
}

// Some registers are views of others: linear_pc of RIP and CS, bases of selectors. What comes as it was has no say.
TEST_F(ServerTest, WritesOnlyTheRegistersThatDiffer) {
    auto changed = [&](Arch arch, u8 target_register, const std::string& value) {
        target.now = arch;
        ask("qSupported");
        const Description d(arch);
        std::string all = ask("g");
        usize at = 0;
        for (unsigned n = 0; n < d.number_of(target_register); n++) at += 2 * d[n].bytes;
        all.replace(at, value.size(), value);
        target.written.clear();
        return ask("G" + all);
    };
    EXPECT_EQ(changed(Arch::I386, reg::rip, "34120000"), "OK");
    EXPECT_EQ(target.written, std::vector<unsigned>{reg::rip});
    EXPECT_EQ(target.registers[reg::rip], (std::vector<u8>{0x34, 0x12, 0, 0, 0x10, 0x10, 0x10, 0x10}));
    EXPECT_EQ(changed(Arch::I8086, reg::linear_pc, "007c0000"), "OK");
    EXPECT_EQ(target.written, std::vector<unsigned>{reg::linear_pc});
    EXPECT_EQ(changed(Arch::X86_64, reg::fs, "2b000000"), "OK");
    EXPECT_EQ(target.written, std::vector<unsigned>{reg::fs});
    EXPECT_EQ(changed(Arch::X86_64, reg::cr0, "00"), "E.not this one");
}

TEST_F(ServerTest, ReadsAndWritesMemory) {
    EXPECT_EQ(ask("m1000,4"), "00010203");
    EXPECT_EQ(ask("m100e,8"), "0e0f");  // what is there
    EXPECT_EQ(ask("m2000,4"), "E0e");
    EXPECT_EQ(ask("m1000"), "E16");
    EXPECT_EQ(ask("m1000,4,4"), "E16");
    EXPECT_EQ(ask("m1000,4\xff"), "E16");
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
    for (const char* bad : {"vCont;", "vCont;t", "vCont;r1000", "Cxx", "C05;", "cxx", "c10;", "s10 ", "vCont;r1,2,3"}) EXPECT_EQ(ask(bad), "E16") << bad;
}

TEST_F(ServerTest, BadPacketsChangeNothing) {
    ask("Z0,1000,1");
    for (const char* bad : {"kfoo", "vKill", "vKill;", "vKillx", "vKill;1x", "Dxyz", "D;", "D;1;", "vCont;cXYZ", "vCont;c:", "vCont;s:99", "vCont;s:1:1",
                            "vCont;c;", "vCont;s:1;x", "vCont;C", "vCont;Cxx:1", "vCont;S5:2", "vCont;c05", "vCont;r1,2:7", "Z0,2000,1garbage",
                            "Z0,2000,1;cond", "z0,1000,1garbage", "z0,1000", "T", "T7", "Tx", "T1;", "H", "Hg", "Hx1", "Hg7", "Hc1;", "?x", "gx"})
        EXPECT_EQ(ask(bad), "E16") << bad;
    EXPECT_EQ(target.points.size(), 1u);
    EXPECT_TRUE(target.points.contains({0x1000, Point::Breakpoint}));
    for (const char* good : {"T1", "Hg0", "Hg1", "Hc-1", "Hc0"}) EXPECT_EQ(ask(good), "OK") << good;
    EXPECT_EQ(resume("vCont;C05:1;c:-1").kind, Resume::Kind::Continue);
    EXPECT_EQ(resume("vCont;S05:0").kind, Resume::Kind::Step);
    EXPECT_EQ(resume("D;1").kind, Resume::Kind::Detach);
}

// Whatever a packet holds, it is answered by one packet or lets the target go on.
TEST_F(ServerTest, AnswersAnything) {
    const std::vector<std::string> seeds = {
        "?", "g", "G00", "p10", "P3=8877665544332211", "m1000,10", "M1000,2:aabb", "X1000,2:ab", "Z0,1000,1", "z4,1000,8", "Hg0", "T1",
        "qSupported:swbreak+", "qXfer:features:read:target.xml:0,10", "qRcmd,636f756e742032", "qRcmd,6172636820693338363b", "c", "s1000", "C05;1000",
        "vCont?", "vCont;c", "vCont;r1000,1010:1", "vKill;1", "D", "k", "qC", ""};
    std::mt19937 random(1);
    auto upto = [&](usize n) { return std::uniform_int_distribution<usize>(0, n)(random); };
    const std::string alphabet = "0123456789abcdefFZ,;:=#$}*+-vqgmPX\x00\x7f\xff";
    for (unsigned n = 0; n < 20000; n++) {
        std::string text = seeds[upto(seeds.size() - 1)];
        for (usize changes = upto(4); changes; changes--) {
            const char c = alphabet[upto(alphabet.size() - 1)];
            switch (const usize at = upto(text.size()); upto(3)) {
                case 0: text.insert(at, 1, c); break;
                case 1: text = text.substr(0, at); break;
                case 2: text.insert(at, 17, c); break;
                default:
                    if (at < text.size()) text[at] = c;
            }
        }
        std::string escaped;
        for (char c : text) {
            if (c == '$' || c == '#' || c == '}' || c == '*') escaped += {'}', static_cast<char>(c ^ 0x20)};
            else escaped += c;
        }
        stream.comes(packet(escaped));
        bool resumed = true;
        try {
            server.stopped({});
        } catch (const std::runtime_error&) {
            resumed = false;
        }
        std::string out = stream.taken();
        usize replies = 0;
        for (usize at = 0; (at = out.find('$', at)) != out.npos; at++) {
            const usize end = out.find('#', at);
            ASSERT_NE(end, out.npos) << text;
            const std::string data = out.substr(at + 1, end - at - 1);
            ASSERT_EQ(out.substr(at, end - at + 3), packet(data)) << text;
            replies += data.empty() || data[0] != 'O' || data == "OK";
        }
        if (!resumed) ASSERT_GE(replies, 1u) << text;
        ASSERT_LE(replies, 2u) << text;  // with that for the stop, when the target had gone on
    }
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
    constexpr u64 rip = 0x1010'1010'1010'1010;
    EXPECT_EQ(reported({Kind::Breakpoint, rip}), packet("T05thread:1;" + registers));
    ask("qSupported:swbreak+;hwbreak+");
    EXPECT_EQ(reported({Kind::Breakpoint, rip}), packet("T05thread:1;swbreak:;" + registers));
    EXPECT_EQ(reported({Kind::HardBreakpoint, rip}), packet("T05thread:1;hwbreak:;" + registers));
    EXPECT_EQ(reported({Kind::Interrupt}), packet("T02thread:1;" + registers));
    EXPECT_TRUE(reported({Kind::Shutdown}).ends_with(packet("T0bthread:1;" + registers)));
    EXPECT_EQ(reported({Kind::WriteWatch, 0x1234}), packet("T05thread:1;watch:1234;" + registers));
    EXPECT_EQ(reported({Kind::ReadWatch, 0x1234}), packet("T05thread:1;rwatch:1234;" + registers));
    EXPECT_EQ(reported({Kind::AccessWatch, 0xffff'ffff'8100'0000}), packet("T05thread:1;awatch:ffffffff81000000;" + registers));
    EXPECT_EQ(ask("?"), "T05" + std::string(registers_of_stop));
}

// A debugger that hears of a breakpoint where its program counter has none lets the guest run on.
TEST_F(ServerTest, TellsOfABreakpointOnlyWhereTheDebuggerKnowsIt) {
    auto reported = [&](Arch arch, Stop why) {
        target.now = arch;
        ask("qSupported:swbreak+;hwbreak+");
        resume("c");
        stream.taken();
        EXPECT_THROW(server.stopped(why), std::runtime_error);
        const std::string text = stream.taken();
        return text.substr(0, text.find("thread:1;") + 15);
    };
    using Kind = Stop::Kind;
    target.registers[reg::rip] = {5, 0, 0, 0, 0, 0, 0, 0};
    target.registers[reg::linear_pc] = {5, 0, 1, 0, 0, 0, 0, 0};
    EXPECT_EQ(reported(Arch::I386, {Kind::Breakpoint, 0x10005}), "$T05thread:1;05:060");
    EXPECT_EQ(reported(Arch::I386, {Kind::HardBreakpoint, 0x10005}), "$T05thread:1;05:060");
    EXPECT_EQ(reported(Arch::X86_64, {Kind::Breakpoint, 0x10005}), "$T05thread:1;06:060");
    EXPECT_EQ(reported(Arch::I8086, {Kind::Breakpoint, 0x10005}), "$T05thread:1;swbrea");
    EXPECT_EQ(reported(Arch::I8086, {Kind::HardBreakpoint, 0x10005}), "$T05thread:1;hwbrea");
    EXPECT_EQ(reported(Arch::I386, {Kind::Breakpoint, 5}), "$T05thread:1;swbrea");
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
    for (const char* before : {"D", "c"}) {  // the one before took its leave, or just went
        resume(before);
        stream.taken();
        stream.comes("+" + packet("qSupported:swbreak+"));
        EXPECT_TRUE(server.wants_stop());
        EXPECT_FALSE(server.is_awaited());
        EXPECT_THROW(server.stopped({Stop::Kind::Interrupt}), std::runtime_error);
        EXPECT_EQ(stream.taken().substr(0, 13), "+$PacketSize=");
    }
}

TEST_F(ServerTest, AnInterruptOfWhatHasStoppedIsNothing) {
    stream.comes("\x03");
    EXPECT_THROW(server.stopped({}), std::runtime_error);
    EXPECT_EQ(stream.taken(), "");
    EXPECT_FALSE(server.wants_stop());
}

}  // namespace
}  // namespace bmbt::gdb
