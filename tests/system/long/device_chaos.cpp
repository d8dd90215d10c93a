// Random traffic to devices: ports and device memory with every width, unaligned and over their ends, by moves,
// strings, locked and vector instructions; MSRs, those of the local APIC among them. What comes of it is not looked at:
// no hang, no exception of the host's. Resets are survived (common/random.hpp), a power-off is the driver's to go on
// behind.
#include "common/random.hpp"
#include "long/machine.hpp"

namespace guest {
namespace {

constexpr u64 device_window = 0x4000'0000;  // 4 KiB pages of the round's devices
alignas(4096) u64 device_table[512];
u8 buffer[8192];

CODE(64, in8, "in al, dx")
CODE(64, in16, "in ax, dx")
CODE(64, in32, "in eax, dx")
CODE(64, out8, "out dx, al")
CODE(64, out16, "out dx, ax")
CODE(64, out32, "out dx, eax")
CODE(64, rep_ins8, "rep insb")
CODE(64, rep_ins32, "rep insd")
CODE(64, rep_outs8, "rep outsb")
CODE(64, rep_outs16, "rep outsw")
constexpr Code (*port_code[])() = {in8,   in16,  in32,     out8,      out16,     out32,     out8,
                                   out16, out32, rep_ins8, rep_ins32, rep_outs8, rep_outs16};

CODE(64, load8, "mov al, [rbx]")
CODE(64, load16, "mov ax, [rbx]")
CODE(64, load32, "mov eax, [rbx]")
CODE(64, load64, "mov rax, [rbx]")
CODE(64, store8, "mov [rbx], al")
CODE(64, store16, "mov [rbx], ax")
CODE(64, store32, "mov [rbx], eax")
CODE(64, store64, "mov [rbx], rax")
CODE(64, change, "add [rbx], eax")
CODE(64, locked, "lock or [rbx], rax")
CODE(64, exchange, "xchg [rbx], ax")
CODE(64, compare_exchange, "lock cmpxchg16b [rbx]")
CODE(64, bits_, "bts [rbx], rcx")
CODE(64, vector_load, "movdqu xmm0, [rbx]")
CODE(64, vector_store, "movdqu [rbx], xmm0")
CODE(64, push_, "push qword ptr [rbx]")
CODE(64, move_from, "mov rsi, rbx\nrep movsb")
CODE(64, move_to, "mov rdi, rbx\nrep movsd")
CODE(64, fill_, "mov rdi, rbx\nrep stosw")
CODE(64, x87_, "fild qword ptr [rbx]\nfistp dword ptr [rbx]")
CODE(64, state_, "fxsave [rbx]")
CODE(64, execute, "jmp rbx")
CODE(64, stack_, "mov rsp, rbx\npush rax\npop rcx")
constexpr Code (*memory_code[])() = {
    load8,   load16,    load32,  load64, load32,   store8,           store16, store32,     store64,
    store32, store32,   change,  locked, exchange, compare_exchange, bits_,   vector_load, vector_store,
    push_,   move_from, move_to, fill_,  x87_,     state_,           execute, stack_};
CODE(64, rdmsr_device, "rdmsr")
CODE(64, wrmsr_device, "wrmsr")
CODE(64, write_cr8_, "mov cr8, rax")
CODE(64, wait_, "sti\nnop\npause\ncli")

// Pages with devices, with nothing, with ROM, and RAM that is no RAM.
constexpr u64 places[] = {0xfee0'0000,   0xfee0'0000,    0xfee0'0000, 0xfec0'0000, 0xfec0'0000, 0xfed0'0000,
                          0xfed0'0000,   0x000a'0000,    0x000b'8000, 0x000c'0000, 0x000d'f000, 0x000e'f000,
                          0x000f'f000,   0xd000'0000,    0xe000'0000, 0xfebf'f000, 0xfff8'0000, 0xffff'f000,
                          0x1'0000'0000, 0xff'ffff'f000, 0xfed4'0000, 0x0800'0000};

constexpr u16 ports[] = {0x00,  0x20,  0x21,  0x40,  0x41,  0x42,   0x43,   0x60,   0x61,  0x64,  0x70,  0x71,
                         0x80,  0x92,  0xa0,  0xa1,  0xb2,  0xf0,   0x3b0,  0x3c0,  0x3f8, 0x3f9, 0x3fa, 0x3fb,
                         0x3fc, 0x3fd, 0x3fe, 0x3ff, 0x402, 0x4d0,  0x4d1,  0x510,  0x511, 0x512, 0x514, 0x518,
                         0x600, 0x602, 0x604, 0x608, 0x620, 0xaf00, 0xb000, 0xb004, 0xcf8, 0xcf8, 0xcf9, 0xcfa,
                         0xcfc, 0xcfd, 0xcfe, 0xcff, 0x1f0, 0x3f6,  0x2f8,  0xfffe, 0xffff};

void map_devices(Random& r) {
    for (unsigned n = 0; n < 64; ++n) {
        const u64 place = places[r.below(sizeof places / sizeof *places)] + (n & 1 ? 0 : u64{r.below(2)} * 4096);
        device_table[n] = place | pte::p | pte::w | (r.next() & (pte::pwt | pte::pcd | pte::a | pte::d)) |
                          (r.one_in(16) ? 0 : pte::nx);
    }
    u64* pdpt = &const_cast<u64&>(at<u64>(pml4[0] & 0xffff'ffff'f000));
    static u64 directory[512] __attribute__((aligned(4096)));
    directory[0] = address(device_table) | pte::p | pte::w;
    pdpt[1] = address(directory) | pte::p | pte::w;
    write_cr3(read_cr3());
}

u64 some_value(Random& r) {
    switch (r.below(5)) {
        case 0: return r.next();
        case 1: return u64{1} << r.below(64);
        case 2: return r.below(0x10000);
        case 3: return ~u64{0} << r.below(64);
        default: return r.below(0x100);
    }
}

bool ends_the_machine(u16 port, u64 value) {
    // Suspend by ACPI: to off, which the driver must begin behind. Rarely wanted.
    return (port >= 0x600 && port < 0x608) && (value >> 13 & 1);
}

void port_access(Random& r) {
    Regs regs = kernel(port_code[r.below(sizeof port_code / sizeof *port_code)]());
    const u16 port = static_cast<u16>(
        r.one_in(8) ? r.next() : ports[r.below(sizeof ports / sizeof *ports)] + (r.one_in(8) ? r.below(8) - 4 : 0));
    u64 value = some_value(r);
    if (port == 0xcf8 && !r.one_in(4)) value = 0x8000'0000 | (r.below(8) << 8) | r.below(256) | (r.below(4) << 11);
    // Most resets would only cost time.
    if (!r.one_in(100)) {
        if (port == 0x64 && (value & 0xf0) == 0xf0) value &= 0x7f;
        if (port == 0x92) value &= ~u64{1};
        if (port == 0xcf9) value &= ~u64{4};
        if (ends_the_machine(port, value)) value &= ~u64{0x2000};
    }
    if (port == 0x510 || port == 0x511) regs.gpr[Rcx] = r.below(32);
    regs.gpr[Rax] = value, regs.gpr[Rdx] = port;
    regs.gpr[Rsi] = regs.gpr[Rdi] = address(buffer) + r.below(4096);
    regs.gpr[Rcx] = r.below(64);
    regs.flags |= r.one_in(4) ? flag::if_ : 0;
    run(regs);
}

void memory_access(Random& r) {
    Regs regs = kernel(memory_code[r.below(sizeof memory_code / sizeof *memory_code)]());
    const u64 page = r.below(64) * 4096;
    const u64 offset = r.one_in(8)   ? 4096 - r.below(16)
                       : r.one_in(4) ? r.below(4096)
                       : r.one_in(3) ? r.below(0x40) * 4
                                     : r.below(0x40) * 16;
    regs.gpr[Rbx] = device_window + page + offset;
    regs.gpr[Rax] = some_value(r), regs.gpr[Rdx] = some_value(r);
    regs.gpr[Rcx] = r.below(40);
    regs.gpr[Rsi] = regs.gpr[Rdi] = address(buffer) + r.below(4096);
    regs.flags |= r.one_in(4) ? flag::if_ : 0;
    run(regs);
}

void msr_access(Random& r) {
    Regs regs = kernel(r.one_in(3) ? rdmsr_device() : wrmsr_device());
    u64 value = some_value(r), index = r.one_in(2)   ? 0x800 + r.below(0x40)
                                       : r.one_in(3) ? u64{0x1b}
                                       : r.one_in(2) ? r.below(0x800)
                                                     : 0xc000'0080 + r.below(0x90);
    if (index == msr::efer) index = 0x6e0;
    // The local APIC stays where it is, nearly always; a wrong place would only stop the program.
    if (index == 0x1b && !r.one_in(50))
        value = 0xfee0'0900 | (r.one_in(8) ? 0x400 : 0) | (r.one_in(8) ? value & 0xf00 : 0);
    regs.gpr[Rcx] = index, regs.gpr[Rax] = value, regs.gpr[Rdx] = value >> 32;
    run(regs);
}

void acknowledge(const Trap& t) {
    if (t.vector < 32) return;
    outb(0x20, 0x20), outb(0xa0, 0x20);
    if (read_msr(0x1b) & 0x400) {
        if (read_msr(0x1b) & 0x800) write_msr(0x80b, 0);
    } else {
        at<u32>(0xfee0'00b0) = 0;
    }
}

// The serial port and the gate of address line 20 as they were, so that the round can be told of.
void repair() {
    outb(0x92, 2);
    outb(0x3fb, 0x83), outb(0x3f8, 1), outb(0x3f9, 0);  // its speed, or a character may take seconds
    outb(0x3fb, 3), outb(0x3f9, 0), outb(0x3fa, 0), outb(0x3fc, 0);
}

}  // namespace

void device_chaos(const Orders& given) {
    const Orders orders = given;
    With control(With::Cr4, cr4::osfxsr | cr4::osxmm);
    With errors(With::Cr0,
                cr0::ne);  // as exceptions: without an interrupt that may come, a processor waits for IRQ 13 for ever
    Progress progress(orders);
    while (progress.next() < orders.first + orders.rounds) {
        const u64 number = progress.begin();
        Random r(orders.seed, number);
        repair();
        print("["), print_number(static_cast<u32>(number)), print("]\n");
        map_devices(r);
        for (unsigned n = 0; n < 200; ++n) {
            switch (r.below(8)) {
                case 0: msr_access(r); break;
                case 1: {
                    Regs regs = kernel(r.one_in(2) ? wait_() : write_cr8_());
                    regs.gpr[Rax] = r.below(17);
                    run(regs);
                    break;
                }
                case 2:
                case 3:
                case 4: port_access(r); break;
                default: memory_access(r);
            }
            if (trapped.vector >= 32) acknowledge(trapped);
        }
    }
    repair();
    print("\nchaos ends\n");
}

}  // namespace guest
