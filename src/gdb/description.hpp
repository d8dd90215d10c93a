// The registers that the debugger sees: three descriptions of the same processor, of which it takes one when it connects.
// Source: "Debugging with GDB", appendix "Target Descriptions", "i386 Features".
#pragma once
#include <array>
#include <optional>
#include <string_view>

#include "base/types.hpp"

namespace bmbt::gdb {

// The target's registers. The numbers are those of the 64-bit description.
namespace reg {
constexpr u8 rax = 0, rbx = 1, rcx = 2, rdx = 3, rsi = 4, rdi = 5, rbp = 6, rsp = 7, r8 = 8, rip = 16, eflags = 17, cs = 18,
             ss = 19, ds = 20, es = 21, fs = 22, gs = 23, st0 = 24, fctrl = 32, fstat = 33, ftag = 34, fiseg = 35, fioff = 36,
             foseg = 37, fooff = 38, fop = 39, xmm0 = 40, mxcsr = 56, fs_base = 57, gs_base = 58, kernel_gs_base = 59,
             cs_base = 60, ss_base = 61, ds_base = 62, es_base = 63, gdtr = 64, idtr = 65, cr0 = 66, cr2 = 67, cr3 = 68,
             cr4 = 69, cr8 = 70, efer = 71, dr0 = 72, dr6 = 76, dr7 = 77,
             linear_pc = 78;  // where the instruction at CS:RIP lies
constexpr u8 count = 79;
}  // namespace reg

// Bytes of the target's register.
constexpr unsigned register_bytes(unsigned n) {
    if (n < reg::rip + 1) return 8;
    if (n < reg::st0) return 4;
    if (n < reg::fctrl) return 10;
    if (n < reg::xmm0) return 4;
    if (n < reg::mxcsr) return 16;
    return n == reg::mxcsr ? 4 : 8;
}
constexpr unsigned largest_register = 16;
constexpr unsigned all_register_bytes = [] {
    unsigned sum = 0;
    for (unsigned n = 0; n < reg::count; n++) sum += register_bytes(n);
    return sum;
}();

// What code the debugger is to expect. It cannot change its mind before it connects again.
enum class Arch : u8 {
    X86_64,
    I386,
    I8086  // pc is the linear address: this debugger knows no segments
};
constexpr std::string_view arch_names[] = {"x86-64", "i386", "i8086"};
std::optional<Arch> arch_named(std::string_view);

// Which register has which number and size for the debugger, and the XML that tells it so.
class Description {
 public:
    explicit Description(Arch);

    Arch arch() const { return arch_; }
    std::string_view xml() const { return {xml_.data(), size_}; }

    struct Register {
        u8 target;  // of namespace reg
        u8 bytes;   // the low ones; never more than the target's
    };
    unsigned count() const { return count_; }
    Register operator[](unsigned number) const { return registers_[number]; }
    unsigned number_of(u8 target) const;
    // The register that holds what the debugger calls the program counter.
    u8 pc() const { return arch_ == Arch::I8086 ? reg::linear_pc : reg::rip; }

 private:
    bool wide() const { return arch_ == Arch::X86_64; }
    void text(std::string_view);
    void number(unsigned);
    void add(std::string_view name, u8 target, unsigned bytes, std::string_view type, std::string_view group = {});
    void add_numbered(std::string_view name, unsigned first, unsigned end, u8 target, unsigned bytes, std::string_view type);
    void core();
    void sse();
    void system();

    static constexpr usize room = 8192;
    Arch arch_;
    usize size_ = 0;
    unsigned count_ = 0;
    std::array<Register, reg::count> registers_;
    std::array<char, room> xml_;
};

}  // namespace bmbt::gdb
