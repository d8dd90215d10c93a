// The local APIC of one processor, as memory-mapped registers (xAPIC) and as MSRs (x2APIC)
// ("Advanced Programmable Interrupt Controller (APIC)", Intel SDM volume 3).
#pragma once
#include <array>

#include "base/bits.hpp"
#include "device/apic_bus.hpp"
#include "device/lapic_timer.hpp"
#include "device/vector_set.hpp"
#include "device/vector_source.hpp"
#include "host/line.hpp"

namespace bmbt {

// What a local APIC does to its processor. Messages of other processors come on their thread of control: the machine
// serializes all calls into the APICs.
class LapicCpu {
 public:
    virtual void interrupt(bool deliverable) = 0;  // acknowledge() would give a vector, as far as the APIC knows
    virtual void nmi() = 0;
    virtual void smi() = 0;
    virtual void init() = 0;
    virtual void startup(u8 page) = 0;  // SIPI: CS base is page * 4 KiB
    // The clock's ns when the TSC reaches this value: no later than now when it has, all ones when it is too far away.
    virtual u64 time_of_tsc(u64 tsc) = 0;

 protected:
    ~LapicCpu() = default;
};

struct LapicConfig {
    u32 id = 0;
    bool bootstrap = true;
    u8 physical_bits = 40;     // MAXPHYADDR, for the reserved bits of IA32_APIC_BASE
    u32 timer_period_ns = 10;  // the core crystal clock of CPUID leaf 15h
};

class Lapic final : public Mmio, private Alarmed {
 public:
    static constexpr u64 default_base = 0xfee0'0000;

    Lapic(const LapicConfig& config, Clock& clock, AlarmQueue& alarms, LapicCpu& cpu, ApicBus& bus, VectorSource& pic);

    // Memory-mapped registers at base(); all ones when they are not enabled.
    u64 read(u64 offset, Width w) override;
    void write(u64 offset, Width w, u64 value) override;

    // MSRs 800h-8ffh; false: #GP.
    bool read_msr(u32 index, u64& value);
    bool write_msr(u32 index, u64 value);
    // IA32_APIC_BASE; false: #GP. The machine looks at xapic() and page() afterwards.
    u64 base() const { return base_; }
    bool set_base(u64 value);
    u64 page() const { return base_ & ~u64{0xfff}; }
    bool enabled() const { return global_enable.of(base_); }
    bool x2apic() const { return extended.of(base_); }
    bool xapic() const { return enabled() && !x2apic(); }
    // IA32_TSC_DEADLINE, and what to do after the guest has moved its TSC.
    u64 tsc_deadline() const { return timer_.deadline(); }
    void set_tsc_deadline(u64 tsc);
    void tsc_moved() { set_tsc_deadline(timer_.deadline()); }

    u8 cr8() const { return tpr_ >> 4; }
    void set_cr8(u8 value) { set_tpr(static_cast<u8>(value << 4)); }

    bool requested(u8 vector) const { return irr_.has(vector); }
    int pending() const;       // the vector that may be delivered now, -1: none
    bool deliverable() const;  // pending(), or the 8259 pair asks through ExtINT
    u8 acknowledge();          // the interrupt acknowledge: the vector is in service from here on

    Line& lint0() { return lint_[0]; }
    Line& lint1() { return lint_[1]; }
    bool lint0_may_signal() const;  // it is let through as NMI or INIT

    u32 id() const { return id_; }
    u8 priority() const;  // PPR
    bool software_enabled() const { return software_enable.of(spiv_); }
    bool accepts(const ApicMessage& message) const;
    bool receive(const ApicMessage& message);  // false: not taken

    // INIT and power-on state of everything but base and ID.
    void reset();
    void init();  // INIT, by message or by the processor's pin: the APIC, then the processor
    bool bootstrap() const { return bsp.of(base_); }
    // What firmware does on the bootstrap processor, for direct boots: 8259 pair through LINT0, NMI on LINT1.
    void enter_virtual_wire();

 private:
    enum Register : u8 {
        Id = 0x02,
        Version = 0x03,
        Tpr = 0x08,
        Apr = 0x09,
        Ppr = 0x0a,
        Eoi = 0x0b,
        Rrd = 0x0c,
        Ldr = 0x0d,
        Dfr = 0x0e,
        Spiv = 0x0f,
        Isr = 0x10,
        Tmr = 0x18,
        Irr = 0x20,
        Esr = 0x28,
        IcrLow = 0x30,
        IcrHigh = 0x31,
        LvtTimer = 0x32,
        LvtThermal,
        LvtPerformance,
        LvtLint0,
        LvtLint1,
        LvtError,
        Initial = 0x38,
        Current = 0x39,
        Divide = 0x3e,
        SelfIpi = 0x3f
    };
    static constexpr Bit bsp{8}, extended{10}, global_enable{11};                    // IA32_APIC_BASE
    static constexpr Bit software_enable{8};                                         // SPIV
    static constexpr Field lvt_vector{0, 8}, lvt_delivery{8, 3}, timer_mode{17, 2};  // LVT
    static constexpr Bit remote_irr{14}, level_triggered{15}, masked{16};            // LVT
    enum Error : u8 { SendIllegalVector = 0x20, ReceiveIllegalVector = 0x40, IllegalRegister = 0x80 };
    static constexpr u32 version = 0x0005'0014;  // six LVT entries

    class Lint final : public Line {
     public:
        void bind(Lapic& apic, unsigned n) {
            apic_ = &apic;
            n_ = n;
        }
        void set(bool level) override;
        bool level() const { return level_; }

     private:
        Lapic* apic_ = nullptr;
        unsigned n_ = 0;
        bool level_ = false;
    };

    void alarm() override;  // the timer ran out
    void clear();
    bool read_register(unsigned reg, u32& value) const;
    bool write_register(unsigned reg, u32 value);
    u32& lvt(unsigned reg) { return lvt_[reg - LvtTimer]; }
    u32 lvt(unsigned reg) const { return lvt_[reg - LvtTimer]; }
    static u32 lvt_bits(unsigned reg);
    void write_lvt(unsigned reg, u32 value);
    void configure_timer();  // as its LVT entry says
    void local_interrupt(unsigned reg);
    void lint_changed(unsigned n, bool rising);
    bool ext_int() const;
    void set_tpr(u8 value);
    void write_spiv(u32 value);
    void end_of_interrupt();
    void send(u32 low, u32 high);
    bool accept(u8 vector, bool level);
    void error(u8 which);
    void update() { cpu_.interrupt(deliverable()); }
    u32 logical_id() const { return (id_ >> 4) << 16 | u32{1} << (id_ & 15); }  // of x2APIC mode

    LapicCpu& cpu_;
    ApicBus& bus_;
    VectorSource& pic_;
    LapicTimer timer_;
    std::array<Lint, 2> lint_;
    const u32 id_;
    const u8 physical_bits_;
    u64 base_;

    VectorSet irr_, isr_, tmr_;
    std::array<u32, 6> lvt_{};
    u32 spiv_ = 0, ldr_ = 0, dfr_ = 0, icr_low_ = 0, icr_high_ = 0;
    u8 tpr_ = 0, esr_ = 0, errors_ = 0;
    bool ext_latched_ = false;  // an ExtINT message of the I/O APIC
};

}  // namespace bmbt
