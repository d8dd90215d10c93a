// Who must forget what it knows about guest-physical addresses when their meaning changes.
#pragma once
#include "base/types.hpp"

namespace bmbt {

class MapListener {
 public:
    // What [gpa, gpa + size) leads to has changed (ROM shadowing, the A20 gate): TLB entries and translations of it are
    // stale.
    virtual void map_changed(u64 gpa, u64 size) = 0;

 protected:
    ~MapListener() = default;
};

}  // namespace bmbt
