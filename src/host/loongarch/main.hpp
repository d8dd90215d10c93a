// What the host layer starts when the machine is known: defined by src/machine, or by a self-test image.
#pragma once
#include "host/loongarch/host_info.hpp"

namespace bmbt {

[[noreturn]] void machine_main(const host::HostInfo&, host::Arena&);

}  // namespace bmbt
