#include "host/loongarch/console.hpp"

#include "host/loongarch/direct.hpp"
#include "host/loongarch/uart.hpp"

namespace bmbt::host {

Console console;

void Console::open(u64 base, unsigned shift) {
    base_ = base;
    shift_ = shift;
    room_ = 0;
    Uncached io;
    io.write<u8>(base_ + (uart::ier << shift_), 0);
    io.write<u8>(base_ + (uart::fcr << shift_), uart::fifo_enable);
}

template <class Device>
void Console::send(const Device& io, u8 c) {
    if (!room_) {
        while (!(io.template read<u8>(base_ + (uart::lsr << shift_)) & uart::transmit_empty)) {
        }
        room_ = uart::fifo_size;
    }
    io.template write<u8>(base_ + (uart::thr << shift_), c);
    room_--;
    at_line_start_ = c == '\n';
}

void Console::put(u8 c) {
    if (!base_) return;
    send(Uncached(), c);
}

void Console::write(std::string_view text) {
    if (!base_) return;
    Uncached io;
    for (char c : text) send(io, static_cast<u8>(c));
}

void Console::write_lines(std::string_view text) {
    if (!base_) return;
    Uncached io;
    for (char c : text) {
        if (c == '\n') send(io, '\r');
        send(io, static_cast<u8>(c));
    }
}

void print_args(std::string_view text, std::initializer_list<FormatArg> args) {
    format_to([](std::string_view piece) { console.write_lines(piece); }, text, {args.begin(), args.size()});
}

void say_args(std::string_view text, std::initializer_list<FormatArg> args) {
    console.write_lines(console.at_line_start() ? "bmbt: " : "\nbmbt: ");
    print_args(text, args);
    console.write_lines("\n");
}

}  // namespace bmbt::host
