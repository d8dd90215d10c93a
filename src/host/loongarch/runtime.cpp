// What compiled C++ expects of its surroundings. There is no heap: memory is handed out once, by class Arena.
#include <cstdlib>
#include <new>

#include "host/loongarch/panic.hpp"

using bmbt::host::panic;

extern "C" {
void abort() noexcept { panic("abort() was called"); }
[[noreturn]] void __cxa_pure_virtual() { panic("a pure virtual function was called"); }
int __cxa_atexit(void (*)(void*), void*, void*) { return 0; }  // nothing ever exits
void* __dso_handle = nullptr;
int strcmp(const char* a, const char* b) {
    while (*a && *a == *b) a++, b++;
    return static_cast<unsigned char>(*a) - static_cast<unsigned char>(*b);
}
int strncmp(const char* a, const char* b, std::size_t n) {
    while (n && *a && *a == *b) a++, b++, n--;
    return n ? static_cast<unsigned char>(*a) - static_cast<unsigned char>(*b) : 0;
}
const void* memchr(const void* p, int c, std::size_t n) {
    for (auto* s = static_cast<const unsigned char*>(p); n--; s++)
        if (*s == static_cast<unsigned char>(c)) return s;
    return nullptr;
}
void free(void*) noexcept { panic("free() was called: there is no heap"); }
void* malloc(std::size_t) noexcept { panic("malloc() was called: there is no heap"); }
}

void* operator new(std::size_t) { panic("operator new was called: there is no heap"); }
void* operator new[](std::size_t) { panic("operator new[] was called: there is no heap"); }
void operator delete(void*) noexcept { panic("operator delete was called: there is no heap"); }
void operator delete[](void*) noexcept { panic("operator delete[] was called: there is no heap"); }
void operator delete(void*, std::size_t) noexcept { panic("operator delete was called: there is no heap"); }
void operator delete[](void*, std::size_t) noexcept { panic("operator delete[] was called: there is no heap"); }
void operator delete(void*, std::align_val_t) noexcept { panic("operator delete was called: there is no heap"); }
void operator delete(void*, std::size_t, std::align_val_t) noexcept { panic("operator delete: there is no heap"); }

namespace std {
void terminate() noexcept { panic("std::terminate() was called"); }
void __glibcxx_assert_fail(const char* file, int line, const char*, const char* what) noexcept {
    panic("{}:{}: assertion failed: {}", file ? file : "?", line, what ? what : "?");
}
void __throw_bad_alloc() { panic("std::bad_alloc"); }
void __throw_bad_array_new_length() { panic("std::bad_array_new_length"); }
void __throw_bad_function_call() { panic("std::bad_function_call"); }
void __throw_bad_optional_access() { panic("std::bad_optional_access"); }
void __throw_logic_error(const char* what) { panic("std::logic_error: {}", what); }
void __throw_length_error(const char* what) { panic("std::length_error: {}", what); }
void __throw_invalid_argument(const char* what) { panic("std::invalid_argument: {}", what); }
void __throw_out_of_range(const char* what) { panic("std::out_of_range: {}", what); }
void __throw_out_of_range_fmt(const char* what, ...) { panic("std::out_of_range: {}", what); }
}  // namespace std
