// What is undefined after a sequence of instructions: each one's own, followed through those behind it.
#include <Zydis/Zydis.h>

#include "oracle/mask.hpp"
#include "record.hpp"

namespace bmbt::oracle {
namespace {

using x86::CodeSize;
using x86::Insn;

ZydisDecodedInstruction decode_with_flags(const Draft& d, usize at) {
    ZydisDecoder decoder;
    ZydisMachineMode mode = d.mode == CodeSize::Bits64   ? ZYDIS_MACHINE_MODE_LONG_64
                            : d.mode == CodeSize::Bits32 ? ZYDIS_MACHINE_MODE_LEGACY_32
                                                         : ZYDIS_MACHINE_MODE_LEGACY_16;
    ZydisDecoderInit(&decoder, mode,
                     d.mode == CodeSize::Bits16   ? ZYDIS_STACK_WIDTH_16
                     : d.mode == CodeSize::Bits32 ? ZYDIS_STACK_WIDTH_32
                                                  : ZYDIS_STACK_WIDTH_64);
    ZydisDecodedInstruction z{};
    ZydisDecoderDecodeInstruction(&decoder, nullptr, &d.code[at], d.code.size() - at, &z);
    return z;
}

// Zydis numbers C0 to C3; the status word has them in bits 8, 9, 10 and 14.
u16 condition_codes(u32 z) { return static_cast<u16>((z & 7) << 8 | (z & 8) << 11); }

bool is_relative_branch(const Insn& i) {
    for (unsigned n = 0; n < i.operands; n++)
        if (i.op[n].is(x86::OperandKind::Relative)) return true;
    return false;
}

// The offset in the data pages of the memory operand, if it is there. `at` is where in the code the instruction begins.
bool operand_place(const Draft& d, const Insn& i, usize at, u32& place) {
    u64 address = static_cast<u64>(i.mem.disp);
    if (i.mem.base < 16) address += d.before.gpr[i.mem.base];
    if (i.mem.base == x86::rip_register) address += d.before.rip + at + i.length;
    if (i.mem.index < 16) address += d.before.gpr[i.mem.index] << i.mem.shift;
    address &= mask(i.address_size * 8u);
    if (d.mode == CodeSize::Bits64) {
        if (i.mem.seg == x86::Fs) address += layout::fs_base64;
        if (i.mem.seg == x86::Gs) address += layout::gs_base64;
    } else if (i.mem.seg == x86::Fs) {
        address += layout::fs_base32;
    } else if (i.mem.seg == x86::Gs || d.mode == CodeSize::Bits16) {
        address += layout::region;
    }
    address -= layout::region + layout::data;
    place = static_cast<u32>(address);
    return address < layout::data_size;
}

void ignore(Draft& d, u32 place, u32 from, u32 to, u8 bits = 0xff) {
    if (place + from >= layout::data_size) return;
    to = std::min(to, layout::data_size - place);
    d.memory_ignore.push_back({static_cast<u16>(place + from), std::vector<u8>(to - from, bits)});
}

// Instructions that reach more memory than one access does.
bool moves_many_bytes(const Insn& i) {
    switch (i.mnemonic) {
        case ZYDIS_MNEMONIC_FNSTENV:
        case ZYDIS_MNEMONIC_FNSAVE:
        case ZYDIS_MNEMONIC_FLDENV:
        case ZYDIS_MNEMONIC_FRSTOR:
        case ZYDIS_MNEMONIC_FXSAVE:
        case ZYDIS_MNEMONIC_FXSAVE64:
        case ZYDIS_MNEMONIC_FXRSTOR:
        case ZYDIS_MNEMONIC_FXRSTOR64: return true;
        default: return false;
    }
}

// A 16-bit double shift by more than 16 stores nothing defined.
void ignore_shifted(Draft& d, const Insn& i, usize at) {
    bool doubles = i.mnemonic == ZYDIS_MNEMONIC_SHLD || i.mnemonic == ZYDIS_MNEMONIC_SHRD;
    if (!doubles || i.op[0].size != 2 || !i.op[0].is(x86::OperandKind::Memory)) return;
    bool by_immediate = i.op[2].is(x86::OperandKind::Immediate);
    u32 place;
    if (by_immediate && (i.imm & 31) <= 16) return;
    if (operand_place(d, i, at, place)) ignore(d, place, 0, 2);
}

// Pointers to the last FPU instruction and reserved fields of the images that FNSTENV, FNSAVE and FXSAVE store.
void ignore_image_fields(Draft& d, const Insn& i, usize at) {
    u32 place;
    if (moves_many_bytes(i)) d.options |= option::any_byte;
    bool environment = i.mnemonic == ZYDIS_MNEMONIC_FNSTENV || i.mnemonic == ZYDIS_MNEMONIC_FNSAVE;
    bool fxsave = i.mnemonic == ZYDIS_MNEMONIC_FXSAVE || i.mnemonic == ZYDIS_MNEMONIC_FXSAVE64;
    if ((!environment && !fxsave) || !operand_place(d, i, at, place)) return;
    if (environment && i.operand_size == 2) return ignore(d, place, 6, 14);
    if (environment) {
        for (u32 field : {2, 6, 10}) ignore(d, place, field, field + 2);
        return ignore(d, place, 12, 28);
    }
    ignore(d, place, 5, 24);
    ignore(d, place, 26, 27, 2);  // MXCSR's AMD bit
    ignore(d, place, 28, 32);
    for (u32 st = 0; st < 8; st++) ignore(d, place, 32 + st * 16 + 10, 32 + st * 16 + 16);
    ignore(d, place, d.mode == CodeSize::Bits64 ? 416 : 288, 464);
}

}  // namespace

bool find_undefined(Draft& d, std::string& why) {
    u64 flags = 0;
    u16 fsw = 0;
    d.memory_ignore.clear();
    for (u64& w : d.ignore) w = 0;
    d.tolerance = Tolerance::Exact;

    bool branched = false;
    const u64 start = d.before.rip;
    for (usize at = 0; at < d.code.size();) {
        Insn insn;
        if (x86::decode(&d.code[at], d.code.size() - at, d.mode, insn) != x86::DecodeError::None || !insn.length) break;
        ZydisDecodedInstruction z = decode_with_flags(d, at);
        if (z.cpu_flags && z.cpu_flags->tested & flags) {
            why = "it reads flags that an instruction before left undefined";
            return false;
        }
        bool stores_status = insn.mnemonic == ZYDIS_MNEMONIC_FNSTSW || insn.mnemonic == ZYDIS_MNEMONIC_FNSTENV ||
                             insn.mnemonic == ZYDIS_MNEMONIC_FNSAVE || insn.mnemonic == ZYDIS_MNEMONIC_FXSAVE ||
                             insn.mnemonic == ZYDIS_MNEMONIC_FXSAVE64;
        if ((stores_status && fsw) || d.tolerance != Tolerance::Exact) {
            why = "it goes on after a result that is not exact";
            return false;
        }
        for (unsigned i = 0; i < 16; i++)
            if (d.ignore[i]) {
                why = "it goes on after a register became undefined";
                return false;
            }

        bool faulted = d.outcome.vector != x86::Vector::Bp && d.after.rip == start + at && !branched;
        Undefined u =
            faulted ? undefined_by_faulting(insn, d.outcome.vector) : undefined_by(insn, at == 0 ? &d.before : nullptr);
        if (!branched) {
            flags &= ~u.flags_written;
            if (z.fpu_flags) fsw &= ~condition_codes(z.fpu_flags->modified | z.fpu_flags->set_0);
        }
        flags |= u.flags;
        fsw |= u.fsw;
        for (unsigned i = 0; i < 16; i++) d.ignore[i] |= u.gpr[i];
        d.tolerance = u.tolerance;
        ignore_image_fields(d, insn, at);
        if (u.flags == x86::flag::arithmetic) ignore_shifted(d, insn, at);
        if (faulted) break;
        branched |= is_relative_branch(insn);
        at += insn.length;
    }
    d.ignore[word::flags] |= flags;
    d.ignore[word::x87] |= u64{fsw} << 16;
    return true;
}

}  // namespace bmbt::oracle
