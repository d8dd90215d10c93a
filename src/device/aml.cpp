#include "device/aml.hpp"

namespace bmbt {

void Aml::byte(u8 b) {
    if (size_ == buffer_.size()) {
        overflowed_ = true;
        return;
    }
    buffer_[size_++] = b;
}

void Aml::bytes(std::string_view raw) {
    for (char c : raw) byte(static_cast<u8>(c));
}

void Aml::path(std::string_view name) {
    while (!name.empty() && (name[0] == '\\' || name[0] == '^')) {
        byte(static_cast<u8>(name[0]));
        name.remove_prefix(1);
    }
    if (name.empty()) return byte(0);             // the null name: the root itself
    if (name.find('.') != name.npos) byte(0x2e);  // two segments
    while (!name.empty()) {
        const std::string_view segment = name.substr(0, name.find('.'));
        bytes(segment);
        for (usize k = segment.size(); k < 4; k++) byte('_');
        name.remove_prefix(segment.size() < name.size() ? segment.size() + 1 : name.size());
    }
}

void Aml::integer(u64 value) {
    if (value <= 1) return byte(static_cast<u8>(value));
    const unsigned width = value >> 32 ? 8 : value >> 16 ? 4 : value >> 8 ? 2 : 1;
    constexpr u8 prefixes[] = {0, 0x0a, 0x0b, 0, 0x0c, 0, 0, 0, 0x0e};
    byte(prefixes[width]);
    little(value, width);
}

void Aml::string(std::string_view text) {
    byte(0x0d);
    bytes(text);
    byte(0);
}

// Three letters of five bits and four hexadecimal digits, stored with the highest byte first.
void Aml::eisa_id(std::string_view id) {
    u32 value = 0;
    for (unsigned i = 0; i < 3; i++) value = value << 5 | (static_cast<u32>(id[i]) & 0x1f);
    for (unsigned i = 3; i < 7; i++) {
        const u32 c = static_cast<u8>(id[i]);
        value = value << 4 | (c <= '9' ? c - '0' : c - 'A' + 10);
    }
    byte(0x0c);
    for (int shift = 24; shift >= 0; shift -= 8) byte(static_cast<u8>(value >> shift));
}

// The length counts itself; its first byte says how many follow.
void Aml::insert_length(usize at) {
    const usize body = size_ - at;
    unsigned count = 1;
    if (body + 1 > 0x3f) count = body + 2 <= 0xfff ? 2 : body + 3 <= 0xf'ffff ? 3 : 4;
    if (size_ + count > buffer_.size()) {
        overflowed_ = true;
        return;
    }
    std::memmove(buffer_.data() + at + count, buffer_.data() + at, body);
    size_ += count;
    const usize length = body + count;
    if (count == 1) return patch(at, static_cast<u32>(length), 1);
    patch(at, static_cast<u32>((count - 1) << 6 | (length & 15)), 1);
    patch(at + 1, static_cast<u32>(length >> 4), count - 1);
}

void Aml::io(u16 base, u8 length) {
    byte(0x47);
    byte(0x01);  // decodes 16 bits
    word(base);
    word(base);
    byte(1);
    byte(length);
}

void Aml::irq(u8 n) {
    byte(0x22);
    word(static_cast<u16>(1u << n));
}

void Aml::memory32(u32 base, u32 length, bool writable) {
    byte(0x86);
    word(9);
    byte(writable);
    dword(base);
    dword(length);
}

void Aml::address_space(u8 tag, u8 type, u8 flags, u8 type_flags, u64 first, u64 last, unsigned width) {
    byte(tag);
    word(static_cast<u16>(3 + 5 * width));
    byte(type);
    byte(flags);
    byte(type_flags);
    for (u64 v : {u64{0}, first, last, u64{0}, last - first + 1}) little(v, width);
}

namespace {

constexpr u8 memory = 0, io_space = 1, bus = 2;
constexpr u8 fixed = 0x0c;         // both ends, decoded positively, produced
constexpr u8 entire_range = 0x03;  // of ISA and other I/O addresses

}  // namespace

void Aml::bus_numbers(u16 first, u16 last) { address_space(0x88, bus, fixed, 0, first, last, 2); }
void Aml::word_io(u16 first, u16 last) { address_space(0x88, io_space, fixed, entire_range, first, last, 2); }
void Aml::dword_memory(u32 first, u32 last, bool cacheable) {
    address_space(0x87, memory, fixed, cacheable ? 0x03 : 0x01, first, last, 4);
}
void Aml::qword_memory(u64 first, u64 last) { address_space(0x8a, memory, fixed, 0x03, first, last, 8); }

}  // namespace bmbt
