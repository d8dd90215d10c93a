// The sixteen conditions of Jcc, SETcc and CMOVcc by the low nibble of the opcode.
#pragma once
#include "cpu/flags.hpp"

namespace bmbt {

inline bool condition_of(u64 flags, unsigned code) {
    using namespace x86::flag;
    bool sign_overflow = !(flags & sf) != !(flags & of);
    bool holds = false;
    switch (code >> 1 & 7) {
        case 0: holds = flags & of; break;
        case 1: holds = flags & cf; break;
        case 2: holds = flags & zf; break;
        case 3: holds = flags & (cf | zf); break;
        case 4: holds = flags & sf; break;
        case 5: holds = flags & pf; break;
        case 6: holds = sign_overflow; break;
        case 7: holds = sign_overflow || flags & zf; break;
    }
    return holds != static_cast<bool>(code & 1);
}
inline bool condition(const Vcpu& v, unsigned code) { return condition_of(evaluate(v.flags), code); }

}  // namespace bmbt
