// Text for the console: "{}" is the next argument, "{:x}" in hexadecimal, "{:016x}" with leading zeros to a width.
#pragma once
#include <concepts>
#include <span>
#include <string_view>
#include <type_traits>

#include "base/types.hpp"

namespace bmbt::host {

struct FormatArg {
    enum Kind : u8 { Unsigned, Signed, Text, Char } kind;
    u64 number = 0;
    std::string_view text{};

    template <std::unsigned_integral T>
    constexpr FormatArg(T v) : kind(Unsigned), number(v) {}
    template <std::signed_integral T>
    constexpr FormatArg(T v) : kind(Signed), number(static_cast<u64>(static_cast<i64>(v))) {}
    template <class T>
        requires std::is_enum_v<T>
    constexpr FormatArg(T v) : FormatArg(static_cast<std::underlying_type_t<T>>(v)) {}
    constexpr FormatArg(bool v) : kind(Unsigned), number(v) {}
    constexpr FormatArg(char c) : kind(Char), number(static_cast<u8>(c)) {}
    constexpr FormatArg(std::string_view s) : kind(Text), text(s) {}
    constexpr FormatArg(const char* s) : kind(Text), text(s ? s : "(null)") {}
    template <class T>
    FormatArg(T* p) : kind(Unsigned), number(reinterpret_cast<u64>(p)) {}
};

// Sink is called with pieces of text (std::string_view). A "{" without its "}" or without an argument is shown as it
// is.
template <class Sink>
void format_to(Sink&& sink, std::string_view text, std::span<const FormatArg> args) {
    auto number = [&](u64 v, bool negative, unsigned base, usize width, char pad) {
        char digits[72];
        usize at = sizeof digits;
        do {
            digits[--at] = "0123456789abcdef"[v % base];
            v /= base;
        } while (v);
        if (negative) digits[--at] = '-';
        while (sizeof digits - at < width && at) digits[--at] = pad;
        sink(std::string_view(digits + at, sizeof digits - at));
    };
    usize next = 0;
    while (!text.empty()) {
        usize open = text.find('{');
        usize close = open == text.npos ? text.npos : text.find('}', open);
        if (close == text.npos || next >= args.size()) return sink(text);
        if (open) sink(text.substr(0, open));
        unsigned base = 10;
        usize width = 0;
        char pad = ' ';
        std::string_view spec = text.substr(open + 1, close - open - 1);
        if (!spec.empty() && spec[0] == ':') spec.remove_prefix(1);
        if (!spec.empty() && spec[0] == '0') pad = '0';
        for (char c : spec) {
            if (c == 'x') base = 16;
            if (c >= '0' && c <= '9' && width < 64) width = width * 10 + static_cast<usize>(c - '0');
        }
        const FormatArg& arg = args[next++];
        if (arg.kind == FormatArg::Text) {
            sink(arg.text);
            for (usize n = arg.text.size(); n < width; n++) sink(" ");
        } else if (arg.kind == FormatArg::Char) {
            char c = static_cast<char>(arg.number);
            sink(std::string_view(&c, 1));
        } else {
            bool negative = arg.kind == FormatArg::Signed && static_cast<i64>(arg.number) < 0 && base == 10;
            number(negative ? 0 - arg.number : arg.number, negative, base, width, pad);
        }
        text.remove_prefix(close + 1);
    }
}

}  // namespace bmbt::host
