// Packets of the GDB remote protocol: "$data#checksum", acknowledged by + or -. Source: "Debugging with GDB", appendix
// "GDB Remote Serial Protocol", "Overview".
#pragma once
#include <array>
#include <span>
#include <string_view>

#include "gdb/byte_stream.hpp"

namespace bmbt::gdb {

constexpr usize packet_size = 4096;  // the most data bytes of a packet, either way

// -1: not a hexadecimal digit.
int hex_digit(u8 c);

// Takes bytes one by one and says what they make.
class PacketReader {
 public:
    enum class Event : u8 { None, Packet, Bad, Ack, Nack, Interrupt };
    Event feed(u8 c);
    // The last packet's data, escapes undone; valid until the next byte is fed.
    std::string_view data() const { return {data_.data(), size_}; }
    bool idle() const { return state_ == State::Idle; }

 private:
    enum class State : u8 { Idle, Data, Escape, Check1, Check2 };
    void add(u8 c);

    State state_ = State::Idle;
    std::array<char, packet_size> data_;
    usize size_ = 0;
    bool overflow_ = false;
    u8 sum_ = 0, check_ = 0;
    bool check_good_ = false;
};

// Takes a packet's fields apart. What is not there reads as 0 and makes good() false.
class Fields {
 public:
    explicit Fields(std::string_view text) : rest_(text) {}
    u64 hex();               // at least one digit, at most 16
    void expect(char c);     // the next character
    bool take(char c);       // the same if it is there
    bool hex_bytes(std::span<u8> to);  // two digits for each byte, exactly so many
    std::string_view rest() const { return rest_; }
    bool at_end() const { return rest_.empty(); }
    bool good() const { return good_; }

 private:
    std::string_view rest_;
    bool good_ = true;
};

// Builds one packet, sends it, and keeps it for another time.
class PacketWriter {
 public:
    explicit PacketWriter(ByteStream& to) : to_(to) {}

    PacketWriter& begin() {
        size_ = 0;
        return *this;
    }
    PacketWriter& text(std::string_view s);
    PacketWriter& character(char c) { return text({&c, 1}); }
    PacketWriter& hex(u64 n);  // without leading zeros
    PacketWriter& hex_bytes(std::span<const u8> bytes);
    PacketWriter& binary(std::string_view bytes);  // with the protocol's escapes
    usize room() const { return data_.size() - size_; }
    void send();
    void send_again() { send(); }

 private:
    ByteStream& to_;
    std::array<char, packet_size> data_;
    usize size_ = 0;
};

}  // namespace bmbt::gdb
