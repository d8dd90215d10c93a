// The plain C++ semantics as an engine for vectors, on a machine that is nothing but RAM.
#pragma once
#include <stdio.h>
#include <stdlib.h>

#include <memory>
#include <vector>

#include "cpu/interpret.hpp"
#include "cpu/platform.hpp"
#include "cpu/transfer.hpp"
#include "oracle/run_vectors.hpp"

namespace bmbt::oracle {

class BarePlatform final : public Platform {
 public:
    u32 port_in(u16, Width) override { return ~0u; }
    void port_out(u16, Width, u32) override {}
    u64 mmio_read(u64, Width) override { return ~u64{0}; }
    void mmio_write(u64, Width, u64) override {}
    u64 host_tsc() override { return ++tsc_; }
    u64 tsc_hz() override { return 1'000'000'000; }
    bool apic_msr_read(Vcpu&, u32, u64&) override { return false; }
    bool apic_msr_write(Vcpu&, u32, u64) override { return false; }
    u64 read_tpr(Vcpu&) override { return 0; }
    void write_tpr(Vcpu&, u64) override {}
    void flush_page(Vcpu&, u64) override {}
    void flush_non_global(Vcpu&) override {}
    void flush_all(Vcpu&) override {}
    void flush_pcid(Vcpu&, u16) override {}
    void flush_pcid_page(Vcpu&, u16, u64) override {}
    void switch_address_space(Vcpu&, bool) override {}
    void mode_changed(Vcpu&) override {}
    [[noreturn]] void unsupported(Vcpu&, const char* what) override {
        fprintf(stderr, "unsupported: %s\n", what);
        abort();
    }

 private:
    u64 tsc_ = 0;
};

// A CPU with nothing around it but the RAM that vectors need.
class BareMachine {
 public:
    BareMachine()
        : ram_(aligned_alloc(page_size, size), &free),
          table_(size / page_size),
          map_(table_.data(), table_.size(), reinterpret_cast<u64>(ram_.get())) {
        map_.map(0, size, FrameKind::Ram, 0);
        cpu_->platform = &platform_;
        cpu_->physical = &map_;
    }

    Vcpu& cpu() { return *cpu_; }
    GuestMachine& machine() { return *machine_; }

 private:
    static constexpr u64 size = GuestMachine::memory_needed;
    std::unique_ptr<void, decltype(&free)> ram_;
    std::vector<Frame> table_;
    PhysicalMap map_;
    BarePlatform platform_;
    std::unique_ptr<Vcpu> cpu_ = std::make_unique<Vcpu>();
    std::unique_ptr<GuestMachine> machine_ = std::make_unique<GuestMachine>(*cpu_, map_, 0);
};

class Interpreter final : public Engine {
 public:
    const char* run(Vcpu& v) override {
        for (unsigned n = 0; n < 100'000; n++) {
            auto done = interpret(v);
            if (!done) raise(v, done.error());
            if (v.shutdown) return "triple fault";
            if (v.halted) return nullptr;
        }
        return "no end in sight";
    }
};

}  // namespace bmbt::oracle
