// The PC: every device, where it answers, and which interrupt goes where. The only place that knows them all.
#pragma once
#include "cpu/board.hpp"
#include "cpu/vcpu.hpp"
#include "device/a20.hpp"
#include "device/apic_fabric.hpp"
#include "device/debugcon.hpp"
#include "device/fpu_error.hpp"
#include "device/hpet.hpp"
#include "device/i8042.hpp"
#include "device/pm.hpp"
#include "device/port61.hpp"
#include "device/rtc.hpp"
#include "device/test_device.hpp"
#include "device/uart.hpp"
#include "machine/config.hpp"
#include "machine/cpu_pins.hpp"
#include "machine/firmware_config.hpp"
#include "machine/guest_console.hpp"
#include "machine/isa_irqs.hpp"
#include "machine/mmio_bus.hpp"
#include "machine/pci_board.hpp"
#include "machine/port_bus.hpp"
#include "machine/shadow.hpp"

namespace bmbt {

// What the PC gets from the host. All of it outlives the PC.
struct PcHost {
    Clock& clock;
    const WallClock& wall;
    CharSink& console;       // the serial port's other end, and the tiny kernels' console
    CharSink& marks;         // bytes written to port E9h
    CharSink& firmware_log;  // the debug console, port 402h
    PhysicalMap& memory;     // RAM is mapped
    MapListener& listener;
    const Vcpu& cpu;
    u64 shadow_ram = 0;  // host-physical, of the RAM at C0000h
    Range rom;           // host-physical, the firmware's; size 0: direct boot
};

class Pc final : public Board {
 public:
    Pc(const Config& config, const PcHost& host);
    Pc(const Pc&) = delete;
    Pc& operator=(const Pc&) = delete;

    // Direct boot: what firmware would have left behind. Returns the address of the ACPI root pointer.
    u64 prepare_direct_boot();
    // What a kernel that goes back to real mode relies on: the 8259 pair at vectors 8 and 70h with the timer's interrupt
    // alone let through, and the timer at its 18.2 Hz.
    void start_bios_interrupts();

    u32 port_in(u16 port, Width w) override { return ports_.read(port, w); }
    void port_out(u16 port, Width w, u32 value) override { ports_.write(port, w, value); }
    u64 mmio_read(u64 gpa, Width w) override;
    void mmio_write(u64 gpa, Width w, u64 value) override;

    u64 tsc() override;
    bool apic_msr_read(u32 msr, u64& value) override;
    bool apic_msr_write(u32 msr, u64 value) override;
    u64 read_tpr() override { return lapic_.cr8(); }
    void write_tpr(u64 tpr) override { lapic_.set_cr8(tpr & 15); }
    void tsc_moved() override { lapic_.tsc_moved(); }
    bool fpu_error(bool ferr) override { return fpu_error_.set(ferr); }

    bool interrupt_pending() override { return pins_.deliverable(); }
    u8 acknowledge_interrupt() override;
    CpuSignals take_signals() override;
    bool bootstrap() override { return lapic_.bootstrap(); }
    bool may_signal() override { return ioapic_.may_signal() || lapic_.lint0_may_signal(); }
    bool shut_down() override;

    u64 now() override { return host_.clock.now(); }
    u64 next_timer() override { return alarms_.next(); }
    void run_timers() override { alarms_.run(now()); }

    Stop stop() override { return stop_.stop(); }
    u8 exit_code() override { return exit_code_.code(); }
    const char* stop_reason() const { return stop_.reason(); }

    // The terminal's side of the serial port: how many characters it takes now, and one of them.
    unsigned serial_room() const { return uart_.room(); }
    void serial_input(u8 c) { uart_.receive(c); }
    void watch_serial_room(Line* line) { uart_.watch_room(line); }
    void press_power_button() { pm_.press_power_button(); }
    u64 interrupts() const { return interrupts_; }  // delivered since power-on

 private:
    static constexpr u64 ioapic_base = 0xfec0'0000, hpet_base = 0xfed0'0000, test_memory_base = 0xff00'0000;
    static constexpr u8 ioapic_id = 0, sci = 9;
    static constexpr u16 pm_base = 0x600, serial = 0x3f8;

    void attach_ports();
    void attach_test_devices();
    void fill_cmos();
    void stand_in_for_firmware();

    PcHost host_;
    RamLayout ram_;
    PortBus ports_;
    MmioBus mmio_;
    AlarmQueue alarms_;
    StopRequest stop_;
    CpuPins pins_;
    u64 last_tsc_ = 0, interrupts_ = 0;

    // Interrupt controllers.
    ForwardLine intr_;
    Pic pic_;
    ApicFabric fabric_;
    Lapic lapic_;
    IoApic ioapic_;
    IsaIrqs isa_;

    // Timers and clocks.
    Hpet hpet_;
    Pit pit_;
    Port61 port61_;
    Rtc rtc_;
    FpuError fpu_error_;

    // Reset, power and A20.
    InitLine init_;
    StopLine cf9_reset_, power_off_;
    A20Line a20_line_;
    A20Gate a20_;
    Port92 port92_;
    ResetControl reset_control_;
    Post80 post80_;
    Pm pm_;

    // Characters.
    Uart uart_;
    I8042 i8042_;
    OutputPort console_port_, marks_port_;
    Silence silence_;
    DebugConsole debug_;

    // For test kernels, which alone get them.
    ExitCode exit_code_;
    TestExit test_exit_;
    TestPorts test_ports_;
    TestLines test_lines_;
    TestMemory test_memory_;

    // Firmware.
    Shadow shadow_;
    FirmwareConfig firmware_;
    PciBoard pci_;
};

}  // namespace bmbt
