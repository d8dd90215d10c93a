#include "device/uart.hpp"

namespace bmbt {

Uart::Uart(Clock& clock, AlarmQueue& alarms, Line& irq, CharSink& out)
    : clock_(clock), timeout_(alarms, *this), irq_(irq), out_(out) {}

unsigned Uart::trigger() const {
    constexpr u8 levels[] = {1, 4, 8, 14};
    return fifos() ? levels[fcr_ >> 6] : 1;
}

// Start, data, parity and stop bits, each 16 * divisor periods of 1.8432 MHz.
u64 Uart::character_ns() const {
    const unsigned bit_count = 7 + (lcr_ & 3) + (lcr_ >> 2 & 1) + (lcr_ >> 3 & 1);
    return u64{bit_count} * 16 * (divisor_ ? divisor_ : 0x10000) * 1'000'000'000 / 1'843'200;
}

void Uart::receive(u8 c) {
    if (!loopback()) queue(c, 0);  // in loopback the serial input is disconnected
}

void Uart::queue(u8 c, u8 errors) {
    timed_out_ = false;
    if (count_ == capacity()) {
        // The FIFO keeps what it has; the single buffer is overwritten.
        lost_ = static_cast<u8>(overrun.mask());
        if (!fifos()) fifo_[head_] = {c, errors};
    } else {
        if (count_ == 0) seen_errors_ = 0;
        fifo_[(head_ + count_++) % 16] = {c, errors};
    }
    restart_timeout();
    update();
}

u8 Uart::take() {
    timed_out_ = false;
    if (count_ == 0) return last_;
    const unsigned room_before = room();
    last_ = fifo_[head_].c;
    head_ = (head_ + 1) % 16;
    count_--;
    seen_errors_ = 0;
    restart_timeout();
    update();
    tell_room(room_before);
    return last_;
}

void Uart::tell_room(unsigned before) {
    if (room_line_ && room() > before) room_line_->set(true);
}

// "The most recent serial character received / CPU read of the FIFO was longer than 4 continuous character times ago".
void Uart::restart_timeout() {
    if (fifos() && count_ > 0)
        timeout_.set(clock_.now() + 4 * character_ns());
    else
        timeout_.cancel();
}

void Uart::alarm() {
    timed_out_ = true;
    update();
}

void Uart::clear_receiver() {
    count_ = head_ = seen_errors_ = 0;
    timed_out_ = false;
    timeout_.cancel();
}

u8 Uart::line_status() const {
    u8 value = static_cast<u8>(thre.mask() | temt.mask() | lost_);
    if (count_) {
        value = static_cast<u8>(value | data_ready.mask() | (fifo_[head_].errors & ~seen_errors_));
        if (fifos())
            for (unsigned i = 0; i < count_; i++)
                if (fifo_[(head_ + i) % 16].errors) value = static_cast<u8>(value | fifo_error.mask());
    }
    return value;
}

// CTS, DSR, RI, DCD in bits 4-7: outside a terminal is always ready, in loopback they are our own outputs.
u8 Uart::modem_inputs() const {
    if (!loopback()) return 0xb0;
    return static_cast<u8>(rts.of(mcr_) << 4 | dtr.of(mcr_) << 5 | out1.of(mcr_) << 6 | out2.of(mcr_) << 7);
}

void Uart::modem_changed(u8 before) {
    const u8 now = modem_inputs();
    u8 changed = (before ^ now) >> 4 & 0x0b;
    if (before & ~now & 0x40) changed |= 0x04;  // the ring indicator reports its trailing edge
    modem_deltas_ |= changed;
}

Uart::Cause Uart::cause() const {
    if (status_enable.of(ier_) && (line_status() & line_errors)) return Cause::Status;
    if (rx_enable.of(ier_) && count_ >= trigger()) return Cause::Received;
    if (rx_enable.of(ier_) && timed_out_) return Cause::Timeout;
    if (tx_enable.of(ier_) && tx_pending_) return Cause::Transmitter;
    if (modem_enable.of(ier_) && modem_deltas_) return Cause::Modem;
    return Cause::None;
}

// On a PC, OUT2 connects the interrupt line to the bus; in loopback it is inactive outside.
void Uart::update() { irq_.set(out2.of(mcr_) && !loopback() && cause() != Cause::None); }

void Uart::transmit(u8 c) {
    tx_pending_ = false;  // writing takes the transmitter interrupt away; the line falls, so that an edge follows
    update();
    if (loopback())
        queue(c & static_cast<u8>(mask(5 + (lcr_ & 3))), 0);
    else
        out_.put(c);
    tx_pending_ = true;
    update();
}

void Uart::write_ier(u8 value) {
    // The transmitter is empty: enabling its interrupt raises it at once, which Linux's probes count on.
    if (tx_enable.of(value) && !tx_enable.of(ier_)) tx_pending_ = true;
    ier_ = value & 0x0f;
    update();
}

void Uart::write_fcr(u8 value) {
    const unsigned room_before = room();
    if (fifo_enable.of(value) != fifos() || (fifo_enable.of(value) && clear_rx.of(value))) clear_receiver();
    if (fifo_enable.of(value) && clear_tx.of(value)) tx_pending_ = true;
    fcr_ = fifo_enable.of(value) ? value & 0xc9 : 0;
    update();
    tell_room(room_before);
}

void Uart::write_mcr(u8 value) {
    const u8 before = modem_inputs();
    const unsigned room_before = room();
    mcr_ = value & 0x1f;
    modem_changed(before);
    update();
    tell_room(room_before);
}

u8 Uart::read8(u16 offset) {
    const bool latch = divisor_latch.of(lcr_);
    switch (offset) {
        case Data: return latch ? static_cast<u8>(divisor_) : take();
        case Ier: return latch ? static_cast<u8>(divisor_ >> 8) : ier_;
        case Iir: {
            const Cause now = cause();
            if (now == Cause::Transmitter) {
                tx_pending_ = false;
                update();
            }
            return static_cast<u8>(static_cast<u8>(now) | (fifos() ? 0xc0 : 0));
        }
        case Lcr: return lcr_;
        case Mcr: return mcr_;
        case Lsr: {
            const u8 value = line_status();
            lost_ = 0;
            if (count_) seen_errors_ = fifo_[head_].errors;
            update();
            return value;
        }
        case Msr: {
            const u8 value = modem_inputs() | modem_deltas_;
            modem_deltas_ = 0;
            update();
            return value;
        }
        case Scr: return scr_;
        default: return 0xff;
    }
}

void Uart::write8(u16 offset, u8 value) {
    const bool latch = divisor_latch.of(lcr_);
    switch (offset) {
        case Data:
            if (latch)
                divisor_ = static_cast<u16>((divisor_ & 0xff00) | value);
            else
                transmit(value);
            break;
        case Ier:
            if (latch)
                divisor_ = static_cast<u16>((divisor_ & 0x00ff) | value << 8);
            else
                write_ier(value);
            break;
        case Iir: write_fcr(value); break;
        case Lcr:
            if (loopback() && send_break.of(value) && !send_break.of(lcr_))
                queue(0, static_cast<u8>(break_interrupt.mask()));
            lcr_ = value;
            break;
        case Mcr: write_mcr(value); break;
        case Scr: scr_ = value; break;
        default: break;  // LSR and MSR are not written
    }
}

}  // namespace bmbt
