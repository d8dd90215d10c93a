#include "long/tables.hpp"

namespace guest {
namespace {

uptr next_table = table_pool;

u64* new_table() {
    u64* table = reinterpret_cast<u64*>(next_table);
    next_table += 4096;
    for (unsigned n = 0; n < 512; ++n) table[n] = 0;
    return table;
}

}  // namespace

Mapping::Mapping(uptr linear, u64 frame, Level4 leaf) : linear(linear), leaf(leaf), entry{} {
    volatile u64* table = pml4;
    for (unsigned level = Pml4e;; --level) {
        volatile u64& e = table[linear >> (12 + 9 * level) & 511];
        entry[level] = &e;
        if (level == leaf) {
            e = frame | pte::p | pte::w | pte::u | (level ? pte::ps : 0);
            break;
        }
        if (!(e & pte::p)) e = address(new_table()) | pte::p | pte::w | pte::u;
        table = &at<u64>(e & 0xffff'ffff'f000);
    }
    flush();
}

void forget_tables() {
    for (unsigned n = 1; n < 512; ++n) pml4[n] = 0;
    next_table = table_pool;
    With flush_global(With::Cr4, cr4::pge);
    write_cr3(read_cr3());
}

}  // namespace guest
