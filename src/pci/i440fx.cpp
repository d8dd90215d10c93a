#include "pci/i440fx.hpp"

#include "base/bits.hpp"

namespace bmbt {

I440fx::I440fx(ShadowRam& ram) : ram_(ram) {
    // The subsystem's numbers are those by which SeaBIOS knows a machine that has fw_cfg.
    fill_header(config_, {.vendor = 0x8086,
                          .device = 0x1237,
                          .class_code = 0x06'00'00,
                          .revision = 2,
                          .command = 0x0006,
                          .command_writable = 0x0100,
                          .status = 0x0280,
                          .subsystem_vendor = 0x1af4,
                          .subsystem = 0x1100});
    for (unsigned r = Pam0; r <= Pam6; r++) config_.allow(r, Width::Byte, r == Pam0 ? 0x30 : 0x33);
    for (unsigned r = 0x50; r <= 0x58; r++) config_.allow(r, Width::Byte, 0xff);  // PMCCFG, DETURBO, DBC, DRT, DRAMC
    for (unsigned r = 0x60; r <= 0x67; r++) config_.allow(r, Width::Byte, 0xff);  // DRAM row boundaries
    config_.put(Smram, Width::Byte, 0x02);
    config_.allow(Smram, Width::Byte, 0x78);
}

// One register holds the attributes of two ranges, of bits 1:0 (writable, readable) and 5:4.
void I440fx::attributes(unsigned pam, u8 before) {
    const u8 now = config_[pam];
    for (unsigned half = 0; half < 2; half++) {
        const unsigned shift = 4 * half;
        if (!((before ^ now) >> shift & 3)) continue;
        const u32 base = pam == Pam0 ? 0xf0000u : 0xc0000u + (pam - Pam0 - 1) * 0x8000u + half * 0x4000u;
        ram_.shadow(base, pam == Pam0 ? 0x10000u : 0x4000u, bit(now, shift), bit(now, shift + 1));
    }
}

void I440fx::write(u16 reg, Width w, u32 value) {
    constexpr Bit open{6}, locked{4};
    const ConfigBytes before = config_;
    if (locked.of(before[Smram])) config_.allow(Smram, Width::Byte, 0);
    config_.guest_put(reg, w, value);
    for (unsigned r = Pam0; r <= Pam6; r++)
        if (before[r] != config_[r]) attributes(r, before[r]);
    if (locked.of(config_[Smram]))  // locking closes
        config_.put(Smram, Width::Byte, static_cast<u32>(open.put(config_[Smram], false)));
    if (open.of(before[Smram]) != open.of(config_[Smram])) ram_.smram(open.of(config_[Smram]));
}

}  // namespace bmbt
