#include "pci/config.hpp"

#include "base/bits.hpp"

namespace bmbt {

u32 ConfigBytes::get(unsigned reg, Width w) const {
    u32 value = 0;
    for (unsigned i = 0; i < bytes(w); i++) value |= (reg + i < size ? u32{bytes_[reg + i]} : 0xffu) << 8 * i;
    return value;
}

void ConfigBytes::put(unsigned reg, Width w, u32 value) {
    for (unsigned i = 0; i < bytes(w) && reg + i < size; i++) bytes_[reg + i] = static_cast<u8>(value >> 8 * i);
}

void ConfigBytes::guest_put(unsigned reg, Width w, u32 value) {
    for (unsigned i = 0; i < bytes(w) && reg + i < size; i++) {
        const u8 v = static_cast<u8>(value >> 8 * i), can = writable_[reg + i];
        u8& byte = bytes_[reg + i];
        byte = static_cast<u8>(((byte & ~can) | (v & can)) & ~(v & clears_[reg + i]));
    }
}

void ConfigBytes::allow(unsigned reg, Width w, u32 bits) {
    for (unsigned i = 0; i < bytes(w); i++) writable_[reg + i] = static_cast<u8>(bits >> 8 * i);
}

void ConfigBytes::allow_clearing(unsigned reg, Width w, u32 bits) {
    for (unsigned i = 0; i < bytes(w); i++) clears_[reg + i] = static_cast<u8>(bits >> 8 * i);
}

void fill_header(ConfigBytes& config, const PciIdentity& id) {
    config.put(0x00, Width::Word, id.vendor);
    config.put(0x02, Width::Word, id.device);
    config.put(0x04, Width::Word, id.command);
    config.allow(0x04, Width::Word, id.command_writable);
    config.put(0x06, Width::Word, id.status);
    config.allow_clearing(0x06, Width::Word, 0xf900);  // errors and aborts
    config.put(0x08, Width::Dword, id.class_code << 8 | id.revision);
    config.put(0x0e, Width::Byte, id.header_type);
    config.put(0x2c, Width::Word, id.subsystem_vendor);
    config.put(0x2e, Width::Word, id.subsystem);
    config.put(0x3d, Width::Byte, id.interrupt_pin);
    if (id.interrupt_pin) config.allow(0x3c, Width::Byte, 0xff);
}

PciFunction* PciBus::find(u8 bus, u8 device, u8 function) const {
    if (bus == 0 && functions_[device & 31][function & 7]) return functions_[device & 31][function & 7];
    return others_ ? others_->find(bus, device, function) : nullptr;
}

u32 PciBus::read(u8 bus, u8 device, u8 function, u16 reg, Width w) const {
    PciFunction* f = find(bus, device, function);
    return (f ? f->read(reg, w) : ~u32{0}) & static_cast<u32>(mask(8 * bytes(w)));
}

void PciBus::write(u8 bus, u8 device, u8 function, u16 reg, Width w, u32 value) const {
    if (PciFunction* f = find(bus, device, function)) f->write(reg, w, value);
}

namespace {

constexpr Bit enable{31};
constexpr Field bus_number{16, 8}, device_number{11, 5}, function_number{8, 3}, dword{0, 8};
template <class F>
u8 part(F field, u32 address) {
    return static_cast<u8>(field.of(address));
}

}  // namespace

u32 PciConfigPorts::read(u16 offset, Width w) {
    if (offset < 4) {
        if (offset == 0 && w == Width::Dword) return address_;
        return offset == 1 && w == Width::Byte ? reset_control_.read(0, w) : static_cast<u32>(mask(8 * bytes(w)));
    }
    const unsigned lane = offset & 3;
    if (!enable.of(address_) || offset > 7 || lane + bytes(w) > 4) return static_cast<u32>(mask(8 * bytes(w)));
    return bus_.read(part(bus_number, address_), part(device_number, address_), part(function_number, address_),
                     static_cast<u16>(part(dword, address_) | lane), w);
}

void PciConfigPorts::write(u16 offset, Width w, u32 value) {
    if (offset == 0 && w == Width::Dword) address_ = value & 0x80ff'fffc;
    if (offset == 1 && w == Width::Byte) reset_control_.write(0, w, value);
    const unsigned lane = offset & 3;
    if (!enable.of(address_) || offset < 4 || offset > 7 || lane + bytes(w) > 4) return;
    bus_.write(part(bus_number, address_), part(device_number, address_), part(function_number, address_),
               static_cast<u16>(part(dword, address_) | lane), w, value);
}

}  // namespace bmbt
