// What is debugged, as the protocol sees it: one stopped processor.
#pragma once
#include <span>

#include "gdb/console.hpp"
#include "gdb/description.hpp"

namespace bmbt::gdb {

// By the numbers of the protocol's Z packets.
enum class Point : u8 { Breakpoint = 0, HardBreakpoint = 1, WriteWatch = 2, ReadWatch = 3, AccessWatch = 4 };

class Target {
 public:
    // The description that fits the code it is at.
    virtual Arch arch() = 0;

    // Numbers are those of namespace reg, sizes register_bytes(). What cannot be written is told in a few words; null: it was.
    virtual void read_register(unsigned number, std::span<u8> value) = 0;
    virtual const char* write_register(unsigned number, std::span<const u8> value) = 0;

    // By virtual address. How many bytes were read until the first that is not there; whether all could be written.
    virtual usize read_memory(u64 address, std::span<u8> to) = 0;
    virtual bool write_memory(u64 address, std::span<const u8> from) = 0;

    // False: no room, or not this kind or size. A point that is there already is there once.
    virtual bool add_point(Point, u64 address, u64 size) = 0;
    virtual void remove_point(Point, u64 address, u64 size) = 0;
    virtual void remove_all_points() = 0;

    // A command of the person's, in words of the target's own. False: there is none of that name.
    virtual bool monitor(std::string_view command, Console&) = 0;

 protected:
    ~Target() = default;
};

// Why it stopped. `address` is the point's. Shutdown: it cannot go on, and will be reset.
struct Stop {
    enum class Kind : u8 { Start, Step, Interrupt, Breakpoint, HardBreakpoint, WriteWatch, ReadWatch, AccessWatch, Shutdown };
    Kind kind = Kind::Start;
    u64 address = 0;
};

// How it goes on.
struct Resume {
    enum class Kind : u8 { Continue, Step, Detach, Kill };
    Kind kind = Kind::Continue;
    u64 begin = 0, end = 0;  // Step: on and on while the program counter is in [begin, end)
    bool linear = false;     // these are linear addresses, not RIPs
};

}  // namespace bmbt::gdb
