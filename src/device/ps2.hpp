// What hangs on a PC's PS/2 connectors: a keyboard and a mouse that answer their host ("IBM Personal System/2 Hardware
// Interface Technical Reference", Keyboard and Auxiliary Device Controller).
#pragma once
#include <array>

#include "base/types.hpp"

namespace bmbt {

// Bytes on their way from a device to the controller.
class Ps2Queue {
 public:
    bool empty() const { return count_ == 0; }
    unsigned room() const { return capacity - count_; }
    void clear() { count_ = 0; }
    void push(u8 c) {
        if (count_ < capacity) bytes_[(head_ + count_++) % capacity] = c;
    }
    u8 pop() {
        const u8 c = bytes_[head_];
        head_ = (head_ + 1) % capacity;
        count_--;
        return c;
    }

 private:
    static constexpr unsigned capacity = 16;
    std::array<u8, capacity> bytes_{};
    unsigned head_ = 0, count_ = 0;
};

class Ps2Device {
 public:
    virtual void command(u8 c) = 0;  // a byte from the host; the answers are in output afterwards
    Ps2Queue output;

 protected:
    ~Ps2Device() = default;
    static constexpr u8 acknowledge = 0xfa, resend = 0xfe, self_test_passed = 0xaa;
};

// A 101-key keyboard in scan code set 2.
class Ps2Keyboard final : public Ps2Device {
 public:
    void command(u8 c) override;
    // One byte of scan code set 2; false: the keyboard is off or full.
    bool key(u8 scan_code);

 private:
    u8 awaiting_ = 0;  // the command whose parameter comes next
    u8 set_ = 2;
    bool scanning_ = true;
};

// A three-button mouse that nobody moves.
class Ps2Mouse final : public Ps2Device {
 public:
    void command(u8 c) override;

 private:
    void defaults();
    u8 awaiting_ = 0;
    u8 rate_ = 100, resolution_ = 2;
    bool reporting_ = false, scaling_ = false, remote_ = false, wrap_ = false;
};

}  // namespace bmbt
