// A run without a guest: instruction vectors, one after the other, wherever the code of the last has halted.
#pragma once
#include "host/loongarch/panic.hpp"
#include "oracle/run_vectors.hpp"
#include "runtime/runtime.hpp"

namespace bmbt {

class VectorMode final : public AtEnd, public oracle::Report {
 public:
    using End = void (*)(int code, const char* reason);  // of the whole machine
    VectorMode(std::span<const u8> file, PhysicalMap& memory, Vcpu& v, bool exact_mxcsr, End end)
        : machine_(v, memory, machine_at),
          run_(file, machine_, v, *this, exact_mxcsr ? 0 : denormal_operand),
          end_(end) {}

    // Loads the first vector.
    void begin() {
        if (!run_.begin(variants[variant_])) next_variant();
    }
    bool more(Vcpu& v) override {
        bool loaded = v.shutdown ? run_.gave_up("triple fault") : run_.halted();
        if (!loaded) next_variant();
        return true;
    }
    void line(const char* text) override { host::say("{}", text); }

 private:
    // MXCSR.DE: the host's vector unit does not tell denormal operands from others. Where it is masked, inline code
    // leaves it as it is, unless it is asked to be exact.
    static constexpr u32 denormal_operand = 1 << 1;
    // As they were recorded, as kernel code, in a legacy kernel's protected mode, and as on an 8086.
    static constexpr oracle::Variant variants[] = {{},
                                                   {.legacy = false, .kernel = true},
                                                   {.legacy = true, .kernel = false},
                                                   oracle::Variant::virtual8086(),
                                                   oracle::Variant::real()};
    static constexpr u64 machine_at = 0x1'0000;  // guest-physical, where real mode reaches

    void next_variant() {
        do {
            const oracle::Totals& t = run_.totals();
            bool bad_file = t.malformed || t.no_memory;
            failed_ |= t.failed || bad_file;
            if (bad_file || ++variant_ == std::size(variants))
                end_(failed_, failed_ ? "instruction vectors failed" : "all instruction vectors passed");
        } while (!run_.begin(variants[variant_]));
    }

    oracle::GuestMachine machine_;
    oracle::VectorRun run_;
    End end_;
    unsigned variant_ = 0;
    bool failed_ = false;
};

}  // namespace bmbt
