// When the guest stops for the debugger, and where: breakpoints, watchpoints, steps.
#include "runtime/debugger.hpp"

#include <algorithm>

#include "runtime/runtime.hpp"

namespace bmbt {

using namespace x86;

void Debugger::attach(Runtime& runtime) {
    runtime_ = &runtime;
    v_ = &runtime.cpu();
    v_->watch = watching() ? this : nullptr;
}

u64 Debugger::rip_linear() const { return v_->code64() ? v_->rip : (v_->seg[Cs].base + v_->rip) & 0xffff'ffff; }

const Debugger::Breakpoint* Debugger::breakpoint_at(u64 linear) const {
    for (usize n = 0; n < breakpoint_count_; n++)
        if (breakpoints_[n].address == linear && breakpoints_[n].wanted()) return &breakpoints_[n];
    return nullptr;
}

u64 Debugger::bytes_before_breakpoint(u64 linear, u64 bytes) const {
    for (usize n = 0; n < breakpoint_count_; n++)
        if (u64 distance = breakpoints_[n].address - linear; distance < bytes) bytes = distance;
    return bytes;
}

Debugger::Next Debugger::next() {
    gdb::Stop why;
    if (reason(why)) stop(why);
    return stepping_ ? Next::Step : Next::Run;
}

bool Debugger::in_range() const {
    const u64 pc = range_linear_ ? rip_linear() : v_->rip;
    return pc >= range_begin_ && pc < range_end_;
}

bool Debugger::reason(gdb::Stop& why) {
    using Kind = gdb::Stop::Kind;
    if (!started_) {
        started_ = true;
        return why.kind = Kind::Start, true;
    }
    if (hit_) return why = hit_stop_, true;
    if (stepping_ && !stepped_) {  // the step has not been made: the guest is halted and no interrupt has come
        why.kind = Kind::Interrupt;
        return called();
    }
    if (stepped_) {
        stepped_ = false;
        if (!in_range()) return why.kind = Kind::Step, true;
        static_cast<void>(called());
    }
    if (breakpoint_count_ && !v_->halted)  // behind HLT is not reached before an interrupt ends it
        if (const Breakpoint* b = breakpoint_at(rip_linear())) {
            why = {.kind = b->soft ? Kind::Breakpoint : Kind::HardBreakpoint, .address = b->address};
            return true;
        }
    why.kind = Kind::Interrupt;
    return server_.is_wanted();
}

void Debugger::stop(const gdb::Stop& why) {
    stepping_ = stepped_ = hit_ = false;
    runtime_->debugger_stopped();
    gdb::Resume r = server_.stopped(why);
    static_cast<void>(called());  // what comes from here on is to interrupt: the line is read empty, and waits for more
    hit_ = false;
    switch (r.kind) {
        case gdb::Resume::Kind::Kill: runtime_->debugger_kills();
        case gdb::Resume::Kind::Step:
            stepping_ = true;
            range_begin_ = r.begin, range_end_ = r.end, range_linear_ = r.linear;
            break;
        case gdb::Resume::Kind::Continue:
        case gdb::Resume::Kind::Detach: apply_points(); break;
    }
    v_->watch = std::any_of(watches_, watches_ + watch_count_, [](const Watch& w) { return w.wanted; }) ? this : nullptr;
    runtime_->debugger_goes_on();
}

void Debugger::shut_down() {
    if (is_awaited()) stop({.kind = gdb::Stop::Kind::Shutdown});
}

void Debugger::drop_unwanted_breakpoints() {
    auto gone = [](const Breakpoint& b) { return !b.wanted(); };
    breakpoint_count_ = static_cast<usize>(std::remove_if(breakpoints_, breakpoints_ + breakpoint_count_, gone) - breakpoints_);
}

void Debugger::drop_unwanted_watches() {
    auto gone = [&](const Watch& w) {
        if (!w.wanted && w.applied) applied_dropped_ = true;
        return !w.wanted;
    };
    watch_count_ = static_cast<usize>(std::remove_if(watches_, watches_ + watch_count_, gone) - watches_);
}

// Translated code is about to run: no block may contain a breakpoint, and no TLB entry map what is watched.
void Debugger::apply_points() {
    drop_unwanted_breakpoints();
    for (usize n = 0; n < breakpoint_count_; n++)
        if (Breakpoint& b = breakpoints_[n]; !b.applied) runtime_->forget_blocks_at(b.address), b.applied = true;
    drop_unwanted_watches();
    bool changed = applied_dropped_;
    for (usize n = 0; n < watch_count_; n++)
        if (!watches_[n].applied) watches_[n].applied = changed = true;
    applied_dropped_ = false;
    if (changed) runtime_->watches_changed();
}

bool Debugger::watches(u64 linear, u64 size) const {
    return std::any_of(watches_, watches_ + watch_count_, [&](const Watch& w) { return w.meets(linear, size); });
}

void Debugger::accessed(u64 linear, u64 size, bool write) {
    constexpr u64 end = 4_GiB;
    if (v_->long_mode() || linear + size <= end) return heard(linear, size, write);
    heard(linear, end - linear, write);  // what goes beyond the end begins anew
    heard(0, linear + size - end, write);
}

void Debugger::heard(u64 linear, u64 size, bool write) {
    using gdb::Point;
    if (hit_) return;
    for (usize n = 0; n < watch_count_; n++) {
        const Watch& w = watches_[n];
        if (!w.wanted || !w.meets(linear, size)) continue;
        if (w.kind == (write ? Point::ReadWatch : Point::WriteWatch)) continue;
        hit_ = true;
        using Kind = gdb::Stop::Kind;
        hit_stop_ = {.kind = w.kind == Point::WriteWatch  ? Kind::WriteWatch
                             : w.kind == Point::ReadWatch ? Kind::ReadWatch
                                                          : Kind::AccessWatch,
                     .address = linear - w.address < w.size ? linear : w.address};
        return runtime_->leave_block();
    }
}

bool Debugger::add_point(gdb::Point kind, u64 address, u64 size) {
    using gdb::Point;
    constexpr u64 largest = 1_MiB;
    if (kind == Point::Breakpoint || kind == Point::HardBreakpoint) {
        Breakpoint* b = std::find_if(breakpoints_, breakpoints_ + breakpoint_count_, [&](const Breakpoint& p) { return p.address == address; });
        if (b == breakpoints_ + breakpoint_count_) {
            if (breakpoint_count_ == most_breakpoints) drop_unwanted_breakpoints();
            if (breakpoint_count_ == most_breakpoints) return false;
            b = breakpoints_ + breakpoint_count_;
            breakpoints_[breakpoint_count_++] = {.address = address};
        }
        (kind == Point::Breakpoint ? b->soft : b->hard) = true;
        return true;
    }
    if (!size || size > largest || address + (size - 1) < address) return false;
    Watch* w = std::find_if(watches_, watches_ + watch_count_, [&](const Watch& p) { return p.kind == kind && p.address == address && p.size == size; });
    if (w == watches_ + watch_count_) {
        if (watch_count_ == most_watches) drop_unwanted_watches();
        if (watch_count_ == most_watches) return false;
        w = watches_ + watch_count_;
        watches_[watch_count_++] = {.kind = kind, .address = address, .size = size};
    }
    w->wanted = true;
    return true;
}

void Debugger::remove_point(gdb::Point kind, u64 address, u64 size) {
    using gdb::Point;
    if (kind == Point::Breakpoint || kind == Point::HardBreakpoint) {
        for (usize n = 0; n < breakpoint_count_; n++)
            if (breakpoints_[n].address == address) (kind == Point::Breakpoint ? breakpoints_[n].soft : breakpoints_[n].hard) = false;
        return;
    }
    for (usize n = 0; n < watch_count_; n++)
        if (Watch& w = watches_[n]; w.kind == kind && w.address == address && w.size == size) w.wanted = false;
}

void Debugger::remove_all_points() {
    for (usize n = 0; n < breakpoint_count_; n++) breakpoints_[n].soft = breakpoints_[n].hard = false;
    for (usize n = 0; n < watch_count_; n++) watches_[n].wanted = false;
}

}  // namespace bmbt
