#include "gdb/console.hpp"

namespace bmbt::gdb {

Console& Console::text(std::string_view s) {
    for (char c : s) {
        const u8 byte[] = {static_cast<u8>(c)};
        if (out_.room() < 4) out_.send(), out_.begin().text("O");
        out_.hex_bytes(byte);
    }
    column_ += static_cast<unsigned>(s.size());
    return *this;
}

Console& Console::hex(u64 n, unsigned digits) {
    char d[16];
    unsigned size = 0;
    do d[15 - size++] = "0123456789abcdef"[n & 15];
    while (n >>= 4);
    while (size < digits && size < 16) d[15 - size++] = '0';
    return text({d + 16 - size, size});
}

Console& Console::number(u64 n) {
    char d[20];
    unsigned size = 0;
    do d[19 - size++] = static_cast<char>('0' + n % 10);
    while (n /= 10);
    return text({d + 20 - size, size});
}

Console& Console::pad(unsigned column) {
    while (column_ < column) text(" ");
    return *this;
}

Console& Console::end_line() {
    text("\n");
    out_.send();
    out_.begin().text("O");
    column_ = 0;
    return *this;
}

std::string_view Words::next() {
    auto blank = [](char c) { return c == ' ' || c == '\t' || c == '\n'; };
    while (!rest_.empty() && blank(rest_.front())) rest_.remove_prefix(1);
    usize end = 0;
    while (end < rest_.size() && !blank(rest_[end])) end++;
    std::string_view word = rest_.substr(0, end);
    rest_.remove_prefix(end);
    return word;
}

bool Words::at_end() {
    Words rest = *this;
    return rest.next().empty();
}

bool Words::hex(u64& value) {
    std::string_view word = next();
    if (word.starts_with("0x") || word.starts_with("0X")) word.remove_prefix(2);
    Fields f(word);
    u64 n = f.hex();
    if (!f.good() || !f.at_end()) return false;
    return value = n, true;
}

bool Words::number(u64& value) {
    Words hexadecimal = *this;
    std::string_view word = next();
    if (word.starts_with("0x") || word.starts_with("0X")) return hexadecimal.hex(value);
    u64 n = 0;
    if (word.empty() || word.size() > 18) return false;
    for (char c : word) {
        if (c < '0' || c > '9') return false;
        n = n * 10 + static_cast<u64>(c - '0');
    }
    return value = n, true;
}

}  // namespace bmbt::gdb
