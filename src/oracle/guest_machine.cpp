#include "oracle/guest_machine.hpp"

#include <Zydis/Mnemonic.h>

#include <iterator>

#include "cpu/flags.hpp"
#include "cpu/segmentation.hpp"
#include "fpu/x87_image.hpp"
#include "oracle/seed.hpp"

namespace bmbt::oracle {
namespace {

using namespace x86;

// Page table entries; one format for 4-level and PAE paging. Intel SDM vol. 3, "Paging".
constexpr u64 present = 1, writable = 2, user = 4, accessed = 0x20, dirty = 0x40, no_execute = u64{1} << 63;

// Descriptors' access words as x86::access has them, of a program's segments and the kernel's.
constexpr u16 user_code32 = 0xc0fb, user_data32 = 0xc0f3, user_code64 = 0xa0fb;
constexpr u16 kernel_code32 = 0xc09b, kernel_code64 = 0xa09b, kernel_data32 = 0xc093;
constexpr u16 available = 0x1000;  // Linux sets AVL in what modify_ldt makes
constexpr u16 user_code16 = available | 0x00fb, user_data16 = available | 0x00f3, user_small = available | 0x40f3,
              user_down = available | 0x40f7, user_absent = available | 0x4073, user_read_only = available | 0x40f1,
              user_execute_only = available | 0x40f9, user_down16 = available | 0x00f7;
constexpr u16 kernel_code16 = available | 0x009b, kernel_data16 = available | 0x0093;

// FS and GS point to other places than the other segments, by selectors that no vector of an 8086's has changed.
constexpr u16 recorded_8086(Seg s) {
    switch (s) {
        case Cs: return selector::code16;
        case Fs: return selector::fs32;
        case Gs: return selector::gs32;
        default: return selector::data16;
    }
}

// Instructions that there are in protected mode alone, or that do something with a selector or with what it hides.
bool is_of_protection(const Insn& i) {
    if (i.mem.seg == Fs || i.mem.seg == Gs) return true;
    for (unsigned n = 0; n < i.operands; n++)
        if (i.op[n].is(OperandKind::Segment)) return true;
    switch (i.mnemonic) {
        case ZYDIS_MNEMONIC_ARPL:
        case ZYDIS_MNEMONIC_LAR:
        case ZYDIS_MNEMONIC_LSL:
        case ZYDIS_MNEMONIC_VERR:
        case ZYDIS_MNEMONIC_VERW:
        case ZYDIS_MNEMONIC_SLDT:
        case ZYDIS_MNEMONIC_STR:
        case ZYDIS_MNEMONIC_LLDT:
        case ZYDIS_MNEMONIC_LTR:
        case ZYDIS_MNEMONIC_SGDT:
        case ZYDIS_MNEMONIC_SIDT:
        case ZYDIS_MNEMONIC_SMSW:
        case ZYDIS_MNEMONIC_SYSENTER:
        case ZYDIS_MNEMONIC_SYSEXIT: return true;
        default: return false;
    }
}

// The kernel's own selectors: those of Linux, and two LDT entries that only exist at CPL 0.
namespace kernel_selector {
constexpr u16 code32 = 0x08, code64 = 0x10, data32 = 0x18, code16 = 0x24, data16 = 0x2c;
}

// Exceptions that come in every mode for the same reasons, as long as no selector and no privilege is asked for.
bool comes_everywhere(x86::Vector v) {
    switch (v) {
        case x86::Vector::De:
        case x86::Vector::Bp:
        case x86::Vector::Of:
        case x86::Vector::Br:
        case x86::Vector::Ud:
        case x86::Vector::Ss:
        case x86::Vector::Gp:
        case x86::Vector::Mf:
        case x86::Vector::Xm: return true;
        default: return false;
    }
}

// What real mode pushes: FLAGS, CS, IP.
constexpr u32 real_frame = 6;

bool fits_8086(const Vector& v, bool real) {
    if (v.mode != CodeSize::Bits16 || v.options & option::user_only) return false;
    const bool of_paging = v.outcome.vector == x86::Vector::Pf || v.outcome.vector == x86::Vector::Ac;
    if (!comes_everywhere(v.outcome.vector) && !(of_paging && !real)) return false;
    for (usize at = 0; at < v.code.size();) {
        Insn i;
        if (decode(&v.code[at], v.code.size() - at, v.mode, i) != DecodeError::None) break;
        const bool writes_code =
            i.mem.seg == Cs && v.outcome.vector == x86::Vector::Gp;  // is forbidden in protected mode alone
        // Real mode's environment has the x87's pointers in a form of its own; a first instruction's are not compared.
        const bool stores_pointers =
            at && (i.mnemonic == ZYDIS_MNEMONIC_FNSTENV || i.mnemonic == ZYDIS_MNEMONIC_FNSAVE);
        if (is_of_protection(i) || writes_code || stores_pointers) return false;
        at += i.length;
    }
    State s;
    state_before(v, s);
    for (Seg n : {Es, Cs, Ss, Ds, Fs, Gs})
        if (s.seg[n] != recorded_8086(n)) return false;
    if (s.flags & (flag::tf | flag::nt)) return false;
    // What an exception pushes in real mode must lie where the vector has its data.
    apply_words(v.after, s);
    const u64 sp = s.gpr[Rsp] & 0xffff;
    return !real || (sp >= layout::data + real_frame && sp <= layout::data_end);
}

}  // namespace

bool Variant::fits(const Vector& v) const {
    if (legacy && (v.mode == CodeSize::Bits64 || v.options & option::long_mode)) return false;
    if (kernel && v.options & option::user_only) return false;
    return segments == Segments::Protected || fits_8086(v, is_real());
}

u32 GuestMachine::low_region() const {
    constexpr u32 anywhere_low = 0x3'0000;
    return variant_.is_real() ? static_cast<u32>(gpa_of(Code) - layout::code) : anywhere_low;
}

void GuestMachine::entry(Page table, unsigned index, u64 value) { std::memcpy(page(table) + index * 8, &value, 8); }

void GuestMachine::descriptor(Page table, u16 selector, u32 base, u32 limit, u16 access) {
    if (access::g.of(access)) limit >>= 12;
    u64 d = bits(limit, 15, 0) | u64{base & 0xff'ffff} << 16 | u64{access & 0xffu} << 40 | bits(limit, 19, 16) << 48 |
            u64{access} >> 12 << 52 | u64{base >> 24} << 56;
    entry(table, selector >> 3, d);
}

// One format of entries serves 4-level and PAE paging; PAE's four top entries are Pointers and take no rights.
void GuestMachine::build_pages() {
    u64 rights = variant_.legacy ? present : present | writable | user | accessed;
    entry(Root, 0, gpa_of(Pointers) | present | writable | user | accessed);
    entry(Pointers, 0, gpa_of(Directory) | rights);
    entry(Directory, 0, gpa_of(Table) | present | writable | user | accessed);
    auto map = [&](u32 linear, unsigned p, u64 bits) {
        entry(Table, linear >> 12, gpa_of(p) | present | accessed | dirty | bits);
    };
    const u32 region = variant_.is_virtual8086() ? low_region() : layout::region;
    for (u32 n = 0; n < 2; n++) {
        map(region + layout::code + n * 0x1000, Code + n, user | writable);
        map(region + layout::data + n * 0x1000, Data + n, user | writable | no_execute);
    }
    map(region + layout::read_only, ReadOnly, user | no_execute);
    for (unsigned p = Gdt; p <= Stack; p++)
        map(linear_of(static_cast<Page>(p)), p, p == Handlers ? 0 : writable | no_execute);
}

void GuestMachine::build_segments() {
    descriptor(Gdt, kernel_selector::code32, 0, ~0u, kernel_code32);
    descriptor(Gdt, kernel_selector::code64, 0, ~0u, kernel_code64);
    descriptor(Gdt, kernel_selector::data32, 0, ~0u, kernel_data32);
    descriptor(Gdt, selector::code32, 0, ~0u, user_code32);
    descriptor(Gdt, selector::data32, 0, ~0u, user_data32);
    descriptor(Gdt, selector::code64, 0, ~0u, user_code64);
    descriptor(Ldt, selector::code16, layout::region, 0xffff, user_code16);
    descriptor(Ldt, selector::data16, layout::region, 0xffff, user_data16);
    descriptor(Ldt, selector::fs32, layout::fs_base32, layout::fs_limit32, user_small);
    descriptor(Ldt, selector::gs32, layout::gs_base32, layout::gs_limit32, user_down);
    descriptor(Ldt, selector::absent, layout::region, 0xffff, user_absent);
    descriptor(Ldt, selector::read_only, layout::region, 0xffff, user_read_only);
    descriptor(Ldt, selector::execute_only, layout::region, 0xffff, user_execute_only);
    descriptor(Ldt, selector::down16, layout::region, 0x4fff, user_down16);
    if (variant_.kernel) {
        descriptor(Ldt, kernel_selector::code16, layout::region, 0xffff, kernel_code16);
        descriptor(Ldt, kernel_selector::data16, layout::region, 0xffff, kernel_data16);
    }
    v_.gdtr = {.base = linear_of(Gdt), .limit = 0x7f};
    v_.ldtr = {.selector = 0x50, .access = 0x82, .limit = selector::ldt_entries * 8u - 1, .base = linear_of(Ldt)};
}

// Interrupt gates, those of INT3 and INTO open to programs; in long mode all switch to the first interrupt stack.
// Intel SDM vol. 3, "Interrupt and Exception Handling", "Task Management".
void GuestMachine::build_exceptions() {
    map_.fill(gpa_of(Handlers), 0xf4, page_size);  // HLT
    if (variant_.is_real()) {
        for (unsigned n = 0; n < vectors; n++) {
            const u32 target = static_cast<u32>(gpa_of(Handlers) >> 4) << 16 | n * handler_size;
            std::memcpy(page(Idt) + 4 * n, &target, 4);
        }
        v_.idtr = {.base = gpa_of(Idt), .limit = vectors * 4 - 1};
        return;
    }
    u32 stack = linear_of(Stack) + page_size;
    for (unsigned n = 0; n < vectors; n++) {
        u64 target = linear_of(Handlers) + n * handler_size, dpl = n == 3 || n == 4 ? 3 : 0;
        u16 code = variant_.legacy ? kernel_selector::code32 : kernel_selector::code64;
        u64 gate = bits(target, 15, 0) | u64{code} << 16 | u64{0x8e} << 40 | dpl << 45 | bits(target, 31, 16) << 48;
        if (variant_.legacy) {
            entry(Idt, n, gate);
            continue;
        }
        entry(Idt, 2 * n, gate | u64{1} << 32);
        entry(Idt, 2 * n + 1, 0);
    }
    u8* tss = page(Tss);
    u64 stack64 = stack;
    u16 stack_segment = kernel_selector::data32, no_bitmap = 0x68;
    std::memcpy(tss + 4, &stack64, 8);
    if (variant_.legacy)
        std::memcpy(tss + 8, &stack_segment, 2);
    else
        std::memcpy(tss + 36, &stack64, 8);
    std::memcpy(tss + 102, &no_bitmap, 2);
    v_.idtr = {.base = linear_of(Idt), .limit = vectors * (variant_.legacy ? 8u : 16u) - 1};
    v_.tr = {.selector = 0x40, .access = 0x8b, .limit = 0x67, .base = linear_of(Tss)};
}

bool GuestMachine::build(u64 memory_seed, Variant variant) {
    variant_ = variant;
    if (!variant.possible()) return false;
    for (unsigned p = 0; p < Pages; p++) {
        if (!page(p) || page(p) != page(0) + p * page_size) return false;
        map_.fill(gpa_of(p), p == Code || p == Code2 ? 0xcc : 0, page_size);
    }
    build_pages();
    build_segments();
    build_exceptions();
    seeded_memory(memory_seed, seeded_, sizeof seeded_);
    map_.write(gpa_of(Data), seeded_, sizeof seeded_);
    seeded_memory(~memory_seed, page(ReadOnly), layout::read_only_size);
    code_bytes_ = 0;
    code_dirty_ = false;

    v_.paging.cr0 = cr0::mp | cr0::et | cr0::ne | cr0::wp | cr0::am;
    if (!variant.is_real()) v_.paging.cr0 |= cr0::pe | cr0::pg;
    v_.paging.cr4 = cr4::pae | cr4::osfxsr | cr4::osxmmexcpt | cr4::fsgsbase | cr4::osxsave;
    v_.paging.efer = efer::nxe | efer::sce | (variant.legacy ? 0 : efer::lme | efer::lma);
    v_.xcr0 = 3;
    v_.paging.cr3 = gpa_of(variant.legacy ? Pointers : Root);
    return !variant.legacy || variant.is_real() || load_pdptes(map_, v_.paging).has_value();
}

Segment GuestMachine::segment(u16 selector) const {
    if (null_selector(selector)) return {.selector = selector, .access = 0, .limit = 0, .base = 0};
    Descriptor d;
    std::memcpy(&d.raw, page(selector & 4 ? Ldt : Gdt) + (selector & ~7), 8);
    return {.selector = selector, .access = d.access(), .limit = d.limit(), .base = d.base()};
}

// A kernel's CS and SS have privilege level 0; the other segments may be a program's.
u16 GuestMachine::actual_selector(Seg s, u16 recorded) const {
    if (variant_.segments != Variant::Segments::Protected) {
        const u32 base = recorded == selector::fs32   ? layout::fs_base32
                         : recorded == selector::gs32 ? layout::gs_base32
                                                      : layout::region;
        return static_cast<u16>((base - layout::region + low_region()) >> 4);
    }
    if (!variant_.kernel || (s != Cs && s != Ss)) return recorded;
    switch (recorded) {
        case selector::code16: return kernel_selector::code16;
        case selector::code32: return kernel_selector::code32;
        case selector::code64: return kernel_selector::code64;
        case selector::data16: return kernel_selector::data16;
        default: return kernel_selector::data32;
    }
}

u16 GuestMachine::recorded_selector(Seg s, u16 actual) const {
    if (variant_.segments != Variant::Segments::Protected)
        return actual == actual_selector(s, recorded_8086(s)) ? recorded_8086(s) : actual;
    if (!variant_.kernel || (s != Cs && s != Ss)) return actual;
    switch (actual) {
        case kernel_selector::code16: return selector::code16;
        case kernel_selector::code32: return selector::code32;
        case kernel_selector::code64: return selector::code64;
        case kernel_selector::data16: return selector::data16;
        case kernel_selector::data32: return selector::data32;
        default: return actual;
    }
}

void GuestMachine::load(const Vector& v, State& before) {
    restore();
    state_before(v, before);
    u64 code = gpa_of(Code) - layout::code;
    map_.write(code + v.entry, v.code.data(), v.code.size());
    code_at_ = v.entry;
    code_bytes_ = static_cast<u32>(v.code.size());
    code_dirty_ = v.options & option::writes_code;
    apply_patches(v.memory_before, page(Data));
    load_registers(before, v.mode);
}

void GuestMachine::restore() {
    u8* data = page(Data);
    if (std::memcmp(data, seeded_, sizeof seeded_) != 0) std::memcpy(data, seeded_, sizeof seeded_);
    if (code_dirty_)
        map_.fill(gpa_of(Code), 0xcc, layout::code_size);
    else if (code_bytes_)
        map_.fill(gpa_of(Code) - layout::code + code_at_, 0xcc, code_bytes_);
    code_bytes_ = 0;
}

void GuestMachine::load_segments(const State& s, CodeSize mode) {
    if (variant_.segments != Variant::Segments::Protected) {
        set_rflags(v_, s.flags | (variant_.is_virtual8086() ? flag::vm : 0));
        auto of_8086 = [&](Seg n) {
            const u16 selector = actual_selector(n, s.seg[n]);
            return Segment{.selector = selector,
                           .access = static_cast<u16>(variant_.is_real() ? 0x93 : 0xf3),
                           .limit = 0xffff,
                           .base = u64{selector} << 4};
        };
        set_code_segment(v_, of_8086(Cs), variant_.is_real() ? 0 : 3);
        for (Seg n : {Es, Ss, Ds, Fs, Gs}) set_segment(v_, n, of_8086(n));
        return;
    }
    set_rflags(v_, s.flags);
    set_code_segment(v_, segment(actual_selector(Cs, s.seg[Cs])), variant_.kernel ? 0 : 3);
    for (Seg n : {Es, Ss, Ds, Fs, Gs}) set_segment(v_, n, segment(actual_selector(n, s.seg[n])));
    if (mode != CodeSize::Bits64) return;
    Segment base{};
    base.base = layout::fs_base64;
    set_segment(v_, Fs, base);
    base.base = layout::gs_base64;
    set_segment(v_, Gs, base);
}

void GuestMachine::load_registers(const State& s, CodeSize mode) {
    for (unsigned n = 0; n < 16; n++) {
        v_.gpr[n] = s.gpr[n];
        Xmm& x = vcpu_xmm(v_, n);
        std::memcpy(&x.lo, s.fx.xmm[n], 8);
        std::memcpy(&x.hi, s.fx.xmm[n] + 8, 8);
    }
    load_segments(s, mode);
    fpu::fxrstor(vcpu_x87(v_), true, reinterpret_cast<const u8*>(&s.fx));
    set_vcpu_mxcsr(v_, s.fx.mxcsr);
    v_.rip = v_.next_rip = s.rip;
    v_.shadow = v_.shadow_blocks_nmi = v_.halted = v_.shutdown = false;
    v_.cr2 = 0;
}

// The handler's frame, from the stack's end down: from virtual-8086 mode GS, FS, DS and ES; SS, RSP, RFLAGS, CS, RIP;
// perhaps an error code.
void GuestMachine::store_protected(State& s, u64 (&frame)[10]) const {
    const unsigned size = variant_.legacy ? 4 : 8;
    for (unsigned n = 0; n < std::size(frame); n++) {
        frame[n] = 0;
        std::memcpy(&frame[n], page(Stack) + page_size - (n + 1) * size, size);
    }
    const u64* f = frame;
    if (variant_.is_virtual8086()) {
        for (Seg n : {Gs, Fs, Ds, Es}) s.seg[n] = recorded_selector(n, static_cast<u16>(*f++));
    } else {
        for (Seg n : {Es, Ds, Fs, Gs}) s.seg[n] = v_.seg[n].selector;
    }
    s.seg[Ss] = recorded_selector(Ss, static_cast<u16>(f[0]));
    s.gpr[Rsp] = f[1];
    s.flags = f[2] & ~u64{variant_.is_virtual8086() ? flag::vm : 0};
    s.seg[Cs] = recorded_selector(Cs, static_cast<u16>(f[3]));
    s.rip = f[4];
    frame[0] = f[5];
}

// The frame is on the vector's own stack. There the memory becomes what is expected, since what was below the stack
// pointer cannot be known any more; and AC, which the interrupt clears and does not push.
void GuestMachine::store_real(const Vector& vector, State& s) const {
    const u32 sp = v_.gpr[Rsp] & 0xffff;
    u16 frame[3] = {};
    const u32 at = sp - layout::data;
    if (at > layout::data_size - real_frame) return;
    std::memcpy(frame, page(Data) + at, real_frame);
    static u8 expected[layout::data_size];
    std::memcpy(expected, seeded_, sizeof expected);
    apply_patches(vector.memory_before, expected);
    apply_patches(vector.memory_after, expected);
    std::memcpy(page(Data) + at, expected + at, real_frame);

    State recorded;
    state_before(vector, recorded);
    apply_words(vector.after, recorded);
    for (Seg n : {Es, Ss, Ds, Fs, Gs}) s.seg[n] = recorded_selector(n, v_.seg[n].selector);
    s.gpr[Rsp] = (v_.gpr[Rsp] & ~u64{0xffff}) | ((sp + real_frame) & 0xffff);
    s.rip = frame[0];
    s.seg[Cs] = recorded_selector(Cs, frame[1]);
    s.flags = frame[2] | (rflags(v_) & ~u64{0xffff} & ~u64{flag::ac}) | (recorded.flags & flag::ac);
}

bool GuestMachine::store(const Vector& vector, State& s, Outcome& outcome) const {
    const u64 handlers = variant_.is_real() ? 0 : linear_of(Handlers);
    if (variant_.is_real() && v_.seg[Cs].base != gpa_of(Handlers)) return false;
    u64 handler = v_.rip - 1 - handlers;  // behind the HLT
    if (handler % handler_size || handler / handler_size >= vectors) return false;
    auto exception = static_cast<x86::Vector>(handler / handler_size);

    s = State{};
    fpu::fxsave(vcpu_x87(v_), true, reinterpret_cast<u8*>(&s.fx));
    s.fx.mxcsr = vcpu_mxcsr(v_);
    s.fx.mxcsr_mask = 0;
    for (unsigned n = 0; n < 16; n++) {
        s.gpr[n] = v_.gpr[n];
        const Xmm& x = vcpu_xmm(v_, n);
        std::memcpy(s.fx.xmm[n], &x.lo, 8);
        std::memcpy(s.fx.xmm[n] + 8, &x.hi, 8);
    }
    u64 frame[10] = {};
    if (variant_.is_real())
        store_real(vector, s);
    else
        store_protected(s, frame);
    auto number = static_cast<unsigned>(exception);
    bool has_error = !variant_.is_real() && (number == 8 || (number >= 10 && number <= 14) || number == 17);
    outcome = {exception, has_error ? static_cast<u32>(frame[0]) : 0, 0};
    if (exception != x86::Vector::Pf) return true;
    outcome.address = v_.cr2;
    if (variant_.is_virtual8086()) outcome.address += layout::region - low_region();
    // Recorded in a program, where every access is one of a program's.
    if (variant_.kernel && vector.outcome.error & pf_code::user) outcome.error |= pf_code::user;
    return true;
}

}  // namespace bmbt::oracle
