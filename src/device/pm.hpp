// ACPI's fixed hardware: power management events and control, the PM timer, an empty GPE block, laid out as in the
// PIIX4 ("ACPI Hardware Specification" in the ACPI specification; "82371AB (PIIX4)", Intel).
#pragma once
#include "base/bits.hpp"
#include "device/byte_port.hpp"
#include "host/clock.hpp"

namespace bmbt {

// What firmware tells a guest about where things are in the block.
struct PmLayout {
    static constexpr u16 size = 0x40;
    static constexpr u16 event = 0x00, control = 0x04, timer = 0x08, gpe0 = 0x0c;
    static constexpr u8 sleep_type_off = 0;  // SLP_TYP of \_S5
};

// ACPI mode is always on. The PM timer is 32 bits wide.
class Pm final : public Port, private Alarmed {
 public:
    Pm(Clock& clock, AlarmQueue& alarms, Line& sci, Line& power_off);

    u32 read(u16 offset, Width w) override;
    void write(u16 offset, Width w, u32 value) override;
    void press_power_button();

 private:
    static constexpr Bit timer_overflow{0}, power_button{8};
    static constexpr u16 event_bits = 0x8731;   // TMR, BM, GBL, PWRBTN, SLPBTN, RTC, WAK
    static constexpr u16 enable_bits = 0x0721;  // TMR, GBL, PWRBTN, SLPBTN, RTC
    static constexpr Bit sci_enable{0}, sleep_enable{13};
    static constexpr Field sleep_type{10, 3};

    void alarm() override;
    // 3.579545 MHz is 63 ticks in 17600 ns.
    u64 ticks() const { return clock_.now() * 63 / 17600; }
    u8 read8(u16 offset, u64 now);  // at a time of the timer
    void write8(u16 offset, u8 value);
    void collect();
    void drive();

    Clock& clock_;
    Alarm alarm_;
    Line& sci_;
    Line& power_off_;
    u64 seen_half_ = 0;  // half periods of the timer, whose ends set TMR_STS
    u16 status_ = 0, enable_ = 0, control_ = 0;
    u16 gpe_enable_ = 0;
};

}  // namespace bmbt
