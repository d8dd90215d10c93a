// The timer and the UART: interrupts while guest code runs and while C++ waits.
#include "bench.hpp"

namespace bmbt::test {

namespace {

bool timer_came;
u64 interrupts, gates;

void test_spin(Bench& b, Plv plv) {
    timer_came = false;
    b.on_exit = [](Bench& bench) {
        if (host::exception_code(bench.v) != ECODE_INT) return false;
        timer_came |= bench.interrupts.take().timer;
        return !timer_came;
    };
    u64 start = b.clock.now();
    b.clock.program_timer(start + 2'000'000);
    End e = b.run(plv, snippet_spin);
    EXPECT_EQ(e.code, ECODE_INT);
    EXPECT(timer_came);
    EXPECT_EQ(b.v.host.pc, b.address_of(plv, snippet_spin));
    EXPECT(b.clock.now() - start >= 2'000'000);
    EXPECT(b.clock.now() - start < 200'000'000);
    b.on_exit = nullptr;
}

// Interrupts all the time, while guest code is in and out of the gate: no call may be lost or doubled.
void test_gate_under_interrupts(Bench& b) {
    interrupts = gates = 0;
    b.on_exit = [](Bench& bench) {
        if (host::exception_code(bench.v) == ECODE_INT) {
            interrupts++;
            bench.interrupts.take();
            bench.clock.program_timer(bench.clock.now() + 3000 + interrupts % 17 * 100);
            return true;
        }
        if (bench.v.host.pc == bench.address_of(Plv::Kernel, snippet_gate_loop) + 8) return ++gates, true;
        return false;
    };
    b.clock.program_timer(b.clock.now() + 5000);
    b.run(Plv::Kernel, snippet_gate_loop, 200'000);
    EXPECT_EQ(gates, 200'000);
    EXPECT_EQ(b.v.gpr[x86::Rax], 0);
    EXPECT(interrupts > 10);
    b.clock.program_timer(AlarmQueue::never);
    b.interrupts.take();
    b.on_exit = nullptr;
}

}  // namespace

void test_time(Bench& b) {
    b.fresh_tables();
    test_spin(b, Plv::Kernel);
    test_spin(b, Plv::User);
    test_gate_under_interrupts(b);

    u64 start = b.clock.now();
    b.interrupts.wait(b.clock, start + 5'000'000);
    EXPECT(b.clock.now() - start >= 5'000'000);
    EXPECT(b.interrupts.take().timer);
    EXPECT(!b.interrupts.take().any());
    // A deadline in the past, and one that passes before the wait begins, must not be slept over.
    b.interrupts.wait(b.clock, 0);
    EXPECT(b.interrupts.take().timer);
    for (u64 delay = 0; delay < 4000; delay += 10)
        b.interrupts.wait(b.clock, b.clock.now() + delay), b.interrupts.take();
    b.clock.program_timer(AlarmQueue::never);
    EXPECT(b.clock.unix_seconds() > 1'700'000'000);
}

// A line typed at the console comes by interrupts.
void test_uart(Bench& b) {
    host::say("type a line");
    u64 length = 0, sum = 0;
    for (int c = 0; c != '\n' && c != '\r';) {
        c = b.interrupts.uart_get();
        if (c < 0) {
            b.interrupts.wait(b.clock, b.clock.now() + 10'000'000'000);
            EXPECT(!b.interrupts.take().timer);
            continue;
        }
        length++;
        sum += static_cast<u64>(c);
    }
    host::say("{} bytes, sum {}", length, sum);
}

}  // namespace bmbt::test
