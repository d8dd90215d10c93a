#include "la64/disassembler.hpp"

#include "la64/rows.hpp"

namespace bmbt::la64 {
namespace {

constexpr const char* gpr_names[] = {"zero", "ra", "tp", "sp", "a0", "a1", "a2", "a3", "a4", "a5", "a6",
                                     "a7",   "t0", "t1", "t2", "t3", "t4", "t5", "t6", "t7", "t8", "r21",
                                     "fp",   "s0", "s1", "s2", "s3", "s4", "s5", "s6", "s7", "s8"};

// Appends to a buffer, keeping room for the end.
class Text {
 public:
    explicit Text(std::span<char> out) : out_(out) {}
    Text& operator<<(char c) {
        if (size_ + 1 < out_.size()) out_[size_++] = c;
        return *this;
    }
    Text& operator<<(const char* s) {
        while (*s) *this << *s++;
        return *this;
    }
    Text& decimal(i64 value) {
        auto rest = static_cast<u64>(value);
        if (value < 0) *this << '-', rest = -rest;
        char digits[20];
        unsigned n = 0;
        do digits[n++] = static_cast<char>('0' + rest % 10), rest /= 10;
        while (rest);
        while (n) *this << digits[--n];
        return *this;
    }
    Text& hex(u64 value) {
        *this << "0x";
        int shift = 60;
        while (shift && !(value >> shift)) shift -= 4;
        for (; shift >= 0; shift -= 4) *this << "0123456789abcdef"[value >> shift & 15];
        return *this;
    }
    usize end() {
        if (!out_.empty()) out_[size_] = 0;
        return size_;
    }

 private:
    std::span<char> out_;
    usize size_ = 0;
};

void operand(Text& text, const Operand& o, i64 value) {
    switch (o.kind) {
        case OperandKind::Gpr: text << '$' << gpr_names[value]; return;
        case OperandKind::Fpr:  // the psABI: arguments, temporaries, saved
            if (value < 8) (text << "$fa").decimal(value);
            else if (value < 24) (text << "$ft").decimal(value - 8);
            else (text << "$fs").decimal(value - 24);
            return;
        case OperandKind::Vr: (text << "$vr").decimal(value); return;
        case OperandKind::Xr: (text << "$xr").decimal(value); return;
        case OperandKind::Fcc: (text << "$fcc").decimal(value); return;
        case OperandKind::Fcsr: (text << "$fcsr").decimal(value); return;
        case OperandKind::Unsigned:
        case OperandKind::Signed:
        case OperandKind::Offset: text.decimal(value); return;
    }
}

// The short names that assemblers give to common cases.
bool alias(Text& text, u32 word) {
    auto reg = [&](unsigned low) { return gpr_names[bits(word, low + 4, low)]; };
    if (word == rows::andi.word) return text << "nop", true;
    if (rows::or_.matches(word) && bits(word, 14, 10) == 0) return text << "move $" << reg(0) << ", $" << reg(5), true;
    if (rows::jirl.matches(word) && bits(word, 25, 10) == 0 && bits(word, 4, 0) == 0) {
        if (bits(word, 9, 5) == ra.number) return text << "ret", true;
        return text << "jr $" << reg(5), true;
    }
    return false;
}

}  // namespace

usize disassemble(u32 word, u64 pc, std::span<char> out) {
    Text text(out);
    if (alias(text, word)) return text.end();
    auto row = find_encoding(word);
    if (!row) return (text << ".word ").hex(word).end();
    text << row->mnemonic;
    for (unsigned i = 0; i < row->count; ++i) {
        auto& o = row->operands[i];
        text << (i ? ", " : " ");
        operand(text, o, o.of(word));
        if (o.kind == OperandKind::Offset && pc) (text << " # ").hex(pc + static_cast<u64>(o.of(word)));
    }
    return text.end();
}

}  // namespace bmbt::la64
