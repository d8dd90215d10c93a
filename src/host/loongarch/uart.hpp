// The 16550's registers, as far as a polled console with interrupt-driven input needs them.
#pragma once
#include "base/types.hpp"

namespace bmbt::host::uart {

// Offsets in registers.
constexpr unsigned rbr = 0, thr = 0, ier = 1, fcr = 2, mcr = 4, lsr = 5;
constexpr u8 ier_received = 1;
constexpr u8 fifo_enable = 1;                        // FCR: FIFOs on, interrupt at one byte
constexpr u8 dtr_rts_out2 = 0x0b;                    // MCR: OUT2 lets interrupts out
constexpr u8 data_ready = 1, transmit_empty = 0x20;  // LSR
constexpr unsigned fifo_size = 16;

}  // namespace bmbt::host::uart
