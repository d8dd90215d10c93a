// Who answers a processor's interrupt acknowledge cycle: the 8259 pair, through INTR or a local APIC's ExtINT.
#pragma once
#include "base/types.hpp"

namespace bmbt {

class VectorSource {
 public:
    virtual u8 acknowledge() = 0;

 protected:
    ~VectorSource() = default;
};

}  // namespace bmbt
