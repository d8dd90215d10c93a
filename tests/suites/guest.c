// The instruction suites' guest: runs each test of an archive, the multiboot module, as a user program of its own
// address space, and prints the registers it ends with. A test ends with whatever exception it does not survive; HLT is
// one. The archive's form is in archive.py.
typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long u64;

struct frame {
    u64 rax, rbx, rcx, rdx, rbp, rsi, rdi, r8, r9, r10, r11, r12, r13, r14, r15;
    u64 vector, error;
    u64 rip, cs, rflags, rsp, ss;
};
struct region {
    u64 base, size, data;  // data: bytes of contents in the archive, the rest is zero
};
struct test {
    u32 size, bits, regions, reserved;
    u64 entry, stack;
    struct region region[];
};

extern u64 boot_pml4[512], boot_pd[512];
extern u8 gates[], stack_top[], media[512], pristine[512];
_Noreturn void enter_test(const struct frame*);

#define DIRECT 0xffffff8000000000ul  // physical memory, in the last slot
#define PAGE 4096ul
enum { pool_begin = 64 << 20, pool_end = 192 << 20, own_begin = 32 << 20, own_end = 48 << 20 };
enum { timer_vector = 32, page_fault = 14, ticks_allowed = 500 };

static void out8(u16 port, u8 v) { __asm__ volatile("outb %0, %1" : : "a"(v), "Nd"(port)); }
static u8 in8(u16 port) {
    u8 v;
    __asm__ volatile("inb %1, %0" : "=a"(v) : "Nd"(port));
    return v;
}
static u64 msr(u32 n) {
    u32 lo, hi;
    __asm__ volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"(n));
    return (u64)hi << 32 | lo;
}
static void* direct(u64 physical) { return (void*)(DIRECT + physical); }
static void clear(void* to, u64 n) { __asm__ volatile("rep stosb" : "+D"(to), "+c"(n) : "a"(0) : "memory"); }
static void copy(void* to, const void* from, u64 n) {
    __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(n) : : "memory");
}

static void put(char c) {
    while (!(in8(0x3fd) & 0x20)) {
    }
    out8(0x3f8, c);
}
static void text(const char* s) {
    for (; *s; s++) put(*s);
}
static void number(u64 n) {
    int shift = 60;
    while (shift && !(n >> shift)) shift -= 4;
    for (; shift >= 0; shift -= 4) put("0123456789abcdef"[n >> shift & 15]);
    put(' ');
}
static _Noreturn void end(u8 code) {
    for (;;) {
        out8(0xf4, code);
        __asm__ volatile("cli; hlt");
    }
}

// --- Memory: pages of a test appear when it touches them.

static u64 pool, *root;
static const struct test* now;
static unsigned index, ticks;

static u64 new_page(void) {
    if (pool == pool_end) {
        text("the tests' memory is used up\n");
        end(1);
    }
    clear(direct(pool), PAGE);
    return (pool += PAGE) - PAGE;
}
static u64* entry_of(u64 linear) {
    u64* table = root;
    for (int shift = 39; shift > 12; shift -= 9) {
        u64* e = &table[linear >> shift & 511];
        if (!*e) *e = new_page() | 7;
        table = direct(*e & ~0xffful);
    }
    return &table[linear >> 12 & 511];
}
// The page of a linear address, made and filled if the test has it; 0: it has none there.
static int bring(u64 linear) {
    linear &= ~0xffful;
    const u8* data = (const u8*)&now->region[now->regions];
    u64 physical = 0;
    for (u32 n = 0; n < now->regions; n++) {
        const struct region* r = &now->region[n];
        u64 base = r->base & ~0xffful, top = r->base + r->size;
        if (linear >= base && linear < top) {
            if (!physical) {
                u64* e = entry_of(linear);
                if (*e & 1) return 0;
                *e = (physical = new_page()) | 7;
            }
            // The part of the contents that lies in this page.
            u64 from = r->base > linear ? r->base : linear, to = r->base + r->data;
            if (to > linear + PAGE) to = linear + PAGE;
            if (from < to) copy(direct(physical + (from - linear)), data + (from - r->base), to - from);
        }
        data += (r->data + 7) & ~7ul;
    }
    return physical != 0;
}
static void new_space(void) {
    __asm__ volatile("mov %0, %%cr3" : : "r"((u64)boot_pml4) : "memory");  // the old tables are about to go
    pool = pool_begin;
    root = direct(new_page());
    root[511] = boot_pml4[511];
    u64 *pdpt = direct(new_page()), *pd = direct(new_page());
    root[0] = ((u64)pdpt - DIRECT) | 7;
    pdpt[0] = ((u64)pd - DIRECT) | 7;
    for (u64 at = own_begin; at < own_end; at += 2 << 20) pd[at >> 21] = boot_pd[at >> 21];
    __asm__ volatile("mov %0, %%cr3" : : "r"((u64)root - DIRECT) : "memory");
}

// --- Tests one after the other

static const u8* archive_end;

static _Noreturn void run(const struct test* t) {
    if ((const u8*)t >= archive_end) {
        text("end\n");
        end(0);
    }
    now = t;
    ticks = 0;
    new_space();
    for (u32 s = 0; s < 2; s++) {  // FS, GS
        u32 base = 0xc0000100 + s;
        __asm__ volatile("wrmsr" : : "c"(base), "a"(0), "d"(0));
    }
    static struct frame f;
    clear(&f, sizeof f);
    f.rip = t->entry;
    f.cs = t->bits == 64 ? 0x33 : 0x23;
    f.ss = 0x2b;
    f.rsp = t->stack;
    f.rflags = 0x202;
    enter_test(&f);
}

void trapped(struct frame* f) {
    if (f->vector == timer_vector) {
        out8(0x20, 0x20);
        if (++ticks < ticks_allowed) return;
    }
    u64 cr2;
    __asm__("mov %%cr2, %0" : "=r"(cr2));
    if (f->vector == page_fault && bring(cr2)) return;
    if (!(f->cs & 3)) {
        text("the guest itself faults: ");
        number(f->vector), number(f->rip), number(cr2);
        end(2);
    }
    // index vector error rip rflags cr2, the byte at rip, 16 integers, 16 times two halves of XMM, 8 times significand
    // and exponent by physical number, FS's and GS's base.
    put('T'), put(' ');
    number(index), number(f->vector), number(f->error), number(f->rip), number(f->rflags), number(cr2);
    const u64 code = *entry_of(f->rip & ((1ul << 48) - 1));
    number(code & 1 ? *(u8*)direct((code & ~0xffful) + (f->rip & 0xfff)) : 0);
    const u64* r = &f->rax;
    const int order[] = {0, 1, 2, 3, 5, 6, 4};  // rax rbx rcx rdx rsi rdi rbp
    for (int n = 0; n < 7; n++) number(r[order[n]]);
    number(f->rsp);
    for (int n = 7; n < 15; n++) number(r[n]);
    const u64* x = (const u64*)&media[160];
    for (int n = 0; n < 32; n++) number(x[n]);
    const unsigned top = (media[3] >> 3) & 7;
    for (unsigned n = 0; n < 8; n++) {
        const u64* st = (const u64*)&media[32 + ((n - top) & 7) * 16];
        number(st[0]), number(st[1] & 0xffff);
    }
    number(msr(0xc0000100)), number(msr(0xc0000101));
    put('\n');
    index++;
    run((const struct test*)((const u8*)now + now->size));
}

// --- Set-up

static u64 gdt[] = {
    0, 0, 0x00af9b000000ffff, 0x00cf93000000ffff, 0x00cffb000000ffff, 0x00cff3000000ffff, 0x00affb000000ffff, 0, 0, 0,
    0, 0};
static u64 ldt[] = {0, 0, 0x00cff3000000ffff};
static u32 tss[26];
static struct {
    u16 offset0, selector;
    u8 ist, type;
    u16 offset1;
    u32 offset2, zero;
} idt[256];

static void system_segment(unsigned n, const void* at, u32 limit, u8 type) {
    u64 base = (u64)at;
    gdt[n] = limit | (base & 0xffffff) << 16 | (u64)type << 40 | (base >> 24 & 0xff) << 56;
    gdt[n + 1] = base >> 32;
}
static void prepare(void) {
    struct __attribute__((packed)) {
        u16 limit;
        u64 base;
    } g = {sizeof gdt - 1, (u64)gdt}, i = {sizeof idt - 1, (u64)idt};
    tss[1] = (u32)(u64)stack_top;
    system_segment(8, tss, sizeof tss - 1, 0x89);
    system_segment(10, ldt, sizeof ldt - 1, 0x82);
    for (unsigned n = 0; n < 256; n++) {
        u64 at = (u64)gates + 16 * n;
        idt[n].offset0 = (u16)at, idt[n].offset1 = (u16)(at >> 16), idt[n].offset2 = (u32)(at >> 32);
        idt[n].selector = 0x10;
        idt[n].type = n == 3 || n == 4 ? 0xee : 0x8e;
    }
    __asm__ volatile("lgdt %0; lidt %1; ltr %w2; lldt %w3" : : "m"(g), "m"(i), "r"(8 * 8), "r"(10 * 8));

    // What CPUID offers beyond the least: XSAVE, FSGSBASE.
    u32 a = 1, b, c = 0, d;
    u64 cr4;
    __asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
    __asm__ volatile("mov %%cr4, %0" : "=r"(cr4));
    const u32 xsave = c >> 26 & 1;
    if (xsave) cr4 |= 1 << 18;
    a = 7, c = 0;
    __asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
    if (b & 1) cr4 |= 1 << 16;
    __asm__ volatile("mov %0, %%cr4" : : "r"(cr4));
    if (xsave) __asm__ volatile("xsetbv" : : "c"(0), "a"(3), "d"(0));  // x87 and SSE

    // The timer at 100 Hz, through the first 8259 at vector 32.
    out8(0x20, 0x11), out8(0x21, timer_vector), out8(0x21, 4), out8(0x21, 1), out8(0x21, 0xfe);
    out8(0x43, 0x34), out8(0x40, 11932 & 255), out8(0x40, 11932 >> 8);
    __asm__ volatile("fninit; fxsave64 %0" : "=m"(*(u8(*)[512])pristine));
    clear(pristine + 32, 480);
    *(u32*)&pristine[24] = 0x1f80;
}

void guest_main(const u32* information) {
    prepare();
    if (!(information[0] & 8) || !information[5]) {
        text("no archive\n");
        end(1);
    }
    const u32* module = direct(information[6]);
    archive_end = direct(module[1]);
    run(direct(module[0]));
}
