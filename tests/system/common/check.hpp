// Named checks: one line of output each.
#pragma once
#include "common/code.hpp"
#include "common/trap.hpp"

namespace guest {

void print(const char*);
void print_number(u32);

// A name put together from parts: Name("page") << "4k" << "user" is "page 4k user".
class Name {
 public:
    Name(const char* first) { add(first); }
    Name& operator<<(const char* part);
    Name& operator<<(unsigned number);
    const char* text() const { return text_; }

 private:
    void add(const char*);

    char text_[96] = {};
    unsigned size_ = 0;
};

// How a run is expected to end.
struct Want {
    unsigned vector;
    i64 error = -1;  // not looked at
    bool has_cr2 = false;
    u64 cr2 = 0;
    i64 rip = -1;  // by default the instruction under test for a fault, behind the last one for `done`
};
inline constexpr Want done{.vector = 3};
constexpr Want fault(unsigned vector, i64 error = -1) { return {.vector = vector, .error = error}; }
constexpr Want gp(i64 error = 0) { return {.vector = 13, .error = error}; }
constexpr Want np(i64 error) { return {.vector = 11, .error = error}; }
constexpr Want ss(i64 error = 0) { return {.vector = 12, .error = error}; }
constexpr Want ts(i64 error) { return {.vector = 10, .error = error}; }
constexpr Want ud{.vector = 6};
constexpr Want pf(u64 error, u64 cr2) {
    return {.vector = 14, .error = static_cast<i64>(error), .has_cr2 = true, .cr2 = cr2};
}
constexpr Want trap_at(unsigned vector, u64 rip) { return {.vector = vector, .rip = static_cast<i64>(rip)}; }

// One check: everything said of it must hold. The line is printed when it goes out of scope.
class Check {
 public:
    Check(const Name& name) : name_(name) {}
    Check(const char* name) : name_(name) {}
    Check(const Check&) = delete;
    ~Check();

    Check& ends(const Trap&, const Code&, const Want&);
    Check& is(const char* what, u64 got, u64 wanted);
    Check& skip() { return skipped_ = true, *this; }
    // A machine that this check would stop fails it without being asked.
    Check& fatal_here(const char* machine);

 private:
    void fail(const char* what, u64 got, u64 wanted);
    void begin_failure();
    void say(const char*);
    void say_hex(u64);
    void say_end(u64 vector, i64 error, bool has_cr2, u64 cr2);

    Name name_;
    bool failed_ = false, skipped_ = false;
    char message_[512] = {};
    unsigned size_ = 0;
};

bool on_qemu();  // its own emulation
void print_summary();
extern const char program[];  // goes before every name

}  // namespace guest
