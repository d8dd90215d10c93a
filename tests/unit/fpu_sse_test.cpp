// SSE's arithmetic of the model against the processor's: results, MXCSR and EFLAGS, masked and unmasked.
#include <gtest/gtest.h>

#include <functional>

#include "fpu/sse.hpp"
#include "unit/fpu_native.hpp"

#if defined(__x86_64__)
#include <signal.h>
#include <ucontext.h>

namespace bmbt::fpu::test {
namespace {

u64 resume;  // where an instruction that raised SIGFPE continues
bool raised;

void on_fault(int, siginfo_t*, void* context) {
    auto* c = static_cast<ucontext_t*>(context);
    c->uc_mcontext.gregs[REG_RIP] = static_cast<greg_t>(resume);
    raised = true;
}

union Vector {
    u32 f32[4];
    u64 f64[2];
    i32 i32s[4];
};

struct State {
    u32 mxcsr;
    Vector a, b;
    u64 rax, eflags;
    bool fault;
};

class SseCode {
 public:
    explicit SseCode(const std::vector<u8>& instruction) {
        code_ = static_cast<u8*>(
            mmap(nullptr, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
        u8* p = code_;
        auto emit = [&](const std::vector<u8>& bytes) {
            for (u8 b : bytes) *p++ = b;
        };
        emit({0x48, 0x8b, 0x01});  // mov rax,[rcx]
        emit({0x0f, 0xae, 0x17});  // ldmxcsr [rdi]
        emit({0x0f, 0x10, 0x06});  // movups xmm0,[rsi]
        emit({0x0f, 0x10, 0x0a});  // movups xmm1,[rdx]
        emit(instruction);
        after_ = p;
        emit({0x9c, 0x8f, 0x41, 0x08});  // pushf; pop [rcx+8]
        emit({0x0f, 0x11, 0x06});        // movups [rsi],xmm0
        emit({0x0f, 0xae, 0x1f});        // stmxcsr [rdi]
        emit({0x48, 0x89, 0x01});        // mov [rcx],rax
        emit({0xc3});
        struct sigaction action{};
        action.sa_sigaction = on_fault;
        action.sa_flags = SA_SIGINFO;
        sigaction(SIGFPE, &action, nullptr);
    }
    ~SseCode() { munmap(code_, 4096); }
    SseCode(const SseCode&) = delete;

    // The generated code has no type record in front of it for the sanitizer.
    [[clang::no_sanitize("function")]] void run(State& s) const {
        resume = reinterpret_cast<u64>(after_);
        raised = false;
        u64 general[2] = {s.rax, 0};
        auto f = reinterpret_cast<void (*)(u32*, Vector*, const Vector*, u64*)>(code_);
        f(&s.mxcsr, &s.a, &s.b, general);
        __builtin_ia32_ldmxcsr(0x1f80);
        s.rax = general[0], s.eflags = general[1] & 0x8d5;
        s.fault = raised;
    }

 private:
    u8 *code_, *after_;
};

// The model changes s.a, s.rax or s.eflags; on a fault that is undone.
struct Instruction {
    const char* name;
    std::vector<u8> bytes;
    std::function<void(MxcsrEnv&, State&)> model;
    bool flags = false, integers = false;
    bool own_fault = false;  // the model sets s.fault
};

u32 f32_of(Random& r) {
    static const u32 edge[] = {0,          1,          2,          0x007fffff, 0x00800000, 0x00800001, 0x00ffffff,
                               0x01000000, 0x33800000, 0x3effffff, 0x3f000000, 0x3f000001, 0x3f7fffff, 0x3f800000,
                               0x3f800001, 0x3fc00000, 0x40200000, 0x4effffff, 0x4f000000, 0x4f000001, 0x5effffff,
                               0x5f000000, 0x7effffff, 0x7f000000, 0x7f7fffff, 0x7f800000, 0x7f800001, 0x7fa12345,
                               0x7fc00000, 0x7fc12345, 0x7fffffff, 0x4b000001};
    const u32 sign = static_cast<u32>(r.next()) << 31;
    switch (r.below(4)) {
        case 0: return edge[r.below(std::size(edge))] | sign;
        case 1: return static_cast<u32>(r.next());
        case 2:
            return (static_cast<u32>(0x3f800000 + ((r.below(64) - 32) << 23)) ^
                    static_cast<u32>(random_mantissa(r) & 0x7fffff)) |
                   sign;
        default: return static_cast<u32>(random_mantissa(r)) | sign;
    }
}
u64 f64_of(Random& r) {
    static const u64 edge[] = {0,
                               1,
                               2,
                               0x000fffffffffffff,
                               0x0010000000000000,
                               0x0010000000000001,
                               0x001fffffffffffff,
                               0x3fdfffffffffffff,
                               0x3fe0000000000000,
                               0x3fe0000000000001,
                               0x3fefffffffffffff,
                               0x3ff0000000000000,
                               0x3ff0000000000001,
                               0x3ff8000000000000,
                               0x4004000000000000,
                               0x41dfffffffc00000,
                               0x41dfffffffdfffff,
                               0x41e0000000000000,
                               0x41e0000000100000,
                               0x41e0000000200000,
                               0x43dfffffffffffff,
                               0x43e0000000000000,
                               0x7fdfffffffffffff,
                               0x7fefffffffffffff,
                               0x7ff0000000000000,
                               0x7ff0000000000001,
                               0x7ff4123456789abc,
                               0x7ff8000000000000,
                               0x7ffc123456789abc,
                               0x7fffffffffffffff,
                               0x3810000000000000,
                               0x380fffffe0000000,
                               0x380fffffffffffff,
                               0x3690000000000000,
                               0x368fffffffffffff,
                               0x47efffffe0000000,
                               0x47efffffefffffff,
                               0x47effffff0000000,
                               0x4330000000000001};
    const u64 sign = r.next() << 63;
    switch (r.below(5)) {
        case 0: return edge[r.below(std::size(edge))] | sign;
        case 1: return r.next();
        case 2: return (u64{0x3ff} + r.below(64) - 32) << 52 | (random_mantissa(r) & 0xfffffffffffff) | sign;
        case 3: return (u64{0x3ff} + r.below(320) - 160) << 52 | (random_mantissa(r) & 0xfffffffffffff) | sign;
        default: return random_mantissa(r) | sign;
    }
}

std::string text(const State& s) {
    char t[200];
    std::snprintf(t, sizeof t, "mxcsr %05x a %016lx %016lx b %016lx %016lx rax %016lx fl %03lx%s", s.mxcsr, s.a.f64[1],
                  s.a.f64[0], s.b.f64[1], s.b.f64[0], s.rax, s.eflags, s.fault ? " #XM" : "");
    return t;
}

template <class F>
Vector vector(Random& r) {
    Vector v;
    if constexpr (std::is_same_v<F, F32>)
        for (auto& x : v.f32) x = f32_of(r);
    else
        for (auto& x : v.f64) x = f64_of(r);
    return v;
}

template <class F>
void check(const std::vector<Instruction>& list, u64 n) {
    for (const Instruction& insn : list) {
        const SseCode code(insn.bytes);
        Random r(3);
        u64 bad = 0;
        for (u64 i = 0; i < n; ++i) {
            State before{};
            const u32 masks = r.one_in(4) ? static_cast<u32>(r.next() & 0x3f) : 0x3f;
            before.mxcsr = masks << 7 | static_cast<u32>(r.next() & 0xe040) | static_cast<u32>(r.next() & masks);
            before.a = vector<F>(r), before.b = vector<F>(r);
            if (r.one_in(8)) before.b = before.a;
            before.rax = static_cast<u64>(static_cast<i64>(r.next()) >> r.below(64));
            if (insn.integers)
                for (auto& x : before.b.i32s) x = static_cast<i32>(static_cast<i64>(r.next()) >> (32 + r.below(32)));
            State native = before, model = before;
            code.run(native);
            MxcsrEnv env(before.mxcsr);
            insn.model(env, model);
            if (!model.fault && !insn.own_fault) model.fault = env.finish();
            if (model.fault) model.a = before.a, model.rax = before.rax;
            model.mxcsr = env.updated();
            if (!insn.flags || model.fault) model.eflags = native.eflags;
            if (std::memcmp(&native.a, &model.a, 16) == 0 && native.mxcsr == model.mxcsr && native.rax == model.rax &&
                native.eflags == model.eflags && native.fault == model.fault)
                continue;
            if (++bad <= 4)
                ADD_FAILURE() << insn.name << "\n before " << text(before) << "\n native " << text(native)
                              << "\n model  " << text(model);
        }
        EXPECT_EQ(bad, 0u) << insn.name << " of " << n;
    }
}

template <class F>
typename F::Bits (&elements(Vector& v))[16 / sizeof(typename F::Bits)] {
    if constexpr (std::is_same_v<F, F32>)
        return v.f32;
    else
        return v.f64;
}

template <class F, class Op>
auto scalar(Op op) {
    return [op](MxcsrEnv& env, State& s) { elements<F>(s.a)[0] = op(env, elements<F>(s.a)[0], elements<F>(s.b)[0]); };
}
template <class F, class Op>
auto packed(Op op) {
    return [op](MxcsrEnv& env, State& s) {
        for (unsigned i = 0; i < 16 / sizeof(typename F::Bits); ++i)
            elements<F>(s.a)[i] = op(env, elements<F>(s.a)[i], elements<F>(s.b)[i]);
    };
}

template <class F>
std::vector<Instruction> arithmetic() {
    constexpr bool single = std::is_same_v<F, F32>;
    using Bits = typename F::Bits;
    std::vector<Instruction> list;
    auto both = [&](const char* name, u8 opcode, auto op) {
        list.push_back({name, {static_cast<u8>(single ? 0xf3 : 0xf2), 0x0f, opcode, 0xc1}, scalar<F>(op)});
        if constexpr (single)
            list.push_back({name, {0x0f, opcode, 0xc1}, packed<F>(op)});
        else
            list.push_back({name, {0x66, 0x0f, opcode, 0xc1}, packed<F>(op)});
    };
    both("add", 0x58, sse::add<F>);
    both("mul", 0x59, sse::mul<F>);
    both("sub", 0x5c, sse::sub<F>);
    both("div", 0x5e, sse::div<F>);
    both("min", 0x5d, sse::min<F>);
    both("max", 0x5f, sse::max<F>);
    both("sqrt", 0x51, [](MxcsrEnv& env, Bits, Bits b) { return sse::sqrt<F>(env, b); });
    static const char* predicates[] = {"cmpeq", "cmplt", "cmple", "cmpunord", "cmpneq", "cmpnlt", "cmpnle", "cmpord"};
    for (u8 p = 0; p < 8; ++p)
        list.push_back({predicates[p],
                        {static_cast<u8>(single ? 0xf3 : 0xf2), 0x0f, 0xc2, 0xc1, p},
                        scalar<F>([p](MxcsrEnv& env, Bits a, Bits b) {
                            return sse::compare<F>(env, a, b, p) ? static_cast<Bits>(~Bits{0}) : Bits{0};
                        })});
    for (u8 opcode : {0x2e, 0x2f}) {
        std::vector<u8> bytes = {0x0f, opcode, 0xc1};
        if (!single) bytes.insert(bytes.begin(), 0x66);
        list.push_back({"comi", bytes,
                        [opcode](MxcsrEnv& env, State& s) {
                            s.eflags =
                                sse::compare_flags<F>(env, elements<F>(s.a)[0], elements<F>(s.b)[0], opcode == 0x2e);
                        },
                        true});
    }
    for (u8 imm : {0, 1, 2, 3, 4, 8, 9, 12})
        list.push_back({"round",
                        {0x66, 0x0f, 0x3a, static_cast<u8>(single ? 0x0a : 0x0b), 0xc1, imm},
                        scalar<F>([imm](MxcsrEnv& env, Bits, Bits b) { return sse::round<F>(env, b, imm); })});
    return list;
}

template <class F>
std::vector<Instruction> conversions() {
    constexpr bool single = std::is_same_v<F, F32>;
    constexpr u8 prefix = single ? 0xf3 : 0xf2;
    std::vector<Instruction> list;
    for (bool wide : {false, true})
        for (bool truncate : {false, true}) {
            std::vector<u8> bytes = {prefix, 0x0f, static_cast<u8>(truncate ? 0x2c : 0x2d), 0xc1};
            if (wide) bytes.insert(bytes.begin() + 1, 0x48);
            list.push_back({"to int", bytes, [=](MxcsrEnv& env, State& s) {
                                const i64 v = sse::to_int<F>(env, elements<F>(s.b)[0], wide ? 64 : 32, truncate);
                                s.rax = wide ? static_cast<u64>(v) : static_cast<u32>(v);
                            }});
        }
    for (bool wide : {false, true}) {
        std::vector<u8> bytes = {prefix, 0x0f, 0x2a, 0xc0};
        if (wide) bytes.insert(bytes.begin() + 1, 0x48);
        list.push_back({"from int", bytes, [=](MxcsrEnv& env, State& s) {
                            elements<F>(s.a)[0] =
                                sse::from_int<F>(env, wide ? static_cast<i64>(s.rax) : static_cast<i32>(s.rax));
                        }});
    }
    if constexpr (single) {
        list.push_back({"cvtss2sd", {0xf3, 0x0f, 0x5a, 0xc1}, [](MxcsrEnv& env, State& s) {
                            s.a.f64[0] = sse::f32_to_f64(env, s.b.f32[0]);
                        }});
        list.push_back({"cvtps2dq", {0x66, 0x0f, 0x5b, 0xc1}, [](MxcsrEnv& env, State& s) {
                            for (int i = 0; i < 4; ++i)
                                s.a.i32s[i] = static_cast<i32>(sse::to_int<F32>(env, s.b.f32[i], 32, false));
                        }});
        list.push_back({"cvttps2dq", {0xf3, 0x0f, 0x5b, 0xc1}, [](MxcsrEnv& env, State& s) {
                            for (int i = 0; i < 4; ++i)
                                s.a.i32s[i] = static_cast<i32>(sse::to_int<F32>(env, s.b.f32[i], 32, true));
                        }});
        list.push_back({"cvtdq2ps",
                        {0x0f, 0x5b, 0xc1},
                        [](MxcsrEnv& env, State& s) {
                            for (int i = 0; i < 4; ++i) s.a.f32[i] = sse::from_int<F32>(env, s.b.i32s[i]);
                        },
                        false,
                        true});
    } else {
        list.push_back({"cvtsd2ss", {0xf2, 0x0f, 0x5a, 0xc1}, [](MxcsrEnv& env, State& s) {
                            s.a.f32[0] = sse::f64_to_f32(env, s.b.f64[0]);
                        }});
        list.push_back({"cvtpd2ps", {0x66, 0x0f, 0x5a, 0xc1}, [](MxcsrEnv& env, State& s) {
                            for (int i = 0; i < 2; ++i) s.a.f32[i] = sse::f64_to_f32(env, s.b.f64[i]);
                            s.a.f64[1] = 0;
                        }});
    }
    return list;
}

std::vector<Instruction> dots(bool single) {
    std::vector<Instruction> list;
    for (u8 imm : {0xff, 0x71, 0x33, 0xf1, 0x52, 0x31})
        list.push_back({"dot product",
                        {0x66, 0x0f, 0x3a, static_cast<u8>(single ? 0x40 : 0x41), 0xc1, imm},
                        [imm, single](MxcsrEnv& env, State& s) {
                            if (single)
                                s.fault = sse::dot_product(env, s.a.f32, s.b.f32, imm, s.a.f32);
                            else
                                s.fault = sse::dot_product(env, s.a.f64, s.b.f64, imm, s.a.f64);
                        },
                        false,
                        false,
                        true});
    return list;
}

TEST(SseNative, Arithmetic32) { check<F32>(arithmetic<F32>(), cases(60'000)); }
TEST(SseNative, Arithmetic64) { check<F64>(arithmetic<F64>(), cases(60'000)); }
TEST(SseNative, Conversions32) { check<F32>(conversions<F32>(), cases(60'000)); }
TEST(SseNative, Conversions64) { check<F64>(conversions<F64>(), cases(60'000)); }
TEST(SseNative, DotProduct32) { check<F32>(dots(true), cases(40'000)); }
TEST(SseNative, DotProduct64) { check<F64>(dots(false), cases(40'000)); }

// Approximations may differ between processors by the bound the manual gives for each.
TEST(SseNative, Approximations) {
    const SseCode rcp({0xf3, 0x0f, 0x53, 0xc1}), rsqrt({0xf3, 0x0f, 0x52, 0xc1});
    Random r(5);
    u64 bad = 0;
    for (u64 i = 0; i < cases(100'000) && bad < 8; ++i)
        for (bool root : {false, true}) {
            State s{};
            s.mxcsr = 0x1f80;
            s.b.f32[0] = f32_of(r);
            (root ? rsqrt : rcp).run(s);
            const u32 model = root ? sse::reciprocal_root(s.b.f32[0]) : sse::reciprocal(s.b.f32[0]),
                      native = s.a.f32[0];
            const bool special = F32::is_nan(native) || F32::is_infinity(native) || F32::is_zero(native);
            const i64 distance = static_cast<i64>(model) - static_cast<i64>(native);
            // "Tiny results": around 2^126 a processor is free to give zero or the smallest number.
            if (!root && (s.b.f32[0] & 0x7fff'ffff) - 0x7e7f'a000u <= 0x1'0000u && F32::is_zero(native)) continue;
            // 2 * 1.5 * 2^-12 of a mantissa that is at least 2^23
            if (special ? model == native : (distance < 0 ? -distance : distance) <= (1 << 13)) continue;
            ++bad;
            ADD_FAILURE() << (root ? "rsqrtss " : "rcpss ") << std::hex << s.b.f32[0] << " native " << native
                          << " model " << model;
        }
}

}  // namespace
}  // namespace bmbt::fpu::test
#endif
