// Every way out of translated code: gates, faults, interrupts; and what runs next.
#include <algorithm>

#include "cpu/linear.hpp"
#include "cpu/transfer.hpp"
#include "la64/csr.hpp"
#include "runtime/runtime.hpp"

namespace bmbt {

using namespace x86;
using la64::Ecode;

namespace {
constexpr u32 step_done = 0xffff'ffff;
}

// guest_exit: translated code stopped.
void Runtime::left() {
    flushed_code_ = must_dispatch_ = false;
    auto code = static_cast<Ecode>(bits(v_.host.estat, 21, 16));
    if (v_.host.refill) return on_memory_fault(true);
    switch (code) {
        case Ecode::Int: return on_interrupt();
        case Ecode::Sys: return on_gate();
        case Ecode::Pil: case Ecode::Pis: case Ecode::Pme: case Ecode::Pnr: case Ecode::Ppi: return on_memory_fault(false);
        case Ecode::Ade:  // not canonical
        case Ecode::Ale:  // an unaligned atomic
            return on_odd_access();
        case Ecode::Fpe:  // an invalid operation, whose result LoongArch would choose otherwise than x86
            stats_.float_traps++;
            static_cast<void>(vcpu_mxcsr(v_));
            return run_again_in_cpp();
        default: break;
    }
    if ((v_.host.prmd & 3) != 3 || options_.trace.has(TraceEvent::Fault)) {
        trace(TraceEvent::Fault, "host estat pc", v_.host.estat, v_.host.pc);
        trace(TraceEvent::Fault, "host ra badi", v_.host.temp[9], v_.host.badi);
    }
    lost("an exception in translated code that nothing can cause");
}

void Runtime::on_odd_access() {
    stats_.unaligned_atomics++;
    run_again_in_cpp();
}

// What no code of ours does. A user program can come here, for it may write its own return ring and so jump to any place of
// the user's code: it ends as by an instruction that there is not, at the last RIP that is known.
void Runtime::lost(const char* what) {
    if ((v_.host.prmd & 3) != 3) host_.panic(what);
    step_.active = false;
    fault({.vector = Vector::Ud});
    dispatch();
}

// The instruction that trapped has had no effect yet.
void Runtime::run_again_in_cpp() {
    Place p = place_of(v_.host.pc);
    if (p.block == no_block) return lost("a trap outside all blocks");
    const BlockInfo& b = store_.block(p.block);
    recover(b, store_.snapshot(b, p.snapshot));
    interpret_one();
    dispatch();
}

void Runtime::on_gate() {
    bool as_user = (v_.host.prmd & 3) == 3;
    if (as_user) v_.host.pc += 4;
    u32 t0 = static_cast<u32>(v_.host.temp[0]);
    if (t0 == step_done && step_.active) {
        const BlockInfo& b = store_.block(step_.block);
        recover(b, store_.snapshot(b, step_.end_snapshot));
        return dispatch();
    }
    u32 number = t0 & 0xff, id = t0 >> 8;
    if (number == gate::indirect) return take_indirect();
    if (id >= store_.blocks() || store_.block(id).key.mode.user() != as_user) return lost("a gate names no block");
    const BlockInfo& b = store_.block(id);
    if (number >= gate::exit && number - gate::exit < b.exit_count) return take_exit(id, number - gate::exit);
    unsigned insn = number & (gate::slow - 1);
    if (number < gate::exit && insn < b.cpp_count) {
        const CppInsn& c = store_.insn(b, insn);
        bool resume = number < gate::slow;
        // A slow path leaves before anything of the instruction is done, a callout after all that it does inline.
        recover(b, store_.snapshot(b, resume ? c.callout_snapshot : c.slow_snapshot));
        if (c.shortcut != Shortcut::None && take_shortcut(c)) return;
        return run_in_cpp(id, c, resume);
    }
    lost("a gate asks for what its block has not");
}

void Runtime::run_in_cpp(u32 id, const CppInsn& c, bool resume) {
    const Insn& i = c.insn;
    u64 sequential = v_.rip + i.length;
    if (!mode_.code64()) sequential &= 0xffff'ffff;
    const u64 base = code_base();
    v_.next_rip = sequential;
    v_.shadow = v_.shadow_blocks_nmi = false;
    resume ? stats_.callouts++ : stats_.slow_paths++;
    stats_.in_cpp[i.mnemonic & (Stats::mnemonics - 1)]++;
    if (auto r = c.run(v_, i); !r) {
        fault(r.error());
        return dispatch();
    }
    v_.rip = v_.next_rip;
    after_instruction();
    if (resume && v_.rip == sequential && code_base() == base && !must_dispatch_ && !(flushed_code_ && !store_.block(id).valid) && !v_.halted &&
        !(v_.shadow && v_.interrupt_waiting) && !interrupt_ready()) {
        if (v_.shadow) shadow_rip_ = v_.rip, v_.shadow = false;
        v_.segment_base = v_.seg_base[user() ? Fs : Gs];
        if (user()) sync_user_page();
        return;
    }
    dispatch();
}

// Common to every instruction that C++ ran: what depends on the state it may have changed.
void Runtime::after_instruction() {
    if (Mode m = mode_of_cpu(); !(m == mode_)) mode_changed(v_);
    if (!board_touched_) return;
    board_touched_ = false;
    if (board_.stop() != Stop::None) must_dispatch_ = board_touched_ = true;
    note_signals(v_, board_.take_signals());
    v_.interrupt_waiting = board_.interrupt_pending();
    if (u64 next = board_.next_timer(); next != timer_) set_timer(next);
}

void Runtime::set_timer(u64 deadline) {
    if (deadline != timer_ && options_.trace.has(TraceEvent::Timer)) trace(TraceEvent::Timer, "timer now deadline", board_.now(), deadline);
    host_.set_timer(timer_ = deadline);
}

void Runtime::interpret_one() {
    stats_.interpreted++;
    v_.shadow = false;
    if (auto r = interpret(v_); !r) fault(r.error());
    after_instruction();
}

void Runtime::fault(const Fault& f) {
    stats_.faults++;
    if (f.vector == Vector::Pf) stats_.page_faults++;
    if (options_.trace.has(TraceEvent::Fault)) trace_fault(f);
    raise(v_, f);
    after_instruction();
}

void Runtime::take_exit(u32 id, unsigned n) {
    u64 target = store_.exit(store_.block(id), n).exit.target;
    v_.rip = target;
    if (!reachable(target) && back_to_branch(id, false)) {
        interpret_one();
        return dispatch();
    }
    if (options_.trace.has(TraceEvent::Exec) || step_.active || board_touched_ || interrupt_ready() || mode_.raw != store_.block(id).key.mode.raw ||
        store_.block(id).key.cs_base != code_base() || store_.block(id).key.cs_limit != code_limit())
        return dispatch();
    u32 to = find_or_translate();
    if (to == no_block || flushed_code_) return dispatch();
    BlockInfo &from = store_.block(id), &next = store_.block(to);
    const Exit& e = store_.exit(from, n).exit;
    // A user program can come here with any exit of its own, so the pages are compared too.
    bool local = e.page_local && next.key.gpa2 == ~u64{0} && from.key.gpa >> 12 == next.key.gpa >> 12;
    if (from.valid) {
        if (local) {
            store_.link(id, n, to, 0), stats_.links++;
        } else if (user()) {
            if (e.epoch_site) store_.link(id, n, to, spaces_.epoch()), stats_.links++;
        } else {
            if (cross_link_count_ == std::size(cross_links_)) unlink_across_pages();
            cross_links_[cross_link_count_++] = {id, n};
            if (!from.global || !next.global) kernel_not_global_ = true;
            store_.link(id, n, to, 0), stats_.links++;
        }
        host_.code_written();
    }
    enter(to);
}

void Runtime::take_indirect() {
    stats_.indirect_misses++;
    v_.rip = v_.host.temp[1];
    if (!reachable(v_.rip)) {
        if (back_to_branch(step_.active ? step_.block : block_called_from(v_.host.temp[2]), true)) interpret_one();
        return dispatch();
    }
    if (options_.trace.has(TraceEvent::Exec) || step_.active || board_touched_ || interrupt_ready()) return dispatch();
    u32 id = find_or_translate();
    if (id == no_block || flushed_code_) return dispatch();
    remember_jump(id);
    enter(id);
}

// The jump cache's entry for v.rip, which is where the block begins.
void Runtime::remember_jump(u32 id) {
    if (!mode_.flat(Cs)) return;
    const BlockInfo& b = store_.block(id);
    jump_entry() = {.tag = jump_tag(), .address = store_.address(b)};
    if (!user() && !b.global) kernel_not_global_ = true;
}

// What the host's interrupts and the board's timers have for the guest.
void Runtime::serve_host() {
    host_.take_interrupts();
    board_.run_timers();
    touch_board();
    note_signals(v_, board_.take_signals());
    set_timer(board_.next_timer());  // always: the host's may have come early
}

void Runtime::on_interrupt() {
    stats_.interrupts_host++;
    serve_host();
    bool called = debugger_ && debugger_->called();
    constexpr u64 soon = 20'000;
    if (host_.in_gate(v_.host.pc)) {
        if (called) set_timer(std::min(timer_, board_.now() + soon));
        return;
    }
    v_.interrupt_waiting = board_.interrupt_pending();
    // An instruction that sets IF may be past its test for a waiting interrupt.
    if (!interrupt_ready() && board_.stop() == Stop::None && !called && !(v_.interrupt_waiting && in_block_that_sets_if(v_.host.pc))) return;
    if (step_.active && !in_string_code(v_.host.pc)) return;  // the interrupted instruction is being finished already
    if (boundary_or_step(v_.host.pc)) return dispatch();
    // Neither here, nor at the end of a step that may be a long string instruction's: try again soon. A program that has led
    // its returns astray may never come to a place that serves.
    if (step_.active) missed_boundaries_ = 0;
    else if (++missed_boundaries_ == most_missed_boundaries && user()) return lost("no instruction ever ends");
    set_timer(std::min(timer_, board_.now() + soon));
}

void Runtime::dispatch() {
    step_.active = false;
    missed_boundaries_ = 0;
    // Host interrupts are off in here, and a guest may need C++ for every instruction for ever.
    constexpr unsigned often = 256;
    for (unsigned turn = 1;; turn++) {
        stats_.dispatches++;
        if (turn % often == 0) {
            serve_host();
            if (debugger_) static_cast<void>(debugger_->called());
        }
        if (board_touched_ || v_.shutdown) {
            board_touched_ = false;
            check_stop();
            note_signals(v_, board_.take_signals());
        }
        const bool was_halted = v_.halted;
        if (was_halted && !(debugger_ && debugger_->has_stepped())) halt();
        if (debugger_ && debug(was_halted && !v_.halted && interrupt_ready())) [[unlikely]] continue;
        bool shadowed = v_.shadow || v_.rip == shadow_rip_;
        if (v_.shadow) shadow_rip_ = v_.rip;
        v_.shadow = false;
        if (interrupt_ready()) {
            if (shadowed) {
                shadow_rip_ = ~u64{0};
                interpret_one();
                continue;
            }
            deliver_interrupt();
            continue;
        }
        if (options_.trace.has(TraceEvent::Exec)) trace_state();
        if (Mode::single_step_.of(mode_.raw) || options_.trace.has(TraceEvent::Interpret)) {
            interpret_one();
            continue;
        }
        flushed_code_ = false;
        if (mode_.flat(Cs) && (!mode_.code64() || canonical(v_.rip)))
            if (const JumpCacheEntry& e = jump_entry(); e.tag == jump_tag()) return enter_at(e.address, user());
        u32 id = find_or_translate();
        if (id == no_block) {
            interpret_one();
            continue;
        }
        remember_jump(id);
        return enter(id);
    }
}

void Runtime::deliver_interrupt() {
    stats_.interrupts_guest++;
    if (signalled(v_)) {
        take_signal(v_, board_.bootstrap());
        return after_instruction();
    }
    const u8 vector = board_.acknowledge_interrupt();
    if (options_.trace.has(TraceEvent::Irq)) trace(TraceEvent::Irq, "irq vector rip", vector, v_.rip);
    interrupt(v_, vector);
    after_instruction();
}

void Runtime::check_stop() {
    if (v_.shutdown && options_.at_end && options_.at_end->more(v_)) after_instruction();
    if (v_.shutdown) {
        if (debugger_) debugger_->shut_down();
        report("triple fault");
        if (options_.no_reboot) host_.finish(v_, 1, "the guest shut down by a triple fault");
        v_.shutdown = false;
        if (!board_.shut_down()) host_.restart(v_);
    }
    switch (board_.stop()) {
        case Stop::None: return;
        case Stop::PowerOff: host_.finish(v_, 0, "the guest powered off");
        case Stop::Exit: host_.finish(v_, board_.exit_code(), "the guest ended with an exit code");
        case Stop::Reset:
            if (options_.no_reboot) host_.finish(v_, 0, "the guest asked for a reset");
            host_.restart(v_);
    }
}

// HLT: until an interrupt may be delivered, or the debugger calls: then the guest stays halted.
void Runtime::halt() {
    stats_.halts++;
    for (;;) {
        serve_host();
        check_stop();
        if (interrupt_ready()) break;
        if (debugger_ && debugger_->called()) return;
        if (!(v_.system_flags & flag::if_) && !board_.may_signal() && !(debugger_ && debugger_->is_awaited())) {
            if (options_.at_end && options_.at_end->more(v_)) return after_instruction();
            host_.finish(v_, options_.halt_is_success ? 0 : 1, "the guest halted with interrupts off");
        }
        host_.wait();
    }
    v_.halted = false;
}

u32 Runtime::port_in(u16 port, Width w) {
    touch_board();
    u32 value = board_.port_in(port, w);
    if (options_.trace.has(TraceEvent::Io)) trace(TraceEvent::Io, "io.in port value", port, value);
    return value;
}
void Runtime::port_out(u16 port, Width w, u32 value) {
    if (options_.trace.has(TraceEvent::Io)) trace(TraceEvent::Io, "io.out port value", port, value);
    touch_board();
    board_.port_out(port, w, value);
}
u64 Runtime::mmio_read(u64 gpa, Width w) {
    stats_.device_accesses++;
    touch_board();
    u64 value = board_.mmio_read(gpa, w);
    if (options_.trace.has(TraceEvent::Mmio)) trace(TraceEvent::Mmio, "mmio.read gpa value", gpa, value);
    return value;
}
void Runtime::mmio_write(u64 gpa, Width w, u64 value) {
    stats_.device_accesses++;
    if (options_.trace.has(TraceEvent::Mmio)) trace(TraceEvent::Mmio, "mmio.write gpa value", gpa, value);
    touch_board();
    board_.mmio_write(gpa, w, value);
}

void Runtime::unsupported(Vcpu&, const char* what) {
    report(what);
    host_.finish(v_, 1, what);
}

}  // namespace bmbt
