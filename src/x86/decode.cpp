// Zydis' view of an instruction, turned into an Insn.
#include <Zydis/Zydis.h>

#include "x86/insn.hpp"

namespace bmbt::x86 {
namespace {

// Extensions that reuse encodings of older instructions are off: without them those bytes mean what they always meant
// (ENDBR and BNDMK are NOPs, TZCNT is BSF), which is what a CPU that does not report the extension executes.
constexpr ZydisDecoder decoder_for(ZydisMachineMode mode, ZydisStackWidth stack) {
    return ZydisDecoder{.machine_mode = mode, .stack_width = stack, .decoder_mode = {}};
}
constexpr ZydisDecoder decoders[] = {
    decoder_for(ZYDIS_MACHINE_MODE_LEGACY_16, ZYDIS_STACK_WIDTH_16),
    decoder_for(ZYDIS_MACHINE_MODE_LEGACY_32, ZYDIS_STACK_WIDTH_32),
    decoder_for(ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64),
};

constexpr bool within(ZydisRegister r, ZydisRegister first, ZydisRegister last) { return r >= first && r <= last; }

Operand gpr(unsigned number, unsigned size) {
    return {.kind = OperandKind::Gpr, .reg = static_cast<u8>(number), .size = static_cast<u8>(size)};
}

// The number of a general register of any size, as it is used in an address.
u8 address_register(ZydisRegister r) {
    if (r == ZYDIS_REGISTER_NONE) return no_register;
    if (within(r, ZYDIS_REGISTER_AX, ZYDIS_REGISTER_R15W)) return r - ZYDIS_REGISTER_AX;
    if (within(r, ZYDIS_REGISTER_EAX, ZYDIS_REGISTER_R15D)) return r - ZYDIS_REGISTER_EAX;
    if (within(r, ZYDIS_REGISTER_RAX, ZYDIS_REGISTER_R15)) return r - ZYDIS_REGISTER_RAX;
    if (within(r, ZYDIS_REGISTER_IP, ZYDIS_REGISTER_RIP)) return rip_register;
    return no_register;  // a vector index: AVX gathers are raised as #UD
}

Operand register_operand(ZydisRegister r, unsigned size) {
    auto numbered = [&](OperandKind kind, ZydisRegister first) {
        return Operand{.kind = kind, .reg = static_cast<u8>(r - first), .size = static_cast<u8>(size)};
    };
    if (within(r, ZYDIS_REGISTER_AL, ZYDIS_REGISTER_BL)) return gpr(r - ZYDIS_REGISTER_AL, 1);
    if (within(r, ZYDIS_REGISTER_AH, ZYDIS_REGISTER_BH)) return numbered(OperandKind::GprHigh, ZYDIS_REGISTER_AH);
    if (within(r, ZYDIS_REGISTER_SPL, ZYDIS_REGISTER_R15B)) return gpr(r - ZYDIS_REGISTER_SPL + Rsp, 1);
    if (within(r, ZYDIS_REGISTER_AX, ZYDIS_REGISTER_R15)) return gpr((r - ZYDIS_REGISTER_AX) % 16, size);
    if (within(r, ZYDIS_REGISTER_ES, ZYDIS_REGISTER_GS)) return numbered(OperandKind::Segment, ZYDIS_REGISTER_ES);
    if (within(r, ZYDIS_REGISTER_CR0, ZYDIS_REGISTER_CR15)) return numbered(OperandKind::Control, ZYDIS_REGISTER_CR0);
    if (within(r, ZYDIS_REGISTER_DR0, ZYDIS_REGISTER_DR15)) return numbered(OperandKind::Debug, ZYDIS_REGISTER_DR0);
    if (within(r, ZYDIS_REGISTER_ST0, ZYDIS_REGISTER_ST7)) return numbered(OperandKind::X87, ZYDIS_REGISTER_ST0);
    if (within(r, ZYDIS_REGISTER_MM0, ZYDIS_REGISTER_MM7)) return numbered(OperandKind::Mmx, ZYDIS_REGISTER_MM0);
    if (within(r, ZYDIS_REGISTER_XMM0, ZYDIS_REGISTER_XMM31)) return numbered(OperandKind::Xmm, ZYDIS_REGISTER_XMM0);
    if (within(r, ZYDIS_REGISTER_YMM0, ZYDIS_REGISTER_YMM31)) return numbered(OperandKind::Xmm, ZYDIS_REGISTER_YMM0);
    return {};
}

// In 64-bit mode overrides with ES, CS, SS and DS are ignored; the default still tells #SS from #GP.
Seg memory_segment(const ZydisDecodedOperandMem& m, CodeSize mode) {
    auto seg = static_cast<Seg>(m.segment - ZYDIS_REGISTER_ES);
    if (!within(m.segment, ZYDIS_REGISTER_ES, ZYDIS_REGISTER_GS)) seg = Ds;
    if (mode != CodeSize::Bits64 || seg >= Fs) return seg;
    u8 base = address_register(m.base);
    return base == Rsp || base == Rbp ? Ss : Ds;
}

MemoryOperand memory_operand(const ZydisDecodedOperandMem& m, CodeSize mode) {
    MemoryOperand out;
    out.seg = memory_segment(m, mode);
    out.base = address_register(m.base);
    out.index = address_register(m.index);
    out.shift = m.scale > 1 ? __builtin_ctz(m.scale) : 0;
    out.disp = m.disp.has_displacement ? m.disp.value : 0;
    return out;
}

// A SIB byte with base 5 names a displacement instead, whatever REX.B says. With 32-bit addresses in 64-bit code Zydis
// makes R13 of it.
bool has_no_base(const ZydisDecodedInstruction& z) {
    bool sib = (z.attributes & ZYDIS_ATTRIB_HAS_SIB) != 0;
    return sib && z.address_width > 16 && z.raw.modrm.mod == 0 && z.raw.sib.base == 5;
}

// The segment of a string instruction's source.
Seg override_or_ds(ZydisInstructionAttributes a, CodeSize mode) {
    if (a & ZYDIS_ATTRIB_HAS_SEGMENT_FS) return Fs;
    if (a & ZYDIS_ATTRIB_HAS_SEGMENT_GS) return Gs;
    if (mode == CodeSize::Bits64) return Ds;
    if (a & ZYDIS_ATTRIB_HAS_SEGMENT_ES) return Es;
    if (a & ZYDIS_ATTRIB_HAS_SEGMENT_CS) return Cs;
    if (a & ZYDIS_ATTRIB_HAS_SEGMENT_SS) return Ss;
    return Ds;
}

// The last F2 or F3 counts; 0 if there is none.
u8 last_repeat_prefix(const ZydisDecodedInstruction& z) {
    u8 prefix = 0;
    for (unsigned n = 0; n < z.raw.prefix_count; n++)
        if (u8 v = z.raw.prefixes[n].value; v == 0xf2 || v == 0xf3) prefix = v;
    return prefix;
}

// On MOVS, STOS, LODS, INS and OUTS either of them repeats CX times.
void string_prefixes(const ZydisDecodedInstruction& z, Insn& out) {
    u8 prefix = last_repeat_prefix(z);
    if (!prefix) return;
    bool compares = (z.opcode & 0xfe) == 0xa6 || (z.opcode & 0xfe) == 0xae;
    (compares && prefix == 0xf2 ? out.repne : out.rep) = true;
}

u8 operand_bytes(const ZydisDecodedInstruction& z, CodeSize mode) {
    if (z.operand_width > 8) return z.operand_width / 8;
    // Byte instructions: what the prefixes would make of a wider one.
    if (mode == CodeSize::Bits64 && z.attributes & ZYDIS_ATTRIB_HAS_REX && z.raw.rex.W) return 8;
    bool toggled = z.attributes & ZYDIS_ATTRIB_HAS_OPERANDSIZE;
    return (mode == CodeSize::Bits16) != toggled ? 2 : 4;
}

u8 opcode_map(ZydisOpcodeMap m) {
    switch (m) {
        case ZYDIS_OPCODE_MAP_0F: return 1;
        case ZYDIS_OPCODE_MAP_0F38: return 2;
        case ZYDIS_OPCODE_MAP_0F3A: return 3;
        case ZYDIS_OPCODE_MAP_DEFAULT: return 0;
        default: return 4;  // 3DNow!, XOP, AVX512-FP16 maps
    }
}

void immediate(const ZydisDecodedOperandImm& z, unsigned size, Insn& out, Operand& op, bool second) {
    op.kind = z.is_relative ? OperandKind::Relative : OperandKind::Immediate;
    op.size = size;
    op.second_immediate = second;
    (second ? out.imm2 : out.imm) = z.value.s;
}

void operands(const ZydisDecodedInstruction& z, const ZydisDecodedOperand* zop, CodeSize mode, Insn& out) {
    unsigned immediates = 0;
    for (unsigned n = 0; n < z.operand_count_visible && out.operands < 4; n++) {
        const ZydisDecodedOperand& from = zop[n];
        unsigned size = from.size < 8 * 256 ? from.size / 8 : 0;
        Operand op;
        switch (from.type) {
            case ZYDIS_OPERAND_TYPE_REGISTER: op = register_operand(from.reg.value, size); break;
            case ZYDIS_OPERAND_TYPE_MEMORY:
                op.kind = OperandKind::Memory;
                op.size = size;
                out.mem = memory_operand(from.mem, mode);
                if (has_no_base(z)) out.mem.base = no_register, out.mem.disp = z.raw.disp.value;
                if (from.encoding == ZYDIS_OPERAND_ENCODING_NONE) continue;  // XLAT's, string instructions'
                break;
            case ZYDIS_OPERAND_TYPE_IMMEDIATE: immediate(from.imm, size, out, op, immediates++ > 0); break;
            case ZYDIS_OPERAND_TYPE_POINTER:
                op.kind = OperandKind::FarPointer;
                op.size = size;
                out.imm = from.ptr.offset;
                out.imm2 = from.ptr.segment;
                break;
            default: continue;
        }
        out.op[out.operands++] = op;
    }
}

}  // namespace

DecodeError decode(const u8* bytes, usize size, CodeSize mode, Insn& out) {
    const ZydisDecoder& decoder = decoders[static_cast<unsigned>(mode)];
    ZydisDecoderContext context;
    ZydisDecodedInstruction z;
    usize given = size < 15 ? size : 15;
    ZyanStatus status = ZydisDecoderDecodeInstruction(&decoder, &context, bytes, given, &z);
    if (ZYAN_FAILED(status)) {
        if (status == ZYDIS_STATUS_NO_MORE_DATA) return given == 15 ? DecodeError::TooLong : DecodeError::Truncated;
        return status == ZYDIS_STATUS_INSTRUCTION_TOO_LONG ? DecodeError::TooLong : DecodeError::Invalid;
    }
    // CPUID offers nothing behind VEX, EVEX, XOP and 3DNow!'s prefixes. Their opcodes mean other things without them.
    if (z.encoding != ZYDIS_INSTRUCTION_ENCODING_LEGACY) return DecodeError::Invalid;
    ZydisDecodedOperand zop[ZYDIS_MAX_OPERAND_COUNT_VISIBLE];
    if (ZYAN_FAILED(ZydisDecoderDecodeOperands(&decoder, &context, &z, zop, z.operand_count_visible)))
        return DecodeError::Invalid;

    out = Insn{};
    out.mnemonic = z.mnemonic;
    // F2 makes either of them LOOPNE and F3 LOOPE. The manual is silent; hardware does so.
    if (z.mnemonic == ZYDIS_MNEMONIC_LOOPE || z.mnemonic == ZYDIS_MNEMONIC_LOOPNE)
        if (u8 repeat = last_repeat_prefix(z))
            out.mnemonic = repeat == 0xf2 ? ZYDIS_MNEMONIC_LOOPNE : ZYDIS_MNEMONIC_LOOPE;
    out.length = z.length;
    out.operand_size = operand_bytes(z, mode);
    out.address_size = z.address_width / 8;
    out.opcode = z.opcode;
    out.opcode_map = opcode_map(z.opcode_map);
    out.lock = z.attributes & ZYDIS_ATTRIB_HAS_LOCK;
    out.has_modrm = z.attributes & ZYDIS_ATTRIB_HAS_MODRM;
    if (out.has_modrm) out.modrm = z.raw.modrm.mod << 6 | z.raw.modrm.reg << 3 | z.raw.modrm.rm;
    bool string = z.meta.category == ZYDIS_CATEGORY_STRINGOP || z.meta.category == ZYDIS_CATEGORY_IOSTRINGOP;
    if (string) {
        string_prefixes(z, out);
        out.mem.seg = override_or_ds(z.attributes, mode);
    } else {
        if (!out.has_modrm || z.mnemonic == ZYDIS_MNEMONIC_MASKMOVQ || z.mnemonic == ZYDIS_MNEMONIC_MASKMOVDQU)
            out.mem.seg = override_or_ds(z.attributes, mode);  // XLAT and MASKMOV address memory without naming it
        operands(z, zop, mode, out);
    }
    return DecodeError::None;
}

const char* mnemonic_name(u16 mnemonic) {
    const char* name = ZydisMnemonicGetString(static_cast<ZydisMnemonic>(mnemonic));
    return name ? name : "?";
}

}  // namespace bmbt::x86
