// What a block knows of the x87 without looking: TOP and the tags are constants in it, tested once where it first needs them, and
// what the instructions change of them is written where the block is left. See docs/x87.md.
#include "cpu/vcpu_offsets.inc"
#include "translate/block.hpp"
#include "x86/segment.hpp"

namespace bmbt {

using namespace la64;
namespace at = fpu::x87_offset;

void Block::x87_enter(bool rounds) {
    X87Lazy& x = x87_;
    if (x.known && (x.nearest || !rounds)) return;
    Gpr base = mode.user() ? host::state : host::link;
    i32 start = mode.user() ? USER_PAGE_X87 : 0;
    if (!mode.user()) as.ld_d(base, host::state, VCPU_X87);
    // Above the temporaries that the instruction will take first.
    Gpr word = t6, other = t7;
    if (x.known) {
        as.ld_hu(word, base, start + at::control);
        as.bstrpick_d(word, word, 11, 8);
        as.addi_d(word, word, -3);
        as.bnez(word, slow_path());
        x.nearest = true;
        return;
    }
    // One doubleword holds status, control and tags.
    static_assert(at::status % 8 == 0 && at::control == at::status + 2 && at::tag == at::status + 4);
    constexpr u64 top = 0x3800, summary = 0x80, masks = u64{0x3f} << 16, modes = u64{0xf00} << 16, tags = u64{0xff} << 32;
    u64 tested = top | summary | masks | tags, expected = u64{x87_expected_top_} << 11 | masks | u64{x87_expected_tag_} << 32;
    if (rounds) tested |= modes, expected |= u64{0x300} << 16;
    as.ld_d(word, base, start + at::status);
    as.li(other, tested);
    as.and_(word, word, other);
    as.li(other, expected);
    as.bne(word, other, slow_path());
    x.known = true;
    x.nearest = rounds;
    x.top = x.memory_top = static_cast<u8>(x87_expected_top_);
    x.tag = x.memory_tag = x87_expected_tag_;
    x.clear_c1 = false;
}

void Block::x87_remember() {
    x87_.remembered = true;
    x87_.opcode = static_cast<u16>((insn_->opcode & 7) << 8 | insn_->modrm);
    x87_.guest_offset = static_cast<u16>(rip_ - start_rip_);
    if (insn_->modrm < 0xc0) x87_.segment = static_cast<u8>(insn_->mem.seg);
}

// At a way out: uses t4 to t6.
void Block::emit_x87(const X87Lazy& x) {
    const bool moved = x.known && (x.top != x.memory_top || x.tag != x.memory_tag);
    if (!moved && !(x.known && x.clear_c1) && !x.remembered) return;
    Gpr base = mode.user() ? host::state : t6;
    i32 start = mode.user() ? USER_PAGE_X87 : 0;
    if (!mode.user()) as.ld_d(base, host::state, VCPU_X87);
    if (moved || x.clear_c1) {
        as.ld_hu(t4, base, start + at::status);
        if (x.top != x.memory_top) {
            if (x.top) as.ori(t5, zero, x.top);
            as.bstrins_d(t4, x.top ? t5 : zero, 13, 11);
        }
        if (x.clear_c1) as.bstrins_d(t4, zero, 9, 9);
        as.st_h(t4, base, start + at::status);
    }
    if (x.tag != x.memory_tag) {
        as.ori(t5, zero, x.tag);
        as.st_b(t5, base, start + at::tag);
    }
    if (!x.remembered) return;
    u64 ip = start_rip_ + x.guest_offset;
    if (!mode.code64()) ip &= mask(32);  // 16-bit code may lie above 64 KiB of its segment
    as.li(t5, ip);
    as.st_d(t5, base, start + at::ip);
    as.ori(t5, zero, x.opcode);
    as.st_h(t5, base, start + at::opcode);
    auto selector = [](unsigned segment) {
        static_assert(offsetof(x86::Segment, selector) == 0);
        return static_cast<i32>(VCPU_SEGMENTS + segment * sizeof(x86::Segment));
    };
    as.ld_hu(t5, host::state, selector(x86::Cs));
    as.st_h(t5, base, start + at::cs);
    if (x.segment == X87Lazy::no_segment) return;
    as.ld_hu(t5, host::state, selector(x.segment));
    as.st_h(t5, base, start + at::ds);
}

namespace {

// How far an instruction that runs in C++ is likely to move the stack: +1 is a pop. A wrong guess costs time only.
int expected_pops(const Insn& i) {
    unsigned reg = i.modrm >> 3 & 7;
    if (i.modrm < 0xc0) {
        switch (i.opcode) {
            case 0xd9: return reg == 0 ? -1 : reg == 3;
            case 0xdb: return reg == 0 || reg == 5 ? -1 : reg == 1 || reg == 3 || reg == 7;
            case 0xdd: return reg == 0 ? -1 : reg == 1 || reg == 3;
            case 0xdf: return reg == 0 || reg == 4 || reg == 5 ? -1 : reg == 1 || reg == 3 || reg >= 6;
            default: return reg == 3;
        }
    }
    switch (i.opcode) {
        case 0xd8: return reg == 3;
        case 0xd9:
            if (reg == 0 || (i.modrm >= 0xe8 && i.modrm <= 0xee)) return -1;
            if (i.modrm == 0xf2 || i.modrm == 0xf4 || i.modrm == 0xf6 || i.modrm == 0xfb) return -1;
            return reg == 3 || i.modrm == 0xf1 || i.modrm == 0xf3 || i.modrm == 0xf7 || i.modrm == 0xf9;
        case 0xda: return i.modrm == 0xe9 ? 2 : 0;
        case 0xdd: return reg == 3 || reg == 5;
        case 0xde: return i.modrm == 0xd9 ? 2 : 1;
        case 0xdf: return reg == 0 || reg == 5 || reg == 6;
        default: return 0;
    }
}

}  // namespace

// C++ has changed what it likes; what a block expects behind it is a guess that the next x87_enter tests.
void Block::x87_after_callout() {
    const Insn& i = *insn_;
    unsigned top = x87_.known ? x87_.top : x87_expected_top_;
    u8 tag = x87_.known ? x87_.tag : x87_expected_tag_;
    x87_ = X87Lazy{};
    if (i.opcode_map == 0 && i.opcode >= 0xd8 && i.opcode <= 0xdf) {
        int pops = expected_pops(i);
        if ((i.opcode == 0xdb && i.modrm == 0xe3) || (i.opcode == 0xdd && i.modrm >> 3 == 6)) top = tag = 0;  // FNINIT, FNSAVE
        if (pops < 0) top = (top - 1) & 7, tag |= static_cast<u8>(1u << top);
        for (; pops > 0; pops--) tag &= static_cast<u8>(~(1u << top)), top = (top + 1) & 7;
    } else if (i.opcode_map == 1 && i.opcode == 0x77) {  // EMMS
        top = tag = 0;
    }
    x87_expected_top_ = top, x87_expected_tag_ = tag;
}

}  // namespace bmbt
