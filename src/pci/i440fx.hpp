// The host bridge of the 440FX chipset ("82441FX PCI and Memory Controller", Intel): what sits behind A0000h-FFFFFh.
#pragma once
#include "pci/config.hpp"

namespace bmbt {

// Told of every range whose attributes have changed. At power-on all of C0000h-FFFFFh is neither readable nor
// writable (reads see the ROM, writes are dropped), and SMRAM is closed.
class ShadowRam {
 public:
    virtual void shadow(u32 base, u32 size, bool readable, bool writable) = 0;  // as RAM
    virtual void smram(bool open) = 0;                                          // RAM in place of A0000h-BFFFFh

 protected:
    ~ShadowRam() = default;
};

class I440fx final : public PciFunction {
 public:
    explicit I440fx(ShadowRam& ram);
    u32 read(u16 reg, Width w) override { return config_.get(reg, w); }
    void write(u16 reg, Width w, u32 value) override;

 private:
    enum Register : u8 { Pam0 = 0x59, Pam6 = 0x5f, Smram = 0x72 };
    void attributes(unsigned pam, u8 before);

    ShadowRam& ram_;
    ConfigBytes config_;
};

}  // namespace bmbt
