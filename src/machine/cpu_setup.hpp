// A vCPU from the registers that a loader or a reset gives it.
#pragma once
#include "cpu/vcpu.hpp"
#include "loader/cpu_state.hpp"

namespace bmbt {

// Puts the vCPU into the state after a processor reset, then into `state`. What the runtime keeps in it (its stack,
// jump cache, refill tables) and its connections stay.
void start_cpu(Vcpu&, const CpuState& state);

}  // namespace bmbt
