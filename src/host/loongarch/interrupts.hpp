// Interrupts of the host: its timer, and through EIOINTC and PCH-PIC the UART and other lines and MSIs. They are taken
// by C++ when guest code was left because of one; nothing here runs as a handler.
#pragma once
#include <array>

#include "host/loongarch/host_clock.hpp"
#include "host/loongarch/host_info.hpp"

namespace bmbt::host {

struct PendingHost {
    bool timer = false;
    bool uart = false;         // input has come; it waits in Interrupts::uart_get()
    u64 lines = 0;             // PCH-PIC lines that were enabled, besides the UART's
    std::array<u64, 4> msi{};  // EIOINTC vectors that are no line
    bool any() const { return timer || uart || lines || msi[0] || msi[1] || msi[2] || msi[3]; }
};

class Interrupts {
 public:
    // Routes everything to this core; UART input and the timer are enabled, nothing else is.
    explicit Interrupts(const HostInfo&);

    // What has come since the last call, acknowledged. A line that is still up comes again when it is enabled again.
    PendingHost take();

    // Sleeps until an interrupt is pending or `deadline` on the clock has come; then take() says which.
    void wait(HostClock&, u64 deadline);

    // PCH-PIC lines as level-triggered; a line that was taken should be off until its device is quiet.
    void enable_line(u32 line, bool on);

    // Enables the line until it comes, for no more than to end what runs: take() masks it and tells nobody.
    void wake_on(u32 line);

    // The next byte of console input, or -1. When the ring is full, what comes is lost.
    int uart_get();

 private:
    void drain_uart();
    void write_pic(u64 offset, u64 value);

    InterruptInfo info_;
    UartInfo uart_;
    u64 masked_ = ~u64{0};  // PCH-PIC lines
    u64 wake_ = 0;          // lines that only wake
    std::array<u8, 4096> ring_;
    u32 head_ = 0, tail_ = 0;  // bytes ever written and read
};

}  // namespace bmbt::host
