// One member function an instruction, each a few shifts and ors. Self takes the words: emit(u32).
// The class is a template so that only the instructions which a program uses cost compile time.
#pragma once
#include "la64/operands.hpp"

namespace bmbt::la64 {

template <class Self>
class Instructions {
 public:
#define LA64_HEAD(drawing) head<Self>(drawing)
#define LA64_PUT(drawing, text, letter) place<slot<Self>(drawing, #letter[0])>(letter, text)
#define LA64_INSN0(name, text, drawing) \
    void name() { put(LA64_HEAD(drawing)); }
#define LA64_INSN1(name, text, drawing, A, a) \
    void name(A a) { put(LA64_HEAD(drawing) | LA64_PUT(drawing, text, a)); }
#define LA64_INSN2(name, text, drawing, A, a, B, b) \
    void name(A a, B b) { put(LA64_HEAD(drawing) | LA64_PUT(drawing, text, a) | LA64_PUT(drawing, text, b)); }
#define LA64_INSN3(name, text, drawing, A, a, B, b, C, c)                            \
    void name(A a, B b, C c) {                                                       \
        put(LA64_HEAD(drawing) | LA64_PUT(drawing, text, a) | LA64_PUT(drawing, text, b) | \
            LA64_PUT(drawing, text, c));                                             \
    }
#define LA64_INSN4(name, text, drawing, A, a, B, b, C, c, D, d)                      \
    void name(A a, B b, C c, D d) {                                                  \
        put(LA64_HEAD(drawing) | LA64_PUT(drawing, text, a) | LA64_PUT(drawing, text, b) | \
            LA64_PUT(drawing, text, c) | LA64_PUT(drawing, text, d));                \
    }
#include "la64/encodings.def"
#undef LA64_HEAD
#undef LA64_PUT

 private:
    void put(u32 word) { static_cast<Self*>(this)->emit(word); }

    // Dependent on a type, so that a drawing is read only when its instruction is used.
    template <class>
    static consteval u32 head(const char* drawing) { return drawn_bits(drawing); }
    template <class>
    static consteval Slot slot(const char* drawing, char letter) { return drawn_slot(drawing, letter); }

    template <Slot s, class Register>
        requires requires(Register r) { r.number; }
    static constexpr u32 place(Register r, const char* name) {
        if (r.number >> s.width()) [[unlikely]] bad_operand(name);
        return u32{r.number} << s.low;
    }
    template <Slot s, class Value>
    static constexpr u32 place(Value v, const char* name) {
        if (!Value::fits(v.value)) [[unlikely]] bad_operand(name);
        return s.place(v.raw());
    }
};

}  // namespace bmbt::la64
