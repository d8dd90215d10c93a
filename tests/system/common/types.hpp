// Integers of the guest programs, and what both of them share with their assembly.
#pragma once

namespace guest {

using u8 = unsigned char;
using u16 = unsigned short;
using u32 = unsigned int;
using u64 = unsigned long long;
using i64 = long long;
using uptr = unsigned long;  // as wide as a pointer, and so as a pushed word

inline uptr address(const volatile void* p) { return reinterpret_cast<uptr>(p); }

template <class T>
volatile T& at(uptr where) {
    return *reinterpret_cast<volatile T*>(where);
}

inline void outb(u16 port, u8 value) { asm volatile("outb %0, %1" ::"a"(value), "Nd"(port)); }
inline u8 inb(u16 port) {
    u8 value;
    asm volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}

}  // namespace guest

extern "C" void* memset(void*, int, unsigned long);
extern "C" void* memcpy(void*, const void*, unsigned long);
