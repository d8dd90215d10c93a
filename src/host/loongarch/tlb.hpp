// The TLB from C++. LoongArch vol. 1, "TLB": an entry maps an even/odd pair of pages, one half or both valid.
//
// Two entries that hit for one address are undefined, so fill() is for an address that just missed; what may be there
// already goes through replace(). After changing a page's state in the tables, invalidate: nothing is changed in place,
// because a QEMU before 10.1 keeps its own copy of an entry until an INVTLB.
#pragma once
#include "host/loongarch/csr.hpp"

namespace bmbt::host {

// One half of an entry (TLBELO, TLBRELO).
namespace tlb_lo {
constexpr Bit valid{0}, dirty{1}, global{6}, no_read{61}, no_execute{62}, restrict_plv{63};
constexpr Field plv{2, 2}, mat{4, 2};  // mat: see below
constexpr u64 address_mask = 0x0000'ffff'ffff'f000;
constexpr u64 uncached = 0, cached = 1, write_combining = 2;
}  // namespace tlb_lo

class Tlb {
 public:
    // At boot: empty, set-associative part for 4 KiB pages, refill size 4 KiB.
    static void prepare();

    // Enters a pair for `va` (any address inside it); `shift` is log2 of one page's size: 12 for 4 KiB, 20 for the pair
    // that makes 2 MiB. Both halves with G make the entry global; they must agree, an invalid half included.
    static void fill(u64 va, u16 asid, u64 lo0, u64 lo1, unsigned shift);
    static void replace(u64 va, u16 asid, u64 lo0, u64 lo1, unsigned shift) {
        invalidate_page(asid, va);
        fill(va, asid, lo0, lo1, shift);
    }

    // The entry for va, of this address space or global, whatever its size.
    static void invalidate_page(u16 asid, u64 va) { invtlb<6>(asid, va); }
    static void invalidate_asid(u16 asid) { invtlb<4>(asid, 0); }  // its non-global entries
    static void invalidate_non_global() { invtlb<3>(0, 0); }
    static void invalidate_all() { invtlb<0>(0, 0); }

    static void set_asid(u16 asid) { csr_write<CSR_ASID>(asid); }
    static u16 asid() { return static_cast<u16>(csr_read<CSR_ASID>() & 0x3ff); }
    static u16 asid_limit();  // number of address spaces that the chip tells apart

 private:
    template <unsigned Op>
    static void invtlb(u64 asid, u64 va) {
        asm volatile("invtlb %0, %1, %2" : : "i"(Op), "r"(asid), "r"(va) : "memory");
    }
};

}  // namespace bmbt::host
