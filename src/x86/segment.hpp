// Segment descriptors and the hidden parts of segment registers. Source: Intel SDM vol. 3, "Segment Descriptors".
#pragma once
#include "base/bits.hpp"
#include "base/types.hpp"

namespace bmbt::x86 {

// Bits of Segment::access: byte 5 of the descriptor in bits 7:0, the high nibble of byte 6 in bits 15:12 (as VMX keeps them).
namespace access {
constexpr Field type{0, 4};
constexpr Bit s{4};  // code or data (1), system (0)
constexpr Field dpl{5, 2};
constexpr Bit present{7}, avl{12}, l{13}, db{14}, g{15};
// Within type, for code and data.
constexpr u16 accessed = 1, writable = 2, readable = 2, expand_down = 4, conforming = 4, code = 8;
}  // namespace access

// A segment register: the visible selector and the hidden part. A null data segment has present = 0.
struct Segment {
    u16 selector = 0;
    u16 access = 0;
    u32 limit = 0;  // in bytes, inclusive, granularity applied
    u64 base = 0;

    bool present() const { return access::present.of(access); }
    unsigned dpl() const { return access::dpl.of(access); }
    bool is_code() const { return access::s.of(access) && (access & access::code); }
    bool long_code() const { return access::l.of(access); }
    bool big() const { return access::db.of(access); }
};

struct TableRegister {
    u64 base = 0;
    u32 limit = 0;  // 16 bits used
};

// An 8-byte descriptor as it lies in a table.
struct Descriptor {
    u64 raw = 0;
    constexpr u32 base() const { return bits(raw, 39, 16) | bits(raw, 63, 56) << 24; }
    constexpr u32 raw_limit() const { return bits(raw, 15, 0) | bits(raw, 51, 48) << 16; }
    constexpr u16 access() const { return bits(raw, 47, 40) | bits(raw, 55, 52) << 12; }
    constexpr u32 limit() const {
        u32 l = raw_limit();
        return access::g.of(access()) ? l << 12 | 0xfff : l;
    }
};

}  // namespace bmbt::x86
