#include "pci/piix.hpp"

namespace bmbt {

Piix3::Piix3(const std::array<Line*, 16>& outputs) : outputs_(outputs) {
    fill_header(config_, {.vendor = 0x8086,
                          .device = 0x7000,
                          .class_code = 0x06'01'00,
                          .header_type = 0x80,
                          .command = 0x0007,
                          .status = 0x0200,
                          .subsystem_vendor = 0x1af4,
                          .subsystem = 0x1100});
    config_.put(0x4c, Width::Byte, 0x4d);    // I/O recovery timers
    config_.put(0x4e, Width::Word, 0x0003);  // X-bus chip selects
    config_.allow(0x4c, Width::Byte, 0xff);
    config_.allow(0x4e, Width::Word, 0x01ff);
    for (unsigned n = 0; n < 4; n++) {
        config_.put(pirq_route + n, Width::Byte, 0x80);
        config_.allow(pirq_route + n, Width::Byte, 0x8f);
        inputs_[n].bind(*this);
    }
    config_.put(0x69, Width::Byte, 0x02);  // top of memory
    config_.allow(0x69, Width::Byte, 0xfe);
}

unsigned Piix3::routed(unsigned n) const {
    const u8 route = config_[pirq_route + n];
    const unsigned irq = route & 15;
    return !(route & 0x80) && (routable >> irq & 1) ? irq : 0;
}

// Several PIRQ lines may share an IRQ.
void Piix3::drive() {
    u16 wanted = 0;
    for (unsigned n = 0; n < 4; n++)
        if (inputs_[n].level()) wanted |= static_cast<u16>(1u << routed(n));
    wanted &= routable;
    const u16 changed = wanted ^ driven_;
    driven_ = wanted;
    for (unsigned irq = 0; irq < 16; irq++)
        if (changed >> irq & 1) outputs_[irq]->set(wanted >> irq & 1);
}

void Piix3::write(u16 reg, Width w, u32 value) {
    config_.guest_put(reg, w, value);
    drive();
}

Piix4Pm::Piix4Pm(PmWindow& window) : window_(window) {
    fill_header(config_, {.vendor = 0x8086,
                          .device = 0x7113,
                          .class_code = 0x06'80'00,
                          .revision = 3,
                          .command_writable = 0x0001,
                          .status = 0x0280,
                          .subsystem_vendor = 0x1af4,
                          .subsystem = 0x1100,
                          .interrupt_pin = 1});
    config_.put(PmBase, Width::Dword, 1);
    config_.allow(PmBase, Width::Dword, 0xffc0);
    config_.allow(PmRegMisc, Width::Byte, 0x01);
    // Firmware takes a set APMC_EN for SMM that is set up already, and leaves it alone: there is no SMM here.
    config_.put(DevActB, Width::Dword, 1u << 25);
    for (unsigned r = 0x44; r < PmRegMisc; r += 4)
        if (r != DevActB) config_.allow(r, Width::Dword, ~u32{0});  // device activity and trap ranges, without effect
    config_.put(SmbBase, Width::Dword, 1);
    config_.allow(SmbBase, Width::Dword, 0xfff0);
    config_.allow(SmbHost, Width::Byte, 0x0f);
}

void Piix4Pm::write(u16 reg, Width w, u32 value) {
    const u16 old_base = base();
    const bool was_enabled = enabled();
    config_.guest_put(reg, w, value);
    if (base() != old_base || enabled() != was_enabled) window_.pm_window(base(), enabled());
}

}  // namespace bmbt
