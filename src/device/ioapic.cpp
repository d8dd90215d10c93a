#include "device/ioapic.hpp"

#include <algorithm>

namespace bmbt {

IoApic::IoApic(u8 id, ApicBus& bus) : bus_(bus), id_(id) {
    entries_.fill(masked.mask());
    for (unsigned i = 0; i < pins; i++) pins_[i].bind(*this, i);
}

// NMI and INIT are "always treated as an edge triggered interrupt even if programmed otherwise", SMI and ExtINT require
// that: nobody would acknowledge them.
bool IoApic::is_level(u64 entry) {
    return level_triggered.of(entry) && static_cast<Delivery>(delivery.of(entry)) <= Delivery::LowestPriority;
}

void IoApic::Pin::set(bool level) {
    const bool rising = level && !level_;
    level_ = level;
    const u64 entry = apic_->entries_[n_];
    if (is_level(entry))
        apic_->service_level(n_);
    else if (rising && !masked.of(entry))  // an edge on a masked pin is lost
        apic_->deliver(entry);
}

bool IoApic::Pin::waiting() const {
    const u64 entry = apic_->entries_[n_];
    return !masked.of(entry) && static_cast<Delivery>(delivery.of(entry)) <= Delivery::LowestPriority &&
           apic_->bus_.requested(static_cast<u8>(vector.of(entry)));
}

void IoApic::service_level(unsigned n) {
    u64& entry = entries_[n];
    if (!is_level(entry) || !pins_[n].level() || masked.of(entry) || remote_irr.of(entry)) return;
    // Set before the message: the processor's EOI may come from inside the call.
    entry = remote_irr.put(entry, true);
    if (!deliver(entry)) entry = remote_irr.put(entry, false);
}

bool IoApic::deliver(u64 entry) {
    const bool is_logical = logical.of(entry);
    return bus_.send({.destination = apic_destination(static_cast<u8>(destination.of(entry)), is_logical),
                      .logical = is_logical,
                      .delivery = static_cast<Delivery>(delivery.of(entry)),
                      .vector = static_cast<u8>(vector.of(entry)),
                      .level = is_level(entry)});
}

bool IoApic::may_signal() const {
    return std::any_of(entries_.begin(), entries_.end(), [](u64 entry) {
        return !masked.of(entry) && ignores_if(static_cast<Delivery>(delivery.of(entry)));
    });
}

void IoApic::end_of_interrupt(u8 v) {
    for (unsigned n = 0; n < pins; n++) {
        u64& entry = entries_[n];
        if (vector.of(entry) != v || !remote_irr.of(entry)) continue;
        entry = remote_irr.put(entry, false);
        service_level(n);
    }
}

u64 IoApic::read(u64 offset, Width w) {
    const u64 ones = mask(8 * bytes(w));
    switch (offset) {
        case 0x00: return index_;
        case 0x10: return read_register(index_) & ones;
        case 0x40: return 0;
        default: return ones;
    }
}

void IoApic::write(u64 offset, Width, u64 value) {
    if (offset == 0x00) index_ = static_cast<u8>(value);
    if (offset == 0x10) write_register(index_, static_cast<u32>(value));
    if (offset == 0x40) end_of_interrupt(static_cast<u8>(value));
}

u32 IoApic::read_register(u8 index) const {
    if (index >= 0x10 && index < 0x10 + 2 * pins)
        return static_cast<u32>(entries_[(index - 0x10u) / 2] >> (index & 1) * 32);
    switch (index) {
        case 0: return u32{id_} << 24;
        case 1: return (pins - 1) << 16 | 0x20;
        case 2: return u32{id_} << 24;  // arbitration ID
        default: return ~u32{0};
    }
}

void IoApic::write_register(u8 index, u32 value) {
    if (index == 0) id_ = value >> 24 & 15;
    if (index < 0x10 || index >= 0x10 + 2 * pins) return;
    const unsigned n = (index - 0x10u) / 2, shift = (index & 1) * 32;
    u64& entry = entries_[n];
    const u64 bits = (u64{0xffff'ffff} << shift) & writable;
    entry = (entry & ~bits) | (u64{value} << shift & bits);
    if (!is_level(entry)) entry = remote_irr.put(entry, false);
    service_level(n);
}

}  // namespace bmbt
