// Fixed-width integers and sizes. Everything of the project lives in namespace bmbt.
#pragma once
#include <cstddef>
#include <cstdint>

namespace bmbt {

using u8 = std::uint8_t;
using u16 = std::uint16_t;
using u32 = std::uint32_t;
using u64 = std::uint64_t;
using u128 = unsigned __int128;
using i8 = std::int8_t;
using i16 = std::int16_t;
using i32 = std::int32_t;
using i64 = std::int64_t;
using i128 = __int128;
using usize = std::size_t;

constexpr u64 operator""_KiB(unsigned long long n) { return n << 10; }
constexpr u64 operator""_MiB(unsigned long long n) { return n << 20; }
constexpr u64 operator""_GiB(unsigned long long n) { return n << 30; }

// The width of one access, in bytes.
enum class Width : u8 { Byte = 1, Word = 2, Dword = 4, Qword = 8 };
constexpr unsigned bytes(Width w) { return static_cast<unsigned>(w); }

}  // namespace bmbt
