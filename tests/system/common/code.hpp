// Pieces of guest code that checks run. They lie in pages of their own, open to user mode, and end with INT3, so that a
// piece that ran to its end is known by #BP there.
#pragma once
#include "common/types.hpp"

namespace guest {

struct Code {
    uptr begin, at, end;  // `at` is the instruction under test: where a fault is expected
};

// For tables of pieces.
struct Piece {
    const char* name;
    Code (*code)();
};

}  // namespace guest

// CODE(bits, name, text): the instruction under test is the first.
// CODE_AT(bits, name, before, text): it is the first of `text`.
#define CODE_AT(bits, name, before, text)                                                                            \
    asm(".pushsection .snippets,\"awx\",@progbits\n.intel_syntax noprefix\n.code" #bits "\n" #name "_code:\n" before \
        "\n" #name "_at:\n" text "\n" #name "_end:\nint3\n.att_syntax\n.code" NATIVE_BITS "\n.popsection");          \
    extern "C" const guest::u8 name##_code[], name##_at[], name##_end[];                                             \
    [[maybe_unused]] static guest::Code name() {                                                                     \
        return {guest::address(name##_code), guest::address(name##_at), guest::address(name##_end)};                 \
    }
#define CODE(bits, name, text) CODE_AT(bits, name, "", text)

#ifdef __x86_64__
#define NATIVE_BITS "64"
#else
#define NATIVE_BITS "32"
#endif
