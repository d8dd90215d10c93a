// Memory handed out once at boot and never taken back.
#pragma once
#include <new>
#include <span>
#include <utility>

#include "base/bits.hpp"
#include "base/types.hpp"

namespace bmbt::host {

// One range of host memory. Failing to get what is needed is the caller's one-line error.
class Arena {
 public:
    Arena() = default;
    Arena(u8* begin, u8* end) : next_(begin), end_(end) {}

    // Uninitialized; null if it does not fit. `align` is a power of two.
    void* take(u64 size, u64 align = 16) {
        u64 at = align_up(reinterpret_cast<u64>(next_), align), end = reinterpret_cast<u64>(end_);
        if (at < reinterpret_cast<u64>(next_) || at > end || size > end - at) return nullptr;
        next_ = reinterpret_cast<u8*>(at) + size;
        return reinterpret_cast<void*>(at);
    }
    template <class T, class... Args>
    T* make(Args&&... args) {
        void* p = take(sizeof(T), alignof(T));
        return p ? new (p) T(std::forward<Args>(args)...) : nullptr;
    }
    // Value-initialized.
    template <class T>
    std::span<T> array(u64 count, u64 align = alignof(T)) {
        if (count > left() / sizeof(T)) return {};
        auto* p = static_cast<T*>(take(count * sizeof(T), align));
        if (!p) return {};
        for (u64 i = 0; i < count; i++) new (p + i) T();
        return {p, count};
    }
    u64 left() const { return static_cast<u64>(end_ - next_); }

 private:
    u8* next_ = nullptr;
    u8* end_ = nullptr;
};

}  // namespace bmbt::host
