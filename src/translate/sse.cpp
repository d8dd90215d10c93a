// SSE in LSX. Instructions without a row here run in C++.
#include <Zydis/Mnemonic.h>

#include "translate/rows.hpp"

namespace bmbt {

Rows sse_rows() { return {nullptr, 0}; }

}  // namespace bmbt
