// The ISA bridge of the PIIX3 with its interrupt router, and the power management function of the PIIX4
// ("82371FB/82371SB PCI ISA IDE Xcelerator", "82371AB PCI-TO-ISA / IDE Xcelerator", Intel).
#pragma once
#include "device/pirq.hpp"
#include "pci/config.hpp"

namespace bmbt {

class Piix3 final : public PciFunction {
 public:
    // outputs: IRQ 0-15 of the 8259 pair. Only those that the router may name are used.
    explicit Piix3(const std::array<Line*, 16>& outputs);
    Piix3(const Piix3&) = delete;
    Piix3& operator=(const Piix3&) = delete;

    u32 read(u16 reg, Width w) override { return config_.get(reg, w); }
    void write(u16 reg, Width w, u32 value) override;
    Line& pirq(unsigned n) { return inputs_[n]; }
    // The IRQ that a PIRQ line goes to; 0: to none.
    unsigned routed(unsigned n) const;

 private:
    static constexpr unsigned pirq_route = 0x60;  // four registers
    static constexpr u16 routable = 0xdef8;       // IRQ 3-7, 9-12, 14, 15

    class Input final : public Line {
     public:
        void bind(Piix3& bridge) { bridge_ = &bridge; }
        void set(bool level) override {
            level_ = level;
            bridge_->drive();
        }
        bool level() const { return level_; }

     private:
        Piix3* bridge_ = nullptr;
        bool level_ = false;
    };

    void drive();

    ConfigBytes config_;
    std::array<Input, 4> inputs_;
    std::array<Line*, 16> outputs_;
    u16 driven_ = 0;  // IRQs held high
};

// Told when the block of power management registers moves, appears or goes.
class PmWindow {
 public:
    virtual void pm_window(u16 base, bool enabled) = 0;

 protected:
    ~PmWindow() = default;
};

class Piix4Pm final : public PciFunction {
 public:
    explicit Piix4Pm(PmWindow& window);
    u32 read(u16 reg, Width w) override { return config_.get(reg, w); }
    void write(u16 reg, Width w, u32 value) override;

 private:
    enum Register : u8 { PmBase = 0x40, DevActB = 0x58, PmRegMisc = 0x80, SmbBase = 0x90, SmbHost = 0xd2 };
    u16 base() const { return static_cast<u16>(config_.get(PmBase, Width::Word) & 0xffc0); }
    bool enabled() const { return config_[PmRegMisc] & 1; }

    PmWindow& window_;
    ConfigBytes config_;
};

}  // namespace bmbt
