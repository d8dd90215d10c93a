// The one place that says which version this is; the launcher reads it here too.
#pragma once

namespace bmbt {

inline constexpr char version[] = "0.1.0";

}  // namespace bmbt
