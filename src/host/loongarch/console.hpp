// The console: polled output on a 16550, and our own lines on it, which begin with "bmbt: ".
#pragma once
#include <initializer_list>
#include <string_view>

#include "host/line.hpp"
#include "host/loongarch/format.hpp"

namespace bmbt::host {

class Console final : public CharSink {
 public:
    // `base` is physical; registers lie 1 << shift bytes apart. Nothing is written before this.
    void open(u64 base, unsigned shift);
    bool is_open() const { return base_ != 0; }
    u64 base() const { return base_; }
    unsigned shift() const { return shift_; }

    void put(u8 c) override;                  // as it is: the guest's output
    void write(std::string_view text);        // as it is
    void write_lines(std::string_view text);  // with a carriage return before each newline

    // True if the last character written was a newline or none was: a line of ours can start here.
    bool at_line_start() const { return at_line_start_; }

 private:
    template <class Device>
    void send(const Device&, u8 c);

    u64 base_ = 0;
    unsigned shift_ = 0;
    unsigned room_ = 0;  // bytes that the transmit FIFO surely has free
    bool at_line_start_ = true;
};

extern Console console;

// print("{} of {:x}\n", n, m)
void print_args(std::string_view text, std::initializer_list<FormatArg> args);
template <class... Args>
void print(std::string_view text, const Args&... args) {
    print_args(text, {FormatArg(args)...});
}

// One line of ours: "bmbt: " before it, on a line of its own, a newline behind.
void say_args(std::string_view text, std::initializer_list<FormatArg> args);
template <class... Args>
void say(std::string_view text, const Args&... args) {
    say_args(text, {FormatArg(args)...});
}

}  // namespace bmbt::host
