// What a load or store does, so that a trap handler can do it in the instruction's place.
#pragma once
#include <optional>

#include "la64/registers.hpp"

namespace bmbt::la64 {

struct HostAccess {
    enum class File : u8 { General, Float, Vector };
    // Indexed adds rk to rj, Offset adds an immediate, Plain is rj alone.
    enum class Address : u8 { Offset, Indexed, Plain };
    enum class Special : u8 {
        None,
        LoadLinked,
        StoreConditional,  // reg is stored (size 16: rk above it), then says whether it was
        Swap,
        Add,
        And,
        Or,
        Xor,
        Max,
        Min,
        MaxUnsigned,
        MinUnsigned,  // reg gets memory's old value, memory op rk is stored
        CompareSwap,  // reg holds the expected value and gets the old one, rk is stored on a match
        Replicate,    // vldrepl: one element into all of a vector register
        Element,      // vstelm: one element of a vector register
        Compared,     // ldgt, ldle, stgt, stle: traps unless rj > rk or rj <= rk
    };

    bool is_load = false, is_store = false;  // both: an atomic operation
    u8 size = 0;                             // bytes: 1 2 4 8 16
    bool is_signed = false;                  // a load of 1, 2 or 4 bytes into a general register extends its sign
    File file = File::General;
    Address address = Address::Offset;
    Special special = Special::None;
    u8 reg = 0;      // rd, fd or vd
    u8 base = 0;     // rj
    u8 index = 0;    // rk: the index, or the other operand of an atomic operation
    u8 element = 0;  // the lane of Element
    i64 offset = 0;  // the immediate, in bytes

    // The address, given the general registers. The AM* instructions name two values and use rj alone.
    constexpr u64 address_in(const u64* gpr) const {
        return gpr[base] + (address == Address::Indexed ? gpr[index] : 0) + static_cast<u64>(offset);
    }
};

// Nothing for other instructions, preld and cacop included.
std::optional<HostAccess> memory_access(u32 word);

}  // namespace bmbt::la64
