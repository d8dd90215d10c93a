// What memory_access says of loads and stores, by example and for the whole table.
#include <gtest/gtest.h>

#include <set>
#include <string>

#include "la64/assembler.hpp"
#include "la64/encodings.hpp"
#include "la64/memory_access.hpp"

namespace bmbt::la64 {
namespace {

using File = HostAccess::File;
using Address = HostAccess::Address;
using Special = HostAccess::Special;

template <class Write>
HostAccess access_of(Write write) {
    u32 word = 0;
    Assembler a({&word, 1});
    write(a);
    auto access = memory_access(word);
    EXPECT_TRUE(access);
    return access.value_or(HostAccess{});
}
#define ACCESS(...) access_of([](Assembler& a) { a.__VA_ARGS__; })

TEST(MemoryAccess, Loads) {
    auto x = ACCESS(ld_hu(a0, sp, -6));
    EXPECT_TRUE(x.is_load && !x.is_store && !x.is_signed);
    EXPECT_EQ(x.size, 2);
    EXPECT_EQ(x.reg, a0.number);
    EXPECT_EQ(x.base, sp.number);
    u64 gpr[32]{};
    gpr[sp.number] = 0x1000;
    EXPECT_EQ(x.address_in(gpr), 0xffau);

    x = ACCESS(ldx_w(a0, sp, a1));
    gpr[a1.number] = 0x20;
    EXPECT_TRUE(x.is_signed);
    EXPECT_EQ(x.address_in(gpr), 0x1020u);
    EXPECT_EQ(ACCESS(ldptr_d(a0, sp, 0x7ffc)).address_in(gpr), 0x8ffcu);
    x = ACCESS(vldx(vr3, sp, a1));
    EXPECT_EQ(x.file, File::Vector);
    EXPECT_EQ(x.size, 16);
    EXPECT_EQ(x.reg, 3);
    EXPECT_EQ(x.address_in(gpr), 0x1020u);
    EXPECT_EQ(ACCESS(fld_s(f4, sp, 4)).file, File::Float);
    EXPECT_EQ(ACCESS(vldrepl_d(vr1, sp, 8)).address_in(gpr), 0x1008u);
}

TEST(MemoryAccess, Stores) {
    auto x = ACCESS(st_b(t1, a2, 1));
    EXPECT_TRUE(x.is_store && !x.is_load);
    EXPECT_EQ(x.size, 1);
    x = ACCESS(vstelm_h(vr5, a2, -4, 6));
    EXPECT_EQ(x.special, Special::Element);
    EXPECT_EQ(x.size, 2);
    EXPECT_EQ(x.element, 6);
    EXPECT_EQ(x.offset, -4);
    x = ACCESS(sc_w(t1, a2, 8));
    EXPECT_EQ(x.special, Special::StoreConditional);
    EXPECT_EQ(x.offset, 8);
}

TEST(MemoryAccess, Atomics) {
    auto x = ACCESS(amadd_db_w(a0, a1, a2));
    EXPECT_TRUE(x.is_load && x.is_store);
    EXPECT_EQ(x.special, Special::Add);
    EXPECT_EQ(x.address, Address::Plain);
    EXPECT_EQ(x.reg, a0.number);
    EXPECT_EQ(x.index, a1.number);
    EXPECT_EQ(x.base, a2.number);
    u64 gpr[32]{};
    gpr[a2.number] = 64;
    gpr[a1.number] = 1;
    EXPECT_EQ(x.address_in(gpr), 64u);
}

// Every mnemonic that names a load, a store or an atomic operation is known, and nothing else; the size is in its name.
TEST(MemoryAccess, KnowsTheWholeTable) {
    for (auto& e : encodings()) {
        std::string name = e.mnemonic, stem = name.substr(0, name.find('.'));
        static const std::set<std::string> stems{
            "ld",    "st",    "ldx",  "stx",  "ldptr", "stptr", "fld",     "fst",    "fldx",  "fstx",
            "vld",   "vst",   "vldx", "vstx", "xvld",  "xvst",  "vldrepl", "vstelm", "ll",    "sc",
            "llacq", "screl", "ldgt", "ldle", "stgt",  "stle",  "fldgt",   "fldle",  "fstgt", "fstle"};
        bool expected = stems.contains(stem) || (stem.starts_with("am") && stem.size() > 3);
        auto access = memory_access(e.word);
        ASSERT_EQ(access.has_value(), expected) << name;
        if (!access) continue;
        unsigned size = name[0] == 'x' ? 32 : 16;
        if (auto dot = name.rfind('.'); dot != std::string::npos) {
            switch (name[dot + 1]) {
                case 'b': size = 1; break;
                case 'h': size = 2; break;
                case 'w':
                case 's': size = 4; break;
                case 'd': size = 8; break;
                default: break;
            }
        }
        EXPECT_EQ(access->size, size) << name;
        EXPECT_EQ(access->file == File::Vector, name[0] == 'v' || name[0] == 'x') << name;
        EXPECT_EQ(access->file == File::Float, name[0] == 'f') << name;
        bool atomic = stem.starts_with("am");
        bool store = stem.find("st") != std::string::npos || stem.starts_with("sc");
        EXPECT_EQ(access->is_store, store || atomic) << name;
        EXPECT_EQ(access->is_load, !store || atomic) << name;
    }
}

}  // namespace
}  // namespace bmbt::la64
