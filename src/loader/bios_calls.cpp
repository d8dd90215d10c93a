#include "loader/bios_calls.hpp"

namespace bmbt {
namespace {

constexpr u16 segment = 0xf000, code_at = 0xe000, count_at = 0xe100, table_at = 0xe104;
constexpr u64 base = u64{segment} << 4;

// 16-bit code for F000:E000. A caller's flags lie 6 above BP once BP is pushed.
constexpr u8 code[] = {
    // halted: a processor exception that nobody handles
    0xfa,        // cli
    0xf4,        // 1: hlt
    0xeb, 0xfd,  // jmp 1b
    // unsupported: carry, "function not supported", and zero for the keyboard without a key
    0x55,                    // push bp
    0x89, 0xe5,              // mov bp, sp
    0x83, 0x4e, 0x06, 0x41,  // or word [bp + 6], CF | ZF
    0x5d,                    // pop bp
    0xb4, 0x86,              // mov ah, 86h
    0xcf,                    // iret
    // ignored
    0xcf,  // iret
    // screen: there is none, but it has 80 columns
    0x80, 0xfc, 0x0f,  // cmp ah, 0Fh
    0x75, 0xfa,        // jne ignored
    0xb8, 0x03, 0x50,  // mov ax, 5003h
    0xb7, 0x00,        // mov bh, 0
    0xcf,              // iret
    // memory_size
    0xb8, 0x7f, 0x02,  // mov ax, 639
    0xcf,              // iret
    // system: ACPI, "INT 15H, E820H - Query System Address Map"
    0x3d, 0x20, 0xe8,                        // cmp ax, E820h
    0x75, 0xe0,                              // jne unsupported
    0x2e, 0x66, 0x3b, 0x1e, 0x00, 0xe1,      // cmp ebx, cs:[count]
    0x73, 0xd8,                              // jae unsupported
    0x56,                                    // push si
    0x57,                                    // push di
    0x1e,                                    // push ds
    0x0e,                                    // push cs
    0x1f,                                    // pop ds
    0x6b, 0xf3, sizeof(E820Entry),           // imul si, bx, 20
    0x81, 0xc6, 0x04, 0xe1,                  // add si, table
    0xb9, sizeof(E820Entry) / 2, 0x00,       // mov cx, 10
    0xfc,                                    // cld
    0xf3, 0xa5,                              // rep movsw
    0x1f,                                    // pop ds
    0x5f,                                    // pop di
    0x5e,                                    // pop si
    0x66, 0xb8, 'P', 'A', 'M', 'S',          // mov eax, "SMAP"
    0x66, 0xb9, sizeof(E820Entry), 0, 0, 0,  // mov ecx, 20
    0x66, 0x43,                              // inc ebx
    0x2e, 0x66, 0x3b, 0x1e, 0x00, 0xe1,      // cmp ebx, cs:[count]
    0x72, 0x03,                              // jb 1f
    0x66, 0x31, 0xdb,                        // xor ebx, ebx
    0x55,                                    // 1: push bp
    0x89, 0xe5,                              // mov bp, sp
    0x83, 0x66, 0x06, 0xfe,                  // and word [bp + 6], ~CF
    0x5d,                                    // pop bp
    0xcf,                                    // iret
    // tick: the timer's interrupt, counted in the BIOS data area
    0x50,                          // push ax
    0x1e,                          // push ds
    0xb8, 0x40, 0x00,              // mov ax, 40h
    0x8e, 0xd8,                    // mov ds, ax
    0x66, 0xff, 0x06, 0x6c, 0x00,  // inc dword [6Ch]
    0xb0, 0x20,                    // mov al, 20h
    0xe6, 0x20,                    // out 20h, al
    0x1f,                          // pop ds
    0x58,                          // pop ax
    0xcf,                          // iret
};
static_assert(sizeof code <= count_at - code_at && sizeof(E820Entry) == 20);
constexpr u16 halted = code_at, unsupported = code_at + 0x04, ignored = code_at + 0x0f, screen = code_at + 0x10,
              memory_size = code_at + 0x1b, system = code_at + 0x1f, tick = code_at + sizeof code - 19;

u16 handler(unsigned vector) {
    if (vector == 0x08) return tick;
    if (vector < 0x10) return halted;
    if (vector == 0x10) return screen;
    if (vector == 0x12) return memory_size;
    if (vector == 0x15) return system;
    if (vector >= 0x70 && vector < 0x78) return ignored;  // the second 8259, masked
    return unsupported;
}

}  // namespace

void place_bios_calls(PhysicalMap& memory, const MemoryMap& map) {
    for (unsigned vector = 0; vector < 0x100; ++vector) {
        const u16 pointer[] = {handler(vector), segment};
        memory.write(4 * vector, pointer, sizeof pointer);
    }
    const auto entries = map.entries();
    const u32 count = entries.size();
    memory.write(base + code_at, code, sizeof code);
    memory.write(base + count_at, &count, sizeof count);
    memory.write(base + table_at, entries.data(), entries.size_bytes());
}

}  // namespace bmbt
