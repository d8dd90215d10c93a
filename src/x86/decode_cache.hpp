// The last instructions that were decoded, by their bytes: what C++ runs, it runs again and again. An instruction's
// bytes and the mode say all about it, so nothing makes an entry stale.
#pragma once
#include <cstring>

#include "x86/insn.hpp"

namespace bmbt::x86 {

class DecodeCache {
 public:
    // As x86::decode(). `place` is anything that tells instructions apart, their address for one.
    DecodeError decode(const u8* bytes, usize size, CodeSize mode, u64 place, Insn& out) {
        Entry& e = entries_[place % entries];
        if (e.insn.length && e.insn.length <= size && e.mode == mode && !std::memcmp(e.bytes, bytes, e.insn.length)) {
            out = e.insn;
            return DecodeError::None;
        }
        const DecodeError error = x86::decode(bytes, size, mode, out);
        if (error == DecodeError::None) {
            e.insn = out, e.mode = mode;
            std::memcpy(e.bytes, bytes, out.length);
        }
        return error;
    }

 private:
    static constexpr usize entries = 512;
    struct Entry {
        Insn insn;  // length 0: none
        CodeSize mode = CodeSize::Bits16;
        u8 bytes[15] = {};
    };
    Entry entries_[entries];
};

}  // namespace bmbt::x86
