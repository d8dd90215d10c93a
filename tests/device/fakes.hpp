// What the device tests wire their devices to.
#pragma once
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "host/clock.hpp"
#include "host/line.hpp"

namespace bmbt::test {

// Time stands still until a test advances it; alarms ring at their exact deadlines.
class FakeClock final : public Clock, public WallClock {
 public:
    u64 now() const override { return now_ += creep; }
    u64 unix_seconds() const override { return unix_at_power_on + now_ / 1'000'000'000; }
    void advance(u64 ns) {
        const u64 end = now_ + ns;
        while (queue.next() <= end) {
            now_ = queue.next() > now_ ? queue.next() : now_;
            queue.run(now_);
        }
        now_ = end;
    }
    // The host was busy: alarms ring late, all at the end.
    void stall(u64 ns) {
        now_ += ns;
        queue.run(now_);
    }

    AlarmQueue queue;
    u64 creep = 0;  // ns that go by with each reading
    u64 unix_at_power_on = 1'700'000'000;  // 2023-11-14 22:13:20, a Tuesday

 private:
    mutable u64 now_ = 0;
};

class FakeLine final : public Line {
 public:
    void set(bool l) override {
        pending |= l && !level;
        rises += l && !level;
        level = l;
    }
    bool waiting() const override { return latches && pending; }
    // The processor takes the interrupt that waits; false: there is none.
    bool take() { return std::exchange(pending, false); }

    bool latches = false;  // leads to an interrupt controller, whose requests wait to be taken
    bool level = false, pending = false;
    unsigned rises = 0;
};

class FakeSink final : public CharSink {
 public:
    void put(u8 c) override { text += static_cast<char>(c); }
    std::string text;
};

class FakeMemory final : public GuestMemory {
 public:
    explicit FakeMemory(usize size) : bytes(size) {}
    bool read(u64 gpa, void* to, u64 size) override {
        if (!inside(gpa, size)) return false;
        std::memcpy(to, bytes.data() + gpa, size);
        return true;
    }
    bool write(u64 gpa, const void* from, u64 size) override {
        if (!inside(gpa, size)) return false;
        std::memcpy(bytes.data() + gpa, from, size);
        return true;
    }
    bool fill(u64 gpa, u8 byte, u64 size) override {
        if (!inside(gpa, size)) return false;
        std::memset(bytes.data() + gpa, byte, size);
        return true;
    }
    std::vector<u8> bytes;

 private:
    bool inside(u64 gpa, u64 size) const { return gpa <= bytes.size() && size <= bytes.size() - gpa; }
};

inline u8 in(Port& p, u16 offset) { return static_cast<u8>(p.read(offset, Width::Byte)); }
inline void out(Port& p, u16 offset, u8 value) { p.write(offset, Width::Byte, value); }

}  // namespace bmbt::test
