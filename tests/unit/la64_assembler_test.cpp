// Pseudo-instructions, labels and limits of the assembler, and the relocation of branches.
#include <gtest/gtest.h>

#include <random>
#include <vector>

#include "la64/assembler.hpp"
#include "la64/csr.hpp"
#include "la64/encodings.hpp"

namespace bmbt::la64 {
namespace {

struct Code {
    explicit Code(usize words = 64) : buffer(words), a(buffer) {}
    std::vector<u32> buffer;
    Assembler a;
    u32 operator[](usize i) const { return buffer[i]; }
    i64 offset(usize i) const { return branch_offset(buffer[i]); }
};

// Runs what li writes, from the definitions of LoongArch vol. 1.
u64 evaluate(std::span<const u32> words, Gpr d) {
    u64 r[32]{};
    for (u32 w : words) {
        auto* e = find_encoding(w);
        std::string name = e->mnemonic;
        auto rd = e->operands[0].of(w);
        auto last = e->operands[e->count - 1].of(w);
        auto imm = static_cast<u64>(last);
        auto rj = e->count == 3 ? r[e->operands[1].of(w)] : 0;
        if (name == "ori")
            r[rd] = rj | imm;
        else if (name == "addi.d")
            r[rd] = rj + imm;
        else if (name == "lu12i.w")
            r[rd] = imm << 12;
        else if (name == "lu32i.d")
            r[rd] = imm << 32 | (r[rd] & 0xffff'ffff);
        else if (name == "lu52i.d")
            r[rd] = imm << 52 | (rj & mask(52));
        else
            ADD_FAILURE() << name;
    }
    return r[d.number];
}

void check_li(u64 value) {
    Code c;
    c.a.li(t0, value);
    EXPECT_EQ(evaluate(c.a.words(), t0), value) << std::hex << value;
    EXPECT_EQ(c.a.words().size(), Assembler::li_length(value));
}

TEST(Li, LoadsEveryShape) {
    for (unsigned n = 0; n < 64; ++n)
        for (u64 base : {u64{1} << n, ~(u64{1} << n), mask(n), ~mask(n)})
            for (u64 delta : {u64{0}, u64{1}, ~u64{0}, u64{0x7ff}, u64{0x800}}) check_li(base + delta);
    std::mt19937_64 random(1);
    for (int i = 0; i < 20'000; ++i) check_li(random() & random() << (random() & 63));
}

TEST(Li, IsShort) {
    for (u64 one : {u64{0}, u64{1}, u64{0xfff}, ~u64{0}, ~u64{0x7ff}, u64{0x1000}, ~u64{0xfff}, u64{0x9000} << 48})
        EXPECT_EQ(Assembler::li_length(one), 1u) << std::hex << one;
    for (u64 two :
         {u64{0x1234'5678}, u64{0xffff'ffff}, u64{1} << 32, mask(47), u64{0x8000'0000}, u64{0xffff'8000} << 32})
        EXPECT_EQ(Assembler::li_length(two), 2u) << std::hex << two;
    EXPECT_EQ(Assembler::li_length(0x1234'5678'9abc'def0), 4u);
}

TEST(Label, BranchesBackwardAndForward) {
    Code c;
    Label top, end;
    c.a.bind(top);
    c.a.beqz(a0, end);
    c.a.bceqz(fcc1, end);
    c.a.blt(a0, a1, end);
    c.a.adr(a2, end);
    c.a.b(end);
    c.a.bl(top);
    c.a.bge(a0, a1, top);
    EXPECT_TRUE(end.is_used());
    c.a.bind(end);
    EXPECT_FALSE(end.is_used());
    EXPECT_EQ(end.offset(), 28u);
    for (unsigned i = 0; i < 5; ++i) EXPECT_EQ(c.offset(i), 28 - 4 * i64{i});
    EXPECT_EQ(c.offset(5), -20);
    EXPECT_EQ(c.offset(6), -24);
    EXPECT_EQ(branch_kind(c[1]), BranchKind::Zero);
    EXPECT_EQ(c[1] >> 5 & 7, 1u);  // the chain leaves the other fields alone
}

TEST(Label, ConditionAsOperand) {
    const char* names[] = {"beq", "bne", "blt", "bge", "bltu", "bgeu"};
    for (u8 n = 0; n < 6; ++n) {
        Code c;
        Label l;
        auto condition = static_cast<Condition>(n);
        c.a.branch(condition, a0, a1, l);
        c.a.branch_far(condition, a0, a1, l);
        c.a.bind(l);
        EXPECT_STREQ(find_encoding(c[0])->mnemonic, names[n]);
        EXPECT_STREQ(find_encoding(c[1])->mnemonic, names[n ^ 1]);
        EXPECT_EQ(c.offset(0), 12);
        EXPECT_EQ(c.offset(1), 8);
        EXPECT_EQ(branch_kind(c[2]), BranchKind::Jump);
        EXPECT_EQ(c.offset(2), 4);
    }
}

TEST(LabelDeathTest, OutOfReachIsABug) {
    Code c(40'000);
    Label near, far;
    c.a.beq(a0, a1, far);
    c.a.beq(a0, a1, near);
    for (int i = 0; i < 32'766; ++i) c.a.nop();
    c.a.bind(near);
    EXPECT_EQ(c.offset(1), 32'767 * 4);
    EXPECT_DEATH(c.a.bind(far), "");
}

TEST(Overflow, DropsWordsAndKeepsLabelsInside) {
    u32 words[4] = {1, 2, 3, 0x5a5a'5a5a};
    Assembler a({words, 3});
    Label l;
    for (int i = 0; i < 5; ++i) a.b(l);
    EXPECT_TRUE(a.overflowed());
    EXPECT_EQ(a.size(), 12u);
    a.bind(l);
    EXPECT_EQ(words[3], 0x5a5a'5a5au);
    EXPECT_EQ(branch_offset(words[0]), 12);
    a.clear();
    EXPECT_FALSE(a.overflowed());
    EXPECT_EQ(a.size(), 0u);
}

TEST(BadOperandDeathTest, StopsTheProgram) {
    Code c;
    EXPECT_DEATH(c.a.addi_d(a0, a0, 2048), "");
    EXPECT_DEATH(c.a.ldptr_d(a0, a0, 2), "");
    EXPECT_DEATH(c.a.alsl_d(a0, a0, a0, 0), "");
    EXPECT_DEATH(c.a.slli_w(a0, a0, 32), "");
    EXPECT_DEATH(c.a.add_d(a0, a0, Gpr{32}), "");
    EXPECT_DEATH(c.a.csrxchg(a0, ra, Crmd::number), "");
    Label l;
    c.a.bind(l);
    EXPECT_DEATH(c.a.bind(l), "");
}

TEST(Far, ReachesBothWays) {
    for (i64 offset : {i64{0}, i64{4}, i64{-4}, i64{0x1fffc}, i64{0x20000}, i64{-0x20000}, i64{-0x20004},
                       i64{0x12'3456'7898}, i64{-0x12'3456'7898}}) {
        Code c;
        c.a.jump_far(t0, offset);
        EXPECT_EQ(branch_kind(c[0]), BranchKind::PcUpper18);
        EXPECT_EQ(branch_kind(c[1]), BranchKind::Register);
        EXPECT_EQ(c.offset(0) + c.offset(1), offset);
        c.a.clear();
        c.a.call_far(offset);
        EXPECT_EQ(c[1] & 0x3ff, 0x21u);  // jirl ra, ra
    }
}

TEST(Branch, OffsetsOfEveryKind) {
    Code c;
    c.a.b(0), c.a.bl(0), c.a.beqz(a0, 0), c.a.bnez(a0, 0), c.a.bceqz(fcc0, 0), c.a.bcnez(fcc7, 0), c.a.beq(a0, a1, 0);
    c.a.bne(a0, a1, 0), c.a.blt(a0, a1, 0), c.a.bge(a0, a1, 0), c.a.bltu(a0, a1, 0), c.a.bgeu(a0, a1, 0);
    c.a.jirl(ra, t0, 0), c.a.pcaddi(a0, 0), c.a.pcaddu12i(a0, 0), c.a.pcaddu18i(a0, 0), c.a.pcalau12i(a0, 0);
    for (u32 word : c.a.words()) {
        ASSERT_NE(branch_kind(word), BranchKind::None);
        auto form = branch_form(branch_kind(word));
        auto half = i64{1} << (form.slot.width() - 1 + form.shift), unit = i64{1} << form.shift;
        for (i64 offset : {i64{0}, unit, -unit, half - unit, -half}) {
            auto moved = with_branch_offset(word, offset);
            ASSERT_TRUE(moved);
            EXPECT_EQ(branch_offset(*moved), offset);
            EXPECT_EQ(with_branch_offset(*moved, 0), word);
            EXPECT_STREQ(find_encoding(*moved)->mnemonic, find_encoding(word)->mnemonic);
        }
        EXPECT_FALSE(with_branch_offset(word, half));
        EXPECT_FALSE(with_branch_offset(word, -half - unit));
        EXPECT_FALSE(with_branch_offset(word, 1));
    }
    // Nothing else has an offset.
    for (auto& e : encodings()) {
        auto kind = branch_kind(e.word);
        bool relative = e.count && (e.operands[e.count - 1].kind == OperandKind::Offset ||
                                    std::string(e.mnemonic).starts_with("pc") || std::string(e.mnemonic) == "jirl");
        EXPECT_EQ(kind != BranchKind::None, relative) << e.mnemonic;
    }
}

TEST(Branch, Relocates) {
    Code c;
    c.a.b(0x100);
    EXPECT_EQ(branch_offset(*relocated(c[0], 0x1000, 0x1040)), 0xc0);
    EXPECT_FALSE(relocated(c[0], 0, 0x1000'0000));
    c.a.clear(), c.a.add_d(a0, a1, a2);
    EXPECT_EQ(relocated(c[0], 0, 4), c[0]);
    c.a.clear(), c.a.pcalau12i(a0, 3);
    EXPECT_EQ(relocated(c[0], 0x1ffc, 0x1000), c[0]);  // the same page
    EXPECT_EQ(branch_offset(*relocated(c[0], 0x1ffc, 0x2000)), 0x2000);
    c.a.clear(), c.a.pcaddu12i(a0, 3);
    EXPECT_FALSE(relocated(c[0], 0x1000, 0x1004));
}

TEST(Branch, Retargets) {
    Code c;
    c.a.nop();
    EXPECT_TRUE(retarget(&c.buffer[0], -64));
    EXPECT_EQ(branch_kind(c[0]), BranchKind::Jump);
    EXPECT_EQ(c.offset(0), -64);
    EXPECT_FALSE(retarget(&c.buffer[0], 1 << 27));
    EXPECT_EQ(c.offset(0), -64);
}

}  // namespace
}  // namespace bmbt::la64
