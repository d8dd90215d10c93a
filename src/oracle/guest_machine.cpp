#include "oracle/guest_machine.hpp"

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

// The kernel's own selectors: those of Linux, and two LDT entries that only exist at CPL 0.
namespace kernel_selector {
constexpr u16 code32 = 0x08, code64 = 0x10, data32 = 0x18, code16 = 0x24, data16 = 0x2c;
}

}  // namespace

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
    for (u32 n = 0; n < 2; n++) {
        map(layout::region + layout::code + n * 0x1000, Code + n, user | writable);
        map(layout::region + layout::data + n * 0x1000, Data + n, user | writable | no_execute);
    }
    map(layout::region + layout::read_only, ReadOnly, user | no_execute);
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

    v_.paging.cr0 = cr0::pe | cr0::mp | cr0::et | cr0::ne | cr0::wp | cr0::am | cr0::pg;
    v_.paging.cr4 = cr4::pae | cr4::osfxsr | cr4::osxmmexcpt | cr4::fsgsbase | cr4::osxsave;
    v_.paging.efer = efer::nxe | efer::sce | (variant.legacy ? 0 : efer::lme | efer::lma);
    v_.xcr0 = 3;
    v_.paging.cr3 = gpa_of(variant.legacy ? Pointers : Root);
    return !variant.legacy || load_pdptes(map_, v_.paging).has_value();
}

Segment GuestMachine::segment(u16 selector) const {
    if (null_selector(selector)) return {.selector = selector, .access = 0, .limit = 0, .base = 0};
    Descriptor d;
    std::memcpy(&d.raw, page(selector & 4 ? Ldt : Gdt) + (selector & ~7), 8);
    return {.selector = selector, .access = d.access(), .limit = d.limit(), .base = d.base()};
}

// A kernel's CS and SS have privilege level 0; the other segments may be a program's.
u16 GuestMachine::actual_selector(Seg s, u16 recorded) const {
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

void GuestMachine::load_registers(const State& s, CodeSize mode) {
    for (unsigned n = 0; n < 16; n++) {
        v_.gpr[n] = s.gpr[n];
        Xmm& x = vcpu_xmm(v_, n);
        std::memcpy(&x.lo, s.fx.xmm[n], 8);
        std::memcpy(&x.hi, s.fx.xmm[n] + 8, 8);
    }
    set_rflags(v_, s.flags);
    set_code_segment(v_, segment(actual_selector(Cs, s.seg[Cs])), variant_.kernel ? 0 : 3);
    for (Seg n : {Es, Ss, Ds, Fs, Gs}) set_segment(v_, n, segment(actual_selector(n, s.seg[n])));
    if (mode == CodeSize::Bits64) {
        Segment base{};
        base.base = layout::fs_base64;
        set_segment(v_, Fs, base);
        base.base = layout::gs_base64;
        set_segment(v_, Gs, base);
    }
    fpu::fxrstor(vcpu_x87(v_), true, reinterpret_cast<const u8*>(&s.fx));
    set_vcpu_mxcsr(v_, s.fx.mxcsr);
    v_.rip = v_.next_rip = s.rip;
    v_.shadow = v_.shadow_blocks_nmi = v_.halted = v_.shutdown = false;
    v_.cr2 = 0;
}

bool GuestMachine::store(const Vector& vector, State& s, Outcome& outcome) const {
    u64 handler = v_.rip - 1 - linear_of(Handlers);  // behind the HLT
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
    for (Seg n : {Es, Ds, Fs, Gs}) s.seg[n] = v_.seg[n].selector;

    // The frame, from the stack's end down: SS, RSP, RFLAGS, CS, RIP, perhaps an error code.
    u64 frame[6];
    for (unsigned n = 0; n < 6; n++) {
        unsigned size = variant_.legacy ? 4 : 8;
        frame[n] = 0;
        std::memcpy(&frame[n], page(Stack) + page_size - (n + 1) * size, size);
    }
    s.seg[Ss] = recorded_selector(Ss, static_cast<u16>(frame[0]));
    s.gpr[Rsp] = frame[1];
    s.flags = frame[2];
    s.seg[Cs] = recorded_selector(Cs, static_cast<u16>(frame[3]));
    s.rip = frame[4];
    auto number = static_cast<unsigned>(exception);
    bool has_error = number == 8 || (number >= 10 && number <= 14) || number == 17;
    outcome = {exception, has_error ? static_cast<u32>(frame[5]) : 0, 0};
    if (exception != x86::Vector::Pf) return true;
    outcome.address = v_.cr2;
    // Recorded in a program, where every access is one of a program's.
    if (variant_.kernel && vector.outcome.error & pf_code::user) outcome.error |= pf_code::user;
    return true;
}

}  // namespace bmbt::oracle
