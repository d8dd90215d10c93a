// A line to a debugger that says what the test has put on it.
#pragma once
#include <deque>
#include <stdexcept>
#include <string>

#include "gdb/byte_stream.hpp"

namespace bmbt::gdb {

class FakeStream final : public ByteStream {
 public:
    int get() override {
        if (in.empty()) return -1;
        u8 c = static_cast<u8>(in.front());
        in.pop_front();
        return c;
    }
    void put(u8 c) override { out += static_cast<char>(c); }
    void wait() override { throw std::runtime_error("nothing more comes"); }

    void comes(const std::string& bytes) { in.insert(in.end(), bytes.begin(), bytes.end()); }
    std::string taken() { return std::exchange(out, {}); }

    std::deque<char> in;
    std::string out;
};

inline std::string packet(const std::string& data) {
    u8 sum = 0;
    for (char c : data) sum += static_cast<u8>(c);
    char check[3];
    snprintf(check, sizeof check, "%02x", sum);
    return "$" + data + "#" + check;
}

}  // namespace bmbt::gdb
