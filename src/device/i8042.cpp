#include "device/i8042.hpp"

namespace bmbt {

namespace {

// Scan code set 2 to set 1, as the controller's ROM has it; codes from 85h on stay.
constexpr std::array<u8, 0x85> set1 = {
    0xff, 0x43, 0x41, 0x3f, 0x3d, 0x3b, 0x3c, 0x58, 0x64, 0x44, 0x42, 0x40, 0x3e, 0x0f, 0x29, 0x59, 0x65, 0x38, 0x2a,
    0x70, 0x1d, 0x10, 0x02, 0x5a, 0x66, 0x71, 0x2c, 0x1f, 0x1e, 0x11, 0x03, 0x5b, 0x67, 0x2e, 0x2d, 0x20, 0x12, 0x05,
    0x04, 0x5c, 0x68, 0x39, 0x2f, 0x21, 0x14, 0x13, 0x06, 0x5d, 0x69, 0x31, 0x30, 0x23, 0x22, 0x15, 0x07, 0x5e, 0x6a,
    0x72, 0x32, 0x24, 0x16, 0x08, 0x09, 0x5f, 0x6b, 0x33, 0x25, 0x17, 0x18, 0x0b, 0x0a, 0x60, 0x6c, 0x34, 0x35, 0x26,
    0x27, 0x19, 0x0c, 0x61, 0x6d, 0x73, 0x28, 0x74, 0x1a, 0x0d, 0x62, 0x6e, 0x3a, 0x36, 0x1c, 0x1b, 0x75, 0x2b, 0x63,
    0x76, 0x55, 0x56, 0x77, 0x78, 0x79, 0x7a, 0x0e, 0x7b, 0x7c, 0x4f, 0x7d, 0x4b, 0x47, 0x7e, 0x7f, 0x6f, 0x52, 0x53,
    0x50, 0x4c, 0x4d, 0x48, 0x01, 0x45, 0x57, 0x4e, 0x51, 0x4a, 0x37, 0x49, 0x46, 0x54, 0x80, 0x81, 0x82, 0x41, 0x54,
};

}  // namespace

u8 I8042::translated(u8 code) {
    if (!translate.of(command_byte())) return code;
    const u8 one = code < set1.size() ? set1[code] : code;
    const bool release = break_prefix_;
    break_prefix_ = false;
    return static_cast<u8>(release ? one | 0x80 : one);
}

bool I8042::key(u8 scan_code) {
    if (!keyboard_.key(scan_code)) return false;
    fetch();
    return true;
}

void I8042::put(u8 value, bool from_aux) {
    buffer_ = value;
    full_ = true;
    from_aux_ = from_aux;
    drive();
}

void I8042::fetch() {
    while (!full_) {
        if (!replies_.empty()) {
            put(replies_.pop(), false);
        } else if (!keyboard_.output.empty() && !kbd_off.of(command_byte())) {
            const u8 code = keyboard_.output.pop();
            if (code == 0xf0 && translate.of(command_byte()))
                break_prefix_ = true;
            else
                put(translated(code), false);
        } else if (!mouse_.output.empty() && !aux_off.of(command_byte())) {
            put(mouse_.output.pop(), true);
        } else {
            return;
        }
    }
}

void I8042::drive() {
    irq1_.set(full_ && !from_aux_ && irq1_on.of(command_byte()));
    irq12_.set(full_ && from_aux_ && irq12_on.of(command_byte()));
}

u8 I8042::read8(u16 offset) {
    if (offset == 4)
        return static_cast<u8>(obf(full_) | system(system_flag.of(command_byte())) | was_command(last_was_command_) |
                               unlocked() | aux_data(full_ && from_aux_));
    if (offset != 0) return 0xff;
    full_ = false;
    drive();  // the line falls between two bytes
    const u8 value = buffer_;
    fetch();
    return value;
}

void I8042::write8(u16 offset, u8 value) {
    if (offset != 0 && offset != 4) return;
    last_was_command_ = offset == 4;
    if (offset == 4) {
        awaiting_ = 0;
        command(value);
    } else if (awaiting_) {
        const u8 to = awaiting_;
        awaiting_ = 0;
        parameter(to, value);
    } else {
        ram_[0] = static_cast<u8>(kbd_off.put(command_byte(), false));  // writing to the keyboard enables it
        keyboard_.command(value);
    }
    fetch();
    drive();
}

void I8042::command(u8 value) {
    switch (value) {
        case 0xa4: replies_.push(0xf1); break;  // no password
        case 0xa7: ram_[0] = static_cast<u8>(aux_off.put(ram_[0], true)); break;
        case 0xa8: ram_[0] = static_cast<u8>(aux_off.put(ram_[0], false)); break;
        case 0xa9: replies_.push(0x00); break;  // the auxiliary interface is well
        case 0xaa:                              // self test
            full_ = false;
            ram_[0] = static_cast<u8>(system_flag.put(ram_[0], true));
            replies_.clear();
            replies_.push(0x55);
            break;
        case 0xab: replies_.push(0x00); break;  // the keyboard interface is well
        case 0xad: ram_[0] = static_cast<u8>(kbd_off.put(ram_[0], true)); break;
        case 0xae: ram_[0] = static_cast<u8>(kbd_off.put(ram_[0], false)); break;
        case 0xc0: replies_.push(0xa0); break;  // input port: not locked, colour display
        case 0xd0:
            replies_.push(static_cast<u8>(0xc1 | (a20_.open() ? 2 : 0) | (full_ && !from_aux_ ? 0x10 : 0) |
                                          (full_ && from_aux_ ? 0x20 : 0)));
            break;
        case 0xd1:  // output port
        case 0xd2:  // keyboard output buffer
        case 0xd3:  // auxiliary output buffer
        case 0xd4:  // to the auxiliary device
            awaiting_ = value;
            break;
        case 0xdd: a20_.set(false); break;
        case 0xdf: a20_.set(true); break;
        case 0xe0: replies_.push(0x00); break;  // test inputs
        default:
            if (value >= 0x20 && value < 0x40) replies_.push(ram_[value & 0x1f]);
            if (value >= 0x60 && value < 0x80) awaiting_ = value;
            if (value >= 0xf0 && !(value & 1)) init_.set(true);  // pulses output port bits that are 0
    }
}

void I8042::parameter(u8 command, u8 value) {
    switch (command) {
        case 0xd1: output_port(value); break;
        case 0xd2:
            full_ = false;
            drive();
            put(value, false);
            break;
        case 0xd3:
            full_ = false;
            drive();
            put(value, true);
            break;
        case 0xd4:
            ram_[0] = static_cast<u8>(aux_off.put(command_byte(), false));
            mouse_.command(value);
            break;
        default: ram_[command & 0x1f] = value;
    }
}

void I8042::output_port(u8 value) {
    a20_.set(value & 2);
    if (!(value & 1)) init_.set(true);
}

}  // namespace bmbt
