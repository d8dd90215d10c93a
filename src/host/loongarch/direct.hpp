// Physical memory from C++: cached through the direct-mapped window, devices through a window open only meanwhile.
#pragma once
#include "host/loongarch/csr.hpp"

namespace bmbt::host {

constexpr u64 direct_base = DIRECT_BASE;
constexpr u64 physical_mask = (u64{1} << 48) - 1;

template <class T = u8>
inline T* direct(u64 physical) {
    return reinterpret_cast<T*>(direct_base | physical);
}
// Of an object of ours; everything C++ sees lies in the direct-mapped window.
inline u64 physical_of(const void* p) { return reinterpret_cast<u64>(p) & physical_mask; }

// Device registers. The uncached window exists as long as an object of this class does, so never while guest code runs.
class Uncached {
 public:
    Uncached() : before_(csr_swap<CSR_DMW2>(DMW_UNCACHED)) {}
    ~Uncached() { csr_write<CSR_DMW2>(before_); }
    Uncached(const Uncached&) = delete;
    Uncached& operator=(const Uncached&) = delete;

    template <class T>
    T read(u64 physical) const {
        return *reinterpret_cast<volatile T*>(UNCACHED_BASE | physical);
    }
    template <class T>
    void write(u64 physical, T value) const {
        *reinterpret_cast<volatile T*>(UNCACHED_BASE | physical) = value;
    }

 private:
    u64 before_;
};

}  // namespace bmbt::host
