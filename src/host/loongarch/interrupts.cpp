#include "host/loongarch/interrupts.hpp"

#include "host/loongarch/direct.hpp"
#include "host/loongarch/uart.hpp"

extern "C" void host_idle();

namespace bmbt::host {

namespace {

// Loongson 3A5000 Processor Reference Manual, "Extended I/O Interrupts": I/O CSRs, counted from the node type table's
// block at 1400h.
constexpr u64 other_function = 0x420;  // an I/O CSR of the chip
constexpr Bit extended_interrupts{48};
namespace eiointc {
constexpr u64 node_type = 0xa0, ip_map = 0xc0, enable = 0x200, bounce = 0x280, pending = 0x400, core_map = 0x800;
constexpr u32 vectors = 256;
}  // namespace eiointc

// Loongson 7A1000 Bridge User Manual, "Interrupt Controller".
namespace pch_pic {
constexpr u64 mask = 0x20, to_ht = 0x40, edge = 0x60, clear = 0x80, automatic0 = 0xc0, automatic1 = 0xe0, route = 0x100,
              vector = 0x200, polarity = 0x3e0;
constexpr u32 lines = 64;
}  // namespace pch_pic

constexpr unsigned timer_line = 11;  // ESTAT.IS, ECFG.LIE

}  // namespace

void Interrupts::write_pic(u64 offset, u64 value) {
    Uncached io;
    io.write<u32>(info_.pch_pic + offset, static_cast<u32>(value));
    io.write<u32>(info_.pch_pic + offset + 4, static_cast<u32>(value >> 32));
}

Interrupts::Interrupts(const HostInfo& info) : info_(info.interrupts), uart_(info.console) {
    u64 base = info_.eiointc;
    iocsr_write64(other_function, iocsr_read64(other_function) | extended_interrupts());
    for (u32 i = 0; i < 16; i += 2) iocsr_write32(base + eiointc::node_type + i * 2, (i + 1) << 16 | i);
    u32 pin = 1u << (info_.cpu_line - 2);  // hardware interrupt 0 is ESTAT.IS[2]
    for (u32 i = 0; i < eiointc::vectors / 32; i += 4)
        iocsr_write32(base + eiointc::ip_map + i, pin << 24 | pin << 16 | pin << 8 | pin);
    for (u32 i = 0; i < eiointc::vectors; i += 4) iocsr_write32(base + eiointc::core_map + i, 0x0101'0101);  // core 0
    for (u32 i = 0; i < eiointc::vectors / 8; i += 4) {
        iocsr_write32(base + eiointc::bounce + i, 0);
        iocsr_write32(base + eiointc::pending + i, ~u32{0});
        iocsr_write32(base + eiointc::enable + i, ~u32{0});
    }

    write_pic(pch_pic::mask, masked_);
    write_pic(pch_pic::edge, 0);
    write_pic(pch_pic::polarity, 0);
    write_pic(pch_pic::automatic0, 0);
    write_pic(pch_pic::automatic1, 0);
    write_pic(pch_pic::to_ht, ~u64{0});
    write_pic(pch_pic::clear, ~u64{0});
    {
        Uncached io;
        for (u32 line = 0; line < pch_pic::lines; line++) {
            io.write<u8>(info_.pch_pic + pch_pic::route + line, 1);
            io.write<u8>(info_.pch_pic + pch_pic::vector + line, static_cast<u8>(info_.pch_pic_vector + line));
        }
        io.write<u8>(uart_.base + (uart::mcr << uart_.shift), uart::dtr_rts_out2);
        io.write<u8>(uart_.base + (uart::ier << uart_.shift), uart::ier_received);
    }
    enable_line(uart_.line, true);
    csr_write<CSR_ECFG>(u64{1} << timer_line | u64{1} << info_.cpu_line);
}

void Interrupts::enable_line(u32 line, bool on) {
    masked_ = Bit{static_cast<u8>(line)}.put(masked_, !on);
    write_pic(pch_pic::mask, masked_);
}

void Interrupts::wake_on(u32 line) {
    wake_ |= Bit{static_cast<u8>(line)}();
    if (bit(masked_, line)) enable_line(line, true);
}

PendingHost Interrupts::take() {
    PendingHost p;
    u64 pending = csr_read<CSR_ESTAT>();
    if (bit(pending, timer_line)) {
        csr_write<CSR_TICLR>(1);
        p.timer = true;
    }
    if (!bit(pending, info_.cpu_line)) return p;
    std::array<u64, eiointc::vectors / 64> vectors;
    for (u32 i = 0; i < vectors.size(); i++) {
        u64 at = info_.eiointc + eiointc::pending + i * 8;
        vectors[i] = iocsr_read64(at);
        if (vectors[i]) iocsr_write64(at, vectors[i]);  // before the device is served, so that what comes then is seen
    }
    // The lines are 64 vectors in a row.
    u32 word = info_.pch_pic_vector / 64, shift = info_.pch_pic_vector % 64;
    u64 lines = word < vectors.size() ? vectors[word] >> shift : 0;
    if (shift && word + 1 < vectors.size()) lines |= vectors[word + 1] << (64 - shift);
    if (word < vectors.size()) vectors[word] &= ~(lines << shift);
    if (shift && word + 1 < vectors.size()) vectors[word + 1] &= ~(lines >> (64 - shift));
    lines &= ~masked_;
    if (bit(lines, uart_.line)) {
        drain_uart();
        p.uart = head_ != tail_;
        lines &= ~(u64{1} << uart_.line);
    }
    if (u64 woke = lines & wake_) {
        masked_ |= woke;
        write_pic(pch_pic::mask, masked_);
        lines &= ~woke;
    }
    p.lines = lines;
    p.msi = vectors;
    return p;
}

void Interrupts::drain_uart() {
    Uncached io;
    while (io.read<u8>(uart_.base + (uart::lsr << uart_.shift)) & uart::data_ready) {
        u8 c = io.read<u8>(uart_.base + (uart::rbr << uart_.shift));
        if (head_ - tail_ < ring_.size()) ring_[head_++ % ring_.size()] = c;
    }
}

int Interrupts::uart_get() { return head_ == tail_ ? -1 : ring_[tail_++ % ring_.size()]; }

void Interrupts::wait(HostClock& clock, u64 deadline) {
    clock.program_timer(deadline);
    host_idle();
}

}  // namespace bmbt::host
