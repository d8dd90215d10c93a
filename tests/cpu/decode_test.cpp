// Encodings of every shape and what decode() makes of them, in the words of describe().
#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "cpu/describe.hpp"
#include "x86/decode_cache.hpp"

namespace bmbt {
namespace {

struct Case {
    int mode;
    std::vector<u8> bytes;
    const char* expected;
};

const Case cases[] = {
    {64, {0x01, 0xd8}, "add r0:4, r3:4 | o4 a8 n2"},
    {64, {0x48, 0x01, 0xd8}, "add r0:8, r3:8 | o8 a8 n3"},
    {64, {0x66, 0x01, 0xd8}, "add r0:2, r3:2 | o2 a8 n3"},
    {64, {0x00, 0xe0}, "add r0:1, high0:1 | o4 a8 n2"},
    {64, {0x40, 0x00, 0xe0}, "add r0:1, r4:1 | o4 a8 n3"},
    {64, {0x44, 0x88, 0x3c, 0x25, 0x78, 0x56, 0x34, 0x12}, "mov ds[+12345678]:1, r15:1 | o4 a8 n8"},
    {64, {0x48, 0x8b, 0x05, 0x10, 0x00, 0x00, 0x00}, "mov r0:8, ds[rip+10]:8 | o8 a8 n7"},
    {64, {0x67, 0x8b, 0x05, 0xf0, 0xff, 0xff, 0xff}, "mov r0:4, ds[rip+-10]:4 | o4 a4 n7"},
    {64, {0x48, 0x8b, 0x44, 0x8d, 0x08}, "mov r0:8, ss[r5+r1*4+8]:8 | o8 a8 n5"},
    {64, {0x4a, 0x8b, 0x44, 0xe4, 0xf8}, "mov r0:8, ss[r4+r12*8+-8]:8 | o8 a8 n5"},
    {64, {0x64, 0x48, 0x8b, 0x04, 0x25, 0x28, 0x00, 0x00, 0x00}, "mov r0:8, fs[+28]:8 | o8 a8 n9"},
    {64, {0x65, 0x48, 0x8b, 0x04, 0x25, 0x28, 0x00, 0x00, 0x00}, "mov r0:8, gs[+28]:8 | o8 a8 n9"},
    {64, {0x2e, 0x8b, 0x04, 0x24}, "mov r0:4, ss[r4+0]:4 | o4 a8 n4"},
    {64, {0x3e, 0x8b, 0x45, 0x00}, "mov r0:4, ss[r5+0]:4 | o4 a8 n4"},
    {64, {0x36, 0x8b, 0x00}, "mov r0:4, ds[r0+0]:4 | o4 a8 n3"},
    {64, {0x48, 0xa1, 0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11}, "mov r0:8, ds[+1122334455667788]:8 | o8 a8 n10"},
    {64, {0x67, 0xa1, 0x44, 0x33, 0x22, 0x81}, "mov r0:4, ds[+-7eddccbc]:4 | o4 a4 n6"},
    {64, {0xa2, 0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11}, "mov ds[+1122334455667788]:1, r0:1 | o4 a8 n9"},
    {64, {0xa4}, "movsb | o4 a8 n1"},
    {64, {0xf3, 0xa4}, "movsb | o4 a8 n2 rep"},
    {64, {0xf2, 0xa4}, "movsb | o4 a8 n2 rep"},
    {64, {0xf3, 0x48, 0xa5}, "movsq | o8 a8 n3 rep"},
    {64, {0xf3, 0xa6}, "cmpsb | o4 a8 n2 rep"},
    {64, {0xf2, 0xae}, "scasb | o4 a8 n2 repne"},
    {64, {0xf3, 0x48, 0xab}, "stosq | o8 a8 n3 rep"},
    {64, {0x65, 0xf3, 0x48, 0xad}, "lodsq | o8 a8 n4 rep gs[+0]"},
    {64, {0x64, 0x48, 0xa7}, "cmpsq | o8 a8 n3 fs[+0]"},
    {64, {0xf3, 0x6c}, "insb | o4 a8 n2 rep"},
    {64, {0x6f}, "outsd | o4 a8 n1"},
    {64, {0xd7}, "xlat | o4 a8 n1"},
    {64, {0x64, 0xd7}, "xlat | o4 a8 n2 fs[+0]"},
    {64, {0xf0, 0x01, 0x18}, "add ds[r0+0]:4, r3:4 | o4 a8 n3 lock"},
    {64, {0xf0, 0x01, 0xd8}, "invalid"},
    {64, {0xf0, 0x89, 0x18}, "invalid"},
    {64, {0xf2, 0xf0, 0x01, 0x18}, "add ds[r0+0]:4, r3:4 | o4 a8 n4 lock"},
    {64, {0xf3, 0xf0, 0x0f, 0xb1, 0x18}, "cmpxchg ds[r0+0]:4, r3:4 | o4 a8 n5 lock"},
    {64, {0xf0, 0x0f, 0xba, 0x28, 0x03}, "bts ds[r0+0]:4, $3 | o4 a8 n5 lock"},
    {64, {0xf0, 0x83, 0x38, 0x01}, "invalid"},
    {64, {0xe8, 0xfb, 0xff, 0xff, 0xff}, "call .-5 | o8 a8 n5"},
    {64, {0x66, 0xe8, 0x00, 0x00, 0x00, 0x00}, "call .0 | o8 a8 n6"},
    {64, {0xeb, 0xfe}, "jmp .-2 | o8 a8 n2"},
    {64, {0x0f, 0x84, 0x00, 0x01, 0x00, 0x00}, "jz .100 | o8 a8 n6"},
    {64, {0xff, 0xe0}, "jmp r0:8 | o8 a8 n2"},
    {64, {0x66, 0xff, 0xe0}, "jmp r0:8 | o8 a8 n3"},
    {64, {0xc3}, "ret | o8 a8 n1"},
    {64, {0xc2, 0x08, 0x00}, "ret $8 | o8 a8 n3"},
    {64, {0xe3, 0x10}, "jrcxz .10 | o8 a8 n2"},
    {64, {0x67, 0xe3, 0x10}, "jecxz .10 | o8 a4 n3"},
    {64, {0x50}, "push r0:8 | o8 a8 n1"},
    {64, {0x66, 0x50}, "push r0:2 | o2 a8 n2"},
    {64, {0x41, 0x57}, "push r15:8 | o8 a8 n2"},
    {64, {0x6a, 0xff}, "push $-1 | o8 a8 n2"},
    {64, {0x68, 0x00, 0x00, 0x00, 0x80}, "push $-80000000 | o8 a8 n5"},
    {64, {0x66, 0x68, 0x34, 0x12}, "push $1234 | o2 a8 n4"},
    {64, {0xff, 0x30}, "push ds[r0+0]:8 | o8 a8 n2"},
    {64, {0x8f, 0x00}, "pop ds[r0+0]:8 | o8 a8 n2"},
    {64, {0x9c}, "pushfq | o8 a8 n1"},
    {64, {0x66, 0x9d}, "popf | o2 a8 n2"},
    {64, {0xc9}, "leave | o8 a8 n1"},
    {64, {0xc8, 0x10, 0x00, 0x01}, "enter $10, $1 | o8 a8 n4"},
    {64, {0xcb}, "ret | o4 a8 n1"},
    {64, {0x48, 0xcb}, "ret | o8 a8 n2"},
    {64, {0xcf}, "iretd | o4 a8 n1"},
    {64, {0x48, 0xcf}, "iretq | o8 a8 n2"},
    {64, {0xff, 0x28}, "jmp ds[r0+0]:6 | o4 a8 n2"},
    {64, {0x48, 0xff, 0x28}, "jmp ds[r0+0]:10 | o8 a8 n3"},
    {64, {0xff, 0x1b}, "call ds[r3+0]:6 | o4 a8 n2"},
    {64, {0xea, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00}, "invalid"},
    {64, {0x06}, "invalid"},
    {64, {0x27}, "invalid"},
    {64, {0xd4, 0x0a}, "invalid"},
    {64, {0x0f, 0x05}, "syscall | o8 a8 n2"},
    {64, {0x0f, 0x07}, "sysret | o4 a8 n2"},
    {64, {0x48, 0x0f, 0x07}, "sysret | o8 a8 n3"},
    {64, {0x0f, 0x34}, "sysenter | o4 a8 n2"},
    {64, {0x0f, 0x01, 0xf8}, "swapgs | o4 a8 n3"},
    {64, {0x0f, 0x01, 0xd0}, "xgetbv | o4 a8 n3"},
    {64, {0x0f, 0x01, 0xc8}, "monitor | o4 a8 n3"},
    {64, {0x0f, 0x01, 0x38}, "invlpg ds[r0+0]:1 | o4 a8 n3"},
    {64, {0x0f, 0x01, 0x10}, "lgdt ds[r0+0]:10 | o8 a8 n3"},
    {64, {0x0f, 0x00, 0xd8}, "ltr r0:2 | o4 a8 n3"},
    {64, {0x0f, 0x00, 0x18}, "ltr ds[r0+0]:2 | o4 a8 n3"},
    {64, {0x8c, 0xd8}, "mov r0:4, seg3:2 | o4 a8 n2"},
    {64, {0x48, 0x8c, 0xd8}, "mov r0:8, seg3:2 | o8 a8 n3"},
    {64, {0x8c, 0x18}, "mov ds[r0+0]:2, seg3:2 | o4 a8 n2"},
    {64, {0x8e, 0xd0}, "mov seg2:2, r0:2 | o4 a8 n2"},
    {64, {0x8e, 0xc8}, "invalid"},
    {64, {0x0f, 0x20, 0xc0}, "mov r0:8, cr0:8 | o8 a8 n3"},
    {64, {0x44, 0x0f, 0x20, 0xc0}, "mov r0:8, cr8:8 | o8 a8 n4"},
    {64, {0x0f, 0x22, 0xd8}, "mov cr3:8, r0:8 | o8 a8 n3"},
    {64, {0x0f, 0x23, 0xf8}, "mov dr7:8, r0:8 | o8 a8 n3"},
    {64, {0x0f, 0x20, 0xc8}, "invalid"},
    {64, {0xf3, 0x90}, "pause | o4 a8 n2"},
    {64, {0x90}, "nop | o4 a8 n1"},
    {64, {0x41, 0x90}, "xchg r8:4, r0:4 | o4 a8 n2"},
    {64, {0x87, 0xc3}, "xchg r3:4, r0:4 | o4 a8 n2"},
    {64, {0x48, 0x98}, "cdqe | o8 a8 n2"},
    {64, {0x98}, "cwde | o4 a8 n1"},
    {64, {0x66, 0x98}, "cbw | o2 a8 n2"},
    {64, {0x99}, "cdq | o4 a8 n1"},
    {64, {0x48, 0x63, 0xc1}, "movsxd r0:8, r1:4 | o8 a8 n3"},
    {64, {0x0f, 0xb6, 0xc4}, "movzx r0:4, high0:1 | o4 a8 n3"},
    {64, {0x0f, 0xbe, 0x00}, "movsx r0:4, ds[r0+0]:1 | o4 a8 n3"},
    {64, {0x66, 0x0f, 0xb6, 0x00}, "movzx r0:2, ds[r0+0]:1 | o2 a8 n4"},
    {64, {0x48, 0x0f, 0xbf, 0x00}, "movsx r0:8, ds[r0+0]:2 | o8 a8 n4"},
    {64, {0xd1, 0xe0}, "shl r0:4, $1 | o4 a8 n2"},
    {64, {0xd3, 0xe0}, "shl r0:4, r1:1 | o4 a8 n2"},
    {64, {0xc1, 0xe0, 0x05}, "shl r0:4, $5 | o4 a8 n3"},
    {64, {0xd0, 0x20}, "shl ds[r0+0]:1, $1 | o4 a8 n2"},
    {64, {0x0f, 0xa4, 0xc8, 0x05}, "shld r0:4, r1:4, $5 | o4 a8 n4"},
    {64, {0x0f, 0xa5, 0x08}, "shld ds[r0+0]:4, r1:4, r1:1 | o4 a8 n3"},
    {64, {0xf6, 0x20}, "mul ds[r0+0]:1 | o4 a8 n2"},
    {64, {0x48, 0xf7, 0x38}, "idiv ds[r0+0]:8 | o8 a8 n3"},
    {64, {0x69, 0xc0, 0x00, 0x01, 0x00, 0x00}, "imul r0:4, r0:4, $100 | o4 a8 n6"},
    {64, {0x6b, 0xc0, 0xff}, "imul r0:4, r0:4, $-1 | o4 a8 n3"},
    {64, {0x48, 0xb8, 0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x81}, "mov r0:8, $-7eddccbbaa998878 | o8 a8 n10"},
    {64, {0x48, 0xc7, 0xc0, 0xff, 0xff, 0xff, 0xff}, "mov r0:8, $-1 | o8 a8 n7"},
    {64, {0xb8, 0xff, 0xff, 0xff, 0xff}, "mov r0:4, $-1 | o4 a8 n5"},
    {64, {0x66, 0xb8, 0xff, 0xff}, "mov r0:2, $-1 | o2 a8 n4"},
    {64, {0xb4, 0x80}, "mov high0:1, $-80 | o4 a8 n2"},
    {64, {0x80, 0x38, 0x80}, "cmp ds[r0+0]:1, $-80 | o4 a8 n3"},
    {64, {0x81, 0x38, 0x00, 0x00, 0x00, 0x80}, "cmp ds[r0+0]:4, $-80000000 | o4 a8 n6"},
    {64, {0x48, 0x81, 0x38, 0x00, 0x00, 0x00, 0x80}, "cmp ds[r0+0]:8, $-80000000 | o8 a8 n7"},
    {64, {0x66, 0x83, 0x38, 0xff}, "cmp ds[r0+0]:2, $-1 | o2 a8 n4"},
    {64, {0xe4, 0x80}, "in r0:1, $80 | o4 a8 n2"},
    {64, {0xe7, 0x80}, "out $80, r0:4 | o4 a8 n2"},
    {64, {0xec}, "in r0:1, r2:2 | o4 a8 n1"},
    {64, {0x66, 0xef}, "out r2:2, r0:2 | o2 a8 n2"},
    {64, {0xcd, 0x80}, "int $80 | o4 a8 n2"},
    {64, {0xcc}, "int3 | o4 a8 n1"},
    {64, {0xf1}, "int1 | o4 a8 n1"},
    {64, {0xce}, "invalid"},
    {64, {0xf4}, "hlt | o4 a8 n1"},
    {64, {0x0f, 0xa2}, "cpuid | o4 a8 n2"},
    {64, {0x0f, 0xc7, 0x08}, "cmpxchg8b ds[r0+0]:8 | o4 a8 n3"},
    {64, {0x48, 0x0f, 0xc7, 0x08}, "cmpxchg16b ds[r0+0]:16 | o8 a8 n4"},
    {64, {0x0f, 0xc7, 0xf0}, "rdrand r0:4 | o4 a8 n3"},
    {64, {0xf3, 0x0f, 0xc7, 0xf8}, "rdpid r0:8 | o4 a8 n4"},
    {64, {0x0f, 0xc8}, "bswap r0:4 | o4 a8 n2"},
    {64, {0x66, 0x0f, 0xc8}, "bswap r0:2 | o2 a8 n3"},
    {64, {0x0f, 0xbc, 0xc1}, "bsf r0:4, r1:4 | o4 a8 n3"},
    {64, {0xf3, 0x0f, 0xbc, 0xc1}, "bsf r0:4, r1:4 | o4 a8 n4"},
    {64, {0xf3, 0x0f, 0xbd, 0xc1}, "bsr r0:4, r1:4 | o4 a8 n4"},
    {64, {0xf3, 0x0f, 0xb8, 0xc1}, "popcnt r0:4, r1:4 | o4 a8 n4"},
    {64, {0x0f, 0xa3, 0x08}, "bt ds[r0+0]:4, r1:4 | o4 a8 n3"},
    {64, {0xf3, 0x0f, 0x1e, 0xfa}, "nop r2:4, r7:4 | o4 a8 n4"},
    {64, {0x0f, 0x1f, 0x44, 0x00, 0x00}, "nop ds[r0+r0*1+0]:4, r0:4 | o4 a8 n5"},
    {64, {0x0f, 0x0d, 0x08}, "prefetchw ds[r0+0]:1 | o4 a8 n3"},
    {64, {0x0f, 0x18, 0x08}, "prefetcht0 ds[r0+0]:1 | o4 a8 n3"},
    {64, {0x0f, 0x1a, 0x00}, "nop ds[r0+0]:4 | o4 a8 n3"},
    {64, {0x0f, 0x0b}, "ud2 | o4 a8 n2"},
    {64, {0x0f, 0xff, 0xc0}, "ud0 r0:4, r0:4 | o4 a8 n3"},
    {64, {0x0f, 0xb9, 0xc0}, "ud1 r0:4, r0:4 | o4 a8 n3"},
    {64, {0x0f, 0x09}, "wbinvd | o4 a8 n2"},
    {64, {0xf3, 0x0f, 0x09}, "wbinvd | o4 a8 n3"},
    {64, {0x0f, 0x01, 0xca}, "clac | o4 a8 n3"},
    {64, {0x0f, 0x38, 0xf1, 0x00}, "movbe ds[r0+0]:4, r0:4 | o4 a8 n4"},
    {64, {0xf2, 0x48, 0x0f, 0x38, 0xf1, 0xc1}, "crc32 r0:8, r1:8 | o8 a8 n6"},
    {64, {0x66, 0x0f, 0x38, 0xf1, 0x00}, "movbe ds[r0+0]:2, r0:2 | o2 a8 n5"},
    {64, {0x0f, 0x28, 0xc1}, "movaps xmm0, xmm1 | o4 a8 n3"},
    {64, {0x66, 0x0f, 0x6f, 0x00}, "movdqa xmm0, ds[r0+0]:16 | o4 a8 n4"},
    {64, {0xf3, 0x0f, 0x6f, 0x00}, "movdqu xmm0, ds[r0+0]:16 | o4 a8 n4"},
    {64, {0xf3, 0x0f, 0x10, 0xc1}, "movss xmm0, xmm1 | o4 a8 n4"},
    {64, {0xf2, 0x0f, 0x10, 0x00}, "movsd xmm0, ds[r0+0]:8 | o4 a8 n4"},
    {64, {0xa5}, "movsd | o4 a8 n1"},
    {64, {0xf2, 0x0f, 0xc2, 0xc1, 0x02}, "cmpsd xmm0, xmm1, $2 | o4 a8 n5"},
    {64, {0x66, 0x48, 0x0f, 0x6e, 0xc0}, "movq xmm0, r0:8 | o8 a8 n5"},
    {64, {0x66, 0x0f, 0x6e, 0xc0}, "movd xmm0, r0:4 | o4 a8 n4"},
    {64, {0x66, 0x0f, 0xd6, 0x00}, "movq ds[r0+0]:8, xmm0 | o4 a8 n4"},
    {64, {0x0f, 0x6f, 0xc8}, "movq mm1, mm0 | o4 a8 n3"},
    {64, {0xf3, 0x48, 0x0f, 0x2a, 0xc0}, "cvtsi2ss xmm0, r0:8 | o8 a8 n5"},
    {64, {0xf2, 0x0f, 0x2d, 0x00}, "cvtsd2si r0:4, ds[r0+0]:8 | o4 a8 n4"},
    {64, {0x66, 0x0f, 0x3a, 0x63, 0xc1, 0x18}, "pcmpistri xmm0, xmm1, $18 | o4 a8 n6"},
    {64, {0x66, 0x0f, 0x38, 0x14, 0xc1}, "blendvps xmm0, xmm1 | o4 a8 n5"},
    {64, {0x66, 0x0f, 0xf7, 0xc1}, "maskmovdqu xmm0, xmm1 | o4 a8 n4"},
    {64, {0x64, 0x0f, 0xf7, 0xc1}, "maskmovq mm0, mm1 | o4 a8 n4"},
    {64, {0x0f, 0xae, 0x00}, "fxsave ds[r0+0]:0 | o4 a8 n3"},
    {64, {0x48, 0x0f, 0xae, 0x00}, "fxsave64 ds[r0+0]:0 | o8 a8 n4"},
    {64, {0x0f, 0xae, 0x10}, "ldmxcsr ds[r0+0]:4 | o4 a8 n3"},
    {64, {0x0f, 0xae, 0xe8}, "lfence | o4 a8 n3"},
    {64, {0x66, 0x0f, 0xae, 0x38}, "clflushopt ds[r0+0]:64 | o4 a8 n4"},
    {64, {0x0f, 0xae, 0x38}, "clflush ds[r0+0]:64 | o4 a8 n3"},
    {64, {0xf3, 0x48, 0x0f, 0xae, 0xd0}, "wrfsbase r0:8 | o8 a8 n5"},
    {64, {0x66, 0x0f, 0x38, 0x82, 0x00}, "invpcid r0:8, ds[r0+0]:16 | o8 a8 n5"},
    {64, {0xd8, 0xc1}, "fadd st0, st1 | o4 a8 n2"},
    {64, {0xdc, 0xc1}, "fadd st1, st0 | o4 a8 n2"},
    {64, {0xd9, 0x00}, "fld ds[r0+0]:4 | o4 a8 n2"},
    {64, {0xdd, 0x00}, "fld ds[r0+0]:8 | o4 a8 n2"},
    {64, {0xdb, 0x28}, "fld ds[r0+0]:10 | o4 a8 n2"},
    {64, {0xdf, 0x38}, "fistp ds[r0+0]:8 | o4 a8 n2"},
    {64, {0xd9, 0x20}, "fldenv ds[r0+0]:28 | o4 a8 n2"},
    {64, {0xdd, 0x30}, "fnsave ds[r0+0]:108 | o4 a8 n2"},
    {64, {0xd9, 0xe8}, "fld1 | o4 a8 n2"},
    {64, {0x9b}, "fwait | o4 a8 n1"},
    {64, {0x9b, 0xd9, 0x38}, "fwait | o4 a8 n1"},
    {64, {0xdf, 0xe0}, "fnstsw r0:2 | o4 a8 n2"},
    {64, {0xc5, 0xf8, 0x28, 0xc1}, "invalid"},
    {64, {0xc4, 0xe2, 0x70, 0xf2, 0xc0}, "invalid"},
    {64, {0x62, 0xf1, 0x7c, 0x48, 0x28, 0xc1}, "invalid"},
    {64, {0x8f, 0xe8, 0x78, 0xc0, 0xc0, 0x01}, "invalid"},
    {64, {0x48}, "truncated"},
    {64, {0x48, 0x66, 0x01, 0xd8}, "add r0:2, r3:2 | o2 a8 n4"},
    {64, {0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x90}, "nop | o2 a8 n15"},
    {64, {0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x90}, "too long"},
    {64, {0x81, 0x00, 0x01, 0x02}, "truncated"},
    {64, {0x64, 0xf3, 0xa4}, "movsb | o4 a8 n3 rep fs[+0]"},
    {64, {0x67, 0xf3, 0xa4}, "movsb | o4 a4 n3 rep"},
    {64, {0x67, 0x8b, 0x00}, "mov r0:4, ds[r0+0]:4 | o4 a4 n3"},
    {64, {0xe0, 0xfe}, "loopne .-2 | o8 a8 n2"},
    {32, {0x01, 0xd8}, "add r0:4, r3:4 | o4 a4 n2"},
    {32, {0x66, 0x01, 0xd8}, "add r0:2, r3:2 | o2 a4 n3"},
    {32, {0x67, 0x8b, 0x40, 0x10}, "mov r0:4, ds[r3+r6*1+10]:4 | o4 a2 n4"},
    {32, {0x67, 0x8b, 0x42, 0xfe}, "mov r0:4, ss[r5+r6*1+-2]:4 | o4 a2 n4"},
    {32, {0x67, 0x8b, 0x06, 0x34, 0x12}, "mov r0:4, ds[+1234]:4 | o4 a2 n5"},
    {32, {0x67, 0x8b, 0x03}, "mov r0:4, ss[r5+r7*1+0]:4 | o4 a2 n3"},
    {32, {0x8b, 0x45, 0x08}, "mov r0:4, ss[r5+8]:4 | o4 a4 n3"},
    {32, {0x8b, 0x44, 0x24, 0x04}, "mov r0:4, ss[r4+4]:4 | o4 a4 n4"},
    {32, {0x8b, 0x05, 0x78, 0x56, 0x34, 0x92}, "mov r0:4, ds[+-6dcba988]:4 | o4 a4 n6"},
    {32, {0x2e, 0x8b, 0x45, 0x00}, "mov r0:4, cs[r5+0]:4 | o4 a4 n4"},
    {32, {0xa1, 0x44, 0x33, 0x22, 0x81}, "mov r0:4, ds[+-7eddccbc]:4 | o4 a4 n5"},
    {32, {0xea, 0x78, 0x56, 0x34, 0x12, 0x08, 0x00}, "jmp 8:12345678 | o4 a4 n7"},
    {32, {0x9a, 0x78, 0x56, 0x34, 0x12, 0x1b, 0x00}, "call 1b:12345678 | o4 a4 n7"},
    {32, {0x66, 0xea, 0x34, 0x12, 0x08, 0x00}, "jmp 8:1234 | o2 a4 n6"},
    {32, {0xff, 0x1b}, "call ds[r3+0]:6 | o4 a4 n2"},
    {32, {0x66, 0xff, 0x2b}, "jmp ds[r3+0]:4 | o2 a4 n3"},
    {32, {0xc5, 0x00}, "lds r0:4, ds[r0+0]:6 | o4 a4 n2"},
    {32, {0x0f, 0xb2, 0x00}, "lss r0:4, ds[r0+0]:6 | o4 a4 n3"},
    {32, {0x62, 0x00}, "bound r0:4, ds[r0+0]:8 | o4 a4 n2"},
    {32, {0x60}, "pushad | o4 a4 n1"},
    {32, {0x66, 0x61}, "popa | o2 a4 n2"},
    {32, {0x06}, "push seg0:2 | o4 a4 n1"},
    {32, {0x0f, 0xa8}, "push seg5:2 | o4 a4 n2"},
    {32, {0x1f}, "pop seg3:2 | o4 a4 n1"},
    {32, {0x40}, "inc r0:4 | o4 a4 n1"},
    {32, {0x4f}, "dec r7:4 | o4 a4 n1"},
    {32, {0x27}, "daa | o4 a4 n1"},
    {32, {0x37}, "aaa | o4 a4 n1"},
    {32, {0xd4, 0x0a}, "aam $a | o4 a4 n2"},
    {32, {0xd6}, "salc | o4 a4 n1"},
    {32, {0xe8, 0xfb, 0xff, 0xff, 0xff}, "call .-5 | o4 a4 n5"},
    {32, {0x66, 0xe8, 0xfb, 0xff}, "call .-5 | o2 a4 n4"},
    {32, {0xc3}, "ret | o4 a4 n1"},
    {32, {0xcf}, "iretd | o4 a4 n1"},
    {32, {0x66, 0xcf}, "iret | o2 a4 n2"},
    {32, {0x26, 0xa5}, "movsd | o4 a4 n2 es[+0]"},
    {32, {0x67, 0xf3, 0xa4}, "movsb | o4 a2 n3 rep"},
    {32, {0x67, 0xe3, 0x02}, "jcxz .2 | o4 a2 n3"},
    {32, {0x63, 0xc0}, "arpl r0:2, r0:2 | o4 a4 n2"},
    {32, {0x8c, 0xd8}, "mov r0:4, seg3:2 | o4 a4 n2"},
    {32, {0x0f, 0x20, 0xc0}, "mov r0:4, cr0:4 | o4 a4 n3"},
    {32, {0xce}, "into | o4 a4 n1"},
    {32, {0xc8, 0x10, 0x00, 0x00}, "enter $10, $0 | o4 a4 n4"},
    {32, {0x0f, 0x01, 0x10}, "lgdt ds[r0+0]:6 | o4 a4 n3"},
    {32, {0x0f, 0x05}, "syscall | o4 a4 n2"},
    {32, {0x6e}, "outsb | o4 a4 n1"},
    {16, {0x01, 0xd8}, "add r0:2, r3:2 | o2 a2 n2"},
    {16, {0x66, 0x01, 0xd8}, "add r0:4, r3:4 | o4 a2 n3"},
    {16, {0x8b, 0x40, 0x10}, "mov r0:2, ds[r3+r6*1+10]:2 | o2 a2 n3"},
    {16, {0x8b, 0x46, 0x00}, "mov r0:2, ss[r5+0]:2 | o2 a2 n3"},
    {16, {0x8b, 0x42, 0xfe}, "mov r0:2, ss[r5+r6*1+-2]:2 | o2 a2 n3"},
    {16, {0x8b, 0x0e, 0x34, 0x12}, "mov r1:2, ds[+1234]:2 | o2 a2 n4"},
    {16, {0x67, 0x8b, 0x04, 0x24}, "mov r0:2, ss[r4+0]:2 | o2 a4 n4"},
    {16, {0x67, 0x66, 0x8b, 0x84, 0x88, 0x78, 0x56, 0x34, 0x12}, "mov r0:4, ds[r0+r1*4+12345678]:4 | o4 a4 n9"},
    {16, {0xea, 0x00, 0x00, 0xff, 0xff}, "jmp ffff:0 | o2 a2 n5"},
    {16, {0x66, 0xea, 0x78, 0x56, 0x34, 0x12, 0x08, 0x00}, "jmp 8:12345678 | o4 a2 n8"},
    {16, {0x9a, 0x34, 0x12, 0x00, 0xf0}, "call f000:1234 | o2 a2 n5"},
    {16, {0xe9, 0xfd, 0xff}, "jmp .-3 | o2 a2 n3"},
    {16, {0x66, 0xe9, 0xfa, 0xff, 0xff, 0xff}, "jmp .-6 | o4 a2 n6"},
    {16, {0xcd, 0x10}, "int $10 | o2 a2 n2"},
    {16, {0xcf}, "iret | o2 a2 n1"},
    {16, {0x2e, 0xa4}, "movsb | o2 a2 n2 cs[+0]"},
    {16, {0xf3, 0x66, 0xab}, "stosd | o4 a2 n3 rep"},
    {16, {0x67, 0xf3, 0xa4}, "movsb | o2 a4 n3 rep"},
    {16, {0x65, 0xa0, 0x34, 0x12}, "mov r0:1, gs[+1234]:1 | o2 a2 n4"},
    {16, {0x0f, 0x01, 0x16, 0x34, 0x12}, "lgdt ds[+1234]:6 | o2 a2 n5"},
    {16, {0x66, 0x0f, 0x01, 0x16, 0x34, 0x12}, "lgdt ds[+1234]:6 | o4 a2 n6"},
    {16, {0x0f, 0x20, 0xc0}, "mov r0:4, cr0:4 | o4 a2 n3"},
    {16, {0x9c}, "pushf | o2 a2 n1"},
    {16, {0x66, 0x9d}, "popfd | o4 a2 n2"},
    {16, {0xe3, 0xfe}, "jcxz .-2 | o2 a2 n2"},
    {16, {0xc8, 0x10, 0x00, 0x02}, "enter $10, $2 | o2 a2 n4"},
    {16, {0x62, 0xc0}, "truncated"},
    {16, {0x63, 0xc0}, "arpl r0:2, r0:2 | o2 a2 n2"},
    {16, {0x8e, 0xd8}, "mov seg3:2, r0:2 | o2 a2 n2"},
    {16, {0x6d}, "insw | o2 a2 n1"},
    {16, {0xf4}, "hlt | o2 a2 n1"},
};

std::string decoded(const Case& c) {
    x86::CodeSize mode = c.mode == 16   ? x86::CodeSize::Bits16
                         : c.mode == 32 ? x86::CodeSize::Bits32
                                        : x86::CodeSize::Bits64;
    x86::Insn insn;
    switch (x86::decode(c.bytes.data(), c.bytes.size(), mode, insn)) {
        case x86::DecodeError::None: return test::describe(insn);
        case x86::DecodeError::Invalid: return "invalid";
        case x86::DecodeError::TooLong: return "too long";
        case x86::DecodeError::Truncated: return "truncated";
    }
    return "";
}

TEST(Decode, EveryShape) {
    for (const Case& c : cases) EXPECT_EQ(decoded(c), c.expected);
}

using x86::CodeSize, x86::DecodeCache, x86::DecodeError, x86::Insn, x86::decode, test::describe;

// All at one place, so that each finds the one before it there; and once more, so that some find themselves.
TEST(DecodeCache, SaysWhatTheDecoderSays) {
    auto cache = std::make_unique<DecodeCache>();
    for (const Case& c : cases)
        for (int n = 0; n < 2; n++) {
            const CodeSize mode = c.mode == 64 ? CodeSize::Bits64 : c.mode == 32 ? CodeSize::Bits32 : CodeSize::Bits16;
            Insn cached, plain;
            const DecodeError error = decode(c.bytes.data(), c.bytes.size(), mode, plain);
            EXPECT_EQ(cache->decode(c.bytes.data(), c.bytes.size(), mode, 7, cached), error);
            if (error == DecodeError::None) EXPECT_EQ(describe(cached), describe(plain)) << c.expected;
        }
}

TEST(DecodeCache, KnowsModesBytesAndEndsApart) {
    auto cache = std::make_unique<DecodeCache>();
    const u8 bytes[] = {0x40, 0x01, 0xd8};
    Insn insn;
    EXPECT_EQ(cache->decode(bytes, 3, CodeSize::Bits64, 0, insn), DecodeError::None);
    EXPECT_EQ(insn.length, 3);
    EXPECT_EQ(cache->decode(bytes, 2, CodeSize::Bits64, 0, insn), DecodeError::Truncated);
    EXPECT_EQ(cache->decode(bytes, 3, CodeSize::Bits32, 0, insn), DecodeError::None);
    EXPECT_EQ(insn.length, 1);  // INC EAX
    const u8 others[] = {0x40, 0x29, 0xd8};
    EXPECT_EQ(cache->decode(others, 3, CodeSize::Bits64, 0, insn), DecodeError::None);
    EXPECT_EQ(describe(insn), "sub r0:4, r3:4 | o4 a8 n3");
}

TEST(Decode, FifteenBytesOfPrefixesAreTooLong) {
    std::vector<u8> prefixes(15, 0x66);
    EXPECT_EQ(decoded({64, prefixes, ""}), "too long");
}

}  // namespace
}  // namespace bmbt
