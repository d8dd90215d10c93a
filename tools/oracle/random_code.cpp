#include "random_code.hpp"

#include <Zydis/Zydis.h>

namespace bmbt::oracle {
namespace {

using namespace x86;
using x86::CodeSize;

constexpr usize longest = 15, head_room = 24;

// An offset in the region: nearly always of the data pages, often aligned.
u32 place(Random& r) {
    unsigned what = r.below(32);
    if (what == 0) return layout::read_only + r.below(layout::read_only_size);
    if (what == 1) return layout::code + r.below(layout::code_size);
    if (what == 2) return layout::data + 0x1000 - r.below(18);
    if (what == 3) return layout::data_end - r.below(18);
    u32 at = layout::data + 16 + r.below(layout::data_size - 0x200);
    return r.one_in(3) ? at : at & ~15u;
}

// General registers are pointers, or counts and indexes.
void arrange_registers(Random& r, Draft& d) {
    const bool is64 = d.mode == CodeSize::Bits64, is16 = d.mode == CodeSize::Bits16;
    for (unsigned n = 0; n < (is64 ? 16u : 8u); n++) {
        unsigned what = r.below(20);
        u64 value = d.before.gpr[n];  // random
        if (n == Rcx && r.one_in(2)) what = 19;
        if (what < 13 || n == Rsp)
            value = address_base(d.mode) + place(r);
        else if (what < 15)
            value = interesting_integer(r);
        else if (what < 18)
            continue;
        else
            value = r.below(64);
        if (n == Rsp && !r.one_in(8)) value &= ~u64{7};
        if (is16 && r.one_in(2)) value = (value & 0xffff) | (d.before.gpr[n] & 0xffff'0000);
        d.before.gpr[n] = is64 ? value : value & 0xffff'ffff;
    }
    if (r.one_in(6)) d.before.flags |= flag::df;
    if (r.one_in(4)) {
        u32& mxcsr = d.before.fx.mxcsr;
        mxcsr = 0x1f80 | r.below(4) << 13 | r.below(2) << 15 | r.below(2) << 6 | r.below(64);
        if (r.one_in(3)) mxcsr &= ~(r.below(64) << 7);
    }
}

// Prefixes, an opcode map, and from there on bytes that nobody chose.
std::vector<u8> random_bytes(Random& r, CodeSize mode) {
    static constexpr u8 prefixes[] = {0x66, 0x66, 0x66, 0x67, 0xf2, 0xf2, 0xf3, 0xf3,
                                      0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0xf0};
    const bool is64 = mode == CodeSize::Bits64;
    std::vector<u8> code;
    auto prefix = [&] { code.push_back(prefixes[r.below(std::size(prefixes))]); };
    while (code.size() < 4 && r.one_in(3)) prefix();
    if (is64 && r.one_in(16)) code.push_back(static_cast<u8>(0x40 | r.below(16))), prefix();
    if (r.one_in(200))
        for (usize length = 8 + r.below(8); code.size() < length;) prefix();
    if (is64 && r.one_in(2)) code.push_back(static_cast<u8>(0x40 | r.below(16)));
    unsigned map = r.below(20);
    if (map >= 9) code.push_back(0x0f);
    if (map >= 16) code.push_back(map < 18 ? 0x38 : 0x3a);
    if (map == 8) code.push_back(static_cast<u8>(0xd8 | r.below(8)));  // x87
    while (code.size() < head_room) code.push_back(static_cast<u8>(r.next()));
    return code;
}

void put(std::vector<u8>& code, usize at, u64 value, unsigned bits) {
    for (unsigned n = 0; n < bits / 8; n++) code[at + n] = static_cast<u8>(value >> n * 8);
}

// The displacement that leads to the data pages, as far as registers still are what they were before the vector. False
// where it has none and they do not lead there: few of those are wanted.
bool aim(Random& r, const Draft& d, const Insn& i, const ZydisDecodedInstruction& z, std::vector<u8>& code) {
    if (z.raw.disp.size >= 16 && !r.one_in(10)) {
        u64 to = layout::region + place(r);
        if (d.mode == CodeSize::Bits64) {
            if (i.mem.seg == Fs) to -= layout::fs_base64;
            if (i.mem.seg == Gs) to -= layout::gs_base64;
        } else if (i.mem.seg == Fs) {
            to -= layout::fs_base32;
        } else if (i.mem.seg == Gs || d.mode == CodeSize::Bits16) {
            to -= layout::region;
        }
        if (i.mem.base < 16) to -= d.before.gpr[i.mem.base];
        if (i.mem.base == rip_register) to -= d.before.rip + d.code.size() + i.length;
        if (i.mem.index < 16) to -= d.before.gpr[i.mem.index] << i.mem.shift;
        put(code, z.raw.disp.offset, to, z.raw.disp.size);
    } else if (i.mem.base < 16 || i.mem.index < 16) {
        u64 at = static_cast<u64>(i.mem.disp);
        if (i.mem.base < 16) at += d.before.gpr[i.mem.base];
        if (i.mem.index < 16) at += d.before.gpr[i.mem.index] << i.mem.shift;
        if (i.address_size == 2) at &= 0xffff;
        at -= address_base(d.mode) + layout::data;
        if (at >= layout::data_size && !r.one_in(8)) return false;
    }
    for (const auto& imm : z.raw.imm)
        if (imm.is_relative && imm.size >= 16 && !r.one_in(10)) put(code, imm.offset, r.below(0x800), imm.size);
    return true;
}

bool zydis(CodeSize mode, const std::vector<u8>& code, ZydisDecodedInstruction& z) {
    ZydisDecoder decoder{};
    decoder.machine_mode = mode == CodeSize::Bits64   ? ZYDIS_MACHINE_MODE_LONG_64
                           : mode == CodeSize::Bits32 ? ZYDIS_MACHINE_MODE_LEGACY_32
                                                      : ZYDIS_MACHINE_MODE_LEGACY_16;
    decoder.stack_width = mode == CodeSize::Bits64   ? ZYDIS_STACK_WIDTH_64
                          : mode == CodeSize::Bits32 ? ZYDIS_STACK_WIDTH_32
                                                     : ZYDIS_STACK_WIDTH_16;
    return ZYAN_SUCCESS(ZydisDecoderDecodeInstruction(&decoder, nullptr, code.data(), longest, &z));
}

// Which instruction of the draft begins at `at`; false if none does.
bool instruction_at(const Draft& d, u64 at, Insn& out) {
    for (usize n = 0; n < d.code.size() && n <= at; n += out.length) {
        if (x86::decode(&d.code[n], d.code.size() - n, d.mode, out) != DecodeError::None) return false;
        if (n == at) return true;
    }
    return false;
}

// Whether the instruction that faulted reaches beyond a segment that ends with 4 GiB, where processors differ.
bool reaches_beyond_4gib(const Draft& d, const Insn& i) {
    if (d.mode == CodeSize::Bits64) return false;
    bool bit_string = i.opcode_map == 1 && (i.opcode & 0xe7) == 0xa3;  // lies at a distance that a register names
    if (bit_string && d.outcome.vector == x86::Vector::Gp) return true;
    constexpr u64 end = 1ull << 32;
    u64 width = i.address_size == 2 ? 0xffff : end - 1, address = static_cast<u64>(i.mem.disp), size = 0;
    if (i.mem.base < 8) address += d.after.gpr[i.mem.base];
    if (i.mem.index < 8) address += d.after.gpr[i.mem.index] << i.mem.shift;
    for (unsigned n = 0; n < i.operands; n++)
        if (i.op[n].is(OperandKind::Memory)) size = i.op[n].size ? i.op[n].size : 512;
    if (size) return (address & width) + size > end;
    for (unsigned n : {Rsp, Rbp, Rsi, Rdi})  // what it may reach without naming it
        if (d.after.gpr[n] >= end - 32 || d.after.gpr[n] < 32) return true;
    return false;
}

struct Maker {
    Random& r;
    Draft& d;
    usize branch = 0;  // where a branch's displacement is, that will be the length of what follows
    unsigned branch_bits = 0;
    usize last = 0;  // where the last instruction begins

    void mark(const Insn& i) {
        if (is_for_users(i)) d.options |= option::user_only;
        if (transfers_far(i)) d.options |= option::any_byte | option::long_mode;
    }

    // A branch over one instruction, if it is one in the middle.
    bool land(const Insn& i, const ZydisDecodedInstruction& z, std::vector<u8>& code, bool is_last) {
        if (!is_relative(i)) return true;
        if (is_last) {  // anywhere but into the vector's own code
            Insn now;
            x86::decode(code.data(), longest, d.mode, now);
            u64 target = d.code.size() + i.length + static_cast<u64>(now.imm);
            if (i.operand_size == 2) target &= 0xffff;
            return target >= d.code.size() + i.length && (i.operand_size != 2 || target < 0x8000);
        }
        bool narrow = i.operand_size == 2 && d.mode == CodeSize::Bits32;  // cuts the target
        if (branch || narrow) return false;
        put(code, z.raw.imm[0].offset, 0, z.raw.imm[0].size);
        branch = d.code.size() + z.raw.imm[0].offset;
        branch_bits = z.raw.imm[0].size;
        return true;
    }

    void append(const std::vector<u8>& code, usize length, bool over) {
        last = d.code.size();
        d.code.insert(d.code.end(), code.begin(), code.begin() + static_cast<long>(length));
        if (!over) return;
        d.code[branch] = static_cast<u8>(length);
        branch = 0;
    }

    bool one(bool is_last, bool anything) {
        std::vector<u8> code = random_bytes(r, d.mode);
        if (anything) {  // what lies behind a short one is INT3
            usize size = 1 + r.below(head_room);
            for (usize n = size; n < head_room; n++) code[n] = 0xcc;
        }
        Insn i;
        auto error = x86::decode(code.data(), longest, d.mode, i);
        bool over = branch != 0;
        if (error == DecodeError::None) {
            ZydisDecodedInstruction z;
            if (!zydis(d.mode, code, z)) return false;
            if (!may_be_asked(i, d.mode, code.data(), i.length, d.code.empty(), is_last)) return false;
            if ((z.attributes & ZYDIS_ATTRIB_IS_PRIVILEGED || is_for_users(i)) && !r.one_in(8)) return false;
            if (!aim(r, d, i, z, code)) return false;
            if (over && is_relative(i)) return false;
            if (!land(i, z, code, is_last)) return false;
            append(code, i.length, over);
            mark(i);
            return true;
        }
        if (!anything || error == DecodeError::Truncated) return false;
        if (error == DecodeError::Invalid && !is_undefined(d.mode, code.data(), longest)) return false;
        if (error == DecodeError::TooLong && !is_too_long(d.mode, code.data(), code.size())) return false;
        append(code, longest, over);
        return true;
    }
};

}  // namespace

Draft RandomCode::make(u64 number) const {
    static constexpr CodeSize modes[] = {CodeSize::Bits64, CodeSize::Bits32, CodeSize::Bits64, CodeSize::Bits16};
    Random r(seed_ * 0x1'0000'0001 + number * 0x2545'f491'4f6c'dd1d + 0x72616e64);
    r.next();
    for (;;) {
        Draft d;
        d.mode = mode_ < 0 ? modes[number % 4] : static_cast<CodeSize>(mode_);
        d.seed = static_cast<u32>(r.next()) | 1;
        if (r.one_in(2)) d.options |= option::x87;
        if (r.one_in(8)) d.entry = static_cast<u16>(layout::code + 0x1000 - 1 - r.below(20));
        d.reset_state();
        arrange_registers(r, d);
        Maker maker{r, d};
        unsigned length = 1 + r.below(8);
        for (unsigned n = 0; n < length;)
            if (maker.one(n + 1 == length, n + 1 == length && r.one_in(6))) n++;
        if (d.code.size() > max_code) continue;

        // The rest of an instruction is not there.
        Insn final;
        bool whole = x86::decode(&d.code[maker.last], d.code.size() - maker.last, d.mode, final) == DecodeError::None;
        bool open = final.mnemonic == ZYDIS_MNEMONIC_UD0 || final.mnemonic == ZYDIS_MNEMONIC_UD1;  // need it or not
        if (whole && !open && final.length > 1 && r.one_in(16)) {
            d.code.resize(d.code.size() - 1 - r.below(final.length - 1u));
            d.entry = static_cast<u16>(layout::code_end - d.code.size());
            d.before.rip = address_base(d.mode) + d.entry;
        }
        return d;
    }
}

bool random_code_may_be(const Draft& d, std::string& why) {
    const u8* code = d.code.data();
    for (usize at = 0; at < d.code.size();) {
        const usize left = d.code.size() - at;
        Insn i;
        switch (x86::decode(code + at, left, d.mode, i)) {
            case DecodeError::None:
                if (!may_be_asked(i, d.mode, code + at, i.length, at == 0, at + i.length == d.code.size())) {
                    why = "it has an instruction whose result is no affair of this machine's";
                    return false;
                }
                at += i.length;
                continue;
            case DecodeError::Invalid:
                why = is_undefined(d.mode, code + at, left) ? "" : "its bytes may be an instruction elsewhere";
                break;
            case DecodeError::TooLong:
                why = is_too_long(d.mode, code + at, left) ? "" : "its bytes may be no instruction that is too long";
                break;
            case DecodeError::Truncated:
                why = d.entry + d.code.size() == layout::code_end ? "" : "its end is not there";
                break;
        }
        return why.empty();
    }
    return true;
}

bool random_code_stands(Draft& d, std::string& why) {
    const u8* pages = reinterpret_cast<const u8*>(u64{layout::region});
    const u8* code = pages + d.entry;
    if (std::memcmp(code, d.code.data(), d.code.size())) {
        why = "it changes its own code";
        return false;
    }
    for (u32 at = layout::code; at < layout::code_end; at++)
        if (pages[at] != 0xcc && !(at >= d.entry && at < d.entry + d.code.size())) d.options |= option::writes_code;

    // An engine's own kernel lies there.
    u64 address = d.outcome.address;
    bool faults = d.outcome.vector == x86::Vector::Pf;
    if (faults && address >= layout::region + 0x1'0000 && address < layout::region + 0x4'0000) {
        why = "it reaches where the engines' own pages are";
        return false;
    }
    u64 at = d.after.rip - d.before.rip;
    Insn i;
    bool faulted = d.outcome.vector != x86::Vector::Bp && instruction_at(d, at, i);
    if (faulted && reaches_beyond_4gib(d, i)) {
        why = "it reaches beyond the end of 4 GiB";
        return false;
    }
    if (faulted && faults_in_its_own_order(i, d.mode, d.outcome.vector)) {
        why = "it faults in an order of the processor's own";
        return false;
    }
    if (d.after.fx.mxcsr & 1 << 17) {
        why = "it sets a bit of MXCSR that AMD's processors alone have";
        return false;
    }
    for (u16 selector : d.after.seg)
        if (selector >= 0x60 && selector < 0x80) {
            why = "it loads a segment of Linux's own";
            return false;
        }
    // A transfer to the vector's own code, in whichever segment.
    Insn last, next;
    usize size = d.code.size();
    bool known = false;
    for (usize n = 0; n < size && x86::decode(&d.code[n], size - n, d.mode, next) == DecodeError::None;
         n += next.length)
        last = next, known = true;
    u64 offset = (d.after.rip & 0xffff) - d.entry;
    bool here = offset <= size + 1 && !faulted;
    if (known && here && (transfers_far(last) || (branches_near(last) && !is_relative(last)))) {
        why = "it comes back to its own code";
        return false;
    }
    return true;
}

}  // namespace bmbt::oracle
