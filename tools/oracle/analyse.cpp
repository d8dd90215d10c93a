// What is undefined after a sequence of instructions: each one's own, followed through those behind it.
#include "oracle/mask.hpp"
#include "record.hpp"
#include "zydis.hpp"

namespace bmbt::oracle {
namespace {

using x86::CodeSize;
using x86::Insn;

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
        case ZYDIS_MNEMONIC_FXRSTOR64:
        case ZYDIS_MNEMONIC_XSAVE:
        case ZYDIS_MNEMONIC_XSAVE64:
        case ZYDIS_MNEMONIC_XRSTOR:
        case ZYDIS_MNEMONIC_XRSTOR64: return true;
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

// What the vector's own instructions have made of the x87's pointers. Before the first of them they are another
// program's.
struct X87Pointers {
    bool instruction = false;  // known: FIP, FCS and FOP
    bool data = false;         // known: FDP and FDS

    void after(const Insn& i) {
        if (i.mnemonic == ZYDIS_MNEMONIC_FNINIT) instruction = data = true;  // 0
        if (loads_pointers(i.mnemonic)) instruction = data = false;
        if (i.opcode_map != 0 || i.opcode < 0xd8 || i.opcode > 0xdf || is_control(i.mnemonic)) return;
        instruction = true;
        data = i.modrm < 0xc0;  // else the manual leaves it undefined
    }
    // From an image, or not, as AMD's FXRSTOR without a pending exception.
    static bool loads_pointers(u16 mnemonic) {
        switch (mnemonic) {
            case ZYDIS_MNEMONIC_FLDENV:
            case ZYDIS_MNEMONIC_FRSTOR:
            case ZYDIS_MNEMONIC_FXRSTOR:
            case ZYDIS_MNEMONIC_FXRSTOR64:
            case ZYDIS_MNEMONIC_XRSTOR:
            case ZYDIS_MNEMONIC_XRSTOR64: return true;
            default: return false;
        }
    }
    static bool is_control(u16 mnemonic) {
        switch (mnemonic) {
            case ZYDIS_MNEMONIC_FNINIT:
            case ZYDIS_MNEMONIC_FNCLEX:
            case ZYDIS_MNEMONIC_FLDCW:
            case ZYDIS_MNEMONIC_FNSTCW:
            case ZYDIS_MNEMONIC_FNSTSW:
            case ZYDIS_MNEMONIC_FNSTENV:
            case ZYDIS_MNEMONIC_FLDENV:
            case ZYDIS_MNEMONIC_FNSAVE:
            case ZYDIS_MNEMONIC_FRSTOR: return true;
            default: return false;
        }
    }
};

// Some processors keep FDP for instructions with an unmasked exception only, and some no selectors: CPUID.7.0:EBX bits
// 6 and 13. Intel's keep FOP as they do FDP, without saying so there ("Fopcode Compatibility Sub-mode").
struct NativePointers {
    bool data, selectors, opcode;
    NativePointers() {
        u32 a = 0, b, c, d;
        asm("cpuid" : "+a"(a), "=b"(b), "=c"(c), "=d"(d));
        const bool has_leaf = a >= 7;
        opcode = b == 0x6874'7541;  // AuthenticAMD
        a = 7, c = 0;
        asm("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
        data = !(has_leaf && b >> 6 & 1), selectors = !(has_leaf && b >> 13 & 1);
    }
};

// Pointers that are not known and reserved fields of the images that FNSTENV, FNSAVE and FXSAVE store.
// `conditions`: bits of the status word that are undefined by then.
void ignore_image_fields(Draft& d, const Insn& i, usize at, X87Pointers known, u16 conditions) {
    u32 place;
    if (moves_many_bytes(i)) d.options |= option::any_byte;
    bool environment = i.mnemonic == ZYDIS_MNEMONIC_FNSTENV || i.mnemonic == ZYDIS_MNEMONIC_FNSAVE;
    bool xsave = i.mnemonic == ZYDIS_MNEMONIC_XSAVE || i.mnemonic == ZYDIS_MNEMONIC_XSAVE64;
    bool fxsave = i.mnemonic == ZYDIS_MNEMONIC_FXSAVE || i.mnemonic == ZYDIS_MNEMONIC_FXSAVE64 || xsave;
    if ((!environment && !fxsave) || !operand_place(d, i, at, place)) return;
    if (environment) {
        static const NativePointers native;
        const bool wide = i.operand_size != 2;
        const u32 width = wide ? 4 : 2, pointers = wide ? 12 : 6, end = wide ? 28 : 14;
        if (wide)
            for (u32 field : {2, 6, 10}) ignore(d, place, field, field + 2);
        ignore(d, place, wide ? 5 : 3, wide ? 6 : 4, static_cast<u8>(conditions >> 8));
        if (!known.instruction) return ignore(d, place, pointers, end);
        if (native.selectors) d.options |= option::user_only;  // a kernel's CS is another
        const u32 selector = pointers + width, data = wide ? 20 : 10, data_selector = data + width;
        if (!native.selectors) ignore(d, place, selector, selector + 2);
        if (wide && !native.opcode) ignore(d, place, selector + 2, data);
        if (!native.data || !known.data) ignore(d, place, data, data + width);
        if (!native.selectors || !native.data || !known.data) ignore(d, place, data_selector, data_selector + 2);
        return wide ? ignore(d, place, data_selector + 2, end) : void();
    }
    if (xsave) ignore(d, place, 512, 513, 3);  // whether a component is as after a reset need not be tracked
    ignore(d, place, 5, 24);
    ignore(d, place, 26, 27, 2);  // MXCSR's AMD bit
    ignore(d, place, 28, 32);
    for (u32 st = 0; st < 8; st++) ignore(d, place, 32 + st * 16 + 10, 32 + st * 16 + 16);
    ignore(d, place, d.mode == CodeSize::Bits64 ? 416 : 288, 464);
}

// One walk through the code in its order, as far as it was executed.
class Walk {
 public:
    explicit Walk(Draft& d) : d_(d) {}

    // `first`: the state before is the draft's. False, with the reason, as find_undefined() says.
    bool once(bool first, std::string& why) {
        bool branched = false;
        const u64 start = d_.before.rip;
        for (usize at = 0; at < d_.code.size();) {
            Insn insn;
            auto error = x86::decode(&d_.code[at], d_.code.size() - at, d_.mode, insn);
            if (error != x86::DecodeError::None || !insn.length) {
                why = "it may jump over what is no instruction";
                if (branched && error != x86::DecodeError::Truncated) return false;
                break;
            }
            ZydisDecodedInstruction z;
            zydis_decode(d_.mode, &d_.code[at], d_.code.size() - at, z);
            if (!may_read(insn, z, why)) return false;
            const u16 fsw_before = fsw_;

            bool ended = d_.outcome.vector != x86::Vector::Bp;
            bool last = ended && d_.after.rip == start + at;
            bool faulted = last && !branched;
            // Its target may be beyond the limit too: Intel looks at that first, AMD at the stack.
            if (faulted && insn.mnemonic == ZYDIS_MNEMONIC_CALL && d_.outcome.vector == x86::Vector::Ss &&
                d_.mode == CodeSize::Bits16 && insn.operand_size == 4) {
                why = "which of two faults it has is each vendor's own";
                return false;
            }
            if (ended && loops_) {
                why = "it faults in a loop";
                return false;
            }
            Undefined u =
                faulted ? undefined_by_faulting(insn) : undefined_by(insn, first && at == 0 ? &d_.before : nullptr);
            if (last && branched) u.flags |= undefined_by_faulting(insn).flags;
            if (!branched) {
                flags_ &= ~u.flags_written;
                if (z.fpu_flags) fsw_ &= ~condition_codes(z.fpu_flags->modified | z.fpu_flags->set_0);
            }
            flags_ |= u.flags;
            fsw_ |= u.fsw;
            for (unsigned i = 0; i < 16; i++) d_.ignore[i] |= u.gpr[i];
            d_.tolerance = u.tolerance;
            ignore_image_fields(d_, insn, at, branched ? X87Pointers{} : pointers_, fsw_before);
            if (!faulted) pointers_.after(insn);
            memory_undefined_ |=
                fsw_before && (insn.mnemonic == ZYDIS_MNEMONIC_FNSTENV || insn.mnemonic == ZYDIS_MNEMONIC_FNSAVE);
            usize ignored = d_.memory_ignore.size();
            if (u.flags == x86::flag::arithmetic) ignore_shifted(d_, insn, at);
            memory_undefined_ |= d_.memory_ignore.size() != ignored;
            if (faulted) break;
            branched |= is_relative_branch(insn);
            loops_ |= is_relative_branch(insn) && insn.imm < 0;
            at += insn.length;
        }
        d_.ignore[word::flags] = flags_;
        d_.ignore[word::x87] = u64{fsw_} << 16;
        return true;
    }
    bool loops() const { return loops_; }

 private:
    // Nothing that is undefined by now may be looked at.
    bool may_read(const Insn& insn, const ZydisDecodedInstruction& z, std::string& why) const {
        bool stores_status = insn.mnemonic == ZYDIS_MNEMONIC_FNSTSW || insn.mnemonic == ZYDIS_MNEMONIC_FXSAVE ||
                             insn.mnemonic == ZYDIS_MNEMONIC_FXSAVE64;
        bool undefined = d_.tolerance != Tolerance::Exact || memory_undefined_ || (stores_status && fsw_);
        for (unsigned i = 0; i < 16; i++) undefined |= d_.ignore[i] != 0;
        why = undefined ? "it goes on after a result became undefined" : "";
        if (z.cpu_flags && z.cpu_flags->tested & flags_)
            why = "it reads flags that an instruction before left undefined";
        return why.empty();
    }

    Draft& d_;
    u64 flags_ = 0;
    u16 fsw_ = 0;
    X87Pointers pointers_;
    bool loops_ = false, memory_undefined_ = false;
};

}  // namespace

bool find_undefined(Draft& d, std::string& why) {
    d.memory_ignore.clear();
    for (u64& w : d.ignore) w = 0;
    d.tolerance = Tolerance::Exact;
    Walk walk(d);
    // A loop's first instructions see what its last ones left.
    return walk.once(true, why) && (!walk.loops() || walk.once(false, why));
}

}  // namespace bmbt::oracle
