// Guest memory for tests: RAM from guest-physical 0 in one host block.
#pragma once
#include <vector>

#include "memory/physical_map.hpp"

namespace bmbt::test {

class TestMemory {
 public:
    explicit TestMemory(u64 size)
        : ram_(size + page_size), table_(size / page_size), map_(table_.data(), table_.size(), 0) {
        map_.map(0, size, FrameKind::Ram, reinterpret_cast<u64>(base()));
    }
    PhysicalMap& map() { return map_; }
    u8* base() { return reinterpret_cast<u8*>(align_up(reinterpret_cast<u64>(ram_.data()), page_size)); }

    template <class T>
    T get(u64 gpa) {
        T value{};
        map_.read(gpa, &value, sizeof value);
        return value;
    }

 private:
    std::vector<u8> ram_;
    std::vector<Frame> table_;
    PhysicalMap map_;
};

}  // namespace bmbt::test
