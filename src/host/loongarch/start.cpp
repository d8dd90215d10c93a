// From the entry code to machine_main: constructors, the machine's description, the CPU's modes.
#include "host/loongarch/csr.hpp"
#include "host/loongarch/main.hpp"
#include "host/loongarch/panic.hpp"
#include "host/loongarch/tlb.hpp"

namespace bmbt::host {

extern "C" void (*init_array_start[])();
extern "C" void (*init_array_end[])();

namespace {
constexpr u64 euen_fpu = 1, euen_lsx = 2, euen_lasx = 4;
HostInfo info;
Arena arena;
}  // namespace

extern "C" [[noreturn]] void host_start(u64 efi_boot, u64 command_line, u64 system_table) {
    for (auto** f = init_array_start; f != init_array_end; f++) (*f)();
    if (auto r = find_host({efi_boot, command_line, system_table}, info); !r) fail("{}", r.error().what);
    csr_write<CSR_EUEN>(euen_fpu | euen_lsx | (has_lasx() ? euen_lasx : 0));
    Tlb::prepare();
    auto memory = boot_arena(info);
    if (!memory) fail("{}", memory.error().what);
    arena = *memory;
    machine_main(info, arena);
}

}  // namespace bmbt::host
