#include "image/debug_line.hpp"

#include "host/loongarch/direct.hpp"
#include "host/loongarch/uart.hpp"

namespace bmbt {

namespace uart = host::uart;

host::UartInfo DebugLine::find(const host::HostInfo& info) {
    host::UartInfo best;
    for (const host::UartInfo& u : info.uarts())
        if (u.base != info.console.base && (!best.base || u.base < best.base)) best = u;
    return best;
}

DebugLine::DebugLine(const host::UartInfo& uart, host::Interrupts& interrupts, host::HostClock& clock)
    : uart_(uart), interrupts_(interrupts), clock_(clock) {
    {
        host::Uncached io;
        io.write<u8>(at(uart::fcr), uart::fifo_enable);
        io.write<u8>(at(uart::mcr), uart::dtr_rts_out2);
        io.write<u8>(at(uart::ier), uart::ier_received);
    }
    interrupts_.wake_on(uart_.line);
}

int DebugLine::get() {
    {
        host::Uncached io;
        if (io.read<u8>(at(uart::lsr)) & uart::data_ready) return io.read<u8>(at(uart::rbr));
    }
    interrupts_.wake_on(uart_.line);
    return -1;
}

void DebugLine::put(u8 c) {
    host::Uncached io;
    if (!room_) {
        while (!(io.read<u8>(at(uart::lsr)) & uart::transmit_empty)) {
        }
        room_ = uart::fifo_size;
    }
    io.write<u8>(at(uart::thr), c);
    room_--;
}

void DebugLine::wait() {
    constexpr u64 a_while = 100'000'000;
    interrupts_.wait(clock_, clock_.now() + a_while);
    interrupts_.take();
}

}  // namespace bmbt
