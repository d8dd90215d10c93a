// From an instruction to its C++ function. What is in no table is no instruction of this machine: #UD.
#include "cpu/semantics.hpp"

#include <Zydis/Zydis.h>

#include "cpu/control.hpp"
#include "cpu/integer.hpp"
#include "cpu/media.hpp"
#include "cpu/string.hpp"
#include "cpu/transfer.hpp"

namespace bmbt {

using namespace x86;

namespace {

Guest<> undefined(Vcpu&, const Insn&) { return ud(); }

Semantics transfer_semantics(const Insn& i) {
    switch (i.mnemonic) {
        case ZYDIS_MNEMONIC_JMP:
            if (i.opcode == 0xea || (i.opcode == 0xff && (i.modrm >> 3 & 7) == 5)) return far_jump;
            return near_branch;
        case ZYDIS_MNEMONIC_CALL:
            if (i.opcode == 0x9a || (i.opcode == 0xff && (i.modrm >> 3 & 7) == 3)) return far_call;
            return near_call;
        case ZYDIS_MNEMONIC_RET: return i.opcode & 8 ? far_return : near_return;
        case ZYDIS_MNEMONIC_LOOP:
        case ZYDIS_MNEMONIC_LOOPE:
        case ZYDIS_MNEMONIC_LOOPNE:
        case ZYDIS_MNEMONIC_JCXZ:
        case ZYDIS_MNEMONIC_JECXZ:
        case ZYDIS_MNEMONIC_JRCXZ: return near_branch;
        case ZYDIS_MNEMONIC_INT:
        case ZYDIS_MNEMONIC_INT1:
        case ZYDIS_MNEMONIC_INT3:
        case ZYDIS_MNEMONIC_INTO: return software_interrupt;
        case ZYDIS_MNEMONIC_IRET:
        case ZYDIS_MNEMONIC_IRETD:
        case ZYDIS_MNEMONIC_IRETQ: return iret;
        case ZYDIS_MNEMONIC_SYSCALL: return syscall;
        case ZYDIS_MNEMONIC_SYSRET: return sysret;
        case ZYDIS_MNEMONIC_SYSENTER: return sysenter;
        case ZYDIS_MNEMONIC_SYSEXIT: return sysexit;
        case ZYDIS_MNEMONIC_SWAPGS: return swapgs;
        default: break;
    }
    bool jcc = (i.opcode_map == 0 && (i.opcode & 0xf0) == 0x70) || (i.opcode_map == 1 && (i.opcode & 0xf0) == 0x80);
    return jcc ? near_branch : nullptr;
}

Semantics system_semantics(const Insn& i) {
    switch (i.mnemonic) {
        case ZYDIS_MNEMONIC_MOV:
            if (i.opcode_map != 1) return nullptr;
            return i.opcode & 1 ? mov_debug : mov_control;
        case ZYDIS_MNEMONIC_LAR: return lar;
        case ZYDIS_MNEMONIC_LSL: return lsl;
        case ZYDIS_MNEMONIC_VERR: return verr;
        case ZYDIS_MNEMONIC_VERW: return verw;
        case ZYDIS_MNEMONIC_ARPL: return arpl;
        case ZYDIS_MNEMONIC_SGDT: return sgdt;
        case ZYDIS_MNEMONIC_SIDT: return sidt;
        case ZYDIS_MNEMONIC_LGDT: return lgdt;
        case ZYDIS_MNEMONIC_LIDT: return lidt;
        case ZYDIS_MNEMONIC_SLDT: return sldt;
        case ZYDIS_MNEMONIC_STR: return str;
        case ZYDIS_MNEMONIC_LLDT: return lldt;
        case ZYDIS_MNEMONIC_LTR: return ltr;
        case ZYDIS_MNEMONIC_CLTS: return clts;
        case ZYDIS_MNEMONIC_LMSW: return lmsw;
        case ZYDIS_MNEMONIC_SMSW: return smsw;
        case ZYDIS_MNEMONIC_RDMSR: return rdmsr;
        case ZYDIS_MNEMONIC_WRMSR: return wrmsr;
        case ZYDIS_MNEMONIC_RDTSC: return rdtsc;
        case ZYDIS_MNEMONIC_RDTSCP: return rdtscp;
        case ZYDIS_MNEMONIC_RDPMC: return rdpmc;
        case ZYDIS_MNEMONIC_CPUID: return cpuid_instruction;
        case ZYDIS_MNEMONIC_RDFSBASE:
        case ZYDIS_MNEMONIC_RDGSBASE:
        case ZYDIS_MNEMONIC_WRFSBASE:
        case ZYDIS_MNEMONIC_WRGSBASE: return fs_gs_base;
        case ZYDIS_MNEMONIC_INVLPG: return invlpg;
        case ZYDIS_MNEMONIC_INVPCID: return invpcid;
        case ZYDIS_MNEMONIC_INVD:
        case ZYDIS_MNEMONIC_WBINVD: return cache_flush_all;
        case ZYDIS_MNEMONIC_CLFLUSH: return cache_line;
        case ZYDIS_MNEMONIC_XGETBV: return xgetbv;
        case ZYDIS_MNEMONIC_XSETBV: return xsetbv;
        case ZYDIS_MNEMONIC_HLT: return hlt;
        case ZYDIS_MNEMONIC_CLI: return cli;
        case ZYDIS_MNEMONIC_STI: return sti;
        case ZYDIS_MNEMONIC_PUSHF:
        case ZYDIS_MNEMONIC_PUSHFD:
        case ZYDIS_MNEMONIC_PUSHFQ: return pushf;
        case ZYDIS_MNEMONIC_POPF:
        case ZYDIS_MNEMONIC_POPFD:
        case ZYDIS_MNEMONIC_POPFQ: return popf;
        case ZYDIS_MNEMONIC_IN: return in;
        case ZYDIS_MNEMONIC_OUT: return out;
        default: return nullptr;
    }
}

bool string_opcode(const Insn& i) {
    if (i.opcode_map != 0) return false;
    u8 pair = i.opcode & 0xfe;
    return pair == 0x6c || pair == 0x6e || pair == 0xa4 || pair == 0xa6 || (pair >= 0xaa && pair <= 0xae);
}

}  // namespace

Semantics semantics_of(const Insn& i) {
    if (string_opcode(i)) return string_instruction;
    if (Semantics s = system_semantics(i)) return s;
    if (Semantics s = transfer_semantics(i)) return s;
    if (Semantics s = media_semantics(i)) return s;
    if (Semantics s = arithmetic_semantics(i)) return s;
    if (Semantics s = move_semantics(i)) return s;
    return undefined;
}

}  // namespace bmbt
