// The plain C++ semantics as an engine for vectors, on a machine that is nothing but RAM.
#pragma once
#include <stdio.h>
#include <stdlib.h>

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
