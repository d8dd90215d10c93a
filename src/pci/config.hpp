// PCI configuration space: functions, the bytes of one, a bus of them, and access through ports CF8h and CFCh
// ("Configuration Mechanism #1", PCI Local Bus Specification).
#pragma once
#include <array>

#include "host/line.hpp"

namespace bmbt {

class PciFunction {
 public:
    virtual u32 read(u16 reg, Width w) = 0;
    virtual void write(u16 reg, Width w, u32 value) = 0;

 protected:
    ~PciFunction() = default;
};

// 256 bytes, of which a guest may change those bits that were allowed.
class ConfigBytes {
 public:
    static constexpr unsigned size = 256;

    u32 get(unsigned reg, Width w) const;        // all ones beyond the end
    void put(unsigned reg, Width w, u32 value);  // for the device itself
    void guest_put(unsigned reg, Width w, u32 value);
    void allow(unsigned reg, Width w, u32 bits);           // the guest writes these bits
    void allow_clearing(unsigned reg, Width w, u32 bits);  // the guest clears these bits by writing 1
    u8 operator[](unsigned reg) const { return bytes_[reg]; }

 private:
    std::array<u8, size> bytes_{}, writable_{}, clears_{};
};

// What every type 0 function begins with.
struct PciIdentity {
    u16 vendor, device;
    u32 class_code;  // class, subclass, interface
    u8 revision = 0;
    u8 header_type = 0;
    u16 command = 0, command_writable = 0, status = 0;
    u16 subsystem_vendor = 0, subsystem = 0;
    u8 interrupt_pin = 0;
};
void fill_header(ConfigBytes& config, const PciIdentity& id);

// Functions of buses behind bus 0.
class PciBuses {
 public:
    virtual PciFunction* find(u8 bus, u8 device, u8 function) = 0;

 protected:
    ~PciBuses() = default;
};

class PciBus {
 public:
    void attach(unsigned device, unsigned function, PciFunction& f) { functions_[device & 31][function & 7] = &f; }
    void attach(PciBuses& others) { others_ = &others; }
    PciFunction* find(u8 bus, u8 device, u8 function) const;
    u32 read(u8 bus, u8 device, u8 function, u16 reg, Width w) const;  // all ones where nobody is
    void write(u8 bus, u8 device, u8 function, u16 reg, Width w, u32 value) const;

 private:
    std::array<std::array<PciFunction*, 8>, 32> functions_{};
    PciBuses* others_ = nullptr;
};

// Ports CF8h-CFFh. A byte access to CF9h is the reset control register's.
class PciConfigPorts final : public Port {
 public:
    PciConfigPorts(PciBus& bus, Port& reset_control) : bus_(bus), reset_control_(reset_control) {}
    u32 read(u16 offset, Width w) override;
    void write(u16 offset, Width w, u32 value) override;

 private:
    PciBus& bus_;
    Port& reset_control_;
    u32 address_ = 0;
};

}  // namespace bmbt
