// Every x87 instruction of the model against the processor's: the whole FSAVE image, memory and EFLAGS.
#include <gtest/gtest.h>

#include <functional>

#include "unit/fpu_native.hpp"

#if defined(__x86_64__)
namespace bmbt::fpu::test {
namespace {

struct Memory {
    u8 bytes[16];
    template <class T>
    T get() const {
        T v;
        std::memcpy(&v, bytes, sizeof v);
        return v;
    }
    Float80 get80() const {
        Float80 v;
        std::memcpy(&v.mantissa, bytes, 8), std::memcpy(&v.sign_exponent, bytes + 8, 2);
        return v;
    }
    template <class T>
    void set(T v) {
        std::memcpy(bytes, &v, sizeof v);
    }
    void set80(Float80 v) { std::memcpy(bytes, &v.mantissa, 8), std::memcpy(bytes + 8, &v.sign_exponent, 2); }
};

using Model = std::function<void(X87&, Memory&, u64& eflags)>;
enum class Operand { None, F32, F64, F80, Int, Bcd };
struct Instruction {
    const char* name;
    std::vector<u8> bytes;
    Model model;
    Operand operand = Operand::None;
    unsigned ulps = 0;    // allowed difference of results
    unsigned second = 1;  // the register that gets a second operand
};

struct Before {
    u8 image[108];
    Memory memory;
    u64 eflags;
};

u64 f32_of(Random& r) {
    static const u32 edge[] = {0,          1,          0x7fffff,   0x800000,   0x7f7fffff,
                               0x7f800000, 0x7f800001, 0x7fc00000, 0x7fffffff, 0x3f800000};
    return (r.one_in(3) ? edge[r.below(10)] : static_cast<u32>(r.next())) ^ (r.next() << 31 & 0x80000000);
}
u64 f64_of(Random& r) {
    static const u64 edge[] = {0,
                               1,
                               0xfffffffffffff,
                               u64{1} << 52,
                               0x7fefffffffffffff,
                               0x7ff0000000000000,
                               0x7ff0000000000001,
                               0x7ff8000000000000,
                               0x7fffffffffffffff,
                               0x3ff0000000000000};
    return (r.one_in(3) ? edge[r.below(10)] : r.next()) ^ (r.next() << 63);
}

void fill_memory(Memory& m, Operand kind, Random& r) {
    std::memset(m.bytes, 0xa5, sizeof m.bytes);
    switch (kind) {
        case Operand::None: break;
        case Operand::F32: m.set(static_cast<u32>(f32_of(r))); break;
        case Operand::F64: m.set(f64_of(r)); break;
        case Operand::F80: m.set80(random_number(r, random_exponent(r))); break;
        case Operand::Int:
            m.set(r.one_in(8) ? u64{0} : static_cast<u64>(static_cast<i64>(r.next()) >> r.below(64)));
            break;
        case Operand::Bcd: {
            u64 lo = 0, hi = 0;
            for (int i = 0; i < 16; ++i) lo = lo << 4 | r.below(10);
            for (int i = 0; i < 2; ++i) hi = hi << 4 | r.below(10);
            if (r.one_in(6)) lo = hi = 0;
            m.set80({lo, static_cast<u16>(hi | (r.next() & 0x8000))});
        }
    }
}

// A random machine with ST(0) = a and ST(second) = b.
Before random_state(const Instruction& insn, Random& r, u16 control, Float80 a, Float80 b) {
    X87 x;
    x.control = static_cast<u16>(control | 0x40);
    const unsigned top = r.below(8) & 7;
    x.status = static_cast<u16>(top << 11 | (r.next() & 0x4700));
    if (r.one_in(2)) x.status |= static_cast<u16>(r.next() & control & 0x3f);
    if (r.one_in(8)) x.status |= stack_fault;
    for (auto& st : x.st) st = random_number(r, 0x3fff);
    x.tag = r.one_in(10) ? static_cast<u8>(r.next()) : static_cast<u8>(~(1u << ((top + 7) & 7)));
    if (r.one_in(16)) x.tag = 0xff;
    x.reg(0) = a;
    x.reg(insn.second) = b;
    Before before;
    save_state(x, ImageFormat::Protected32, before.image);
    fill_memory(before.memory, insn.operand, r);
    before.eflags = 0x202 | (r.next() & 0x8d5);
    return before;
}

struct Result {
    u8 image[108];
    Memory memory;
    u64 eflags;
};

i128 ordinal(Float80 v) {
    i128 n = static_cast<i128>(v.exponent()) << 64 | v.mantissa;
    if (v.exponent() != 0)
        n = (static_cast<i128>(v.exponent()) << 63) + static_cast<i128>(v.mantissa & ~(u64{1} << 63));
    return v.sign() ? -n : n;
}
bool close(Float80 a, Float80 b, unsigned ulps) {
    if (a == b) return true;
    if (ulps == 0 || a.exponent() == 0x7fff || b.exponent() == 0x7fff) return false;
    const i128 d = ordinal(a) - ordinal(b);
    return (d < 0 ? -d : d) <= static_cast<i128>(ulps);
}

bool same(const Instruction& insn, const Result& native, const Result& model) {
    X87 n, m;
    load_state(n, ImageFormat::Protected32, native.image);
    load_state(m, ImageFormat::Protected32, model.image);
    u16 differ = n.status ^ m.status;
    if (insn.ulps) differ &= static_cast<u16>(~c1);
    for (unsigned i = 0; i < 8; ++i)
        if (!close(n.st[i], m.st[i], insn.ulps)) return false;
    return !differ && n.tag == m.tag && std::memcmp(native.image, model.image, 4) == 0 &&
           (insn.ulps || std::memcmp(native.image + 4, model.image + 4, 8) == 0) &&
           std::memcmp(&native.memory, &model.memory, sizeof(Memory)) == 0 && native.eflags == model.eflags;
}

std::string text(const u8* image, const Memory& m, u64 eflags) {
    X87 x;
    load_state(x, ImageFormat::Protected32, image);
    char s[200];
    u16 tags;
    std::memcpy(&tags, image + 8, 2);
    std::snprintf(s, sizeof s, "cw %04x sw %04x (top %u) tags %04x mem %04x:%016lx fl %03lx st:", x.control,
                  static_cast<unsigned>(image[4] | image[5] << 8), x.top(), tags, m.get80().sign_exponent,
                  m.get80().mantissa, eflags);
    std::string all = s;
    for (unsigned i = 0; i < 8; ++i) all += (i && i < 7 ? "" : "") + (" " + test::text(x.reg(i)));
    return all;
}

class Checker {
 public:
    explicit Checker(const Instruction& i) : insn_(i), code_(i.bytes) {}
    void check(const Before& before) {
        Result native{{}, before.memory, before.eflags}, model{{}, before.memory, before.eflags};
        code_.run(before.image, native.image, &native.memory, &native.eflags);
        X87 x;
        load_state(x, ImageFormat::Protected32, before.image);
        insn_.model(x, model.memory, model.eflags);
        save_state(x, ImageFormat::Protected32, model.image);
        ++count_;
        if (same(insn_, native, model)) return;
        if (++bad_ <= 6)
            ADD_FAILURE() << insn_.name << "\n before " << text(before.image, before.memory, before.eflags)
                          << "\n native " << text(native.image, native.memory, native.eflags) << "\n model  "
                          << text(model.image, model.memory, model.eflags);
    }
    u64 bad() const { return bad_; }
    u64 count() const { return count_; }

 private:
    const Instruction& insn_;
    Code code_;
    u64 bad_ = 0, count_ = 0;
};

template <class T>
void deliver(X87& x, Memory& m, Store<T> s, bool pop) {
    if (s.mf == Mf::Pending) return;
    if (s.write) {
        if constexpr (std::is_same_v<T, Float80>)
            m.set80(s.value);
        else
            m.set(s.value);
    }
    finish_store(x, s, pop);
}
#define MODEL(...) [](X87& x, [[maybe_unused]] Memory& m, [[maybe_unused]] u64& fl) { (void)(__VA_ARGS__); }

#define ARITH(NAME, OP, D8, DC, DE)                                                               \
    {NAME " st0,st1", {0xd8, D8 | 1}, MODEL(arith(x, OP, 0, 1, false))},                          \
        {NAME " st3,st0", {0xdc, DC | 3}, MODEL(arith(x, OP, 3, 0, false)), Operand::None, 0, 3}, \
        {NAME "p st1,st0", {0xde, DC | 1}, MODEL(arith(x, OP, 1, 0, true))},                      \
        {NAME " m32", {0xd8, DE}, MODEL(arith_m32(x, OP, m.get<u32>())), Operand::F32},           \
        {NAME " m64", {0xdc, DE}, MODEL(arith_m64(x, OP, m.get<u64>())), Operand::F64},           \
        {NAME " m32int", {0xda, DE}, MODEL(arith_int(x, OP, m.get<i32>())), Operand::Int}, {      \
        NAME " m16int", {0xde, DE}, MODEL(arith_int(x, OP, m.get<i16>())), Operand::Int           \
    }

const std::vector<Instruction>& arithmetic() {
    static const std::vector<Instruction> all = {
        ARITH("fadd", Arith::Add, 0xc0, 0xc0, 0x02), ARITH("fmul", Arith::Mul, 0xc8, 0xc8, 0x0a),
        ARITH("fsub", Arith::Sub, 0xe0, 0xe8, 0x22), ARITH("fsubr", Arith::SubR, 0xe8, 0xe0, 0x2a),
        ARITH("fdiv", Arith::Div, 0xf0, 0xf8, 0x32), ARITH("fdivr", Arith::DivR, 0xf8, 0xf0, 0x3a),
        {"fsqrt", {0xd9, 0xfa}, MODEL(fsqrt(x))},    {"fchs", {0xd9, 0xe0}, MODEL(fchs(x))},
        {"fabs", {0xd9, 0xe1}, MODEL(fabs(x))},      {"frndint", {0xd9, 0xfc}, MODEL(frndint(x))},
        {"fscale", {0xd9, 0xfd}, MODEL(fscale(x))},  {"fxtract", {0xd9, 0xf4}, MODEL(fxtract(x))},
        {"fprem", {0xd9, 0xf8}, MODEL(fprem(x))},    {"fprem1", {0xd9, 0xf5}, MODEL(fprem1(x))},
    };
    return all;
}
const std::vector<Instruction>& comparisons() {
    static const std::vector<Instruction> all = {
        {"fcom", {0xd8, 0xd1}, MODEL(fcom_sti(x, 1, 0, false))},
        {"fcomp", {0xd8, 0xd9}, MODEL(fcom_sti(x, 1, 1, false))},
        {"fcompp", {0xde, 0xd9}, MODEL(fcom_sti(x, 1, 2, false))},
        {"fucom", {0xdd, 0xe1}, MODEL(fcom_sti(x, 1, 0, true))},
        {"fucomp", {0xdd, 0xe9}, MODEL(fcom_sti(x, 1, 1, true))},
        {"fucompp", {0xda, 0xe9}, MODEL(fcom_sti(x, 1, 2, true))},
        {"fcom m32", {0xd8, 0x12}, MODEL(fcom_m32(x, m.get<u32>(), false)), Operand::F32},
        {"fcomp m64", {0xdc, 0x1a}, MODEL(fcom_m64(x, m.get<u64>(), true)), Operand::F64},
        {"ficom m32", {0xda, 0x12}, MODEL(ficom(x, m.get<i32>(), false)), Operand::Int},
        {"ficomp m16", {0xde, 0x1a}, MODEL(ficom(x, m.get<i16>(), true)), Operand::Int},
        {"ftst", {0xd9, 0xe4}, MODEL(ftst(x))},
        {"fxam", {0xd9, 0xe5}, MODEL(fxam(x))},
        {"fcomi", {0xdb, 0xf1}, MODEL(fcomi(x, 1, false, false, fl))},
        {"fcomip", {0xdf, 0xf1}, MODEL(fcomi(x, 1, true, false, fl))},
        {"fucomi", {0xdb, 0xe9}, MODEL(fcomi(x, 1, false, true, fl))},
        {"fucomip", {0xdf, 0xe9}, MODEL(fcomi(x, 1, true, true, fl))},
    };
    return all;
}
const std::vector<Instruction>& moves() {
    static const std::vector<Instruction> all = {
        {"fld st1", {0xd9, 0xc1}, MODEL(fld_sti(x, 1))},
        {"fld st0", {0xd9, 0xc0}, MODEL(fld_sti(x, 0))},
        {"fld m32", {0xd9, 0x02}, MODEL(fld_m32(x, m.get<u32>())), Operand::F32},
        {"fld m64", {0xdd, 0x02}, MODEL(fld_m64(x, m.get<u64>())), Operand::F64},
        {"fld m80", {0xdb, 0x2a}, MODEL(fld(x, m.get80())), Operand::F80},
        {"fild m16", {0xdf, 0x02}, MODEL(fild(x, m.get<i16>())), Operand::Int},
        {"fild m32", {0xdb, 0x02}, MODEL(fild(x, m.get<i32>())), Operand::Int},
        {"fild m64", {0xdf, 0x2a}, MODEL(fild(x, m.get<i64>())), Operand::Int},
        {"fbld", {0xdf, 0x22}, MODEL(fbld(x, m.get80())), Operand::Bcd},
        {"fst m32", {0xd9, 0x12}, MODEL(deliver(x, m, fst_m32(x), false))},
        {"fstp m32", {0xd9, 0x1a}, MODEL(deliver(x, m, fst_m32(x), true))},
        {"fst m64", {0xdd, 0x12}, MODEL(deliver(x, m, fst_m64(x), false))},
        {"fstp m64", {0xdd, 0x1a}, MODEL(deliver(x, m, fst_m64(x), true))},
        {"fstp m80", {0xdb, 0x3a}, MODEL(deliver(x, m, fst_m80(x), true))},
        {"fist m16", {0xdf, 0x12}, MODEL(deliver(x, m, fist_m16(x, false), false))},
        {"fistp m16", {0xdf, 0x1a}, MODEL(deliver(x, m, fist_m16(x, false), true))},
        {"fisttp m16", {0xdf, 0x0a}, MODEL(deliver(x, m, fist_m16(x, true), true))},
        {"fist m32", {0xdb, 0x12}, MODEL(deliver(x, m, fist_m32(x, false), false))},
        {"fistp m32", {0xdb, 0x1a}, MODEL(deliver(x, m, fist_m32(x, false), true))},
        {"fisttp m32", {0xdb, 0x0a}, MODEL(deliver(x, m, fist_m32(x, true), true))},
        {"fistp m64", {0xdf, 0x3a}, MODEL(deliver(x, m, fist_m64(x, false), true))},
        {"fisttp m64", {0xdd, 0x0a}, MODEL(deliver(x, m, fist_m64(x, true), true))},
        {"fbstp", {0xdf, 0x32}, MODEL(deliver(x, m, fbst(x), true))},
        {"fst st1", {0xdd, 0xd1}, MODEL(fst_sti(x, 1, false))},
        {"fstp st3", {0xdd, 0xdb}, MODEL(fst_sti(x, 3, true)), Operand::None, 0, 3},
        {"fxch", {0xd9, 0xc9}, MODEL(fxch(x, 1))},
        {"fcmovb", {0xda, 0xc1}, MODEL(fcmov(x, 1, fl & 1))},
        {"fcmovne", {0xdb, 0xc9}, MODEL(fcmov(x, 1, !(fl & 0x40)))},
        {"fincstp", {0xd9, 0xf7}, MODEL(fincstp(x))},
        {"fdecstp", {0xd9, 0xf6}, MODEL(fdecstp(x))},
        {"ffree", {0xdd, 0xc1}, MODEL(ffree(x, 1, false))},
        {"ffreep", {0xdf, 0xc1}, MODEL(ffree(x, 1, true))},
        {"fnop", {0xd9, 0xd0}, MODEL(fnop(x))},
        {"fninit", {0xdb, 0xe3}, MODEL(fninit(x))},
        {"fnclex", {0xdb, 0xe2}, MODEL(fnclex(x))},
        {"fldcw", {0xd9, 0x2a}, MODEL(fldcw(x, m.get<u16>())), Operand::Int},
        {"fnstcw", {0xd9, 0x3a}, MODEL(m.set(fnstcw(x)))},
        {"fnstsw", {0xdd, 0x3a}, MODEL(m.set(fnstsw(x)))},
        {"fld1", {0xd9, 0xe8}, MODEL(fld_constant(x, Constant::One))},
        {"fldl2t", {0xd9, 0xe9}, MODEL(fld_constant(x, Constant::Log2Ten))},
        {"fldl2e", {0xd9, 0xea}, MODEL(fld_constant(x, Constant::Log2E))},
        {"fldpi", {0xd9, 0xeb}, MODEL(fld_constant(x, Constant::Pi))},
        {"fldlg2", {0xd9, 0xec}, MODEL(fld_constant(x, Constant::Log10Two))},
        {"fldln2", {0xd9, 0xed}, MODEL(fld_constant(x, Constant::LnTwo))},
        {"fldz", {0xd9, 0xee}, MODEL(fld_constant(x, Constant::Zero))},
        {"emms", {0x0f, 0x77}, MODEL(emms(x))},
        {"movq mm3,[rdx]", {0x0f, 0x6f, 0x1a}, MODEL(enter_mmx(x), write_mm(x, 3, m.get<u64>())), Operand::F64},
        {"movq [rdx],mm5", {0x0f, 0x7f, 0x2a}, MODEL(enter_mmx(x), m.set(read_mm(x, 5)))},
    };
    return all;
}
const std::vector<Instruction>& transcendentals() {
    static const std::vector<Instruction> all = {
        {"f2xm1", {0xd9, 0xf0}, MODEL(f2xm1(x)), Operand::None, 1},
        {"fyl2x", {0xd9, 0xf1}, MODEL(fyl2x(x)), Operand::None, 1},
        {"fyl2xp1", {0xd9, 0xf9}, MODEL(fyl2xp1(x)), Operand::None, 1},
        {"fpatan", {0xd9, 0xf3}, MODEL(fpatan(x)), Operand::None, 1},
        {"fptan", {0xd9, 0xf2}, MODEL(fptan(x)), Operand::None, 1},
        {"fsin", {0xd9, 0xfe}, MODEL(fsin(x)), Operand::None, 1},
        {"fcos", {0xd9, 0xff}, MODEL(fcos(x)), Operand::None, 1},
        {"fsincos", {0xd9, 0xfb}, MODEL(fsincos(x)), Operand::None, 1},
    };
    return all;
}

u16 random_control(Random& r) {
    const u16 masks = r.one_in(3) ? static_cast<u16>(r.next() & 0x3f) : r.one_in(6) ? 0 : 0x3f;
    return static_cast<u16>(masks | (r.next() & 0xf00));
}

// Every edge with every edge. Each pair meets one in `thin` of the rounding and precision modes, all of them in a long
// run.
void run_edges(const std::vector<Instruction>& list, u16 control_mask = 0xf00, unsigned thin = 1) {
    if (cases(1) > 1) thin = 1;
    for (const Instruction& insn : list) {
        Checker c(insn);
        Random r(1);
        unsigned pair = 0;
        for (unsigned modes = 0; modes < 16; ++modes) {
            if ((modes << 8 & 0xf00 & ~control_mask) != 0) continue;
            for (const Float80& a : edges())
                for (const Float80& b : edges()) {
                    if ((modes + pair++) % thin) continue;
                    const u64 masks = r.one_in(2) ? 0x3f : r.next() & 0x3f;
                    c.check(random_state(insn, r, static_cast<u16>(modes << 8 | masks), a, b));
                }
        }
        EXPECT_EQ(c.bad(), 0u) << insn.name << " of " << c.count();
    }
}

void run_random(const std::vector<Instruction>& list, u64 n) {
    for (const Instruction& insn : list) {
        Checker c(insn);
        Random r(7);
        for (u64 i = 0; i < n; ++i) {
            const u16 e = random_exponent(r);
            const Float80 a = random_number(r, e), b = random_number(r, r.one_in(2) ? e : random_exponent(r));
            c.check(random_state(insn, r, random_control(r), a, b));
        }
        EXPECT_EQ(c.bad(), 0u) << insn.name << " of " << c.count();
    }
}

TEST(X87Native, ArithmeticEdges) { run_edges(arithmetic(), 0xf00, 5); }
TEST(X87Native, ArithmeticRandom) { run_random(arithmetic(), cases(40'000)); }
TEST(X87Native, ComparisonEdges) { run_edges(comparisons(), 0); }
TEST(X87Native, ComparisonRandom) { run_random(comparisons(), cases(20'000)); }
TEST(X87Native, MoveEdges) { run_edges(moves(), 0xc00, 3); }
TEST(X87Native, MoveRandom) { run_random(moves(), cases(20'000)); }
TEST(X87Native, TranscendentalEdges) { run_edges(transcendentals(), 0); }
TEST(X87Native, TranscendentalRandom) { run_random(transcendentals(), cases(20'000)); }

}  // namespace
}  // namespace bmbt::fpu::test
#endif
