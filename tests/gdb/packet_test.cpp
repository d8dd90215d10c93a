#include "gdb/packet.hpp"

#include <gtest/gtest.h>

#include "gdb/fake_stream.hpp"

namespace bmbt::gdb {
namespace {

using Event = PacketReader::Event;

// What the last byte makes; all before it make nothing.
Event feed(PacketReader& r, const std::string& bytes) {
    Event last = Event::None;
    for (char c : bytes) {
        EXPECT_EQ(last, Event::None);
        last = r.feed(static_cast<u8>(c));
    }
    return last;
}

TEST(PacketReader, TakesPackets) {
    PacketReader r;
    EXPECT_EQ(feed(r, "$g#67"), Event::Packet);
    EXPECT_EQ(r.data(), "g");
    EXPECT_EQ(feed(r, "$#00"), Event::Packet);
    EXPECT_EQ(r.data(), "");
    EXPECT_EQ(feed(r, "$m0,4#FD"), Event::Packet);
    EXPECT_EQ(r.data(), "m0,4");
}

TEST(PacketReader, ChecksTheSum) {
    PacketReader r;
    EXPECT_EQ(feed(r, "$g#68"), Event::Bad);
    EXPECT_EQ(feed(r, "$g#x7"), Event::Bad);
    EXPECT_EQ(feed(r, "$g#6x"), Event::Bad);
    EXPECT_EQ(feed(r, "$g#67"), Event::Packet);
}

TEST(PacketReader, UndoesEscapes) {
    PacketReader r;
    EXPECT_EQ(feed(r, packet("a}\x03}\x04}]b")), Event::Packet);
    EXPECT_EQ(r.data(), "a#$}b");
}

TEST(PacketReader, BeginsAnewWithEachDollar) {
    PacketReader r;
    EXPECT_EQ(feed(r, "$m100"), Event::None);
    EXPECT_EQ(feed(r, "$g#67"), Event::Packet);
    EXPECT_EQ(r.data(), "g");
}

TEST(PacketReader, KnowsWhatIsBetweenPackets) {
    PacketReader r;
    EXPECT_EQ(feed(r, "+"), Event::Ack);
    EXPECT_EQ(feed(r, "-"), Event::Nack);
    EXPECT_EQ(feed(r, "\x03"), Event::Interrupt);
    EXPECT_EQ(feed(r, "x"), Event::None);
    EXPECT_TRUE(r.idle());
    EXPECT_EQ(feed(r, packet("a\x03z")), Event::Packet);  // inside a packet it is data
}

TEST(PacketReader, RefusesWhatIsTooLong) {
    PacketReader r;
    EXPECT_EQ(feed(r, packet(std::string(packet_size, 'a'))), Event::Packet);
    EXPECT_EQ(feed(r, packet(std::string(packet_size + 1, 'a'))), Event::Bad);
    EXPECT_EQ(feed(r, packet("a")), Event::Packet);
}

TEST(Fields, TakesNumbersApart) {
    Fields f("1f,FFFFFFFFFFFFFFFF:0aBc");
    EXPECT_EQ(f.hex(), 0x1fu);
    f.expect(',');
    EXPECT_EQ(f.hex(), ~u64{0});
    EXPECT_FALSE(f.take(';'));
    EXPECT_TRUE(f.take(':'));
    u8 bytes[2];
    EXPECT_TRUE(f.hex_bytes(bytes));
    EXPECT_EQ(bytes[0], 0x0a);
    EXPECT_EQ(bytes[1], 0xbc);
    EXPECT_TRUE(f.good());
    EXPECT_TRUE(f.at_end());
}

TEST(Fields, KnowsWhatIsMalformed) {
    for (const char* text : {"", ",", "x", "10000000000000000"}) {
        Fields f(text);
        f.hex();
        EXPECT_FALSE(f.good()) << text;
    }
    for (const char* text : {"1", "12345", "1x", "x1", "123456"}) {
        Fields f(text);
        u8 bytes[2];
        EXPECT_FALSE(f.hex_bytes(bytes)) << text;
    }
}

TEST(PacketWriter, WritesSumsAndEscapes) {
    FakeStream s;
    PacketWriter w(s);
    const u8 bytes[] = {0x00, 0xa5};
    w.begin();
    w.text("T").hex(0).character(',').hex(0xdeadbeef0).hex_bytes(bytes).send();
    EXPECT_EQ(s.taken(), packet("T0,deadbeef000a5"));
    w.begin();
    w.binary("a*b#c$d}").send();
    EXPECT_EQ(s.taken(), packet("a}\nb}\x03"
                                "c}\x04"
                                "d}]"));
    w.send_again();
    EXPECT_NE(s.taken(), "");
}

}  // namespace
}  // namespace bmbt::gdb
