#include "fpu/x87_image.hpp"

#include "fpu/x87_stack.hpp"

namespace bmbt::fpu {

namespace {

// Little-endian fields at any alignment.
template <class T>
void put_at(u8* image, usize offset, T value) {
    for (usize i = 0; i < sizeof(T); ++i) image[offset + i] = static_cast<u8>(value >> (8 * i));
}
template <class T>
T get_at(const u8* image, usize offset) {
    T value = 0;
    for (usize i = 0; i < sizeof(T); ++i) value = static_cast<T>(value | static_cast<T>(image[offset + i]) << (8 * i));
    return value;
}

void put_register(u8* image, usize offset, Float80 v) {
    put_at<u64>(image, offset, v.mantissa);
    put_at<u16>(image, offset + 8, v.sign_exponent);
}
Float80 get_register(const u8* image, usize offset) {
    return {get_at<u64>(image, offset), get_at<u16>(image, offset + 8)};
}

void set_control(X87& x, u16 control) { x.control = static_cast<u16>((control & 0x1f3f) | 0x40); }

u8 abridged(u16 tags) {
    unsigned used = 0;
    for (unsigned i = 0; i < 8; ++i) used |= ((tags >> (2 * i) & 3) != 3) << i;
    return static_cast<u8>(used);
}

// A selector and offset as the linear address that real-mode images hold.
u32 linear(u16 segment, u64 offset) { return static_cast<u32>(offset) + (u32{segment} << 4); }

}  // namespace

u16 full_tags(const X87& x) {
    unsigned tags = 0;
    for (unsigned i = 0; i < 8; ++i) {
        unsigned t = 3;
        if (x.tag >> i & 1) t = is_normal(x.st[i]) ? 0 : is_zero(x.st[i]) ? 1 : 2;
        tags |= t << (2 * i);
    }
    return static_cast<u16>(tags);
}

void save_environment(const X87& x, ImageFormat format, u8* image) {
    const u16 opcode = x.opcode & 0x7ff;
    const u32 ip = linear(x.cs, x.ip), dp = linear(x.ds, x.dp);
    if (environment_size(format) == 14) {
        put_at<u16>(image, 0, x.control);
        put_at<u16>(image, 2, x.status);
        put_at<u16>(image, 4, full_tags(x));
        if (format == ImageFormat::Protected16) {
            put_at<u16>(image, 6, static_cast<u16>(x.ip));
            put_at<u16>(image, 8, x.cs);
            put_at<u16>(image, 10, static_cast<u16>(x.dp));
            put_at<u16>(image, 12, x.ds);
        } else {
            put_at<u16>(image, 6, static_cast<u16>(ip));
            put_at<u16>(image, 8, static_cast<u16>((ip >> 16 & 15) << 12 | opcode));
            put_at<u16>(image, 10, static_cast<u16>(dp));
            put_at<u16>(image, 12, static_cast<u16>((dp >> 16 & 15) << 12));
        }
        return;
    }
    constexpr u32 reserved = 0xffff'0000;
    put_at<u32>(image, 0, reserved | x.control);
    put_at<u32>(image, 4, reserved | x.status);
    put_at<u32>(image, 8, reserved | full_tags(x));
    if (format == ImageFormat::Protected32) {
        put_at<u32>(image, 12, static_cast<u32>(x.ip));
        put_at<u32>(image, 16, u32{opcode} << 16 | x.cs);
        put_at<u32>(image, 20, static_cast<u32>(x.dp));
        put_at<u32>(image, 24, reserved | x.ds);
    } else {
        put_at<u32>(image, 12, reserved | (ip & 0xffff));
        put_at<u32>(image, 16, ip >> 16 << 12 | opcode);
        put_at<u32>(image, 20, reserved | (dp & 0xffff));
        put_at<u32>(image, 24, dp >> 16 << 12);
    }
}

void load_environment(X87& x, ImageFormat format, const u8* image) {
    const usize step = environment_size(format) == 14 ? 2 : 4;
    set_control(x, get_at<u16>(image, 0));
    x.status = get_at<u16>(image, step);
    x.tag = abridged(get_at<u16>(image, 2 * step));
    update_summary(x);
    switch (format) {
        case ImageFormat::Protected16:
            x.ip = get_at<u16>(image, 6);
            x.cs = get_at<u16>(image, 8);
            x.dp = get_at<u16>(image, 10);
            x.ds = get_at<u16>(image, 12);
            break;
        case ImageFormat::Real16: {
            const u16 ip = get_at<u16>(image, 8), dp = get_at<u16>(image, 12);
            x.ip = u32{get_at<u16>(image, 6)} | u32{ip} >> 12 << 16;
            x.opcode = ip & 0x7ff;
            x.dp = u32{get_at<u16>(image, 10)} | u32{dp} >> 12 << 16;
            x.cs = x.ds = 0;
            break;
        }
        case ImageFormat::Protected32:
            x.ip = get_at<u32>(image, 12);
            x.cs = get_at<u16>(image, 16);
            x.opcode = get_at<u16>(image, 18) & 0x7ff;
            x.dp = get_at<u32>(image, 20);
            x.ds = get_at<u16>(image, 24);
            break;
        case ImageFormat::Real32: {
            const u32 ip = get_at<u32>(image, 16), dp = get_at<u32>(image, 24);
            x.ip = u32{get_at<u16>(image, 12)} | (ip >> 12 & 0xffff) << 16;
            x.opcode = ip & 0x7ff;
            x.dp = u32{get_at<u16>(image, 20)} | (dp >> 12 & 0xffff) << 16;
            x.cs = x.ds = 0;
            break;
        }
    }
}

void save_state(const X87& x, ImageFormat format, u8* image) {
    save_environment(x, format, image);
    for (unsigned i = 0; i < 8; ++i) put_register(image, environment_size(format) + 10 * i, x.reg(i));
}

void load_state(X87& x, ImageFormat format, const u8* image) {
    load_environment(x, format, image);
    for (unsigned i = 0; i < 8; ++i) x.reg(i) = get_register(image, environment_size(format) + 10 * i);
}

void mask_all(X87& x) {
    x.control |= all_exceptions;
    update_summary(x);
}

void fxsave(const X87& x, bool wide, u8* image) {
    put_at<u16>(image, 0, x.control);
    put_at<u16>(image, 2, x.status);
    put_at<u16>(image, 4, x.tag);
    put_at<u16>(image, 6, x.opcode & 0x7ff);
    if (wide) {
        put_at<u64>(image, 8, x.ip);
        put_at<u64>(image, 16, x.dp);
    } else {
        put_at<u32>(image, 8, static_cast<u32>(x.ip));
        put_at<u32>(image, 12, x.cs);
        put_at<u32>(image, 16, static_cast<u32>(x.dp));
        put_at<u32>(image, 20, x.ds);
    }
    for (unsigned i = 0; i < 8; ++i) {
        put_register(image, 32 + 16 * i, x.reg(i));
        put_at<u16>(image, 32 + 16 * i + 10, 0), put_at<u32>(image, 32 + 16 * i + 12, 0);  // reserved; processors write zeros
    }
}

void fxrstor(X87& x, bool wide, const u8* image) {
    set_control(x, get_at<u16>(image, 0));
    x.status = get_at<u16>(image, 2);
    x.tag = image[4];
    x.opcode = get_at<u16>(image, 6) & 0x7ff;
    if (wide) {
        x.ip = get_at<u64>(image, 8);
        x.dp = get_at<u64>(image, 16);
        x.cs = x.ds = 0;
    } else {
        x.ip = get_at<u32>(image, 8);
        x.cs = get_at<u16>(image, 12);
        x.dp = get_at<u32>(image, 16);
        x.ds = get_at<u16>(image, 20);
    }
    update_summary(x);
    for (unsigned i = 0; i < 8; ++i) x.reg(i) = get_register(image, 32 + 16 * i);
}

}  // namespace bmbt::fpu
