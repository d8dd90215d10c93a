#include "host/loongarch/tlb.hpp"

namespace bmbt::host {

namespace {
constexpr Field index_page_size{24, 6};  // TLBIDX.PS
constexpr Field refill_page_size{0, 6};  // TLBREHI.PS
constexpr Field asid_bits{16, 8};        // ASID.ASIDBITS
}  // namespace

void Tlb::prepare() {
    csr_write<CSR_STLBPS>(12);
    csr_write<CSR_TLBREHI>(refill_page_size(12));  // refill.S relies on it and puts it back after a large page
    csr_write<CSR_ASID>(0);
    invalidate_all();
}

void Tlb::fill(u64 va, u16 asid, u64 lo0, u64 lo1, unsigned shift) {
    u64 before = csr_read<CSR_ASID>();
    if ((before & 0x3ff) != asid) csr_write<CSR_ASID>(asid);
    csr_write<CSR_TLBEHI>(va & ~((u64{2} << shift) - 1));
    csr_write<CSR_TLBIDX>(index_page_size(shift));
    csr_write<CSR_TLBELO0>(lo0);
    csr_write<CSR_TLBELO1>(lo1);
    asm volatile("tlbfill" : : : "memory");
    if ((before & 0x3ff) != asid) csr_write<CSR_ASID>(before);
}

u16 Tlb::asid_limit() { return static_cast<u16>(1u << asid_bits.of(csr_read<CSR_ASID>())); }

}  // namespace bmbt::host
