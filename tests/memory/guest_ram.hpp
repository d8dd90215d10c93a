// Guest memory for tests: RAM from guest-physical 0, contiguous in the test program's own.
#pragma once
#include <cstring>
#include <vector>

#include "memory/physical_map.hpp"

namespace bmbt::test {

class GuestRam {
 public:
    explicit GuestRam(u64 size, u64 address_space = 0)
        : bytes_(size + page_size),
          table_((address_space > size ? address_space : size) / page_size),
          map(table_.data(), table_.size(), 0) {
        map.map(0, size, FrameKind::Ram, align_up(reinterpret_cast<u64>(bytes_.data()), page_size));
    }
    template <class T>
    T get(u64 gpa) {
        T v;
        map.read(gpa, &v, sizeof v);
        return v;
    }
    template <class T>
    void put(u64 gpa, T v) {
        map.write(gpa, &v, sizeof v);
    }
    void put(u64 gpa, const std::vector<u8>& code) { map.write(gpa, code.data(), code.size()); }

 private:
    std::vector<u8> bytes_;
    std::vector<Frame> table_;

 public:
    PhysicalMap map;
};

}  // namespace bmbt::test
