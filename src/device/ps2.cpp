#include "device/ps2.hpp"

namespace bmbt {

void Ps2Keyboard::command(u8 c) {
    if (awaiting_) {
        const u8 command = awaiting_;
        awaiting_ = 0;
        if (c < 0xed) {  // a parameter; otherwise a new command takes its place
            output.push(acknowledge);
            if (command == 0xf0) {
                if (c == 0)
                    output.push(set_);
                else if (c <= 3)
                    set_ = c;
            }
            return;
        }
    }
    switch (c) {
        case 0xed:  // LEDs
        case 0xf0:  // scan code set
        case 0xf3:  // typematic rate
        case 0xfb:  // key type of one key, for set 3
        case 0xfc:
        case 0xfd:
            awaiting_ = c;
            output.push(acknowledge);
            break;
        case 0xee: output.push(0xee); break;  // echo
        case 0xf2:                            // identify
            output.push(acknowledge);
            output.push(0xab);
            output.push(0x83);
            break;
        case 0xf4:
            output.clear();
            scanning_ = true;
            output.push(acknowledge);
            break;
        case 0xf5:
        case 0xf6:
            output.clear();
            scanning_ = c == 0xf6;
            set_ = 2;
            output.push(acknowledge);
            break;
        case 0xf7:  // all keys typematic, make/break, make only
        case 0xf8:
        case 0xf9:
        case 0xfa: output.push(acknowledge); break;
        case 0xff:
            output.clear();
            scanning_ = true;
            set_ = 2;
            output.push(acknowledge);
            output.push(self_test_passed);
            break;
        default: output.push(resend);
    }
}

bool Ps2Keyboard::key(u8 scan_code) {
    if (!scanning_ || output.room() < 4) return false;  // answers to commands keep some space
    output.push(scan_code);
    return true;
}

void Ps2Mouse::defaults() {
    rate_ = 100;
    resolution_ = 2;
    reporting_ = scaling_ = remote_ = false;
}

void Ps2Mouse::command(u8 c) {
    if (wrap_ && c != 0xff && c != 0xec) {
        output.push(c);
        return;
    }
    if (awaiting_) {
        (awaiting_ == 0xf3 ? rate_ : resolution_) = c;
        awaiting_ = 0;
        output.push(acknowledge);
        return;
    }
    if (c < 0xe6 || (c > 0xf6 && c != 0xff) || c == 0xf1 || c == 0xef || c == 0xed) {
        output.push(resend);
        return;
    }
    output.push(acknowledge);
    switch (c) {
        case 0xe6: scaling_ = false; break;
        case 0xe7: scaling_ = true; break;
        case 0xe8:
        case 0xf3: awaiting_ = c; break;
        case 0xe9:
            output.push(static_cast<u8>(remote_ << 6 | reporting_ << 5 | scaling_ << 4));
            output.push(resolution_);
            output.push(rate_);
            break;
        case 0xea: remote_ = false; break;
        case 0xeb:  // a report: nothing pressed, nothing moved
            output.push(0x08);
            output.push(0);
            output.push(0);
            break;
        case 0xec: wrap_ = false; break;
        case 0xee: wrap_ = true; break;
        case 0xf0: remote_ = true; break;
        case 0xf2: output.push(0); break;  // identify: a standard mouse
        case 0xf4: reporting_ = true; break;
        case 0xf5: reporting_ = false; break;
        case 0xf6: defaults(); break;
        default:  // ff
            defaults();
            wrap_ = false;
            output.push(self_test_passed);
            output.push(0);
    }
}

}  // namespace bmbt
