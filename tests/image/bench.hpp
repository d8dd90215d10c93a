// The self test's tools: checks, a vCPU that runs snippets, and x86 page tables made by hand.
#pragma once
#include "host/loongarch/direct.hpp"
#include "host/loongarch/host_clock.hpp"
#include "host/loongarch/host_info.hpp"
#include "host/loongarch/interrupts.hpp"
#include "host/loongarch/panic.hpp"
#include "host/loongarch/refill.hpp"
#include "host/loongarch/tlb.hpp"
#include "host/loongarch/trap.hpp"

extern "C" {
void run_guest(bmbt::Vcpu&);
[[noreturn]] void leave_guest();
extern bmbt::u8 snippets_begin[], snippets_end[], snippet_two_calls[], snippet_load[], snippet_store[], snippet_spin[],
    snippet_break[], snippet_privileged[], snippet_invtlb[], snippet_gate[], snippet_gate_loop[], snippet_touch[],
    snippet_jump[], snippet_state[], snippet_stack_pointer_of_terror[];
}

namespace bmbt::test {

// Counts, and says which check failed.
void check(bool good, const char* what, const char* file, int line);
#define EXPECT(condition) ::bmbt::test::check((condition), #condition, __FILE__, __LINE__)
// The same with both values shown.
void check_equal(u64 is, u64 wanted, const char* what, const char* file, int line);
#define EXPECT_EQ(is, wanted) \
    ::bmbt::test::check_equal((u64)(is), (u64)(wanted), #is " == " #wanted, __FILE__, __LINE__)

// How guest code ended: the exception code (ECODE_...), and the address.
struct End {
    unsigned code = 0, subcode = 0;
    u64 address = 0;
};

enum class Plv { Kernel, User };

class Bench {
 public:
    Bench(const host::HostInfo&, host::Arena&);

    Vcpu& v;
    host::HostClock clock;
    host::Interrupts interrupts;

    // Called in guest_exit; true: go on with the guest, false: the run is over.
    bool (*on_exit)(Bench&) = nullptr;

    // Runs a snippet until a hook says so or, without a hook, until its first exit.
    End run(Plv, const u8* snippet, u64 a0 = 0, u64 a1 = 0);
    End last() const;
    u64 address_of(Plv, const u8* snippet) const;

    // --- the guest's memory: 64 MiB, guest-physical 0 on
    static constexpr u64 memory_size = 64_MiB;
    PhysicalMap& map;
    u8* summary;
    LargePages large_pages;
    u64& word(u64 gpa) { return *reinterpret_cast<u64*>(guest_ + gpa); }
    u64 host_physical(u64 gpa) const { return host::physical_of(guest_) + gpa; }

    // Empties the page tables and the TLB and uses the new root.
    void fresh_tables(bool global_pages = true);
    // The entry for va at level 0 (page) to 3 (PML4); makes present, accessed, writable user tables above it.
    u64& entry(u64 va, unsigned level = 0);
    u64 cr3() const { return cr3_; }

    static constexpr u64 window_slot = 200;
    u8* const user_page;
    u8* const jump_cache;
    host::UserWindow& window;

 private:
    u64 new_table();
    u8* const guest_;
    u64 cr3_ = 0, next_table_ = 0;
};

// x86 page-table bits.
constexpr u64 P = 1, W = 2, U = 4, A = 0x20, D = 0x40, PS = 0x80, G = 0x100, NX = u64{1} << 63;

void test_memory_functions(host::Arena&);
void test_exceptions(Bench&);
void test_time(Bench&);
void test_refill(Bench&);
void test_hostile_tables(Bench&);
void test_window(Bench&);
void test_uart(Bench&);

}  // namespace bmbt::test
