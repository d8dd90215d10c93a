// Page tables of the checks' own: one address whose entries at every level are at hand.
#pragma once
#include "long/machine.hpp"

namespace guest {

enum Level4 : unsigned { Pte, Pde, Pdpte, Pml4e };

// Maps `linear` (in a part of the address space that the program does not use) to `frame`. leaf is the level of the
// last entry: Pte for 4 KiB, Pde for 2 MiB, Pdpte for 1 GiB. All rights are given; checks take them away.
struct Mapping {
    Mapping(uptr linear, u64 frame, Level4 leaf = Pte);
    volatile u64& operator[](unsigned level) const { return *entry[level]; }
    void flush() const { asm volatile("invlpg (%0)" ::"r"(linear) : "memory"); }

    uptr linear;
    Level4 leaf;
    volatile u64* entry[4];
};

void forget_tables();  // takes back every mapping and flushes

}  // namespace guest
