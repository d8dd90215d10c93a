// One round of random code at level 0: the code's slots one after the other, each fault followed by the next slot, and
// a sum over all that a program could see. Nothing of it depends on time, so engines that are right have the same sum.
#pragma once
#include "common/random_code.hpp"
#include "common/trap.hpp"

namespace guest {

inline constexpr unsigned arena_frames = 8;  // of which the first two have code
inline constexpr uptr arena_bytes = arena_frames * 4096;
inline constexpr unsigned code_at = 0x1000 - 24 * slot_size, code_slots = 48;  // over the end of a page

// A kind of code, and the registers it begins with.
struct KernelMode {
    const char* name;
    unsigned bits;
    uptr base;  // what RIP, and pointers into the arena, have added to offsets in it
    Regs (*regs)(uptr rip);
    const Trap& (*run)(const Regs&);
};

struct KernelRound {
    Random& random;
    const KernelMode& mode;
    u8* frames;         // where the arena lies in memory
    void (*restore)();  // descriptor tables and control registers as they were
    bool tells;         // print every trap

    void fill();
    // False: a slot came to no end or may have read a clock, so the sum says nothing.
    bool run(Sum&);
    void add_memory(Sum& sum) const { sum.add(frames, arena_bytes); }

 private:
    u64 some_value();
    void aim(Regs&, unsigned gpr);
    bool reads_clock() const;
    bool inside(uptr pointer) const { return pointer - mode.base < arena_bytes; }
    void tell(unsigned slot, const Trap&, const u64 (&control)[3]) const;
};

// An NMI when a slot has not ended after some milliseconds; by the HPET, whose pin sends it whether or not IF is set.
class Watchdog {
 public:
    static void start();
    static bool stop();  // whether the time was over

 private:
    static void redirect(u32 entry);
};

void print_hex(u64 value, unsigned digits);

}  // namespace guest
