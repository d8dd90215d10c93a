#include "translate/translator.hpp"

#include <Zydis/Mnemonic.h>

#include "translate/rows.hpp"

namespace bmbt {
namespace {

namespace flag = x86::flag;

bool may_fault(const Row* row, const Insn& i) {
    if (!row || row->traits & Row::faults || i.lock) return true;
    // MOV of control, debug and segment registers shares its row with MOV of general ones.
    for (unsigned n = 0; n < i.operands; n++)
        if (i.op[n].is(OperandKind::Memory) || i.op[n].is(OperandKind::Segment) || i.op[n].is(OperandKind::Control) ||
            i.op[n].is(OperandKind::Debug))
            return true;
    return false;
}

// What has no row but never goes on behind itself: code there would be translated for nothing.
bool always_leaves(u16 mnemonic) {
    switch (mnemonic) {
        case ZYDIS_MNEMONIC_INT:
        case ZYDIS_MNEMONIC_INT3:
        case ZYDIS_MNEMONIC_IRET:
        case ZYDIS_MNEMONIC_IRETD:
        case ZYDIS_MNEMONIC_IRETQ:
        case ZYDIS_MNEMONIC_SYSCALL:
        case ZYDIS_MNEMONIC_SYSRET:
        case ZYDIS_MNEMONIC_SYSENTER:
        case ZYDIS_MNEMONIC_SYSEXIT:
        case ZYDIS_MNEMONIC_UD2: return true;
        default: return false;
    }
}

// Whether this machine state lets the row's code stand for the instruction; otherwise it runs in C++, checks and all.
bool inline_here(const Block& b, const Row* row, const Insn& i) {
    if (!row) return false;
    if (i.lock && !(row->traits & Row::lock)) return false;
    if (row->traits & Row::stack && !b.mode.flat(x86::Ss) && !b.mode.plain(x86::Ss) &&
        !(b.mode.small(x86::Ss) && b.mode.stack_log2() == 1))
        return false;
    if (row->traits & Row::sse) {
        if (!b.mode.sse()) return false;
        // The same names stand for MMX instructions.
        for (unsigned n = 0; n < i.operands; n++)
            if (i.op[n].is(OperandKind::Mmx)) return false;
    }
    if (row->traits & Row::kernel && b.mode.cpl() != 0) return false;
    if (row->traits & Row::tsc && !b.mode.tsc()) return false;
    if (row->traits & Row::x87 && !b.mode.x87()) return false;
    if (row->traits & Row::fp && !b.mode.mxcsr_default()) return false;
    // The check of a 64 KiB segment's limit leaves in the middle of an instruction, where its flags must still be as they were.
    if (row->reads && b.has_small_operand(i)) return false;
    return b.addressable(i);
}

}  // namespace

void decode_block(const Source& source, Mode mode, Decoded& out) {
    out.count = out.length = 0;
    unsigned most = source.single ? 1 : Block::max_insns;
    while (out.count < most && out.length < source.bytes.size()) {
        Insn& i = out.insns[out.count];
        auto rest = source.bytes.subspan(out.length);
        if (x86::decode(rest.data(), rest.size(), mode.code_size(), i) != x86::DecodeError::None) return;
        out.count++;
        out.length += i.length;
        const Row* row = row_of(i);
        if ((row && row->traits & Row::ends) || always_leaves(i.mnemonic)) return;
    }
}

namespace {

// `in_cpp`: instructions that are known to become callouts.
void generate_once(Block& b, const Source& source, const Decoded& code, u64 in_cpp) {
    // Backward: which flags anyone can see after each instruction. A fault, a call of C++ or an exit shows all of them.
    u8 live[Block::max_insns];
    u64 after = flag::arithmetic;
    auto pack = [](u64 f) { return static_cast<u8>((f & 0xff) | (f & flag::of ? 2 : 0)); };  // OF in the reserved bit 1
    for (unsigned n = code.count; n-- > 0;) {
        const Insn& i = code.insns[n];
        live[n] = pack(after);
        const Row* row = row_of(i);
        if (row) after = (after & ~flags_written(*row, i)) | row->reads;
        if (bit(in_cpp, n) || may_fault(row, i) || !inline_here(b, row, i)) after = flag::arithmetic;
    }
    u64 rip = source.rip;
    for (unsigned n = 0; n < code.count && !b.ended() && !b.failed(); n++) {
        const Insn& i = code.insns[n];
        u64 seen = (live[n] & ~u64{2}) | (live[n] & 2 ? flag::of : 0);
        b.begin(i, rip, seen);
        const Row* row = row_of(i);
        // The instruction in a shadow must be in the same block.
        bool shadow_ends_here = row && row->traits & Row::shadows && n + 1 == code.count;
        if (inline_here(b, row, i) && !shadow_ends_here) {
            row->emit(b, i);
            if (!b.out_of_temps()) {
                rip += i.length;
                continue;
            }
            b.retreat();
        }
        b.callout();
        rip += i.length;
    }
    if (b.mode.code_size() != x86::CodeSize::Bits64) rip &= mask(32);  // 16-bit code, too, runs on to 10000h, beyond its segment
    b.finish(rip);
}

}  // namespace

void generate(Block& b, const Source& source, const Decoded& code) {
    generate_once(b, source, code, 0);
    // Some rows find out late that the instruction is for C++.
    for (u64 in_cpp = 0; u64 more = b.callouts_without_flags() & ~in_cpp;) {
        in_cpp |= more;
        b.restart();
        generate_once(b, source, code, in_cpp);
    }
}

}  // namespace bmbt
