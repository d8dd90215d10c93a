// What the forms of edge_forms.cpp need: see generate.hpp.
#include "generate.hpp"
#include "zydis.hpp"

namespace bmbt::oracle {
namespace {

using namespace x86;
using x86::CodeSize;

// Some memory behind a segment's end is read in an order of the CPU's own.
void keep_inside(Encoder& e) {
    if (e.place.wild || e.place.offset >= 0xf000) e.place = {false, layout::data + 0x100};
}

// Selectors of code, most of them of a program's.
u16 code_selector(Encoder& e) {
    Random& r = e.random;
    static constexpr u16 good[] = {selector::code16, selector::code32, selector::code64};
    u16 s = !e.tame && r.one_in(4) ? random_selector(r) : good[r.below(3)];
    if ((s & ~3) == (selector::code64 & ~3)) e.draft.options |= option::long_mode;
    return s;
}

// An offset in that segment: of INT3s, seldom outside of the code pages.
u32 code_offset(Encoder& e, u16 selector) {
    u32 at = layout::code + 0x10 + e.random.below(layout::code_size - 0x20);
    if (at >= e.draft.entry && at < e.draft.entry + 16u) at += 32;
    // A call beyond the limit is found out before or after the stack was written.
    if (!e.tame && e.random.one_in(16)) at = e.random.below(std::string(e.form.name) == "call" ? 0x1'0000 : 0x1'2000);
    bool small = selector == selector::code16 || selector == selector::execute_only;
    return small ? at : layout::region + at;
}

void arrange_far(Encoder& e) {
    Random& r = e.random;
    e.draft.options |= option::any_byte;  // in which order a frame's items are reached is not said
    u16 selector = code_selector(e);
    u32 offset = code_offset(e, selector);
    const unsigned size = e.operand_size;
    const std::string name = e.form.name;
    if (name == "iret") {
        u8 frame[40];
        u64 flags = r.next() & ~(flag::tf | flag::vm | flag::rf | ~mask(22));
        if (r.one_in(2)) flags &= ~flag::nt;
        u64 stack = address_base(e.draft.mode) + layout::data + r.below(0x2000);
        u64 items[] = {offset, selector, flags, stack, !e.tame && r.one_in(4) ? random_selector(r) : selector::data32};
        for (unsigned n = 0; n < 5; n++) std::memcpy(frame + n * size, &items[n], size);
        return arrange_stack(e, frame, 5 * size);
    }
    if (name == "ret") {
        u8 frame[16];
        u64 items[] = {offset, selector};
        for (unsigned n = 0; n < 2; n++) std::memcpy(frame + n * size, &items[n], size);
        e.immediate_chosen = true;
        e.immediate = r.below(64);
        return arrange_stack(e, frame, 2 * size);
    }
    arrange_stack(e);
    if (!e.memory) {
        e.immediate_chosen = true;
        e.immediate = offset | u64{selector} << 32;
        return;
    }
    keep_inside(e);
    u8 pointer[6] = {};
    std::memcpy(pointer, &offset, 4);
    std::memcpy(pointer + size, &selector, 2);
    e.poke_place(pointer, size + 2);
}

void arrange_base(Encoder& e) {
    Random& r = e.random;
    u64 base = r.one_in(8)   ? 0
               : r.one_in(6) ? 0x0000'8000'0000'0000 + (r.next() >> 2)
                             : layout::region + layout::data - 0x100 + r.below(0x2100);
    e.set_gpr(e.rm, base);
}

// The components asked for are those of this machine: x87 and SSE.
void arrange_xsave(Encoder& e) {
    Random& r = e.random;
    e.set_gpr(Rax, r.below(4));
    e.set_gpr(Rdx, 0);
    e.reserved |= 1 << Rax | 1 << Rdx;
    if (e.memory && e.place.offset % 64 == 0 && std::string(e.form.name).starts_with("xsave")) return;
    State image;
    u8 bytes[576] = {};
    seeded_state(static_cast<u32>(r.next()) | 1, e.draft.mode, true, image);
    image.fx.mxcsr = 0x1f80 | r.below(4) << 13 | r.below(64);
    if (r.one_in(16)) image.fx.mxcsr |= 0x8000'0000;
    std::memcpy(bytes, &image.fx, sizeof image.fx);
    u64 present = r.below(4);
    if (r.one_in(12)) present |= u64{1} << 62;
    std::memcpy(bytes + 512, &present, 8);
    if (r.one_in(12)) bytes[520 + r.below(16)] = 1;
    e.poke_place(bytes, sizeof bytes);
}

}  // namespace

bool arrange_edge(Encoder& e) {
    Random& r = e.random;
    const std::string name = e.form.name;
    if (e.form.group == "far") return arrange_far(e), true;
    if (name == "wrfsbase" || name == "wrgsbase") return arrange_base(e), true;
    if (name.starts_with("xsave") || name.starts_with("xrstor")) return arrange_xsave(e), true;
    if (name == "int") {
        e.immediate_chosen = true;
        do e.immediate = r.below(256);
        while (e.immediate == 0x80);  // Linux's
        if (e.tame || r.one_in(8)) e.immediate = 3 + r.below(2);  // those whose gates are open
        return true;
    }
    if (e.form.group == "refused" && name == "mov") {
        static constexpr unsigned controls[] = {0, 2, 3, 4}, debugs[] = {0, 1, 2, 3, 6, 7};
        e.reg = e.form.opcode.find("0F 20") == 0 || e.form.opcode.find("0F 22") == 0 ? controls[r.below(4)]
                                                                                     : debugs[r.below(6)];
        return true;
    }
    return false;
}

std::vector<u8> undefined_code(Random& r, CodeSize mode) {
    for (;;) {
        std::vector<u8> code;
        static constexpr u8 prefixes[] = {0x66, 0xf2, 0xf3, 0x67};
        if (r.one_in(3)) code.push_back(prefixes[r.below(4)]);
        if (mode == CodeSize::Bits64 && r.one_in(4)) code.push_back(static_cast<u8>(0x40 | r.below(16)));
        static constexpr u16 maps[] = {0, 0, 0x0f, 0x0f, 0x0f38, 0x0f3a};
        u16 map = maps[r.below(6)];
        if (map > 0xff) code.push_back(0x0f);
        if (map) code.push_back(static_cast<u8>(map));
        u8 opcode = static_cast<u8>(r.next());
        if (!map && (opcode == 0x0f || opcode == 0x62 || opcode == 0x8f || opcode == 0xc4 || opcode == 0xc5)) continue;
        if (map == 0x0f && (opcode == 0x01 || opcode == 0x0f || opcode == 0x38 || opcode == 0x3a)) continue;
        code.push_back(opcode);
        code.push_back(static_cast<u8>(r.next()));
        usize size = code.size();
        code.resize(15);
        Insn i;
        if (x86::decode(code.data(), code.size(), mode, i) != x86::DecodeError::Invalid) continue;
        // Extensions that the machine which records may have, and this one has not.
        ZydisDecodedInstruction z;
        if (zydis_decode(mode, code.data(), code.size(), z)) continue;
        code.resize(size);
        return code;
    }
}

}  // namespace bmbt::oracle
