#include "device/pit.hpp"

#include <algorithm>

namespace bmbt {

Pit::Pit(Clock& clock, AlarmQueue& alarms, Line& irq0) : clock_(clock), alarm_(alarms, *this), irq0_(irq0) {
    channels_[2].set_gate(false, 0);
}

u8 Pit::read8(u16 offset) { return offset < 3 ? channels_[offset].read(tick()) : 0xff; }

void Pit::write8(u16 offset, u8 value) {
    const u64 now = tick();
    if (offset < 3) {
        channels_[offset].write(value, now);
    } else if (offset == 3 && value >= 0xc0) {  // read-back command: a clear bit asks for a latch
        for (unsigned i = 0; i < 3; i++) {
            if (!(value >> (i + 1) & 1)) continue;
            if (!(value & 0x20)) channels_[i].latch_count(now);
            if (!(value & 0x10)) channels_[i].latch_status(now);
        }
        return;
    } else if (offset == 3) {
        PitChannel& channel = channels_[value >> 6];
        if (value & 0x30)
            channel.control(value, now);
        else
            channel.latch_count(now);
    }
    if (offset == 0 || (offset == 3 && value & 0x30 && value < 0x40)) {
        backlog_.forget();
        counted_ = now + 1;  // when a new count is loaded
        drive();
    }
}

void Pit::alarm() {
    // An edge lies behind. If the output is high again by now, it was low in between.
    const u64 now = tick(), ended = channels_[0].periods(counted_, now);
    const bool high = channels_[0].output(now);
    if (now > counted_) counted_ = now;
    if (ended)
        backlog_.tick(irq0_, ended, ns_of_pit_ticks(channels_[0].period()));
    else if (high)
        irq0_.set(false);
    // A square wave that is low again by now has been high: its request stands until the next alarm, or a host that is
    // always as late would never see one.
    drive(channels_[0].periodic() ? clock_.now() + shortest_repeat_ns : 0, ended != 0);
}

void Pit::interrupt_taken() {
    if (backlog_.any()) backlog_.taken(irq0_);
}

void Pit::drive(u64 earliest, bool requested) {
    const u64 now = tick();
    const bool waited = irq0_.waiting();
    irq0_.set(requested || channels_[0].output(now));
    // The low half of a square wave takes back a request that the 8259 pair could not deliver in time.
    if (waited && !irq0_.waiting() && channels_[0].periodic())
        backlog_.missed(1, ns_of_pit_ticks(channels_[0].period()));
    const u64 next = channels_[0].next_edge(now);
    if (next == PitChannel::never)
        alarm_.cancel();
    else
        alarm_.set(std::max(ns_of_pit_ticks(next), earliest));
}

}  // namespace bmbt
