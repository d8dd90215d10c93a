// CPUID's word is kept in both directions: every instruction of an extension that it offers is one, in every mode, and
// every instruction of one that it does not offer raises #UD. What to expect comes from the decoder's tables, which
// name the extension of each encoding, and from CPUID as a guest reads it; no list of this machine's own is asked.
#include <gtest/gtest.h>

#include <cstring>
#include <map>

#include "announced.hpp"
#include "cpu/control.hpp"
#include "cpu/system_machine.hpp"
#include "encodings.hpp"

namespace bmbt::test {
namespace {

using oracle::Encoding;
using x86::CodeSize;

bool offered(Vcpu& v, const Encoding& e) {
    const oracle::Announced a = oracle::announced(e.isa_set);
    using Register = oracle::CpuidRegister;
    // LAHF and SAHF are as old as the 8086; the bit is about 64-bit mode.
    if (a.leaf == a.always || (e.isa_set == ZYDIS_ISA_SET_LAHF && e.mode != CodeSize::Bits64)) return true;
    if (a.leaf == a.never) return false;
    CpuidResult r = cpuid(v, a.leaf, 0);
    u32 value = a.reg == Register::Ebx ? r.ebx : a.reg == Register::Ecx ? r.ecx : r.edx;
    return value >> a.bit & 1;
}

enum class Place { Kernel, User, LegacyKernel, LegacyUser, Real, V8086 };
constexpr const char* place_names[] = {"kernel", "user", "legacy kernel", "legacy user", "real mode", "VM86"};

constexpr u64 operand_at = 0x8000;  // [RDI], [BX] and [RAX+RAX], mapped and aligned

// A machine stopped before its first instruction in one mode. In virtual-8086 mode and real mode segments are 64 KiB.
struct Stage : SystemMachine {
    std::unique_ptr<Vcpu> start;

    Stage(Place place, CodeSize size) : SystemMachine(place == Place::Kernel || place == Place::User) {
        bool is_user = place == Place::User || place == Place::LegacyUser, wide = size == CodeSize::Bits32;
        v.paging.cr0 |= x86::cr0::mp;
        v.paging.cr4 |= x86::cr4::osfxsr | x86::cr4::osxmmexcpt | x86::cr4::osxsave | x86::cr4::fsgsbase;
        if (is_user) user({});
        u16 level = is_user ? 0x60 : 0;
        if (size != CodeSize::Bits64 && (is_user || place == Place::Kernel || place == Place::LegacyKernel)) {
            set(x86::Cs, is_user ? user_code | 3 : kernel_code, static_cast<u16>((wide ? code32 : code16) | level),
                ~u32{0}, 0);
            set(x86::Ss, is_user ? user_data | 3 : kernel_data, static_cast<u16>((wide ? data32 : data16) | level),
                0xffff, 0);
        }
        if (place == Place::Real || place == Place::V8086) {
            real_mode();
            if (place == Place::Real) v.paging.cr0 &= ~x86::cr0::pe;
            if (place == Place::V8086) {
                v.system_flags |= x86::flag::vm | 3 << 12;
                v.cpl = 3;
                for (unsigned s = 0; s < 6; s++) v.seg[s].access |= 0x60;
            }
        }
        v.system_flags |= 3 << 12;
        for (unsigned n : {x86::Rdi, x86::Rbx}) v.gpr[n] = operand_at;
        v.gpr[x86::Rax] = operand_at / 2;
        v.gpr[x86::Rcx] = 0;
        v.gpr[x86::Rdx] = 0;
        v.gpr[x86::Rsi] = 0;
        v.gpr[x86::Rsp] = v.gpr[x86::Rbp] = 0x7000;
        start = std::make_unique<Vcpu>(v);
    }
    // The exception that the instruction ends with, if any.
    std::optional<x86::Vector> run(const std::vector<u8>& bytes) {
        v = *start;
        std::vector<u8> zero(0x400);
        ram.put(operand_at, zero);
        code(bytes);
        auto done = interpret(v);
        if (done || done.error().trap) return {};
        return done.error().vector;
    }
};

// What an offered encoding raises #UD for all the same, by the manual's word.
bool undefined_here(const Encoding& e, Place place) {
    bool protected_mode = place != Place::Real && place != Place::V8086;
    switch (e.form.mnemonic) {
        case ZYDIS_MNEMONIC_UD0:
        case ZYDIS_MNEMONIC_UD1:
        case ZYDIS_MNEMONIC_UD2: return true;  // made for it
        case ZYDIS_MNEMONIC_RSM: return true;  // outside of system management mode
        case ZYDIS_MNEMONIC_ARPL:
        case ZYDIS_MNEMONIC_LAR:
        case ZYDIS_MNEMONIC_LSL:
        case ZYDIS_MNEMONIC_VERR:
        case ZYDIS_MNEMONIC_VERW:
        case ZYDIS_MNEMONIC_SLDT:
        case ZYDIS_MNEMONIC_STR:
        case ZYDIS_MNEMONIC_LLDT:
        case ZYDIS_MNEMONIC_LTR: return !protected_mode;  // "Real-Address Mode Exceptions"
        default: return false;
    }
}

// Prefix bytes, opcode and all, for a message.
std::string described(const Encoding& e, Place place) {
    std::string out = e.mode == CodeSize::Bits64 ? "64 " : e.mode == CodeSize::Bits32 ? "32 " : "16 ";
    char b[8];
    for (u8 byte : e.bytes) snprintf(b, sizeof b, "%02x ", byte), out += b;
    return out + x86::mnemonic_name(e.form.mnemonic) + " in " + place_names[static_cast<unsigned>(place)];
}

void walk(std::initializer_list<Place> places, unsigned at_least_offered, unsigned at_least_not) {
    std::map<std::pair<Place, CodeSize>, std::unique_ptr<Stage>> stages;
    unsigned yes = 0, no = 0, wrong = 0;
    oracle::walk_encodings([&](const Encoding& e) {
        if (e.reused) {  // without the extension the bytes are another instruction, which is visited too, or none
            oracle::EncodedForm plain;
            if (oracle::form_of(e.mode, e.bytes, plain)) return;
        }
        for (Place place : places) {
            bool small = place == Place::Real || place == Place::V8086;
            if (small && e.mode != CodeSize::Bits16) continue;
            if (e.mode == CodeSize::Bits64 && place != Place::Kernel && place != Place::User) continue;
            auto& stage = stages[{place, e.mode}];
            if (!stage) stage = std::make_unique<Stage>(place, e.mode);
            bool expected = !e.reused && offered(stage->v, e) && !undefined_here(e, place);
            auto raised = stage->run(e.bytes);
            bool accepted = raised != x86::Vector::Ud;
            (expected ? yes : no)++;
            if (accepted == expected) continue;
            if (wrong++ < 400)
                ADD_FAILURE() << described(e, place)
                              << (expected ? " is offered, but raises #UD" : " is not offered, but is no #UD");
        }
    });
    EXPECT_GE(yes, at_least_offered);
    EXPECT_GE(no, at_least_not);
    EXPECT_EQ(wrong, 0u);
    std::printf("%u encodings are instructions, %u raise #UD\n", yes, no);
}

TEST(Offered, InEveryMode) {
    walk({Place::Kernel, Place::User, Place::LegacyKernel, Place::LegacyUser, Place::Real, Place::V8086}, 80'000,
         30'000);
}

}  // namespace
}  // namespace bmbt::test
