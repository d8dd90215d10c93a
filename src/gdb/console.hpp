// What a monitor command prints, line by line, on the debugger's console. Source: "Debugging with GDB", appendix "GDB Remote
// Serial Protocol", "General Query Packets", qRcmd.
#pragma once
#include "gdb/packet.hpp"

namespace bmbt::gdb {

class Console {
 public:
    explicit Console(PacketWriter& out) : out_(out) { out_.begin().text("O"); }

    Console& text(std::string_view s);
    Console& hex(u64 n, unsigned digits = 0);  // at least so many digits
    Console& number(u64 n);
    Console& end_line();
    // Column by column: blanks up to so many characters of the line.
    Console& pad(unsigned column);

 private:
    PacketWriter& out_;
    unsigned column_ = 0;
};

// Takes a command's words apart.
class Words {
 public:
    explicit Words(std::string_view text) : rest_(text) {}
    std::string_view next();  // empty: there are no more
    // A number in hexadecimal, with or without 0x; decimal: in decimal, or with 0x.
    bool hex(u64& value);
    bool number(u64& value);
    bool at_end();

 private:
    std::string_view rest_;
};

}  // namespace bmbt::gdb
