// Who reaches for a page and how, and what an entry on the way to it may forbid.
#pragma once
#include "common/processor.hpp"

namespace guest {

enum Access { Read, Write, Fetch };
struct PageAccess {
    const char* name;
    Access access;
    bool user, wp, smep;
};
inline constexpr PageAccess page_accesses[] = {
    {"kernel read", Read, false, true, false},       {"kernel write WP=0", Write, false, false, false},
    {"kernel write", Write, false, true, false},     {"kernel fetch", Fetch, false, true, false},
    {"kernel fetch SMEP", Fetch, false, true, true}, {"user read", Read, true, true, false},
    {"user write", Write, true, true, false},        {"user write WP=0", Write, true, false, false},
    {"user fetch", Fetch, true, true, false},        {"user fetch SMEP", Fetch, true, true, true}};

struct EntryChange {
    const char* name;
    u64 set, clear;
};
inline constexpr EntryChange entry_changes[] = {{"all rights", 0, 0},
                                                {"not present", 0, pte::p},
                                                {"read only", 0, pte::w},
                                                {"supervisor", 0, pte::u},
                                                {"NX", pte::nx, 0},
                                                {"NX supervisor", pte::nx, pte::u},
                                                {"read only supervisor", 0, pte::u | pte::w},
                                                {"reserved bit", 1ull << 51, 0}};

}  // namespace guest
