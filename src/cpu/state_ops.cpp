// FXSAVE, FXRSTOR, XSAVE, XRSTOR, MXCSR, EMMS. Intel SDM vol. 1, "Managing State Using the XSAVE Feature Set".
#include <Zydis/Zydis.h>

#include <cstring>

#include "cpu/media.hpp"
#include "fpu/x87_image.hpp"

namespace bmbt {

using namespace x86;

namespace {

constexpr u32 mxcsr_mask = 0xffff;
constexpr u64 fx_size = 512, xsave_size = 576;
constexpr unsigned at_mxcsr = 24, at_xmm = 160, at_header = 512;
constexpr u64 x87_bit = 1, sse_bit = 2;

unsigned vector_registers(const Vcpu& v) { return v.code64() ? 16 : 8; }

template <class T>
void put_at(u8* image, unsigned at, T value) {
    std::memcpy(image + at, &value, sizeof value);
}
template <class T>
T get_at(const u8* image, unsigned at) {
    T value;
    std::memcpy(&value, image + at, sizeof value);
    return value;
}

// The x87 part of the image without MXCSR, which lies in its middle.
void save_x87(const Vcpu& v, bool wide, u8* image) {
    u64 kept = get_at<u64>(image, at_mxcsr);
    fpu::fxsave(vcpu_x87(v), wide, image);
    put_at(image, at_mxcsr, kept);
}
void save_mxcsr(Vcpu& v, u8* image) {
    put_at(image, at_mxcsr, vcpu_mxcsr(v));
    put_at(image, at_mxcsr + 4, mxcsr_mask);
}
void save_xmm(Vcpu& v, u8* image) {
    for (unsigned n = 0; n < vector_registers(v); n++) std::memcpy(image + at_xmm + 16 * n, &vcpu_xmm(v, n), 16);
}
void load_xmm(Vcpu& v, const u8* image) {
    for (unsigned n = 0; n < vector_registers(v); n++) {
        Xmm& x = vcpu_xmm(v, n);
        x.lo = get_at<u64>(image, at_xmm + 16 * n);
        x.hi = get_at<u64>(image, at_xmm + 16 * n + 8);
    }
}

Guest<u64> image_address(Vcpu& v, const Insn& i, u64 size, unsigned alignment, bool write) {
    u64 at = TRY(operand_address(v, i, size, write));
    if (at & (alignment - 1)) return gp();
    return at;
}

bool wide(const Insn& i) { return i.operand_size == 8; }

Guest<> fxsave(Vcpu& v, const Insn& i) {
    CHECK(need_x87(v));
    u64 at = TRY(image_address(v, i, fx_size, 16, true));
    Stretch place = TRY(translate(v, at, fx_size, true));
    alignas(16) u8 image[fx_size];
    place.load(v, image);  // the last 48 bytes, and registers this mode does not have, stay
    save_x87(v, wide(i), image);
    save_mxcsr(v, image);
    if (v.paging.cr4 & cr4::osfxsr) save_xmm(v, image);
    place.store(v, image);
    return {};
}

Guest<> fxrstor(Vcpu& v, const Insn& i) {
    CHECK(need_x87(v));
    u64 at = TRY(image_address(v, i, fx_size, 16, false));
    alignas(16) u8 image[fx_size];
    CHECK(read(v, at, image, fx_size));
    u32 mxcsr = get_at<u32>(image, at_mxcsr);
    if (mxcsr & ~mxcsr_mask) return gp();
    fpu::fxrstor(vcpu_x87(v), wide(i), image);
    lower_ferr(v);
    if (v.paging.cr4 & cr4::osfxsr) {
        set_vcpu_mxcsr(v, mxcsr);
        load_xmm(v, image);
    }
    return {};
}

Guest<> need_xsave(const Vcpu& v) {
    if (!(v.paging.cr4 & cr4::osxsave)) return ud();
    if (v.paging.cr0 & cr0::ts) return fault(Vector::Nm);
    return {};
}
// The requested-feature bitmap.
u64 requested(const Vcpu& v) { return (get_gpr(v, Rax, 4) | get_gpr(v, Rdx, 4) << 32) & v.xcr0; }

Guest<> xsave(Vcpu& v, const Insn& i) {
    CHECK(need_xsave(v));
    u64 at = TRY(image_address(v, i, xsave_size, 64, true));
    Stretch place = TRY(translate(v, at, xsave_size, true));
    const u64 features = requested(v);
    alignas(16) u8 image[xsave_size];
    place.load(v, image);
    if (features & x87_bit) save_x87(v, wide(i), image);
    if (features & sse_bit) {
        save_mxcsr(v, image);
        save_xmm(v, image);
    }
    put_at(image, at_header, (get_at<u64>(image, at_header) & ~features) | features);
    place.store(v, image);
    return {};
}

Guest<> xrstor(Vcpu& v, const Insn& i) {
    CHECK(need_xsave(v));
    u64 at = TRY(image_address(v, i, xsave_size, 64, false));
    alignas(16) u8 image[xsave_size];
    CHECK(read(v, at, image, xsave_size));
    const u64 features = requested(v), present = get_at<u64>(image, at_header);
    if (present & ~v.xcr0 || get_at<u64>(image, at_header + 8) || get_at<u64>(image, at_header + 16)) return gp();
    u32 mxcsr = get_at<u32>(image, at_mxcsr);
    if (features & sse_bit && mxcsr & ~mxcsr_mask) return gp();
    if (features & x87_bit) {
        if (present & x87_bit)
            fpu::fxrstor(vcpu_x87(v), wide(i), image);
        else
            vcpu_x87(v) = {};
        lower_ferr(v);
    }
    if (features & sse_bit) {
        set_vcpu_mxcsr(v, mxcsr);
        if (!(present & sse_bit)) std::memset(image + at_xmm, 0, 256);
        load_xmm(v, image);
    }
    return {};
}

Guest<> ldmxcsr(Vcpu& v, const Insn& i) {
    CHECK(need_sse(v));
    u64 value = TRY(get(v, i, 0));
    if (value & ~u64{mxcsr_mask}) return gp();
    set_vcpu_mxcsr(v, static_cast<u32>(value));
    return {};
}
Guest<> stmxcsr(Vcpu& v, const Insn& i) {
    CHECK(need_sse(v));
    return put(v, i, 0, vcpu_mxcsr(v));
}

Guest<> emms(Vcpu& v, const Insn&) {
    CHECK(need_mmx(v));
    fpu::emms(vcpu_x87(v));
    return {};
}

}  // namespace

Semantics state_semantics(const Insn& i) {
    switch (i.mnemonic) {
        case ZYDIS_MNEMONIC_FXSAVE:
        case ZYDIS_MNEMONIC_FXSAVE64: return fxsave;
        case ZYDIS_MNEMONIC_FXRSTOR:
        case ZYDIS_MNEMONIC_FXRSTOR64: return fxrstor;
        case ZYDIS_MNEMONIC_XSAVE:
        case ZYDIS_MNEMONIC_XSAVE64: return xsave;
        case ZYDIS_MNEMONIC_XRSTOR:
        case ZYDIS_MNEMONIC_XRSTOR64: return xrstor;
        case ZYDIS_MNEMONIC_LDMXCSR: return ldmxcsr;
        case ZYDIS_MNEMONIC_STMXCSR: return stmxcsr;
        case ZYDIS_MNEMONIC_EMMS: return emms;
        default: return nullptr;
    }
}

}  // namespace bmbt
