// The 16550A serial port ("PC16550D Universal Asynchronous Receiver/Transmitter with FIFOs", National Semiconductor).
// A character leaves the moment it is written; what a program can see of that is a transmitter that is always empty
// again, with one transmitter interrupt for each write.
#pragma once
#include <array>

#include "base/bits.hpp"
#include "device/byte_port.hpp"
#include "host/clock.hpp"

namespace bmbt {

class Uart final : public BytePort, private Alarmed {
 public:
    Uart(Clock& clock, AlarmQueue& alarms, Line& irq, CharSink& out);

    // Characters that receive() takes now without losing one: the sender holds back the rest.
    unsigned room() const { return loopback() ? 0 : capacity() > count_ ? capacity() - count_ : 0; }
    void receive(u8 c);
    // Raised when there is more room than before.
    void watch_room(Line* line) { room_line_ = line; }

 private:
    enum Register : u8 { Data, Ier, Iir, Lcr, Mcr, Lsr, Msr, Scr };
    static constexpr Bit rx_enable{0}, tx_enable{1}, status_enable{2}, modem_enable{3};                   // IER
    static constexpr Bit fifo_enable{0}, clear_rx{1}, clear_tx{2};                                        // FCR
    static constexpr Bit send_break{6}, divisor_latch{7};                                                 // LCR
    static constexpr Bit dtr{0}, rts{1}, out1{2}, out2{3}, loop{4};                                       // MCR
    static constexpr Bit data_ready{0}, overrun{1}, break_interrupt{4}, thre{5}, temt{6}, fifo_error{7};  // LSR
    static constexpr u8 line_errors = 0x1e;
    enum class Cause : u8 {
        Modem = 0x00,
        None = 0x01,
        Transmitter = 0x02,
        Received = 0x04,
        Status = 0x06,
        Timeout = 0x0c
    };

    u8 read8(u16 offset) override;
    void write8(u16 offset, u8 value) override;
    void alarm() override;

    bool loopback() const { return loop.of(mcr_); }
    bool fifos() const { return fifo_enable.of(fcr_); }
    unsigned capacity() const { return fifos() ? 16 : 1; }
    unsigned trigger() const;
    u64 character_ns() const;
    u8 take();
    void tell_room(unsigned before);
    void queue(u8 c, u8 errors);
    void clear_receiver();
    void transmit(u8 c);
    void write_ier(u8 value);
    void write_fcr(u8 value);
    void write_mcr(u8 value);
    u8 line_status() const;
    u8 modem_inputs() const;
    void modem_changed(u8 before);
    Cause cause() const;
    void update();
    void restart_timeout();

    struct Entry {
        u8 c, errors;
    };
    Clock& clock_;
    Alarm timeout_;
    Line& irq_;
    CharSink& out_;
    Line* room_line_ = nullptr;
    std::array<Entry, 16> fifo_{};
    u8 head_ = 0, count_ = 0;
    u8 last_ = 0;  // what the receive buffer shows when it is empty
    u8 ier_ = 0, fcr_ = 0, lcr_ = 0, mcr_ = 0, scr_ = 0;
    u8 lost_ = 0;         // overrun, until the line status is read
    u8 seen_errors_ = 0;  // errors of the first character already read from the line status
    u8 modem_deltas_ = 0;
    u16 divisor_ = 12;  // 9600 baud
    bool tx_pending_ = false, timed_out_ = false;
};

}  // namespace bmbt
