// A machine with descriptor tables: GDT at 0x800, IDT at 0x0, TSS at 0x600, LDT at 0x780.
#pragma once
#include <optional>

#include "cpu/interpret.hpp"
#include "cpu/machine.hpp"
#include "cpu/segmentation.hpp"
#include "cpu/transfer.hpp"

namespace bmbt::test {

constexpr u16 kernel_code = 0x08, kernel_data = 0x10, user_code = 0x18, user_data = 0x20, tss_selector = 0x28,
              gate_selector = 0x38, ldt_selector = 0x48, other_tss = 0x58, user_code64 = 0x68, free_entry = 0x70;
constexpr u64 gdt_at = 0x800, idt_at = 0, tss_at = 0x600, ldt_at = 0x780, code_at = 0x2000, user_at = 0x3000,
              handler_at = 0x4000, kernel_stack = 0x6000, user_stack = 0x7000, other_tss_at = 0x700;

constexpr u64 descriptor_of(u64 base, u64 limit, u16 access) {
    return (limit & 0xffff) | (base & 0xff'ffff) << 16 | u64{access & 0xffu} << 40 | (limit >> 16 & 15) << 48 |
           u64{access >> 12 & 15u} << 52 | (base >> 24 & 0xff) << 56;
}
constexpr u64 gate_of(u16 selector, u64 offset, u8 type, unsigned dpl = 0, unsigned extra = 0) {
    return (offset & 0xffff) | u64{selector} << 16 | u64{extra} << 32 | u64{0x80u | dpl << 5 | type} << 40 |
           (offset >> 16 & 0xffff) << 48;
}

struct SystemMachine : Machine {
    std::vector<x86::Fault> faults;  // what go() delivered

    explicit SystemMachine(bool long64) {
        bool wide = long64;
        if (long64)
            long_mode();
        else
            flat32();
        entry(kernel_code, descriptor_of(0, 0xfffff, wide ? code64 : code32));
        entry(kernel_data, descriptor_of(0, 0xfffff, data32));
        entry(user_code, descriptor_of(0, 0xfffff, code32_user));
        entry(user_data, descriptor_of(0, 0xfffff, data32_user));
        entry(user_code64, descriptor_of(0, 0xfffff, wide ? code64_user : code32_user));
        entry(tss_selector, descriptor_of(tss_at, 0xff, 0x89));
        entry(ldt_selector, descriptor_of(ldt_at, 0x2f, 0x82));
        entry(other_tss, descriptor_of(other_tss_at, 0x67, 0x89));
        v.gdtr = {.base = gdt_at, .limit = 0x7f};
        v.idtr = {.base = idt_at, .limit = 0x5ff};
        v.tr = {.selector = tss_selector, .access = 0x8b, .limit = 0xff, .base = tss_at};
        for (x86::Seg s : {x86::Es, x86::Ss, x86::Ds, x86::Fs, x86::Gs}) v.seg[s].selector = kernel_data;
        v.seg[x86::Cs].selector = kernel_code;
        if (wide)
            ram.put<u64>(tss_at + 4, kernel_stack);
        else
            ram.put<u32>(tss_at + 4, kernel_stack), ram.put<u16>(tss_at + 8, kernel_data);
        v.gpr[x86::Rsp] = kernel_stack;
        ram.put<u8>(handler_at, 0xf4);
    }
    void entry(u16 selector, u64 raw) { ram.put<u64>(gdt_at + (selector & ~7), raw); }
    void idt(u8 vector, u64 offset, u8 type = 14, unsigned dpl = 0, unsigned ist = 0) {
        u64 at = idt_at + vector * (v.long_mode() ? 16 : 8);
        ram.put<u64>(at, gate_of(kernel_code, offset, type, dpl, ist));
        if (v.long_mode()) ram.put<u64>(at + 8, offset >> 32);
    }
    void code(const std::vector<u8>& bytes, u64 at = code_at) {
        ram.put(at, bytes);
        v.rip = v.next_rip = at;
        v.halted = false;
    }
    // Puts the CPU at level 3, at user_at.
    void user(const std::vector<u8>& bytes) {
        bool wide = v.long_mode();
        set(x86::Cs, (wide ? user_code64 : user_code) | 3, wide ? code64_user : code32_user, ~u32{0}, 0);
        for (x86::Seg s : {x86::Es, x86::Ss, x86::Ds, x86::Fs, x86::Gs}) set(s, user_data | 3, data32_user, ~u32{0}, 0);
        v.cpl = 3;
        v.gpr[x86::Rsp] = user_stack;
        code(bytes, user_at);
    }
    // Runs until HLT or shutdown, delivering faults.
    void go(int limit = 200) {
        for (int n = 0; n < limit && !v.halted && !v.shutdown; n++)
            if (auto done = interpret(v); !done) {
                faults.push_back(done.error());
                raise(v, done.error());
            }
    }
    // One instruction; its fault, or none.
    std::optional<x86::Fault> step(const std::vector<u8>& bytes) {
        code(bytes, v.cpl == 3 ? user_at : code_at);
        auto done = interpret(v);
        if (done) return std::nullopt;
        return done.error();
    }
    u32 stack32(unsigned n) { return ram.get<u32>(v.gpr[x86::Rsp] + 4 * n); }
    u64 stack64(unsigned n) { return ram.get<u64>(v.gpr[x86::Rsp] + 8 * n); }
};

}  // namespace bmbt::test
