// The self-test image: the host layer checks itself on the machine it runs on. Words of the command line: `uart` waits
// for a line of input, `panic` ends in a deliberate wild access, `fail` in a failing exit.
#include "host/loongarch/main.hpp"

#include "bench.hpp"

namespace bmbt::test {

namespace {
unsigned passed, failed;
Bench* running;

template <class T>
T& need(T* p) {
    if (!p) host::fail("too little memory for the self test: give the machine more");
    return *p;
}
}  // namespace

void check(bool good, const char* what, const char* file, int line) {
    if (good) {
        passed++;
        return;
    }
    failed++;
    host::print("FAILED {}:{}: {}\n", file, line, what);
}

void check_equal(u64 is, u64 wanted, const char* what, const char* file, int line) {
    check(is == wanted, what, file, line);
    if (is != wanted) host::print("  {:x}, wanted {:x}\n", is, wanted);
}

namespace {
Frame* frames;

PhysicalMap& make_map(host::Arena& arena) {
    frames = arena.array<Frame>(Bench::memory_size >> 12).data();
    need(frames);
    return need(arena.make<PhysicalMap>(frames, Bench::memory_size >> 12, host::direct_base));
}

host::UserWindow& make_window(host::Arena& arena, u8* page, u8* cache) {
    return need(arena.make<host::UserWindow>(
        host::UserWindow::Part{host::physical_of(snippets_begin),
                               align_up(static_cast<u64>(snippets_end - snippets_begin), 8_KiB)},
        host::UserWindow::Part{host::physical_of(page), 8_KiB},
        host::UserWindow::Part{host::physical_of(cache), 2_MiB}));
}
}  // namespace

Bench::Bench(const host::HostInfo& info, host::Arena& arena)
    : v(need(arena.make<Vcpu>())),
      clock(info),
      interrupts(info),
      map(make_map(arena)),
      summary(static_cast<u8*>(arena.take(memory_size >> 21))),
      user_page(static_cast<u8*>(arena.take(8_KiB, 8_KiB))),
      jump_cache(static_cast<u8*>(arena.take(2_MiB, 2_MiB))),
      window(make_window(arena, user_page, jump_cache)),
      guest_(static_cast<u8*>(arena.take(memory_size, 2_MiB))) {
    need(guest_);
    map.map(0, memory_size, FrameKind::Ram, host::physical_of(guest_));
    auto* stack = static_cast<u8*>(arena.take(64_KiB, 16));
    host::set_refill_memory(v, frames, memory_size >> 12, summary, large_pages);
    window.place(v, window_slot);
    host::prepare_vcpu(v, reinterpret_cast<u64>(stack + 64_KiB), window.page());
    fresh_tables();
    running = this;
}

u64 Bench::new_table() {
    next_table_ -= page_size;
    __builtin_memset(guest_ + next_table_, 0, page_size);
    return next_table_;
}

void Bench::fresh_tables(bool global_pages) {
    next_table_ = memory_size;  // tables grow down from the end
    cr3_ = new_table();
    for (u64 i = 0; i < memory_size >> 12; i++) frames[i].raw &= host::physical_mask & ~u64{0xffc};
    map.map(0, memory_size, FrameKind::Ram, host::physical_of(guest_));
    __builtin_memset(summary, 0, memory_size >> 21);
    host::set_refill_tables(v, {.walk = RefillWalk::FourLevel, .global_pages = global_pages, .root = host_physical(cr3_)});
    host::forget_mixed_global(v);
    host::Tlb::set_asid(0);
    host::Tlb::invalidate_all();
    for (u64& c : v.counters) c = 0;
    on_exit = nullptr;
}

u64& Bench::entry(u64 va, unsigned level) {
    u64 table = cr3_;
    for (unsigned l = 3; l > level; l--) {
        u64& e = word(table + bits(va, 12 + 9 * l + 8, 12 + 9 * l) * 8);
        if (!(e & P)) e = new_table() | P | W | U | A;
        table = e & 0xf'ffff'ffff'f000;
    }
    return word(table + bits(va, 12 + 9 * level + 8, 12 + 9 * level) * 8);
}

u64 Bench::address_of(Plv plv, const u8* snippet) const {
    return plv == Plv::Kernel ? reinterpret_cast<u64>(snippet)
                              : window.code() + static_cast<u64>(snippet - snippets_begin);
}

End Bench::run(Plv plv, const u8* snippet, u64 a0, u64 a1) {
    v.gpr[x86::Rax] = a0;
    v.gpr[x86::Rcx] = a1;
    v.host.pc = address_of(plv, snippet);
    v.host.prmd = plv == Plv::Kernel ? host::prmd_kernel : host::prmd_user;
    run_guest(v);
    return last();
}

End Bench::last() const { return {host::exception_code(v), host::exception_subcode(v), v.host.badv}; }

}  // namespace bmbt::test

extern "C" void guest_exit(bmbt::Vcpu& v) {
    using namespace bmbt;
    auto& bench = *test::running;
    if (host::exception_code(v) == ECODE_INT && !bench.on_exit) {
        bench.interrupts.take();
        return;
    }
    if (bench.on_exit && bench.on_exit(bench)) return;
    leave_guest();
}

namespace bmbt {

void machine_main(const host::HostInfo& info, host::Arena& arena) {
    using namespace test;
    auto asked = [&](std::string_view word) { return info.command_line.find(word) != std::string_view::npos; };
    host::say("self test, {} KiB image, {} MiB for it, {} ranges of RAM, {} UARTs, counter {} Hz",
              info.image.size >> 10, arena.left() >> 20, info.ram().size(), info.uarts().size(), info.timer_hz);
    if (asked("fail")) host::fail("a failing exit, as asked");
    if (asked("panic")) *reinterpret_cast<volatile u64*>(0x1234) = 1;
    test_memory_functions(arena);
    auto* bench = arena.make<Bench>(info, arena);
    test_exceptions(*bench);
    test_time(*bench);
    test_refill(*bench);
    test_hostile_tables(*bench);
    test_window(*bench);
    if (asked("uart")) test_uart(*bench);
    host::say("the RTC says {}", bench->clock.unix_seconds());
    host::say("{} passed, {} failed", passed, failed);
    if (failed) host::fail_exit();
    host::power_off();
}

}  // namespace bmbt
