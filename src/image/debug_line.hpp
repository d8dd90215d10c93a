// The debugger's line: the machine's second serial port. Bytes wait in its FIFO until they are asked for; its interrupt,
// masked as long as some wait, only ends translated code or sleep.
#pragma once
#include "gdb/byte_stream.hpp"
#include "host/loongarch/host_clock.hpp"
#include "host/loongarch/interrupts.hpp"

namespace bmbt {

class DebugLine final : public gdb::ByteStream {
 public:
    DebugLine(const host::UartInfo&, host::Interrupts&, host::HostClock&);

    // The port with the lowest address besides the console's; base 0: there is none.
    static host::UartInfo find(const host::HostInfo&);

    int get() override;
    void put(u8 c) override;
    void wait() override;

 private:
    u64 at(unsigned reg) const { return uart_.base + (u64{reg} << uart_.shift); }

    host::UartInfo uart_;
    host::Interrupts& interrupts_;
    host::HostClock& clock_;
    unsigned room_ = 0;  // bytes that the transmit FIFO surely has free
};

}  // namespace bmbt
