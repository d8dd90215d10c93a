// Plain text to a character sink: what reports, traces and counters are written with.
#pragma once
#include <string_view>

#include "host/line.hpp"

namespace bmbt {

class Text {
 public:
    explicit Text(CharSink& to) : to_(to) {}

    Text& put(std::string_view s) {
        for (char c : s) to_.put(static_cast<u8>(c));
        return *this;
    }
    // Decimal.
    Text& dec(u64 n) {
        char digits[20];
        unsigned i = sizeof digits;
        do digits[--i] = static_cast<char>('0' + n % 10);
        while (n /= 10);
        return put({digits + i, sizeof digits - i});
    }
    // Hexadecimal without 0x, at least `least` digits.
    Text& hex(u64 n, unsigned least = 1) {
        char digits[16];
        unsigned i = sizeof digits;
        while (i > 0 && (n || sizeof digits - i < least)) {
            digits[--i] = "0123456789abcdef"[n & 15];
            n >>= 4;
        }
        return put({digits + i, sizeof digits - i});
    }
    Text& line() { return put("\r\n"); }

 private:
    CharSink& to_;
};

}  // namespace bmbt
