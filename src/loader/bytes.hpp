// Little-endian fields of a file that may be short or hostile: every read is checked, nothing is cast in place.
#pragma once
#include <cstring>
#include <span>

#include "base/types.hpp"

namespace bmbt {

class Bytes {
 public:
    Bytes() = default;
    Bytes(std::span<const u8> data) : data_(data) {}

    u64 size() const { return data_.size(); }
    const u8* data() const { return data_.data(); }
    // [offset, offset + size) lies inside; false instead of overflow.
    bool has(u64 offset, u64 size) const { return offset <= data_.size() && size <= data_.size() - offset; }

    // The value at an offset, 0 where the file has already ended.
    u8 u8_at(u64 offset) const { return get<u8>(offset); }
    u16 u16_at(u64 offset) const { return get<u16>(offset); }
    u32 u32_at(u64 offset) const { return get<u32>(offset); }
    u64 u64_at(u64 offset) const { return get<u64>(offset); }

    // offset and size must satisfy has().
    Bytes part(u64 offset, u64 size) const { return data_.subspan(offset, size); }

 private:
    template <class T>
    T get(u64 offset) const {
        T value = 0;
        if (has(offset, sizeof value)) std::memcpy(&value, data_.data() + offset, sizeof value);
        return value;
    }
    std::span<const u8> data_;
};

// The same for a page that is being filled.
template <class T>
void put_at(u8* base, u64 offset, T value) {
    std::memcpy(base + offset, &value, sizeof value);
}

}  // namespace bmbt
