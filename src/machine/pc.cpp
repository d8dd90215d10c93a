#include "machine/pc.hpp"

#include <algorithm>

namespace bmbt {
namespace {

// The APIC timer counts at the frequency that CPUID gives for it, the TSC's.
constexpr LapicConfig apic_config{.timer_period_ns = 1'000'000'000 / Board::tsc_hz};

}  // namespace

Pc::Pc(const Config& config, const PcHost& host)
    : host_(host),
      ram_(config.memory),
      pins_(stop_, host.clock, host.cpu.tsc_offset, config.boot == Boot::Bios),
      pic_(intr_),
      lapic_(apic_config, host.clock, alarms_, pins_, fabric_, pic_),
      ioapic_(ioapic_id, fabric_),
      isa_(pic_, ioapic_),
      hpet_(host.clock, alarms_, isa_[0], isa_[8],
            {&ioapic_.pin(Hpet::first_pin), &ioapic_.pin(Hpet::first_pin + 1), &ioapic_.pin(Hpet::first_pin + 2),
             &ioapic_.pin(Hpet::first_pin + 3)}),
      pit_(host.clock, alarms_, hpet_.pit_input()),
      port61_(host.clock, pit_),
      rtc_(host.clock, alarms_, host.wall, hpet_.rtc_input()),
      fpu_error_(isa_[13]),
      init_(lapic_),
      cf9_reset_(stop_, Stop::Reset, "port CF9h"),
      power_off_(stop_, Stop::PowerOff, "ACPI"),
      a20_line_(host_.memory, host_.listener),
      a20_(a20_line_),
      port92_(a20_, init_),
      reset_control_(cf9_reset_, init_),
      pm_(host.clock, alarms_, isa_[sci], power_off_),
      uart_(host.clock, alarms_, isa_[4], host.console),
      i8042_(isa_[1], isa_[12], a20_, init_),
      console_port_(host.console),
      marks_port_(host.marks),
      debug_(config.trace.has(TraceEvent::Bios) ? host.firmware_log : silence_),
      exit_code_(stop_),
      test_exit_(exit_code_),
      shadow_(host_.memory, host_.listener, host.shadow_ram, host.rom.base, host.rom.size),
      firmware_(host_.memory, config, ram_,
                {.ioapic_base = ioapic_base,
                 .ioapic_id = ioapic_id,
                 .hpet_base = hpet_base,
                 .pm_base = pm_base,
                 .sci_irq = sci}),
      pci_(shadow_, ports_, pm_, isa_, reset_control_) {
    intr_.connect(lapic_.lint0());
    fabric_.add(lapic_);
    fabric_.add(ioapic_);
    host_.memory.a20_mask = ~u64{0};
    shadow_.set(Shadow::base, Shadow::size, false, false);
    fill_cmos();
    attach_ports();
    if (config.test_devices) attach_test_devices();
    mmio_.attach(ioapic_base, page_size, ioapic_);
    mmio_.attach(hpet_base, page_size, hpet_);
    mmio_.attach(Shadow::base, Shadow::size, shadow_);
    if (config.boot != Boot::Bios) stand_in_for_firmware();
}

void Pc::attach_ports() {
    ports_.attach(0x20, 2, pic_.master());
    ports_.attach(0xa0, 2, pic_.slave());
    ports_.attach(0x4d0, 2, pic_.elcr());
    ports_.attach(0x40, 4, pit_);
    ports_.attach(0x60, 5, i8042_);
    ports_.attach(0x61, 1, port61_);
    ports_.attach(0x70, 2, rtc_);
    ports_.attach(0x80, 1, post80_);
    ports_.attach(0x92, 1, port92_);
    ports_.attach(serial, 8, uart_);
    ports_.attach(0x402, 1, debug_);
    ports_.attach(0x510, 12, firmware_.port());
    ports_.attach(0xe9, 1, marks_port_);
    ports_.attach(0xf0, FpuError::count, fpu_error_);
    ports_.attach(0xf1, 1, console_port_);
}

// Where QEMU has them; a later device takes ports from an earlier one, so these take the console's port E9h. Marks want
// it too: the launcher refuses the pair.
void Pc::attach_test_devices() {
    for (unsigned n = 0; n < TestLines::count; ++n) test_lines_.connect(n, n < 16 ? isa_[n] : ioapic_.pin(n));
    ports_.attach(0xe0, TestPorts::count, test_ports_);
    ports_.attach(0xf4, TestExit::count, test_exit_);
    ports_.attach(0x2000, TestLines::count, test_lines_);
    mmio_.attach(test_memory_base, TestMemory::size, test_memory_);
}

// What firmware reads the machine's size and habits from: QEMU's use of the PC/AT's CMOS bytes.
void Pc::fill_cmos() {
    constexpr u16 base_kib = 640;
    const u64 extended_kib = std::min<u64>((ram_.low - 1_MiB) >> 10, 0xffff);
    const u64 above_16m = std::min<u64>((ram_.low - 16_MiB) >> 16, 0xffff), above_4g = ram_.high >> 16;
    auto put = [&](u8 index, u64 value, unsigned size) {
        for (unsigned i = 0; i < size; ++i) rtc_.set_cmos(index + i, value >> 8 * i);
    };
    put(0x14, 0x06, 1);  // equipment: x87, PS/2 mouse, no floppy drive
    put(0x15, base_kib, 2);
    put(0x17, extended_kib, 2);
    put(0x30, extended_kib, 2);
    put(0x34, above_16m, 2);
    put(0x5b, above_4g, 3);
}

// Without firmware nobody else connects the 8259 pair to the processor and opens what lies behind the ROM.
void Pc::stand_in_for_firmware() {
    lapic_.enter_virtual_wire();
    pci_.prepare_direct_boot(pm_base);
}

u64 Pc::prepare_direct_boot() {
    // The words of the BIOS data area that kernels and boot loaders read: memory's size and its end, the serial port.
    const u16 base_kib = RamLayout::conventional >> 10, extended_bios = RamLayout::extended_bios >> 4, com1 = serial;
    host_.memory.write(0x400, &com1, sizeof com1);
    host_.memory.write(0x40e, &extended_bios, sizeof extended_bios);
    host_.memory.write(0x413, &base_kib, sizeof base_kib);
    return firmware_.place_tables();
}

void Pc::start_bios_interrupts() {
    struct {
        u16 port;
        u8 value;
    } constexpr writes[] = {{0x20, 0x11}, {0x21, 0x08}, {0x21, 0x04}, {0x21, 0x01}, {0x21, 0xfe},
                            {0xa0, 0x11}, {0xa1, 0x70}, {0xa1, 0x02}, {0xa1, 0x01}, {0xa1, 0xff},
                            {0x43, 0x36}, {0x40, 0x00}, {0x40, 0x00}};
    for (auto [port, value] : writes) port_out(port, Width::Byte, value);
}

u64 Pc::mmio_read(u64 gpa, Width w) {
    const u64 apic = gpa - lapic_.page();
    return lapic_.xapic() && apic < page_size ? lapic_.read(apic, w) : mmio_.read(gpa, w);
}

void Pc::mmio_write(u64 gpa, Width w, u64 value) {
    const u64 apic = gpa - lapic_.page();
    if (lapic_.xapic() && apic < page_size)
        lapic_.write(apic, w, value);
    else
        mmio_.write(gpa, w, value);
}

u64 Pc::tsc() { return last_tsc_ = std::max(now(), last_tsc_ + 1); }

bool Pc::apic_msr_read(u32 index, u64& value) {
    switch (index) {
        case x86::msr::apic_base: value = lapic_.base(); return true;
        case x86::msr::tsc_deadline: value = lapic_.tsc_deadline(); return true;
        default: return lapic_.read_msr(index, value);
    }
}

bool Pc::apic_msr_write(u32 index, u64 value) {
    switch (index) {
        case x86::msr::apic_base: return lapic_.set_base(value);
        case x86::msr::tsc_deadline: lapic_.set_tsc_deadline(value); return true;
        default: return lapic_.write_msr(index, value);
    }
}

// A closed A20 gate would hide the ROM from the processor.
CpuSignals Pc::take_signals() {
    const CpuSignals s = pins_.take();
    if (s.init) a20_.set(true);
    return s;
}

// The PIIX answers the bus's shutdown cycle with INIT.
bool Pc::shut_down() {
    if (!pins_.firmware()) return false;
    lapic_.init();
    return true;
}

u8 Pc::acknowledge_interrupt() {
    ++interrupts_;
    const u8 vector = lapic_.acknowledge();
    pit_.interrupt_taken();
    hpet_.interrupt_taken();
    return vector;
}

}  // namespace bmbt
