// Which random bytes may be asked: see random_code.hpp.
#include "announced.hpp"
#include "cpu/features.hpp"
#include "random_code.hpp"
#include "zydis.hpp"

namespace bmbt::oracle {
namespace {

using namespace x86;
using x86::CodeSize;

// What CPUID offers and a program's result does not depend on the machine.
bool is_offered(u16 isa_set) {
    switch (isa_set) {
        case ZYDIS_ISA_SET_RDPMC:
        case ZYDIS_ISA_SET_RDTSCP:
        case ZYDIS_ISA_SET_XSAVE:
        case ZYDIS_ISA_SET_INVPCID: return false;
        default: break;
    }
    const Announced a = announced(isa_set);
    switch (a.leaf) {
        case Announced::always: return true;
        case 1: return (a.reg == CpuidRegister::Ecx ? features::leaf1_ecx : features::leaf1_edx) >> a.bit & 1;
        case 7: return a.reg == CpuidRegister::Ebx && features::leaf7_ebx >> a.bit & 1;
        case 0x8000'0001: return (a.reg == CpuidRegister::Ecx ? features::extended_ecx : features::extended_edx) >> a.bit & 1;
        default: return false;
    }
}

bool is_of_this_machine(u16 mnemonic) {
    switch (mnemonic) {
        case ZYDIS_MNEMONIC_CPUID:
        case ZYDIS_MNEMONIC_RDTSC:
        case ZYDIS_MNEMONIC_RDTSCP:
        case ZYDIS_MNEMONIC_RDPMC:
        case ZYDIS_MNEMONIC_SGDT:
        case ZYDIS_MNEMONIC_SIDT:
        case ZYDIS_MNEMONIC_SLDT:
        case ZYDIS_MNEMONIC_STR:
        case ZYDIS_MNEMONIC_SMSW:
        case ZYDIS_MNEMONIC_LAR:  // whose descriptors are Linux's
        case ZYDIS_MNEMONIC_LSL:
        case ZYDIS_MNEMONIC_VERR:
        case ZYDIS_MNEMONIC_VERW:
        case ZYDIS_MNEMONIC_SYSCALL:
        case ZYDIS_MNEMONIC_SYSENTER:
        case ZYDIS_MNEMONIC_SYSEXIT:
        case ZYDIS_MNEMONIC_SYSRET:
        case ZYDIS_MNEMONIC_INT1: return true;
        default: return false;
    }
}

bool loads_far_pointer(u16 mnemonic) {
    return mnemonic == ZYDIS_MNEMONIC_LSS || mnemonic == ZYDIS_MNEMONIC_LFS || mnemonic == ZYDIS_MNEMONIC_LGS ||
           mnemonic == ZYDIS_MNEMONIC_LDS || mnemonic == ZYDIS_MNEMONIC_LES;
}

// Its fields that are undefined are found from the state before, and may be read behind it: it must be alone.
bool stores_an_image(const Insn& i) {
    switch (i.mnemonic) {
        case ZYDIS_MNEMONIC_FNSTENV:
        case ZYDIS_MNEMONIC_FNSAVE:
        case ZYDIS_MNEMONIC_FXSAVE:
        case ZYDIS_MNEMONIC_FXSAVE64: return true;
        case ZYDIS_MNEMONIC_SHLD:
        case ZYDIS_MNEMONIC_SHRD: return i.operand_size == 2 && i.op[0].is(OperandKind::Memory);
        default: return false;
    }
}

bool ends_a_vector(const Insn& i) {
    return i.mnemonic == ZYDIS_MNEMONIC_INT3 || i.mnemonic == ZYDIS_MNEMONIC_INT || i.mnemonic == ZYDIS_MNEMONIC_INTO;
}

bool is_prefix(CodeSize mode, u8 b) {
    bool segment = (b & 0xe7) == 0x26 || b == 0x64 || b == 0x65;
    bool legacy = segment || b == 0x66 || b == 0x67 || b == 0xf0 || b == 0xf2 || b == 0xf3;
    return legacy || (mode == CodeSize::Bits64 && (b & 0xf0) == 0x40);
}

// Opcode behind the prefixes, with 0x100 in the 0F map; -1 if there is none, or not enough room behind it for all that
// may belong to it: which comes first, #UD or the limit of 15 bytes, is not said.
int opcode_of(CodeSize mode, const u8* bytes, usize size, bool& lock, bool& wide) {
    lock = wide = false;
    for (usize n = 0; n < size; n++) {
        u8 b = bytes[n];
        lock |= b == 0xf0;
        wide |= b == 0x66;
        if (is_prefix(mode, b)) continue;
        if (n > 3) return -1;
        if (b != 0x0f) return b;
        return n + 1 < size ? 0x100 | bytes[n + 1] : -1;
    }
    return -1;
}

}  // namespace

bool transfers_far(const Insn& i) {
    bool far_memory = i.opcode_map == 0 && i.opcode == 0xff && ((i.modrm >> 3 & 7) == 3 || (i.modrm >> 3 & 7) == 5);
    bool far_opcode = i.opcode_map == 0 && (i.opcode == 0x9a || i.opcode == 0xea || i.opcode == 0xca ||
                                            i.opcode == 0xcb || i.opcode == 0xcf);
    return far_memory || far_opcode;
}

bool is_relative(const Insn& i) {
    for (unsigned n = 0; n < i.operands; n++)
        if (i.op[n].is(OperandKind::Relative)) return true;
    return false;
}

bool branches_near(const Insn& i) {
    bool memory = i.opcode_map == 0 && i.opcode == 0xff && ((i.modrm >> 3 & 7) == 2 || (i.modrm >> 3 & 7) == 4);
    return is_relative(i) || memory || (i.opcode_map == 0 && (i.opcode == 0xc2 || i.opcode == 0xc3));
}

bool is_for_users(const Insn& i) {
    for (unsigned n = 0; n < i.operands; n++)
        if (i.op[n].is(OperandKind::Segment) || i.op[n].is(OperandKind::Control) || i.op[n].is(OperandKind::Debug))
            return true;
    if (transfers_far(i) || loads_far_pointer(i.mnemonic) || ends_a_vector(i)) return true;
    switch (i.mnemonic) {
        case ZYDIS_MNEMONIC_PUSHF:
        case ZYDIS_MNEMONIC_PUSHFD:
        case ZYDIS_MNEMONIC_PUSHFQ:
        case ZYDIS_MNEMONIC_POPF:
        case ZYDIS_MNEMONIC_POPFD:
        case ZYDIS_MNEMONIC_POPFQ:
        case ZYDIS_MNEMONIC_ARPL:
        case ZYDIS_MNEMONIC_LGDT:
        case ZYDIS_MNEMONIC_LIDT:
        case ZYDIS_MNEMONIC_LLDT:
        case ZYDIS_MNEMONIC_LTR:
        case ZYDIS_MNEMONIC_LMSW:
        case ZYDIS_MNEMONIC_CLTS:
        case ZYDIS_MNEMONIC_INVD:
        case ZYDIS_MNEMONIC_INVLPG:
        case ZYDIS_MNEMONIC_WBINVD:
        case ZYDIS_MNEMONIC_RDMSR:
        case ZYDIS_MNEMONIC_WRMSR:
        case ZYDIS_MNEMONIC_SWAPGS:
        case ZYDIS_MNEMONIC_RDFSBASE:
        case ZYDIS_MNEMONIC_RDGSBASE:
        case ZYDIS_MNEMONIC_WRFSBASE:
        case ZYDIS_MNEMONIC_WRGSBASE:
        case ZYDIS_MNEMONIC_CLI:
        case ZYDIS_MNEMONIC_STI:
        case ZYDIS_MNEMONIC_HLT:
        case ZYDIS_MNEMONIC_IN:
        case ZYDIS_MNEMONIC_OUT:
        case ZYDIS_MNEMONIC_INSB:
        case ZYDIS_MNEMONIC_INSW:
        case ZYDIS_MNEMONIC_INSD:
        case ZYDIS_MNEMONIC_OUTSB:
        case ZYDIS_MNEMONIC_OUTSW:
        case ZYDIS_MNEMONIC_OUTSD: return true;
        default: return false;
    }
}

bool may_be_asked(const Insn& i, CodeSize mode, const u8* bytes, usize size, bool first, bool last) {
    ZydisDecodedInstruction z;
    if (!zydis_decode(mode, bytes, size, z) || !is_offered(static_cast<u16>(z.meta.isa_set))) return false;
    if (is_of_this_machine(i.mnemonic)) return false;
    if (i.mnemonic == ZYDIS_MNEMONIC_INT && (i.imm & 0xff) == 0x80) return false;  // Linux's
    if (stores_an_image(i) && !(first && last)) return false;
    if (i.mnemonic == ZYDIS_MNEMONIC_STMXCSR && !first) return false;  // engines name flags that they do not always set
    if (!last && (transfers_far(i) || ends_a_vector(i))) return false;
    if (!last && branches_near(i) && (!is_relative(i) || i.mnemonic == ZYDIS_MNEMONIC_CALL)) return false;

    // Where Intel's and AMD's manuals differ.
    bool lock, wide, is64 = mode == CodeSize::Bits64;
    opcode_of(mode, bytes, size, lock, wide);
    if (is64 && wide && branches_near(i)) return false;
    if (is64 && z.raw.rex.W && (transfers_far(i) || loads_far_pointer(i.mnemonic))) return false;
    if (i.opcode_map == 1 && i.opcode == 0x0d && i.modrm >= 0xc0) return false;  // PREFETCH of a register
    if (i.opcode_map == 0 && i.opcode == 0x90 && z.raw.rex.B) {                  // XCHG of R8 behind F3: PAUSE
        for (usize n = 0; n < size; n++)
            if (bytes[n] == 0xf3) return false;
    }
    return true;
}

bool is_undefined(CodeSize mode, const u8* bytes, usize size) {
    bool lock, wide;
    int opcode = opcode_of(mode, bytes, size, lock, wide);
    switch (opcode) {
        case -1:
        case 0x62:  // prefixes of extensions that are not offered here
        case 0x8f:
        case 0xc4:
        case 0xc5:
        case 0x101:
        case 0x10f: return false;
        case 0xd5:
            if (mode == CodeSize::Bits64) return false;
            break;
        case 0x120:  // with LOCK, another name of CR8 on AMD's
        case 0x122:
            if (lock) return false;
            break;
        default: break;
    }
    ZydisDecodedInstruction z;
    return !zydis_decode(mode, bytes, size, z);
}

bool is_too_long(CodeSize mode, const u8* bytes, usize size) {
    usize prefixes = 0;
    while (prefixes < size && is_prefix(mode, bytes[prefixes])) prefixes++;
    usize left = prefixes < 3 ? prefixes : 3;
    Insn i;
    return prefixes >= 15 || x86::decode(bytes + prefixes - left, size - prefixes + left, mode, i) == DecodeError::None;
}

bool faults_in_its_own_order(const Insn& i, CodeSize mode, x86::Vector vector) {
    // A target outside of what a pointer may be, or a stack, is found out before or after the transfer.
    if (transfers_far(i)) return vector == x86::Vector::Pf || vector == x86::Vector::Ss;
    if (i.mnemonic == ZYDIS_MNEMONIC_CALL) return true;
    if (branches_near(i) && mode == CodeSize::Bits64) return vector != x86::Vector::Pf;
    switch (i.mnemonic) {
        case ZYDIS_MNEMONIC_CMPSB:
        case ZYDIS_MNEMONIC_CMPSW:
        case ZYDIS_MNEMONIC_CMPSD: return i.opcode_map == 0;
        case ZYDIS_MNEMONIC_CMPSQ:
        case ZYDIS_MNEMONIC_ENTER:
        case ZYDIS_MNEMONIC_PUSHA:
        case ZYDIS_MNEMONIC_PUSHAD:
        case ZYDIS_MNEMONIC_POPA:
        case ZYDIS_MNEMONIC_POPAD:
        case ZYDIS_MNEMONIC_MASKMOVQ:
        case ZYDIS_MNEMONIC_MASKMOVDQU:
        case ZYDIS_MNEMONIC_FNSTENV:
        case ZYDIS_MNEMONIC_FNSAVE:
        case ZYDIS_MNEMONIC_FLDENV:
        case ZYDIS_MNEMONIC_FRSTOR:
        case ZYDIS_MNEMONIC_FXSAVE:
        case ZYDIS_MNEMONIC_FXSAVE64:
        case ZYDIS_MNEMONIC_FXRSTOR:
        case ZYDIS_MNEMONIC_FXRSTOR64: return vector != x86::Vector::Mf;
        default: return false;
    }
}

}  // namespace bmbt::oracle
