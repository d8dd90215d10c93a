// Time as device models see it: a clock to read and an alarm to set. A fake clock drives their tests.
#pragma once
#include "base/types.hpp"

namespace bmbt {

// Nanoseconds since power-on of the machine, never going backwards.
class Clock {
 public:
    virtual u64 now() const = 0;

 protected:
    ~Clock() = default;
};

// Wall-clock time at power-on comes from the host's RTC.
class WallClock {
 public:
    virtual u64 unix_seconds() const = 0;  // seconds since 1970-01-01 UTC

 protected:
    ~WallClock() = default;
};

// Who wants to be called when an alarm's time has come.
class Alarmed {
 public:
    virtual void alarm() = 0;

 protected:
    ~Alarmed() = default;
};

// How soon an alarm that repeats itself may ring again. A guest may program a period that is shorter than the host
// takes for an interrupt, and would get no further. What it misses is counted as when a host comes late.
constexpr u64 shortest_repeat_ns = 20'000;

class AlarmQueue;

// One deadline of one device. Setting replaces the former deadline; a deadline in the past rings at the next run.
class Alarm {
 public:
    Alarm(AlarmQueue& queue, Alarmed& owner) : queue_(queue), owner_(owner) {}
    ~Alarm() { cancel(); }
    Alarm(const Alarm&) = delete;
    Alarm& operator=(const Alarm&) = delete;

    void set(u64 deadline);  // ns on the queue's clock
    void cancel();
    bool armed() const { return armed_; }
    u64 deadline() const { return deadline_; }  // valid while armed

 private:
    friend class AlarmQueue;
    AlarmQueue& queue_;
    Alarmed& owner_;
    Alarm* next_ = nullptr;
    u64 deadline_ = 0;
    bool armed_ = false;
};

// All armed alarms, earliest first. The host programs its timer from next().
class AlarmQueue {
 public:
    static constexpr u64 never = ~u64{0};
    u64 next() const { return first_ ? first_->deadline_ : never; }
    void run(u64 now);  // rings every alarm whose deadline is <= now, earliest first

 private:
    friend class Alarm;
    Alarm* first_ = nullptr;
};

inline void Alarm::cancel() {
    if (!armed_) return;
    for (Alarm** p = &queue_.first_; *p; p = &(*p)->next_)
        if (*p == this) {
            *p = next_;
            break;
        }
    armed_ = false;
}

inline void Alarm::set(u64 deadline) {
    cancel();
    deadline_ = deadline;
    armed_ = true;
    Alarm** p = &queue_.first_;
    while (*p && (*p)->deadline_ <= deadline) p = &(*p)->next_;
    next_ = *p;
    *p = this;
}

inline void AlarmQueue::run(u64 now) {
    while (first_ && first_->deadline_ <= now) {
        Alarm* due = first_;
        first_ = due->next_;
        due->armed_ = false;
        due->owner_.alarm();
    }
}

}  // namespace bmbt
