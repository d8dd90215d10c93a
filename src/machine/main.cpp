// The image's main: says what it found.
#include "host/loongarch/main.hpp"

#include "host/loongarch/panic.hpp"
#include "host/loongarch/trap.hpp"

extern "C" void guest_exit(bmbt::Vcpu&) { bmbt::host::panic("guest code ended, but nothing was built to run it"); }

namespace bmbt {

void machine_main(const host::HostInfo& info, host::Arena& arena) {
    host::say("hello, image {} KiB at {:x}, {} MiB left for ourselves", info.image.size >> 10, info.image.base,
              arena.left() >> 20);
    host::power_off();
}

}  // namespace bmbt
