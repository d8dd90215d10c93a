#include "image/loongarch_cpu.hpp"

#include "host/loongarch/panic.hpp"
#include "host/loongarch/trap.hpp"

namespace bmbt {

void LoongArchCpu::summarize() {
    constexpr u64 frames_each = 2_MiB / page_size;
    const Frame* table = memory_.table();
    for (u64 n = 0; n < summary_.size(); n++) {
        const Frame* f = table + n * frames_each;
        bool plain = (n + 1) * frames_each <= memory_.frames() && f->host() % 1_MiB == 0;
        for (u64 k = 0; k < frames_each && plain; k++)
            plain = f[k].ram() && !f[k].holds_code() && f[k].host() == f->host() + k * page_size;
        summary_[n] = plain ? host::summary::plain : 0;
    }
}

void LoongArchCpu::set_refill_tables(Vcpu& v, RefillTables t) {
    if (t.walk == RefillWalk::FourLevel || t.walk == RefillWalk::TwoLevel) {
        Frame f = memory_.frame(t.root);
        if (!f.ram()) t.walk = RefillWalk::None;
        t.root = f.host();
    }
    host::set_refill_tables(v, t);
}

WindowPlace LoongArchCpu::place_window(Vcpu& v, unsigned slot) {
    window_->place(v, slot);
    host::set_user_page(window_->page());
    return {window_->code(), window_->page(), window_->jump_cache()};
}

void LoongArchCpu::invalidate_all() {
    host::Tlb::invalidate_all();
    if (v_) host::forget_mixed_global(*v_);
}

bool LoongArchCpu::split_large(u64 gpa) {
    u64 n = gpa / 2_MiB;
    if (n >= summary_.size()) return false;
    bool writable = summary_[n] & host::summary::writable;
    bool plain = summary_[n] & host::summary::plain;
    summary_[n] = 0;
    return writable || plain;
}

bool LoongArchCpu::fills_large(u64 gpa, u64 page_size) {
    u64 n = gpa / 2_MiB;
    return v_ && host::refill_walk(*v_) != RefillWalk::None && page_size >= 2_MiB && n < summary_.size() && summary_[n] & host::summary::plain;
}

void LoongArchCpu::set(bool level) {
    if (!level || feeding_ || !pc_) return;
    feeding_ = true;
    while (pc_->serial_room()) {
        int c = interrupts_.uart_get();
        if (c < 0) break;
        pc_->serial_input(static_cast<u8>(c));
    }
    feeding_ = false;
}

void LoongArchCpu::take_interrupts() {
    interrupts_.take();
    set(true);
}

void LoongArchCpu::start_clock(Vcpu& v) {
    clock_.go_on();
    v.counter_start = clock_.start();
}

bool LoongArchCpu::in_gate(u64 pc) { return host::in_gate(pc); }

void LoongArchCpu::finish(Vcpu&, int code, const char* reason) {
    end_(code, reason);
    host::panic("the machine did not end");
}

void LoongArchCpu::restart(Vcpu&) {
    restart_();
    host::panic("the machine did not start again");
}

void LoongArchCpu::panic(const char* what) { host::panic("{}", what); }

}  // namespace bmbt
