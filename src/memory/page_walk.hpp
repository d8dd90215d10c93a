// The guest's page tables, walked in C++. Source: Intel SDM vol. 3, "Paging".
#pragma once
#include "memory/physical_map.hpp"
#include "x86/fault.hpp"

namespace bmbt {

// The registers that paging depends on.
struct PagingState {
    u64 cr0 = 0, cr3 = 0, cr4 = 0, efer = 0;
    u64 pdpte[4] = {};  // PAE paging: loaded with CR3
    bool flags_ac = false;
};

struct Access {
    bool write = false, fetch = false, user = false;
};

// Where a linear address leads and what its page allows.
struct Translation {
    u64 gpa = 0;         // of the address itself
    u64 page_size = 0;   // 4 KiB, 2 MiB, 4 MiB or 1 GiB; 4 GiB when paging is off
    bool writable = false, user = false, no_execute = false, global = false, dirty = false;
    bool accessed = false;  // A is set at every level
    bool in_ram = true;     // every table is; in others A and D cannot be set
};

// Walks, checks rights, sets A and (for a write) D with locked updates. #PF with the architectural error code on failure.
x86::Guest<Translation> walk(PhysicalMap&, const PagingState&, u64 linear, Access);

// The same without any effect on the tables and with no rights checked; has_value() is "present". For reports, TLB fills and tests.
x86::Guest<Translation> peek_walk(PhysicalMap&, const PagingState&, u64 linear);

// The entries that a walk reads, from the root on; PAE's PDPTEs are registers, and are not among them.
struct WalkTrace {
    struct Step {
        u64 at = 0, entry = 0;  // guest-physical; what it holds
        unsigned shift = 0;     // it is for 2^shift bytes of linear addresses
    } step[4];
    unsigned count = 0;
};
x86::Guest<Translation> peek_walk(PhysicalMap&, const PagingState&, u64 linear, WalkTrace&);

// PAE: reads and checks the four PDPTEs that CR3 names into state.pdpte; #GP(0) if a reserved bit is set.
x86::Guest<> load_pdptes(PhysicalMap&, PagingState& state);

}  // namespace bmbt
