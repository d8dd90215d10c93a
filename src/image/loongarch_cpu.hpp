// The runtime's HostCpu on LoongArch: the TLB, interrupts, the timer, the ends.
#pragma once
#include "host/loongarch/host_clock.hpp"
#include "host/loongarch/interrupts.hpp"
#include "host/loongarch/refill.hpp"
#include "machine/pc.hpp"
#include "runtime/host_cpu.hpp"

namespace bmbt {

class LoongArchCpu final : public HostCpu, public Line {
 public:
    LoongArchCpu(host::HostClock& clock, host::Interrupts& interrupts, PhysicalMap& memory, std::span<u8> summary)
        : clock_(clock), interrupts_(interrupts), memory_(memory), summary_(summary) {}

    // The machine's two ends, which know what else must be done.
    using End = void (*)(int code, const char* reason);
    using Restart = void (*)();
    void connect(Vcpu& v, Pc& pc, End end, Restart restart) { v_ = &v, pc_ = &pc, end_ = end, restart_ = restart; }

    void own_window(host::UserWindow& window) { window_ = &window; }

    // Tells the refill handler which 2 MiB ranges are plain RAM. Only with an empty TLB.
    void summarize();

    WindowPlace place_window(Vcpu&, unsigned slot) override;
    void fill_pair(u64 va, u16 asid, u64 even, u64 odd) override { host::Tlb::replace(va, asid, even, odd, 12); }
    void invalidate_page(u16 asid, u64 va) override { host::Tlb::invalidate_page(asid, va); }
    void invalidate_asid(u16 asid) override { host::Tlb::invalidate_asid(asid); }
    void invalidate_all() override;
    void set_asid(u16 asid) override { host::Tlb::set_asid(asid); }
    bool has_lasx() override { return host::has_lasx(); }
    unsigned asids() override { return host::Tlb::asid_limit(); }
    void set_refill_tables(Vcpu&, RefillTables) override;
    bool split_large(u64 gpa) override;
    bool mixed_global(Vcpu& v) override { return host::mixed_global(v); }
    LargePages& large_pages() override { return large_pages_; }
    bool fills_large(u64 gpa, u64 page_size) override;

    void take_interrupts() override;
    void set_timer(u64 deadline) override { clock_.program_timer(deadline_ = deadline); }
    void wait() override { interrupts_.wait(clock_, deadline_); }
    void code_written() override { asm volatile("ibar 0" ::: "memory"); }
    void stop_clock() override { clock_.stop(); }
    void start_clock(Vcpu&) override;
    bool in_gate(u64 pc) override;

    [[noreturn]] void finish(Vcpu&, int code, const char* reason) override;
    [[noreturn]] void restart(Vcpu&) override;
    [[noreturn]] void panic(const char* what) override;

    // Line: the guest's serial port has room for input again.
    void set(bool level) override;

 private:
    host::HostClock& clock_;
    host::Interrupts& interrupts_;
    PhysicalMap& memory_;
    std::span<u8> summary_;
    LargePages large_pages_;
    host::UserWindow* window_ = nullptr;
    Vcpu* v_ = nullptr;
    Pc* pc_ = nullptr;
    End end_ = nullptr;
    Restart restart_ = nullptr;
    u64 deadline_ = ~u64{0};
    bool feeding_ = false;
};

}  // namespace bmbt
