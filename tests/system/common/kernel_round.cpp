#include "common/kernel_round.hpp"

#include "machine.hpp"

namespace guest {
namespace {

constexpr uptr hpet = 0xfed0'0000, io_apic = 0xfec0'0000;
constexpr unsigned pin = 20;
constexpr u32 patience = 600'000;  // of 10 ns

alignas(16) u8 fpu[512];

void random_fpu(Random& r) {
    for (unsigned n = 0; n < sizeof fpu; n += 8) {
        const u64 word = r.one_in(2) ? r.next() : 0x3ff0'0000'0000'0000 + (r.next() & 0xff);
        __builtin_memcpy(fpu + n, &word, 8);
    }
    for (unsigned n = 32; n < 160; n += 16) {  // what lies between the x87's registers
        const u16 exponent = r.one_in(4) ? static_cast<u16>(r.next()) : 0x3fff;
        __builtin_memcpy(fpu + n + 8, &exponent, 2);
        __builtin_memset(fpu + n + 10, 0, 6);
    }
    const u16 control = r.one_in(4) ? static_cast<u16>(r.next() & 0xf3f) : 0x37f;
    const u32 mxcsr = r.one_in(4) ? static_cast<u32>(r.next() & 0xffff) : 0x1f80;
    __builtin_memcpy(fpu, &control, 2);
    __builtin_memset(fpu + 2, 0, 22);
    fpu[4] = static_cast<u8>(r.next());
    __builtin_memcpy(fpu + 24, &mxcsr, 4);
    asm volatile("fxrstor %0" ::"m"(fpu));
}

void add_fpu(Sum& sum) {
    __builtin_memset(fpu, 0, sizeof fpu);
    asm volatile("fxsave %0" : "=m"(fpu));
    sum.add(fpu, 416);
}

}  // namespace

void print_hex(u64 value, unsigned digits) {
    char text[17];
    for (unsigned n = 0; n < digits; ++n) text[n] = "0123456789abcdef"[value >> 4 * (digits - 1 - n) & 15];
    text[digits] = 0;
    print(text);
}

void Watchdog::redirect(u32 entry) {
    at<u32>(io_apic) = 0x10 + 2 * pin;
    at<u32>(io_apic + 0x10) = entry;
}
void Watchdog::start() {
    at<u32>(io_apic) = 0x10 + 2 * pin + 1;
    at<u32>(io_apic + 0x10) = 0;  // to the processor of ID 0
    redirect(4 << 8 | 2);
    at<u32>(hpet + 0x10) = 1;
    at<u32>(hpet + 0x100) = pin << 9 | 1 << 8 | 4;  // 32 bits, once a lap
    at<u32>(hpet + 0x108) = at<u32>(hpet + 0xf0) + patience;
}
bool Watchdog::stop() {
    redirect(1 << 16);
    at<u32>(hpet + 0x100) = 0;
    return at<u32>(hpet + 0xf0) - at<u32>(hpet + 0x108) < 1u << 31;
}

u64 KernelRound::some_value() {
    switch (random.below(8)) {
        case 0: return random.next();
        case 1: return random.below(64);
        case 2: return ~u64{0} >> random.below(64);
        default: return mode.base + random.below(arena_bytes);
    }
}

void KernelRound::fill() {
    restore();
    for (uptr n = 0; n < arena_bytes; n += 8) {
        const u64 word = n & 8 ? some_value() : random.next() & 0x0fff'0fff'ffff'ffff;
        __builtin_memcpy(frames + n, &word, 8);
    }
    const u32 data = static_cast<u32>(mode.base + 2 * 4096);
    random_slots(random, frames + code_at, code_slots, {mode.bits, data, arena_bytes - 2 * 4096});
    frames[code_at + code_slots * slot_size] = 0xcc;
    random_fpu(random);
}

void KernelRound::aim(Regs& r, unsigned gpr) {
    r.gpr[gpr] = static_cast<uptr>(some_value());
    if (gpr == Rsp) r.gpr[Rsp] = mode.base + 0x2000 + ((random.below(arena_bytes - 0x2400) + 0x200) & ~15u);
}

void KernelRound::tell(unsigned slot, const Trap& t, const u64 (&control)[3]) const {
    print("\n "), print_hex(slot, 2), print(" #"), print_hex(t.vector, 2), print(" "), print_hex(t.error, 4);
    print(" at "), print_hex(t.cs, 4), print(":"), print_hex(t.rip, 16), print(" cr2 "), print_hex(t.cr2, 16);
    print(" dr6 "), print_hex(t.dr6, 8), print(" flags "), print_hex(t.flags, 8);
    print(" cr");
    for (u64 c : control) print(" "), print_hex(c, 8);
    const uptr segments[] = {t.ss, t.ds, t.es, t.fs, t.gs};
    print(" segments");
    for (uptr s : segments) print(" "), print_hex(s, 4);
    print("\n   ");
    for (unsigned n = 0; n < gpr_count; ++n) print(" "), print_hex(t.gpr[n], 2 * sizeof(uptr));
    // Where it was, if that is in the code.
    const uptr from = (t.rip - mode.base - 16) & ~uptr{7};
    print("\n    code before and at");
    for (unsigned n = 0; n < 40 && from < arena_bytes - 40; ++n)
        print(n % 8 ? " " : "  "), print_hex(frames[from + n], 2);
    Sum state;
    add_fpu(state);
    print(" fpu "), print_hex(state.value(), 8);
    Sum memory;
    memory.add(frames, arena_bytes);
    print(" memory "), print_hex(memory.value(), 8);
}

// The code, which stores change, has become RDTSC or RDTSCP, which no two machines answer alike.
bool KernelRound::reads_clock() const {
    const u8* code = frames + code_at;
    for (unsigned n = 0; n + 2 < code_slots * slot_size; ++n)
        if (code[n] == 0x0f && (code[n + 1] == 0x31 || (code[n + 1] == 0x01 && code[n + 2] == 0xf9))) return true;
    return false;
}

bool KernelRound::run(Sum& sum) {
    Regs r = mode.regs(mode.base + code_at);
    for (unsigned n = 0; n < gpr_count; ++n) aim(r, n);
    bool ended = true;
    for (unsigned slot = 0; slot < code_slots;) {
        Watchdog::start();
        const Trap& t = mode.run(r);
        // Where the stack leads nowhere, an NMI becomes a double fault.
        ended = !Watchdog::stop() && t.vector != 2 && !reads_clock();
        if (!ended) break;
        const uptr words[] = {t.rip, t.cs, t.ss, t.ds, t.es, t.fs, t.gs, t.vector, t.error, t.cr2, t.dr6};
        for (uptr word : words) sum.add(word);
        for (uptr word : t.gpr) sum.add(word);
        sum.add(t.flags);
        const u64 control[] = {read_cr0(), read_cr3(), read_cr4()};
        sum.add(control, sizeof control);
        restore();
        if (tells) tell(slot, t, control);
        const uptr offset = t.rip - mode.base - code_at;
        const unsigned reached = offset < code_slots * slot_size ? static_cast<unsigned>(offset / slot_size) : 0;
        slot = (reached > slot ? reached : slot) + 1;
        // On with the registers that it left, those of them that still lead somewhere.
        const Regs fresh = mode.regs(mode.base + code_at + slot * slot_size);
        r = t;
        r.rip = fresh.rip, r.cs = fresh.cs, r.ss = fresh.ss, r.ds = fresh.ds, r.es = fresh.es, r.fs = fresh.fs,
        r.gs = fresh.gs;
        r.flags = fresh.flags | (t.flags & 0x8d5) | (random.one_in(8) ? flag::if_ : 0);
        for (unsigned n = 0; n < gpr_count; ++n)
            if (n == Rsp
                    ? !inside(r.gpr[n]) || r.gpr[n] - mode.base < 0x2200
                    : random.one_in(3) || u64{r.gpr[n]} >> 60 == 9)  // BMBT's window, with which guests are trusted
                aim(r, n);
    }
    restore();  // a slot without an end, too, may have left anything
    add_fpu(sum);
    return ended;
}

}  // namespace guest
