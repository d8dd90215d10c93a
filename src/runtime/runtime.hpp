// Runs a guest CPU: finds or makes blocks, enters them, and handles every way out of them.
#pragma once
#include <bitset>
#include <new>

#include "base/trace.hpp"
#include "cpu/board.hpp"
#include "cpu/interpret.hpp"
#include "cpu/platform.hpp"
#include "cpu/semantics.hpp"
#include "cpu/signals.hpp"
#include "runtime/address_spaces.hpp"
#include "runtime/block_store.hpp"
#include "runtime/debugger.hpp"
#include "runtime/host_cpu.hpp"
#include "runtime/jump_cache.hpp"
#include "runtime/stats.hpp"

namespace bmbt {

// What one vCPU's translated code reaches: the first is the kernel's (PLV0), in C++'s own memory; the second the user's,
// which the user window shows at other addresses.
struct CodeSide {
    JumpCacheEntry* jump_cache = nullptr;
    u64 jump_cache_address = 0;  // as code sees it
    u64 ring = 0;                // address of the empty return ring, as code sees it
    u8* ring_memory = nullptr;   // the same in C++'s memory
};

// Asked what is next when the guest can go no further: it halted with interrupts off, or shut down by a triple fault.
class AtEnd {
 public:
    virtual bool more(Vcpu&) = 0;  // true: the CPU's state was replaced, and it goes on

 protected:
    ~AtEnd() = default;
};

struct RunOptions {
    TraceSet trace;
    bool no_reboot = false;
    bool exact_mxcsr = false;      // inline SSE sets MXCSR.DE, too
    bool halt_is_success = false;  // HLT with interrupts off for good: exit code 0
    AtEnd* at_end = nullptr;
    Debugger* debugger = nullptr;
};

class Runtime final : public Platform, public PhysicalMap::CodeWatcher {
 public:
    // `user_page`: the page that tp points at in user code, in C++'s memory; it mirrors the Vcpu's first part.
    Runtime(Vcpu&, Board&, HostCpu&, PhysicalMap&, BlockStore&, const CodeSide& kernel, const CodeSide& user, u8* user_page,
            CharSink& messages, const RunOptions&);

    // Before the guest's first instruction, and after a reset.
    void start();
    // What guest_exit calls: handles why translated code was left; v.host says where and how it goes on.
    void left();
    // Chooses what v runs next and prepares v.host for it.
    void dispatch();

    const Stats& stats() const { return stats_; }
    void report(const char* why);

    // For the debugger, while the guest is stopped; see debug.cpp.
    Vcpu& cpu() { return v_; }
    bool interrupt_waits() { return board_.interrupt_pending(); }
    void debugger_stopped();
    void debugger_goes_on();  // the guest's state may be another one
    [[noreturn]] void debugger_kills();
    void forget_blocks_at(u64 linear);
    void watches_changed();
    void leave_block() { must_dispatch_ = true; }  // after the instruction that runs in C++ now

    // PhysicalMap::CodeWatcher
    void code_written(u64 gpa, u64 size) override;
    // The meaning of guest-physical addresses has changed.
    void map_changed(u64 gpa, u64 size);

    // Platform
    u32 port_in(u16 port, Width w) override;
    void port_out(u16 port, Width w, u32 value) override;
    u64 mmio_read(u64 gpa, Width w) override;
    void mmio_write(u64 gpa, Width w, u64 value) override;
    u64 host_tsc() override { return board_.tsc(); }
    u64 tsc_hz() override { return Board::tsc_hz; }
    void tsc_moved(Vcpu&) override {
        touch_board();
        board_.tsc_moved();
    }
    bool apic_msr_read(Vcpu&, u32 msr, u64& value) override { return board_.apic_msr_read(msr, value); }
    bool apic_msr_write(Vcpu&, u32 msr, u64 value) override {
        touch_board();
        return board_.apic_msr_write(msr, value);
    }
    bool fpu_error(Vcpu&, bool ferr) override {
        touch_board();
        return board_.fpu_error(ferr);
    }
    void msr_accessed(Vcpu&, const char* how, u32 msr, u64 value) override {
        if (options_.trace.has(TraceEvent::Msr)) trace(TraceEvent::Msr, how, msr, value);
    }
    u64 read_tpr(Vcpu&) override { return board_.read_tpr(); }
    void write_tpr(Vcpu&, u64 tpr) override {
        touch_board();
        board_.write_tpr(tpr);
    }
    void flush_page(Vcpu&, u64 linear) override;
    void flush_non_global(Vcpu&) override;
    void flush_all(Vcpu&) override;
    void flush_pcid(Vcpu&, u16 pcid) override;
    void flush_pcid_page(Vcpu&, u16 pcid, u64 linear) override;
    void switch_address_space(Vcpu&, bool keep) override;
    void mode_changed(Vcpu&) override;
    [[noreturn]] void unsupported(Vcpu&, const char* what) override;

 private:
    struct Place {
        u32 block;
        unsigned snapshot;
    };

    // exits.cpp
    void lost(const char* what);
    void on_gate();
    void on_memory_fault(bool refill);
    void on_interrupt();
    void serve_host();
    void on_odd_access();
    void run_again_in_cpp();
    void run_in_cpp(u32 id, const CppInsn&, bool resume);

    // system_call.cpp. False: nothing was done.
    bool take_shortcut(const CppInsn&);
    bool system_call(u64 next_rip);
    bool system_return();
    void change_privilege(unsigned cpl, u16 code_selector, u64 rip);
    void set_mode(Mode);

    void take_exit(u32 id, unsigned exit);
    void take_indirect();
    void interpret_one();
    void fault(const x86::Fault&);
    void after_instruction();
    bool interrupt_ready() {
        if (signalled(v_)) return true;
        return v_.interrupt_waiting && v_.system_flags & x86::flag::if_ && board_.interrupt_pending();
    }
    void deliver_interrupt();
    void check_stop();
    void halt();
    bool debug(bool woken);  // debug.cpp

    void set_timer(u64 deadline);
    void touch_board() { board_touched_ = v_.interrupt_waiting = true; }

    // recover.cpp
    void recover(const BlockInfo&, const Snapshot&);
    bool reachable(u64 rip) const;
    u32 block_called_from(u64 link);
    bool back_to_branch(u32 id, bool indirect);
    void recover_x87(const BlockInfo&, const X87Record&);
    Place place_of(u64 pc);
    u64& host_register(unsigned number);
    u32 host_word(u64 pc);

    // step.cpp
    bool in_string_code(u64 pc);
    void finish_piece();
    bool in_block_that_sets_if(u64 pc);
    bool boundary_or_step(u64 pc);  // true: v is at an instruction's boundary; false: v.host is set up to reach one
    void step_block(u32 id, u64 pc);

    // translate_block.cpp
    u32 find_or_translate();  // no_block: the instruction is for the interpreter
    u32 translate_here(BlockKey, u64 linear);
    bool build(const BlockKey&, const Source&, u32 id);  // false: decoded_ is too much for one block
    void use_side(bool user);
    void sync_user_page();
    void enter(u32 id);
    void enter_at(u64 host_address, bool user);
    JumpCacheEntry& jump_entry() { return side(user()).jump_cache[jump_cache_index(v_.rip)]; }
    u64 jump_tag() const { return v_.rip ^ (user() ? u64{spaces_.epoch()} << epoch_shift : 0); }
    void remember_jump(u32 id);
    void protect_frame(u64 gpa);
    Mode mode_of_cpu() const;
    void reset_code();

    // fill.cpp
    bool fill(u64 va, bool write);
    bool takes_window_slot(u64 va);

    // window.cpp
    void place_window(unsigned slot);
    void leave_window_slot();  // which the guest wants for itself
    bool root_has(unsigned slot);
    u64 tlb_half_of(const Translation&, bool write);

    // flush.cpp
    void forget_code_mappings();  // links across pages, jump caches, return rings, the fetch cache
    void new_epoch();
    void unlink_across_pages();
    void forget_mappings();
    void clear_jump_cache(CodeSide&);
    void clear_ring(CodeSide&);
    void refill_tables_changed();
    void forget_jump(bool user, u64 rip);

    u64 linear_of(u64 va) const { return v_.long_mode() ? va : va & 0xffff'ffff; }
    bool user() const { return v_.cpl == 3; }
    u64 code_base() const { return v_.code64() ? 0 : v_.seg[x86::Cs].base; }  // as a block's key has it
    u32 code_limit() const { return v_.code64() ? ~u32{0} : v_.seg[x86::Cs].limit; }
    CodeSide& side(bool user) { return sides_[user]; }
    void trace(TraceEvent, const char* text, u64 a = 0, u64 b = 0);
    void trace_fault(const x86::Fault&);
    void trace_state();
    void say(const char* text);

    Vcpu& v_;
    Board& board_;
    HostCpu& host_;
    PhysicalMap& memory_;
    BlockStore& store_;
    CodeSide sides_[2];
    u8* user_page_;
    CharSink& messages_;
    RunOptions options_;
    Debugger* const debugger_;  // or null
    AddressSpaces spaces_;
    WalkCache walks_;
    x86::DecodeCache decodings_;
    Stats stats_;

    Mode mode_;                  // of the CPU now; mode_changed() renews it
    bool board_touched_ = true;  // the board may have another timer, interrupt or wish to stop than before
    static constexpr unsigned most_missed_boundaries = 1000;
    unsigned missed_boundaries_ = 0;  // interrupts in a row that found no boundary
    bool must_dispatch_ = false; // the instruction that ran in C++ changed what its block assumed
    bool flushed_code_ = false;  // blocks are gone: none may be resumed
    u64 timer_ = ~u64{0};        // what the host's timer is set to
    u64 shadow_rip_ = ~u64{0};   // no interrupt is delivered before the instruction there
    bool second_global_ = true;       // the second page of the block that was looked up last is global, if it has one
    bool kernel_not_global_ = false;  // kernel links or jump-cache entries were made for pages that are not global
    u64 ring_[2] = {};           // each side's ring pointer while the other runs
    bool side_ = false;          // whose ring pointer the host register holds
    Mode side_mode_[2];          // what each side's jump cache was filled for

    // The last fetch translations, by page.
    struct Fetch {
        u64 page = ~u64{0}, gpa = 0;
        bool user = false, global = false;
    };
    Fetch fetch_[64];
    // How many blocks were made in pages of each hash: a flush of a page without any costs nothing more.
    u16 code_pages_[4096] = {};
    struct CrossLink {
        u32 block;
        unsigned exit;
    };
    CrossLink cross_links_[65536];  // kernel links to other pages
    u32 cross_link_count_ = 0;
    Decoded decoded_;
    alignas(Block) u8 builder_[sizeof(Block)];
    alignas(16) u8 crossing_[16];

    // The user window's top-level slot, and those that the guest was seen to use.
    static constexpr unsigned slots = 512, first_window_slot = 256;
    unsigned window_slot_ = slots;
    std::bitset<slots> guest_slots_;

    // An interrupted instruction that is being finished in the region's slot.
    struct Step {
        bool active = false;
        u32 block = no_block;
        unsigned end_snapshot = 0;  // where it ends
        u32 begin = 0, end = 0;     // bytes of the block that stand at the slot's begin
    };
    Step step_;
};

}  // namespace bmbt
