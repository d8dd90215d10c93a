#include "gdb/packet.hpp"

namespace bmbt::gdb {

namespace {
constexpr u8 interrupt = 3;
constexpr u8 escape = '}', escape_flip = 0x20;
constexpr char digits[] = "0123456789abcdef";
}  // namespace

int hex_digit(u8 c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

void PacketReader::add(u8 c) {
    if (size_ == data_.size()) overflow_ = true;
    else data_[size_++] = static_cast<char>(c);
}

PacketReader::Event PacketReader::feed(u8 c) {
    // A packet that was cut off ends where the next one begins: neither data nor checksum has this character.
    if (c == '$') {
        state_ = State::Data;
        size_ = 0;
        sum_ = 0;
        overflow_ = false;
        return Event::None;
    }
    switch (state_) {
        case State::Idle:
            if (c == '+') return Event::Ack;
            if (c == '-') return Event::Nack;
            return c == interrupt ? Event::Interrupt : Event::None;
        case State::Data:
            if (c == '#') {
                state_ = State::Check1;
                return Event::None;
            }
            sum_ += c;
            if (c == escape) state_ = State::Escape;
            else add(c);
            return Event::None;
        case State::Escape:
            sum_ += c;
            add(c ^ escape_flip);
            state_ = State::Data;
            return Event::None;
        case State::Check1: {
            int n = hex_digit(c);
            check_good_ = n >= 0;
            check_ = static_cast<u8>(n << 4);
            state_ = State::Check2;
            return Event::None;
        }
        case State::Check2: break;
    }
    int n = hex_digit(c);
    state_ = State::Idle;
    return check_good_ && n >= 0 && (check_ | n) == sum_ && !overflow_ ? Event::Packet : Event::Bad;
}

u64 Fields::hex() {
    u64 value = 0;
    usize n = 0;
    for (int d; n < rest_.size() && (d = hex_digit(static_cast<u8>(rest_[n]))) >= 0; n++) {
        if (n == 16) good_ = false;
        value = value << 4 | static_cast<u64>(d);
    }
    if (n == 0) good_ = false;
    rest_.remove_prefix(n);
    return good_ ? value : 0;
}

bool Fields::take(char c) {
    if (rest_.empty() || rest_.front() != c) return false;
    rest_.remove_prefix(1);
    return true;
}

void Fields::expect(char c) {
    if (!take(c)) good_ = false;
}

bool Fields::hex_bytes(std::span<u8> to) {
    if (rest_.size() != 2 * to.size()) return good_ = false;
    for (usize n = 0; n < to.size(); n++) {
        int high = hex_digit(static_cast<u8>(rest_[2 * n])), low = hex_digit(static_cast<u8>(rest_[2 * n + 1]));
        if (high < 0 || low < 0) return good_ = false;
        to[n] = static_cast<u8>(high << 4 | low);
    }
    rest_ = {};
    return good_;
}

PacketWriter& PacketWriter::text(std::string_view s) {
    for (char c : s)
        if (size_ < data_.size()) data_[size_++] = c;
    return *this;
}

PacketWriter& PacketWriter::hex(u64 n) {
    unsigned shift = 60;
    while (shift && !(n >> shift)) shift -= 4;
    for (;; shift -= 4) {
        character(digits[n >> shift & 15]);
        if (!shift) return *this;
    }
}

PacketWriter& PacketWriter::hex_bytes(std::span<const u8> bytes) {
    for (u8 b : bytes) character(digits[b >> 4]).character(digits[b & 15]);
    return *this;
}

PacketWriter& PacketWriter::binary(std::string_view bytes) {
    for (char c : bytes) {
        if (c == '$' || c == '#' || c == '*' || c == escape) character(escape).character(static_cast<char>(c ^ escape_flip));
        else character(c);
    }
    return *this;
}

void PacketWriter::send() {
    to_.put('$');
    u8 sum = 0;
    for (usize n = 0; n < size_; n++) {
        u8 c = static_cast<u8>(data_[n]);
        sum += c;
        to_.put(c);
    }
    to_.put('#');
    to_.put(static_cast<u8>(digits[sum >> 4]));
    to_.put(static_cast<u8>(digits[sum & 15]));
}

}  // namespace bmbt::gdb
