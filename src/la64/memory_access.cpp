#include "la64/memory_access.hpp"

#include "la64/rows.hpp"

namespace bmbt::la64 {
namespace {

using File = HostAccess::File;
using Address = HostAccess::Address;
using Special = HostAccess::Special;

// The fields of every form stand in the same places.
constexpr Slot rd{0, 5, 0, 0}, rj{5, 5, 0, 0}, rk{10, 5, 0, 0};

struct Row {
    u32 word, mask;
    HostAccess access;
    Operand immediate;  // of Address::Offset
    Slot element;
};

consteval Row row(const Encoding& e, HostAccess access) {
    Row r{e.word, e.mask, access, {}, {}};
    if (access.address == Address::Offset) r.immediate = e.operands[2];
    if (access.special == Special::Element) r.element = e.operands[3].slot;
    return r;
}
consteval Row load(const Encoding& e, u8 size, bool is_signed, Address a = Address::Offset, Special s = Special::None) {
    return row(e, {.is_load = true, .size = size, .is_signed = is_signed, .address = a, .special = s});
}
consteval Row store(const Encoding& e, u8 size, Address a = Address::Offset, Special s = Special::None) {
    return row(e, {.is_store = true, .size = size, .address = a, .special = s});
}
consteval Row load(const Encoding& e, u8 size, File file, Address a = Address::Offset, Special s = Special::None) {
    return row(e, {.is_load = true, .size = size, .file = file, .address = a, .special = s});
}
consteval Row store(const Encoding& e, u8 size, File file, Address a = Address::Offset, Special s = Special::None) {
    return row(e, {.is_store = true, .size = size, .file = file, .address = a, .special = s});
}
consteval Row atomic(const Encoding& e, u8 size, Special s) {
    auto is_signed = s != Special::MaxUnsigned && s != Special::MinUnsigned;
    return row(e, {.is_load = true,
                   .is_store = true,
                   .size = size,
                   .is_signed = is_signed || size < 8,
                   .address = Address::Plain,
                   .special = s});
}

using namespace rows;
constexpr auto Indexed = Address::Indexed;
constexpr auto Plain = Address::Plain;

constexpr Row table[] = {
    load(ld_b, 1, true),
    load(ld_h, 2, true),
    load(ld_w, 4, true),
    load(ld_d, 8, false),
    load(ld_bu, 1, false),
    load(ld_hu, 2, false),
    load(ld_wu, 4, false),
    store(st_b, 1),
    store(st_h, 2),
    store(st_w, 4),
    store(st_d, 8),
    load(ldx_b, 1, true, Indexed),
    load(ldx_h, 2, true, Indexed),
    load(ldx_w, 4, true, Indexed),
    load(ldx_d, 8, false, Indexed),
    load(ldx_bu, 1, false, Indexed),
    load(ldx_hu, 2, false, Indexed),
    load(ldx_wu, 4, false, Indexed),
    store(stx_b, 1, Indexed),
    store(stx_h, 2, Indexed),
    store(stx_w, 4, Indexed),
    store(stx_d, 8, Indexed),
    load(ldptr_w, 4, true),
    load(ldptr_d, 8, false),
    store(stptr_w, 4),
    store(stptr_d, 8),
    load(vld, 16, File::Vector),
    store(vst, 16, File::Vector),
    load(xvld, 32, File::Vector),
    store(xvst, 32, File::Vector),
    load(vldx, 16, File::Vector, Indexed),
    store(vstx, 16, File::Vector, Indexed),
    load(fld_s, 4, File::Float),
    load(fld_d, 8, File::Float),
    store(fst_s, 4, File::Float),
    store(fst_d, 8, File::Float),
    load(fldx_s, 4, File::Float, Indexed),
    load(fldx_d, 8, File::Float, Indexed),
    store(fstx_s, 4, File::Float, Indexed),
    store(fstx_d, 8, File::Float, Indexed),
    load(vldrepl_b, 1, File::Vector, Address::Offset, Special::Replicate),
    load(vldrepl_h, 2, File::Vector, Address::Offset, Special::Replicate),
    load(vldrepl_w, 4, File::Vector, Address::Offset, Special::Replicate),
    load(vldrepl_d, 8, File::Vector, Address::Offset, Special::Replicate),
    store(vstelm_b, 1, File::Vector, Address::Offset, Special::Element),
    store(vstelm_h, 2, File::Vector, Address::Offset, Special::Element),
    store(vstelm_w, 4, File::Vector, Address::Offset, Special::Element),
    store(vstelm_d, 8, File::Vector, Address::Offset, Special::Element),

    load(ll_w, 4, true, Address::Offset, Special::LoadLinked),
    load(ll_d, 8, false, Address::Offset, Special::LoadLinked),
    load(llacq_w, 4, true, Plain, Special::LoadLinked),
    load(llacq_d, 8, false, Plain, Special::LoadLinked),
    store(sc_w, 4, Address::Offset, Special::StoreConditional),
    store(sc_d, 8, Address::Offset, Special::StoreConditional),
    store(screl_w, 4, Plain, Special::StoreConditional),
    store(screl_d, 8, Plain, Special::StoreConditional),
    store(sc_q, 16, Plain, Special::StoreConditional),

#define BOTH(name, width, size, special) atomic(name##_##width, size, special), atomic(name##_db_##width, size, special)
    BOTH(amswap, b, 1, Special::Swap),
    BOTH(amswap, h, 2, Special::Swap),
    BOTH(amswap, w, 4, Special::Swap),
    BOTH(amswap, d, 8, Special::Swap),
    BOTH(amadd, b, 1, Special::Add),
    BOTH(amadd, h, 2, Special::Add),
    BOTH(amadd, w, 4, Special::Add),
    BOTH(amadd, d, 8, Special::Add),
    BOTH(amand, w, 4, Special::And),
    BOTH(amand, d, 8, Special::And),
    BOTH(amor, w, 4, Special::Or),
    BOTH(amor, d, 8, Special::Or),
    BOTH(amxor, w, 4, Special::Xor),
    BOTH(amxor, d, 8, Special::Xor),
    BOTH(ammax, w, 4, Special::Max),
    BOTH(ammax, d, 8, Special::Max),
    BOTH(ammin, w, 4, Special::Min),
    BOTH(ammin, d, 8, Special::Min),
    BOTH(ammax, wu, 4, Special::MaxUnsigned),
    BOTH(ammax, du, 8, Special::MaxUnsigned),
    BOTH(ammin, wu, 4, Special::MinUnsigned),
    BOTH(ammin, du, 8, Special::MinUnsigned),
    BOTH(amcas, b, 1, Special::CompareSwap),
    BOTH(amcas, h, 2, Special::CompareSwap),
    BOTH(amcas, w, 4, Special::CompareSwap),
    BOTH(amcas, d, 8, Special::CompareSwap),
#undef BOTH

    load(ldgt_b, 1, true, Plain, Special::Compared),
    load(ldgt_h, 2, true, Plain, Special::Compared),
    load(ldgt_w, 4, true, Plain, Special::Compared),
    load(ldgt_d, 8, false, Plain, Special::Compared),
    load(ldle_b, 1, true, Plain, Special::Compared),
    load(ldle_h, 2, true, Plain, Special::Compared),
    load(ldle_w, 4, true, Plain, Special::Compared),
    load(ldle_d, 8, false, Plain, Special::Compared),
    store(stgt_b, 1, Plain, Special::Compared),
    store(stgt_h, 2, Plain, Special::Compared),
    store(stgt_w, 4, Plain, Special::Compared),
    store(stgt_d, 8, Plain, Special::Compared),
    store(stle_b, 1, Plain, Special::Compared),
    store(stle_h, 2, Plain, Special::Compared),
    store(stle_w, 4, Plain, Special::Compared),
    store(stle_d, 8, Plain, Special::Compared),
    load(fldgt_s, 4, File::Float, Plain, Special::Compared),
    load(fldgt_d, 8, File::Float, Plain, Special::Compared),
    load(fldle_s, 4, File::Float, Plain, Special::Compared),
    load(fldle_d, 8, File::Float, Plain, Special::Compared),
    store(fstgt_s, 4, File::Float, Plain, Special::Compared),
    store(fstgt_d, 8, File::Float, Plain, Special::Compared),
    store(fstle_s, 4, File::Float, Plain, Special::Compared),
    store(fstle_d, 8, File::Float, Plain, Special::Compared),
};

}  // namespace

std::optional<HostAccess> memory_access(u32 word) {
    for (auto& r : table) {
        if ((word & r.mask) != r.word) continue;
        auto a = r.access;
        a.reg = static_cast<u8>(rd.of(word));
        a.base = static_cast<u8>(rj.of(word));
        if (a.address == Address::Offset)
            a.offset = r.immediate.of(word);
        else
            a.index = static_cast<u8>(rk.of(word));
        if (a.special == Special::Element) a.element = static_cast<u8>(r.element.of(word));
        return a;
    }
    return std::nullopt;
}

}  // namespace bmbt::la64
