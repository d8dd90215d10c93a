// The guest's registers and memory, as the debugger reads and writes them.
#include <algorithm>

#include "cpu/control.hpp"
#include "cpu/flags.hpp"
#include "cpu/segmentation.hpp"
#include "cpu/transfer.hpp"
#include "fpu/x87_image.hpp"
#include "gdb/description.hpp"
#include "runtime/runtime.hpp"

namespace bmbt {

using namespace x86;
namespace reg = gdb::reg;

namespace {

// By the debugger's numbers.
constexpr u8 gpr_of[] = {Rax, Rbx, Rcx, Rdx, Rsi, Rdi, Rbp, Rsp, R8, R9, R10, R11, R12, R13, R14, R15};
constexpr Seg segment_of[] = {Cs, Ss, Ds, Es, Fs, Gs};

u64 number_in(std::span<const u8> bytes) {
    u64 value = 0;
    __builtin_memcpy(&value, bytes.data(), std::min<usize>(bytes.size(), 8));
    return value;
}

bool is_st(unsigned n) { return n >= reg::st0 && n < reg::fctrl; }
bool is_xmm(unsigned n) { return n >= reg::xmm0 && n < reg::mxcsr; }

u64 x87_value(const fpu::X87& x, unsigned n) {
    switch (n) {
        case reg::fctrl: return x.control;
        case reg::fstat: return x.status;
        case reg::ftag: return fpu::full_tags(x);
        case reg::fiseg: return x.cs;
        case reg::fioff: return x.ip & 0xffff'ffff;
        case reg::foseg: return x.ds;
        case reg::fooff: return x.dp & 0xffff'ffff;
        default: return x.opcode;
    }
}

void set_x87_value(fpu::X87& x, unsigned n, u64 value) {
    switch (n) {
        case reg::fctrl: x.control = static_cast<u16>((value & 0x1f3f) | 0x40); break;
        case reg::fstat: x.status = static_cast<u16>(value); break;
        case reg::ftag:
            x.tag = 0;
            for (unsigned k = 0; k < 8; k++) x.tag |= static_cast<u8>((value >> 2 * k & 3) != 3) << k;
            break;
        case reg::fiseg: x.cs = static_cast<u16>(value); break;
        case reg::fioff: x.ip = value & 0xffff'ffff; break;
        case reg::foseg: x.ds = static_cast<u16>(value); break;
        case reg::fooff: x.dp = value & 0xffff'ffff; break;
        default: x.opcode = value & 0x7ff; break;
    }
    // The summary follows from exceptions and masks.
    bool pending = x.status & ~x.control & 0x3f;
    x.status = static_cast<u16>((x.status & ~(fpu::error_summary | fpu::busy)) | (pending ? fpu::error_summary | fpu::busy : 0));
}

const char* wrong(const Guest<>& done) {
    if (done) return nullptr;
    switch (done.error().vector) {
        case Vector::Gp: return "the instruction that writes it would raise GP";
        case Vector::Np: return "the instruction that writes it would raise NP";
        case Vector::Ss: return "the instruction that writes it would raise SS";
        case Vector::Pf: return "the instruction that writes it would raise PF";
        default: return "the instruction that writes it would fault";
    }
}

// As a far jump at the same privilege loads CS, or where there are no descriptors, the selector alone.
Guest<> write_cs(Vcpu& v, u16 selector) {
    if (!v.protected_mode() || v.v8086()) {
        set_code_segment(v, real_segment(v, Cs, selector), v.cpl);
        return {};
    }
    if (null_selector(selector)) return gp();
    DescriptorEntry e = TRY(descriptor(v, selector));
    const Segment cs = TRY(code_segment_for_jump(v, selector, e));
    CHECK(check_rip(v, cs, v.rip));
    set_code_segment(v, cs, v.cpl);
    return {};
}

}  // namespace

// What a debugger for the code at CS:RIP best takes it for. Virtual 8086 mode is a program's, under a 32-bit system.
gdb::Arch Debugger::arch() {
    if (v_->long_mode()) return gdb::Arch::X86_64;
    return v_->seg[Cs].big() || v_->v8086() ? gdb::Arch::I386 : gdb::Arch::I8086;
}

u64 Debugger::register_value(unsigned n) const {
    Vcpu& v = *v_;
    if (n < reg::rip) return v.gpr[gpr_of[n]];
    if (n >= reg::cs && n < reg::st0) return v.seg[segment_of[n - reg::cs]].selector;
    if (n >= reg::fctrl && n < reg::xmm0) return x87_value(vcpu_x87(v), n);
    if (n >= reg::dr0 && n < reg::dr6) return v.dr[n - reg::dr0];
    switch (n) {
        case reg::rip: return v.rip;
        case reg::eflags: return rflags(v);
        case reg::mxcsr: return vcpu_mxcsr(v);
        case reg::fs_base: return v.seg[Fs].base;
        case reg::gs_base: return v.seg[Gs].base;
        case reg::kernel_gs_base: return v.kernel_gs_base;
        case reg::cs_base: return v.seg[Cs].base;
        case reg::ss_base: return v.seg[Ss].base;
        case reg::ds_base: return v.seg[Ds].base;
        case reg::es_base: return v.seg[Es].base;
        case reg::gdtr: return v.gdtr.base;
        case reg::idtr: return v.idtr.base;
        case reg::cr0: return v.paging.cr0;
        case reg::cr2: return v.cr2;
        case reg::cr3: return v.paging.cr3;
        case reg::cr4: return v.paging.cr4;
        case reg::cr8: return runtime_->read_tpr(v);
        case reg::efer: return v.paging.efer;
        case reg::dr6: return v.dr[6];
        case reg::dr7: return v.dr[7];
        case reg::linear_pc: return rip_linear();
        default: return 0;
    }
}

const char* Debugger::go_to(u64 rip) {
    Vcpu& v = *v_;
    if (!check_rip(v, v.seg[Cs], rip)) return "no instruction can be there: not canonical, or beyond the limit of CS";
    if (v.rip != rip) v.halted = false;
    v.rip = v.next_rip = rip;
    return nullptr;
}

const char* Debugger::set_base(Seg which, u64 value) {
    if (v_->long_mode() ? !canonical(value) : value >> 32) return "not an address of this mode";
    Segment s = v_->seg[which];
    s.base = value;
    set_segment(*v_, which, s);
    return nullptr;
}

// What means more than its value is written as the guest's own instructions write it, at privilege level 0.
const char* Debugger::set_register(unsigned n, u64 value) {
    Vcpu& v = *v_;
    if (value == register_value(n)) return nullptr;
    if (n < reg::rip) return v.gpr[gpr_of[n]] = value, nullptr;
    if (n >= reg::cs && n < reg::st0) {
        if (value >> 16) return "a selector has 16 bits";
        const u16 selector = static_cast<u16>(value);
        return wrong(n == reg::cs ? write_cs(v, selector) : load_segment(v, segment_of[n - reg::cs], selector));
    }
    if (n >= reg::fctrl && n < reg::xmm0) return set_x87_value(vcpu_x87(v), n, value), nullptr;
    if (n >= reg::dr0 && n <= reg::dr7) return wrong(write_debug(v, n == reg::dr6 ? 6 : n == reg::dr7 ? 7 : n - reg::dr0, value));
    switch (n) {
        case reg::rip: return go_to(value);
        case reg::linear_pc: return go_to(v.code64() ? value : (value - v.seg[Cs].base) & 0xffff'ffff);
        case reg::eflags:
            if ((value ^ v.system_flags) & flag::vm) return "VM is changed by an IRET or a task switch";
            return set_rflags(v, value), nullptr;
        case reg::mxcsr:
            if (value >> 16) return "reserved bits";
            return set_vcpu_mxcsr(v, value), nullptr;
        case reg::fs_base: return set_base(Fs, value);
        case reg::gs_base: return set_base(Gs, value);
        case reg::kernel_gs_base:
            if (!canonical(value)) return "not canonical";
            return v.kernel_gs_base = value, nullptr;
        case reg::gdtr:
        case reg::idtr:
            if (v.long_mode() ? !canonical(value) : value >> 32) return "not an address of this mode";
            return (n == reg::gdtr ? v.gdtr : v.idtr).base = value, nullptr;
        case reg::cr0: return wrong(write_cr0(v, value));
        case reg::cr2: return v.cr2 = value, nullptr;
        case reg::cr3: return wrong(write_cr3(v, value));
        case reg::cr4: return wrong(write_cr4(v, value));
        case reg::cr8:
            if (value > 15) return "CR8 has 4 bits";
            return v.platform->write_tpr(v, value), nullptr;
        case reg::efer: return wrong(write_msr(v, msr::efer, value));
        default: return "follows from its selector";
    }
}

void Debugger::read_register(unsigned n, std::span<u8> out) {
    if (is_st(n)) {
        const fpu::Float80& f = vcpu_x87(*v_).reg(n - reg::st0);
        __builtin_memcpy(out.data(), &f.mantissa, 8);
        __builtin_memcpy(out.data() + 8, &f.sign_exponent, 2);
    } else if (is_xmm(n)) {
        __builtin_memcpy(out.data(), &vcpu_xmm(*v_, n - reg::xmm0), 16);
    } else {
        u64 value = register_value(n);
        __builtin_memcpy(out.data(), &value, std::min<usize>(out.size(), 8));
    }
}

const char* Debugger::write_register(unsigned n, std::span<const u8> from) {
    if (is_st(n)) {
        fpu::Float80& f = vcpu_x87(*v_).reg(n - reg::st0);
        __builtin_memcpy(&f.mantissa, from.data(), 8);
        __builtin_memcpy(&f.sign_exponent, from.data() + 8, 2);
        return nullptr;
    }
    if (is_xmm(n)) {
        __builtin_memcpy(&vcpu_xmm(*v_, n - reg::xmm0), from.data(), 16);
        return nullptr;
    }
    return set_register(n, number_in(from));
}

u8* Debugger::byte_at(u64 address, bool write, u64& gpa) const {
    if (v_->long_mode() ? !canonical(address) : address >> 32) return nullptr;
    auto at = peek_walk(*v_->physical, v_->paging, address);
    if (!at) return nullptr;
    gpa = at->gpa & v_->physical->a20_mask;
    return write ? v_->physical->ram(gpa) : v_->physical->pointer(gpa);
}

usize Debugger::read_memory(u64 address, std::span<u8> to) {
    for (usize done = 0; done < to.size();) {
        u64 at = address + done, gpa;
        usize piece = std::min<usize>(to.size() - done, page_size - (at & (page_size - 1)));
        const u8* p = at < address ? nullptr : byte_at(at, false, gpa);
        if (!p) return done;
        __builtin_memcpy(to.data() + done, p, piece);
        done += piece;
    }
    return to.size();
}

// All or nothing; rights of pages do not bind a debugger.
bool Debugger::write_memory(u64 address, std::span<const u8> from) {
    for (bool check : {true, false})
        for (usize done = 0; done < from.size();) {
            u64 at = address + done, gpa;
            usize piece = std::min<usize>(from.size() - done, page_size - (at & (page_size - 1)));
            u8* p = at < address ? nullptr : byte_at(at, true, gpa);
            if (!p) return false;
            if (!check) {
                v_->physical->note_write(gpa, piece);
                __builtin_memcpy(p, from.data() + done, piece);
            }
            done += piece;
        }
    return true;
}

}  // namespace bmbt
