// Where the exit code of a test kernel goes: a byte on the machine's last serial port, whose other end is a file of the
// launcher's.
#pragma once
#include "host/line.hpp"
#include "host/loongarch/direct.hpp"
#include "host/loongarch/host_info.hpp"
#include "host/loongarch/uart.hpp"

namespace bmbt {

class StatusLine final : public CharSink {
 public:
    explicit StatusLine(const host::UartInfo& uart) : uart_(uart) {}

    // The port with the highest address, besides the console's and the debugger's; base 0: there is none.
    static host::UartInfo find(const host::HostInfo& info) {
        host::UartInfo best;
        for (const host::UartInfo& u : info.uarts())
            if (u.base != info.console.base && u.base > best.base) best = u;
        return info.uart_count < 3 ? host::UartInfo{} : best;
    }

    void put(u8 c) override { host::Uncached().write<u8>(uart_.base + (u64{host::uart::thr} << uart_.shift), c); }

 private:
    host::UartInfo uart_;
};

}  // namespace bmbt
