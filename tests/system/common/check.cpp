#include "common/check.hpp"

namespace guest {
namespace {

constexpr u16 com1 = 0x3f8;
// Low memory, since both programs count.
volatile u32 &checks = at<u32>(0x500), &failures = at<u32>(0x504);

void put(char c) {
    while (!(inb(com1 + 5) & 0x20)) {
    }
    outb(com1, static_cast<u8>(c));
}

const char* const vectors[] = {"#DE", "#DB", "NMI", "#BP", "#OF", "#BR", "#UD", "#NM", "#DF", "9",   "#TS",
                               "#NP", "#SS", "#GP", "#PF", "15",  "#MF", "#AC", "#MC", "#XM", "#VE", "#CP"};

bool pushes_error(u64 vector) { return vector == 8 || (vector >= 10 && vector <= 14) || vector == 17; }

}  // namespace

void print(const char* text) {
    for (; *text; ++text) put(*text);
}

void print_number(u32 n) {
    if (n >= 10) print_number(n / 10);
    put(static_cast<char>('0' + n % 10));
}

void Name::add(const char* part) {
    while (*part && size_ + 1 < sizeof text_) text_[size_++] = *part++;
}

Name& Name::operator<<(const char* part) {
    add(" ");
    add(part);
    return *this;
}

Name& Name::operator<<(unsigned n) {
    char digits[12], *p = digits + sizeof digits;
    *--p = 0;
    do *--p = static_cast<char>('0' + n % 10), n /= 10;
    while (n);
    return *this << p;
}

void Check::say(const char* text) {
    while (*text && size_ + 1 < sizeof message_) message_[size_++] = *text++;
}

void Check::say_hex(u64 value) {
    int shift = 60;
    while (shift && !(value >> shift)) shift -= 4;
    for (; shift >= 0; shift -= 4) {
        const char digit[2] = {"0123456789abcdef"[value >> shift & 15], 0};
        say(digit);
    }
}

void Check::say_end(u64 vector, i64 error, bool has_cr2, u64 cr2) {
    if (vector < sizeof vectors / sizeof *vectors)
        say(vectors[vector]);
    else
        say("vector "), say_hex(vector);
    if (error >= 0) say("("), say_hex(static_cast<u64>(error)), say(")");
    if (has_cr2) say(" of "), say_hex(cr2);
}

void Check::begin_failure() {
    if (failed_) say("; ");
    failed_ = true;
}

void Check::fail(const char* what, u64 got, u64 wanted) {
    begin_failure();
    say(what), say(" expected "), say_hex(wanted), say(" got "), say_hex(got);
}

Check& Check::fatal_here(const char* machine) {
    begin_failure();
    say("not asked of "), say(machine), say(", which would stop");
    return *this;
}

Check& Check::is(const char* what, u64 got, u64 wanted) {
    if (got != wanted) fail(what, got, wanted);
    return *this;
}

Check& Check::ends(const Trap& t, const Code& code, const Want& want) {
    const u64 rip = want.rip >= 0 ? static_cast<u64>(want.rip) : want.vector == 3 ? code.end + 1 : code.at;
    const bool same_error = want.error < 0 || static_cast<u64>(want.error) == t.error;
    if (t.vector == want.vector && same_error && (!want.has_cr2 || want.cr2 == t.cr2)) {
        if (t.rip != rip) fail("RIP", t.rip - code.begin, rip - code.begin);
        return *this;
    }
    begin_failure();
    say("expected ");
    say_end(want.vector, want.error, want.has_cr2, want.cr2);
    say(" got ");
    say_end(t.vector, pushes_error(t.vector) ? static_cast<i64>(t.error) : -1, t.vector == 14, t.cr2);
    say(" at ");
    say_hex(t.rip - code.begin);
    return *this;
}

Check::~Check() {
    checks = checks + 1;
    if (failed_) failures = failures + 1;
    print(failed_ ? "FAIL " : skipped_ ? "skip " : "ok ");
    print(program), print(" "), print(name_.text());
    if (failed_) print(": "), print(message_);
    print("\n");
}

bool on_qemu() {
    u32 leaf = 0x40000000, name;
    asm("cpuid" : "+a"(leaf), "=b"(name)::"ecx", "edx");
    return name == 0x54474354;  // "TCGT"
}

void print_summary() {
    print_number(checks);
    print(" checks, ");
    print_number(failures);
    print(" failed\n");
}

}  // namespace guest

// What the compiler calls for.
extern "C" {
void* memset(void* to, int value, unsigned long size) {
    void* at = to;
    asm volatile("rep stosb" : "+D"(at), "+c"(size) : "a"(value) : "memory");
    return to;
}
void* memcpy(void* to, const void* from, unsigned long size) {
    void* at = to;
    asm volatile("rep movsb" : "+D"(at), "+S"(from), "+c"(size)::"memory");
    return to;
}
void* memmove(void* to, const void* from, unsigned long size) {
    if (to <= from || static_cast<const char*>(from) + size <= to) return memcpy(to, from, size);
    void* last = static_cast<char*>(to) + size - 1;
    from = static_cast<const char*>(from) + size - 1;
    asm volatile("std\nrep movsb\ncld" : "+D"(last), "+S"(from), "+c"(size)::"memory");
    return to;
}
}
