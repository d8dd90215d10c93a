// Random code of level 0 in slots of 16 bytes, so that after a fault the next slot can go on: mostly instructions of a
// table with operands near their registers, some that only kernels may use, some bytes that nobody chose. What would
// make two engines differ rightly (clocks, device ports), and HLT, is left out.
#pragma once
#include "common/random.hpp"

namespace guest {

inline constexpr unsigned slot_size = 16;

struct CodePlan {
    unsigned bits;  // 16, 32 or 64
    u32 data;       // where absolute addresses lead to: so many bytes from here
    u32 data_size;
};

void random_slots(Random&, u8* code, unsigned slots, const CodePlan&);

}  // namespace guest
