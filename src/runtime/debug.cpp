// What the debugger asks of the runtime, and the dispatcher's way when there is one.
#include "runtime/runtime.hpp"

namespace bmbt {

using namespace x86;

// Before the instruction at v.rip. True: the dispatcher is to look again at where the guest is.
bool Runtime::debug(bool woken) {
    // The interrupt that has ended a halt comes before the instruction behind HLT, and before a breakpoint there; it is also
    // the step of a halted guest.
    if (woken) {
        deliver_interrupt();
        debugger_->stepped();
        return true;
    }
    if (debugger_->next() == Debugger::Next::Run) return v_.halted || v_.shutdown;
    if (v_.halted) return true;
    // A step is one instruction and no interrupt: a person who steps wants to see the program's next instruction, not the
    // timer's handler.
    interpret_one();
    debugger_->stepped();
    return true;
}

void Runtime::debugger_stopped() { host_.stop_clock(); }

void Runtime::debugger_goes_on() {
    host_.start_clock(v_);
    host_.take_interrupts();
    board_.run_timers();
    touch_board();
    timer_ = ~u64{0};
    host_.set_timer(timer_);  // after_instruction() sets it to what is due
    after_instruction();
}

void Runtime::debugger_kills() { host_.finish(v_, 0, "the debugger ended the guest"); }

// No block contains the byte at the linear address any more.
void Runtime::forget_blocks_at(u64 linear) {
    for (u32 id = 0; id < store_.blocks(); id++) {
        const BlockInfo& b = store_.block(id);
        u64 begin = b.key.cs_base + b.key.rip;
        if (!b.key.mode.code64()) begin &= 0xffff'ffff;
        if (!b.valid || linear - begin >= b.guest_bytes) continue;
        store_.remove(id);
        forget_jump(b.key.mode.user(), b.key.rip);
        flushed_code_ = true;
    }
}

// The set of watched addresses has changed. While there are any, C++ fills the TLB, and leaves their pages out.
void Runtime::watches_changed() {
    host_.invalidate_all();
    refill_tables_changed();
}

}  // namespace bmbt
