// Writes AML, ACPI's byte code, into a buffer ("ACPI Machine Language (AML) Specification" in the ACPI specification).
// Only what the tables of this PC need. Nested terms are lambdas:
//   a.device("COM1", [&] { a.name("_UID"); a.integer(1); });
#pragma once
#include <cstring>
#include <span>
#include <string_view>

#include "base/types.hpp"

namespace bmbt {

class Aml {
 public:
    explicit Aml(std::span<u8> buffer) : buffer_(buffer) {}
    usize size() const { return size_; }
    bool overflowed() const { return overflowed_; }

    void byte(u8 b);
    void bytes(std::string_view raw);
    void word(u16 v) { little(v, 2); }
    void dword(u32 v) { little(v, 4); }
    void qword(u64 v) { little(v, 8); }

    void path(std::string_view name);  // "_SB_", "PCI0", with a root or parent prefix, of one or two segments
    void integer(u64 value);
    void string(std::string_view text);
    void eisa_id(std::string_view id);  // "PNP0A03" as the packed number
    void name(std::string_view n) {     // the object follows
        byte(0x08);
        path(n);
    }
    void name(std::string_view n, u64 value) {
        name(n);
        integer(value);
    }
    // _HID or _CID of a PNP number.
    void id(std::string_view n, std::string_view eisa) {
        name(n);
        eisa_id(eisa);
    }

    template <class F>
    void scope(std::string_view n, F&& body) {
        packaged({"\x10", 1}, [&] { path(n), body(); });
    }
    template <class F>
    void device(std::string_view n, F&& body) {
        packaged({"\x5b\x82", 2}, [&] { path(n), body(); });
    }
    template <class F>
    void method(std::string_view n, u8 arguments, F&& body) {
        packaged({"\x14", 1}, [&] { path(n), byte(arguments), body(); });
    }
    template <class F>
    void package(u8 elements, F&& body) {
        packaged({"\x12", 1}, [&] { byte(elements), body(); });
    }
    template <class F>
    void if_true(F&& condition_and_body) {
        packaged({"\xa0", 1}, condition_and_body);
    }
    // A buffer of resource descriptors, with its end tag.
    template <class F>
    void resources(std::string_view n, F&& body) {
        name(n);
        packaged({"\x11", 1}, [&] {
            const usize at = size_;
            byte(0x0b);  // the length, as a word
            word(0);
            const usize begin = size_;
            body();
            byte(0x79);
            byte(0);
            patch(at + 1, static_cast<u32>(size_ - begin), 2);
        });
    }
    void return_name(std::string_view n) {
        byte(0xa4);
        path(n);
    }
    void store_argument0(std::string_view to) {
        byte(0x70);
        byte(0x68);
        path(to);
    }

    // Resource descriptors ("Resource Data Types for ACPI").
    void io(u16 base, u8 length);  // a range that does not move
    void irq(u8 n);                // edge, active high, exclusive
    void memory32(u32 base, u32 length, bool writable = true);
    void bus_numbers(u16 first, u16 last);
    void word_io(u16 first, u16 last);
    void dword_memory(u32 first, u32 last, bool cacheable);
    void qword_memory(u64 first, u64 last);

 private:
    void little(u64 v, unsigned count) {
        for (unsigned i = 0; i < count; i++) byte(static_cast<u8>(v >> 8 * i));
    }
    void patch(usize at, u32 v, unsigned count) {
        for (unsigned i = 0; i < count && at + i < buffer_.size(); i++) buffer_[at + i] = static_cast<u8>(v >> 8 * i);
    }
    template <class F>
    void packaged(std::string_view opcode, F&& body) {
        bytes(opcode);
        const usize at = size_;
        body();
        insert_length(at);
    }
    void insert_length(usize at);  // PkgLength in front of what begins at `at`
    void address_space(u8 tag, u8 type, u8 flags, u8 type_flags, u64 first, u64 last, unsigned width);

    std::span<u8> buffer_;
    usize size_ = 0;
    bool overflowed_ = false;
};

}  // namespace bmbt
