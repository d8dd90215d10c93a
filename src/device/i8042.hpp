// The keyboard and auxiliary device controller of a PS/2, an 8042 with IBM's program in it ("IBM Personal System/2
// Hardware Interface Technical Reference", Keyboard and Auxiliary Device Controller).
#pragma once
#include <array>

#include "base/bits.hpp"
#include "device/a20.hpp"
#include "device/ps2.hpp"

namespace bmbt {

// Ports 60h (offset 0, data) and 64h (offset 4, status and command).
class I8042 final : public BytePort {
 public:
    I8042(Line& irq1, Line& irq12, A20Gate& a20, Line& init) : irq1_(irq1), irq12_(irq12), a20_(a20), init_(init) {}

    // A byte of scan code set 2 from the host's keyboard; false: it was not taken.
    bool key(u8 scan_code);

 private:
    static constexpr Bit obf{0}, system{2}, was_command{3}, unlocked{4}, aux_data{5};                    // status
    static constexpr Bit irq1_on{0}, irq12_on{1}, system_flag{2}, kbd_off{4}, aux_off{5}, translate{6};  // command byte

    u8 read8(u16 offset) override;
    void write8(u16 offset, u8 value) override;
    void command(u8 value);
    void parameter(u8 command, u8 value);
    void output_port(u8 value);
    void put(u8 value, bool from_aux);  // into the output buffer
    void fetch();                       // the next byte of a device, when the buffer is free
    void drive();
    u8 translated(u8 code);
    u8 command_byte() const { return ram_[0]; }

    Line& irq1_;
    Line& irq12_;
    A20Gate& a20_;
    Line& init_;
    Ps2Keyboard keyboard_;
    Ps2Mouse mouse_;
    Ps2Queue replies_;              // the controller's own, before anything from a device
    std::array<u8, 32> ram_{0x45};  // byte 0 is the command byte: interrupt, system flag, translation
    u8 awaiting_ = 0;               // the controller command whose parameter comes next
    u8 buffer_ = 0;
    bool full_ = false, from_aux_ = false, last_was_command_ = false;
    bool break_prefix_ = false;  // F0h seen: the next code is a release
};

}  // namespace bmbt
