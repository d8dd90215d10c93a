// The machine-check architecture's registers. Intel SDM vol. 3, "Machine-Check MSRs". What a write to IA32_MCG_CAP does is
// undefined, and so is which bits of IA32_MCi_CTL are kept: neither is asked.
#include "long/machine.hpp"

namespace guest {
namespace {

CODE(64, read_machine_check, "rdmsr")
CODE(64, write_machine_check, "wrmsr")

namespace mc {
constexpr u32 p5_address = 0, p5_type = 1, cap = 0x179, status = 0x17a, control = 0x17b, rax = 0x180, control2 = 0x280,
              extended_control = 0x4d0, bank0 = 0x400;
constexpr u64 control_there = 1 << 8, extended_there = 1 << 9, cmci_there = 1 << 10, lmce_there = 1 << 27;
}  // namespace mc

// A bank's registers, in their order from bank0 on.
enum Bank : u32 { Control, Status, Address, Misc, BankSize };
u32 bank(unsigned n, Bank which) { return mc::bank0 + n * BankSize + which; }

const Trap& access(const Code& c, u32 index, u64 value = 0) {
    Regs r = kernel(c);
    r.gpr[Rcx] = index;
    r.gpr[Rax] = value & 0xffff'ffff, r.gpr[Rdx] = value >> 32;
    return run(r);
}

u64 value_read() { return trapped.gpr[Rdx] << 32 | (trapped.gpr[Rax] & 0xffff'ffff); }

void check_absent(const Name& name, u32 index) {
    Check(Name("RDMSR") << name.text())
        .ends(access(read_machine_check(), index), read_machine_check(), gp(0));
    Check(Name("WRMSR") << name.text())
        .ends(access(write_machine_check(), index), write_machine_check(), gp(0));
}

void check_globals(u64 cap) {
    Check("RDMSR MCG_CAP").ends(access(read_machine_check(), mc::cap), read_machine_check(), done);
    Check("RDMSR MCG_STATUS").ends(access(read_machine_check(), mc::status), read_machine_check(), done)
        .is("value", value_read(), 0);
    Check("WRMSR MCG_STATUS 0").ends(access(write_machine_check(), mc::status), write_machine_check(), done);
    // "IA32_MCG_STATUS MSR": a write of anything but 0 is #GP.
    constexpr unsigned bits[] = {0, 1, 2, 3, 4, 31, 32, 63};
    for (unsigned bit : bits) {
        Check(Name("WRMSR MCG_STATUS bit") << bit)
            .ends(access(write_machine_check(), mc::status, 1ull << bit), write_machine_check(), gp(0));
        if (trapped.vector == done.vector) write_msr(mc::status, 0);
    }
    if (cap & mc::control_there) {
        const u64 before = read_msr(mc::control);
        for (unsigned bit = 0; bit < 2; ++bit)
            Check(Name("WRMSR MCG_CTL all") << bit)
                .ends(access(write_machine_check(), mc::control, -u64{bit}), write_machine_check(), done);
        write_msr(mc::control, before);
    } else {
        check_absent("MCG_CTL without MCG_CTL_P", mc::control);
    }
    if (!(cap & mc::extended_there)) check_absent("MCG_RAX without MCG_EXT_P", mc::rax);
    if (!(cap & mc::lmce_there)) check_absent("MCG_EXT_CTL without MCG_LMCE_P", mc::extended_control);
}

// Every bank in one check, so that machines with different numbers of them have the same names.
void check_banks(u64 cap) {
    const unsigned banks = cap & 0xff;
    struct Row {
        const char* name;
        const Code code;
        Bank which;
        u64 value;
        Want want;
    };
    const Row rows[] = {{"RDMSR MCi_CTL", read_machine_check(), Control, 0, done},
                        {"WRMSR MCi_CTL all 0", write_machine_check(), Control, 0, done},
                        {"WRMSR MCi_CTL all 1", write_machine_check(), Control, ~u64{0}, done},
                        {"RDMSR MCi_STATUS", read_machine_check(), Status, 0, done},
                        {"WRMSR MCi_STATUS 0", write_machine_check(), Status, 0, done},
                        {"WRMSR MCi_STATUS bit 0", write_machine_check(), Status, 1, gp(0)},
                        {"WRMSR MCi_STATUS VAL", write_machine_check(), Status, 1ull << 63, gp(0)},
                        {"WRMSR MCi_STATUS all 1", write_machine_check(), Status, ~u64{0}, gp(0)}};
    for (const Row& row : rows) {
        Check c(row.name);
        if (!banks) c.skip();
        for (unsigned n = 0; n < banks; ++n) {
            c.ends(access(row.code, bank(n, row.which), row.value), row.code, row.want);
            if (row.which == Status) write_msr(bank(n, Status), 0);
        }
    }
    check_absent("MCi_CTL beyond the last bank", bank(banks, Control));
    check_absent("MCi_STATUS beyond the last bank", bank(banks, Status));
    check_absent("MCi_ADDR beyond the last bank", bank(banks, Address));
    check_absent("MCi_MISC beyond the last bank", bank(banks, Misc));
    if (!(cap & mc::cmci_there)) check_absent("MC0_CTL2 without MCG_CMCI_P", mc::control2);
}

}  // namespace

void check_machine_check() {
    const u32 features = cpuid(1).edx;
    if (!(features >> 7 & 1)) return;
    {
        With with(With::Cr4, cr4::mce);
        Check("CR4.MCE can be set").is("bit", read_cr4() & cr4::mce, cr4::mce);
    }
    // "Mapping of the Pentium Processor Machine-Check Errors to the Machine-Check Architecture": its handler reads these.
    Check("RDMSR P5_MC_ADDR").ends(access(read_machine_check(), mc::p5_address), read_machine_check(), done);
    Check("RDMSR P5_MC_TYPE").ends(access(read_machine_check(), mc::p5_type), read_machine_check(), done);
    if (!(features >> 14 & 1)) return;
    access(read_machine_check(), mc::cap);
    const u64 cap = trapped.vector == done.vector ? value_read() : 0;
    check_globals(cap);
    check_banks(cap);
}

}  // namespace guest
