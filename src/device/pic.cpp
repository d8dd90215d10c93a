#include "device/pic.hpp"

namespace bmbt {

int Pic8259::first(u8 set) const {
    for (unsigned i = 1; i <= 8; i++)
        if (const unsigned n = (lowest_ + i) & 7; set >> n & 1) return static_cast<int>(n);
    return -1;
}

int Pic8259::request() const {
    if (expect_) return -1;
    const int wanted = first(static_cast<u8>(irr_ & ~imr_));
    if (wanted < 0) return -1;
    u8 blocking = isr_;
    if (special_mask_) blocking = static_cast<u8>(blocking & ~imr_);
    const int serving = first(blocking);
    if (serving < 0) return wanted;
    // Special fully nested mode: a slave in service may interrupt again with a request of higher priority.
    if (wanted == serving && nested_ && has_slave(static_cast<unsigned>(wanted))) return wanted;
    const auto rank = [this](int n) { return (static_cast<unsigned>(n) - lowest_ - 1) & 7; };
    return rank(wanted) < rank(serving) ? wanted : -1;
}

void Pic8259::input(unsigned n, bool level) {
    const u8 pin = static_cast<u8>(1u << n);
    const bool was = lines_ & pin;
    if (level) {
        lines_ |= pin;
        if (!was || (elcr_ & pin)) irr_ |= pin;
    } else {
        // "The IR inputs must remain high until after the falling edge of the first INTA": a request that goes away
        // earlier ends as the default IR7, which serve() reports.
        lines_ = static_cast<u8>(lines_ & ~pin);
        irr_ = static_cast<u8>(irr_ & ~pin);
    }
    update();
}

int Pic8259::serve() {
    const int n = request();
    if (n < 0) return -1;
    const u8 pin = static_cast<u8>(1u << n);
    if (!(elcr_ & pin)) irr_ = static_cast<u8>(irr_ & ~pin);
    if (auto_eoi_) {
        if (rotate_) lowest_ = static_cast<u8>(n);
    } else {
        isr_ |= pin;
    }
    intr_.set(false);  // INT falls with INTA, so that a master sees an edge for the next request
    update();
    return n;
}

void Pic8259::set_level_triggered(u8 pins) {
    elcr_ = pins;
    irr_ = static_cast<u8>((irr_ & ~pins) | (lines_ & pins));
    update();
}

u8 Pic8259::read8(u16 offset) {
    if (offset > 1) return 0xff;
    if (poll_) {  // the read pulse is the interrupt acknowledge
        poll_ = false;
        const int n = serve();
        return n < 0 ? 0 : static_cast<u8>(0x80 | n);
    }
    if (offset == 1) return imr_;
    return read_isr_ ? isr_ : irr_;
}

void Pic8259::write8(u16 offset, u8 value) {
    if (offset > 1) return;
    if (offset == 1) {
        if (expect_)
            initialization_word(value);
        else
            imr_ = value;
    } else if (value & 0x10) {
        start_initialization(value);
    } else if (value & 0x08) {  // OCW3
        if (value & 0x04) poll_ = true;
        if (value & 0x02) read_isr_ = value & 0x01;
        if (value & 0x40) special_mask_ = value & 0x20;
    } else {
        operation(value);
    }
    update();
}

// ICW1. The level bit is without effect, the chipset has the edge/level control register instead.
void Pic8259::start_initialization(u8 icw1) {
    wants_icw4_ = icw1 & 0x01;
    single_ = icw1 & 0x02;
    irr_ = static_cast<u8>(lines_ & elcr_);  // an edge input needs a new edge
    isr_ = imr_ = 0;
    lowest_ = 7;
    special_mask_ = read_isr_ = poll_ = false;
    auto_eoi_ = nested_ = rotate_ = false;
    expect_ = 2;
}

void Pic8259::initialization_word(u8 value) {
    switch (expect_) {
        case 2:
            base_ = value & 0xf8;
            expect_ = !single_ ? 3 : wants_icw4_ ? 4 : 0;
            break;
        case 3:
            if (role_ == Role::Master) slaves_ = value;  // a slave's is its own number
            expect_ = wants_icw4_ ? 4 : 0;
            break;
        default:
            auto_eoi_ = value & 0x02;
            nested_ = value & 0x10;
            expect_ = 0;
    }
}

// OCW2: end of interrupt, rotation, priority.
void Pic8259::operation(u8 ocw2) {
    const u8 level = ocw2 & 7;
    const int top = first(special_mask_ ? static_cast<u8>(isr_ & ~imr_) : isr_);
    switch (ocw2 >> 5) {
        case 0: rotate_ = false; break;
        case 4: rotate_ = true; break;
        case 1:
            if (top >= 0) end_of_interrupt(static_cast<unsigned>(top));
            break;
        case 5:
            if (top >= 0) {
                end_of_interrupt(static_cast<unsigned>(top));
                lowest_ = static_cast<u8>(top);
            }
            break;
        case 3: end_of_interrupt(level); break;
        case 7:
            end_of_interrupt(level);
            lowest_ = level;
            break;
        case 6: lowest_ = level; break;
        default: break;  // 2: no operation
    }
}

Pic::Pic(Line& intr) : master_(intr, Pic8259::Role::Master), slave_(cascade_, Pic8259::Role::Slave), elcr_(*this) {
    cascade_.bind(master_, 2);
    for (unsigned i = 0; i < 16; i++) irqs_[i].bind(i < 8 ? master_ : slave_, i & 7);
}

u8 Pic::acknowledge() {
    const int n = master_.serve();
    if (n < 0) return master_.vector(7);
    if (n != 2 || !master_.has_slave(2)) return master_.vector(static_cast<unsigned>(n));
    const int s = slave_.serve();
    return slave_.vector(s < 0 ? 7 : static_cast<unsigned>(s));
}

u8 Pic::Elcr::read8(u16 offset) {
    if (offset > 1) return 0xff;
    return offset ? pic_.slave_.level_triggered() : pic_.master_.level_triggered();
}

// IRQ 0, 1, 2, 8 and 13 are always edge-triggered.
void Pic::Elcr::write8(u16 offset, u8 value) {
    if (offset == 0) pic_.master_.set_level_triggered(value & 0xf8);
    if (offset == 1) pic_.slave_.set_level_triggered(value & 0xde);
}

}  // namespace bmbt
