// The whole PC with the interpreter as its CPU, on the development machine: finds faults of devices, loaders and
// instruction semantics before the translator has a part in it. Time is counted in instructions, so runs repeat
// exactly.
#pragma once
#include <cstring>

#include "cpu/breakpoints.hpp"
#include "cpu/interpret.hpp"
#include "cpu/platform.hpp"
#include "cpu/semantics.hpp"
#include "cpu/signals.hpp"
#include "cpu/transfer.hpp"
#include "machine/machine_fixture.hpp"

namespace bmbt::test {

struct InstructionClock final : Clock {
    static constexpr u64 ns_per_instruction = 2;
    u64 now() const override { return instructions * ns_per_instruction + skipped; }
    u64 instructions = 0, skipped = 0;
};

class InterpretedMachine final : public Platform, public MapListener {
 public:
    InterpretedMachine(const Config& config, const GuestFiles& files, CharSink& console, CharSink& log)
        : config_(config),
          files_(files),
          console_(console),
          log_(log),
          memory_(config, config.boot == Boot::Bios ? files.kernel : std::span<const u8>{}) {
        cpu.platform = this;
        cpu.physical = &memory_.map();
    }

    Result<> power_on() {
        memory_.power_on();
        pc_.reset();
        pc_ = std::make_unique<Pc>(config_, PcHost{clock, day_, console_, console_, log_, memory_.map(), *this, cpu,
                                                   memory_.shadow_ram(), memory_.rom()});
        if (config_.boot == Boot::Bios) CHECK(check_firmware(files_.kernel));
        start_cpu(cpu, TRY(load_guest(config_, files_, memory_.map(), *pc_)));
        forget_fetches();
        return {};
    }

    enum class End { Budget, PowerOff, Reset, TripleFault, Halted, Asked, Exit };

    // Until the guest ends, `wanted` returns true, or so many instructions have run.
    template <class Wanted>
    End run(u64 budget, Wanted wanted) {
        for (u64 n = 0; n < budget; ++n) {
            if (n % 1024 == 0 && wanted()) return End::Asked;
            if (clock.now() >= pc_->next_timer()) pc_->run_timers();
            note_signals(cpu, pc_->take_signals());
            if (signalled(cpu) && !cpu.shadow) {
                cpu.halted = false;
                take_signal(cpu, pc_->bootstrap());
            }
            if (pc_->interrupt_pending() && (cpu.system_flags & x86::flag::if_) && !cpu.shadow) {
                cpu.halted = false;
                interrupt(cpu, pc_->acknowledge_interrupt());
            }
            if (cpu.halted) {
                if (!(cpu.system_flags & x86::flag::if_) && !pc_->may_signal()) return End::Halted;
                const u64 next = pc_->next_timer();
                if (next == AlarmQueue::never) {
                    if (wanted()) return End::Asked;
                    return End::Halted;
                }
                if (next > clock.now()) clock.skipped += next - clock.now();
                continue;
            }
            clock.instructions++;
            if (auto done = step(); !done) {
                if (on_fault) on_fault(cpu, done.error());
                raise(cpu, done.error());
            }
            if (cpu.shutdown && (config_.no_reboot || !pc_->shut_down())) return End::TripleFault;
            cpu.shutdown = false;
            if (pc_->stop() == Stop::PowerOff) return End::PowerOff;
            if (pc_->stop() == Stop::Exit) return End::Exit;
            if (pc_->stop() == Stop::Reset) return End::Reset;
        }
        return End::Budget;
    }

    Pc& pc() { return *pc_; }
    PhysicalMap& physical() { return memory_.map(); }
    Vcpu cpu;
    InstructionClock clock;
    void (*on_fault)(Vcpu&, const x86::Fault&) = nullptr;
    u64 port_accesses = 0, mmio_accesses = 0;

    void map_changed(u64, u64) override { forget_fetches(); }
    u32 port_in(u16 port, Width w) override { return ++port_accesses, pc_->port_in(port, w); }
    void port_out(u16 port, Width w, u32 value) override { ++port_accesses, pc_->port_out(port, w, value); }
    u64 mmio_read(u64 gpa, Width w) override { return ++mmio_accesses, pc_->mmio_read(gpa, w); }
    void mmio_write(u64 gpa, Width w, u64 value) override { ++mmio_accesses, pc_->mmio_write(gpa, w, value); }
    u64 host_tsc() override { return pc_->tsc(); }
    u64 tsc_hz() override { return Board::tsc_hz; }
    bool apic_msr_read(Vcpu&, u32 index, u64& value) override { return pc_->apic_msr_read(index, value); }
    bool apic_msr_write(Vcpu&, u32 index, u64 value) override { return pc_->apic_msr_write(index, value); }
    u64 read_tpr(Vcpu&) override { return pc_->read_tpr(); }
    void write_tpr(Vcpu&, u64 tpr) override { pc_->write_tpr(tpr); }
    bool fpu_error(Vcpu&, bool ferr) override { return pc_->fpu_error(ferr); }
    void tsc_moved(Vcpu&) override { pc_->tsc_moved(); }
    void flush_page(Vcpu&, u64) override { forget_fetches(); }
    void flush_non_global(Vcpu&) override { forget_fetches(); }
    void flush_all(Vcpu&) override { forget_fetches(); }
    void flush_pcid(Vcpu&, u16) override { forget_fetches(); }
    void flush_pcid_page(Vcpu&, u16, u64) override { forget_fetches(); }
    void switch_address_space(Vcpu&, bool) override { forget_fetches(); }
    void mode_changed(Vcpu&) override { forget_fetches(); }
    [[noreturn]] void unsupported(Vcpu& v, const char* what) override {
        std::fprintf(stderr, "unsupported: %s at %llx\n", what, static_cast<unsigned long long>(v.rip));
        std::exit(3);
    }

 private:
    // Where the current mode's code pages lie, and what was decoded there; both only save time.
    struct Page {
        u64 linear = ~u64{0};
        const u8* host = nullptr;
        u8 cpl = 0;
    };
    struct Decoded {
        const u8* at = nullptr;
        u8 bytes[15] = {};
        x86::CodeSize size{};
        x86::Insn insn;
        Semantics semantics = nullptr;
    };
    static constexpr usize pages = 256, decodings = 1 << 16;

    void forget_fetches() {
        for (Page& p : pages_) p = {};
    }
    const Decoded* decoded() {
        const bool wide = cpu.code64();
        if (wide && !canonical(cpu.rip)) return nullptr;
        if (!wide && cpu.rip + 15 > cpu.seg[x86::Cs].limit) return nullptr;
        const u64 linear = wide ? cpu.rip : (cpu.seg[x86::Cs].base + cpu.rip) & 0xffff'ffff,
                  offset = linear % page_size;
        if (offset > page_size - 15) return nullptr;
        Page& p = pages_[linear / page_size % pages];
        if (p.linear != linear - offset || p.cpl != cpu.cpl) {
            auto t = walk(memory_.map(), cpu.paging, linear, {.write = false, .fetch = true, .user = cpu.cpl == 3});
            if (!t) return nullptr;
            const u8* host = memory_.map().pointer(t->gpa);
            if (!host) return nullptr;
            p = {linear - offset, host - offset, cpu.cpl};
        }
        const u8* at = p.host + offset;
        Decoded& d = decodings_[(reinterpret_cast<u64>(at) ^ reinterpret_cast<u64>(at) >> 16) % decodings];
        const x86::CodeSize size = code_size(cpu);
        if (d.at != at || d.size != size || std::memcmp(d.bytes, at, d.insn.length) != 0) {
            d.at = nullptr;
            if (x86::decode(at, 15, size, d.insn) != x86::DecodeError::None) return nullptr;
            std::memcpy(d.bytes, at, sizeof d.bytes);
            d.size = size;
            d.semantics = semantics_of(d.insn);
            d.at = at;
        }
        return &d;
    }
    x86::Guest<> step() {
        const Decoded* d = cpu.system_flags & x86::flag::tf || breakpoints_enabled(cpu) ? nullptr : decoded();
        if (!d) return interpret(cpu);
        const bool shadowed = cpu.shadow;
        cpu.shadow = cpu.shadow_blocks_nmi = false;
        u64 next = cpu.rip + d->insn.length;
        if (!cpu.code64()) next &= 0xffff'ffff;
        cpu.next_rip = next;
        if (auto done = d->semantics(cpu, d->insn); !done) {
            if (!done.error().trap) cpu.next_rip = next;
            cpu.shadow = shadowed;
            return done;
        }
        cpu.rip = cpu.next_rip;
        return {};
    }

    Config config_;
    GuestFiles files_;
    CharSink& console_;
    CharSink& log_;
    SomeDay day_;
    MachineMemory memory_;
    std::unique_ptr<Pc> pc_;
    std::array<Page, pages> pages_;
    std::vector<Decoded> decodings_{decodings};
};

}  // namespace bmbt::test
