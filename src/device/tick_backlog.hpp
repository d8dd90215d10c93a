// Ticks that a periodic timer owes. A machine that is slower than the one its guest was written for, or was busy with
// something else, comes too late for some edges, and edges that wait melt into one. Systems that count their time in
// ticks would fall behind, so what was missed is given later, one by one as the processor takes them.
#pragma once
#include <algorithm>

#include "host/line.hpp"

namespace bmbt {

class TickBacklog {
 public:
    // The timer has ticked `count` times since the last call: an edge. One period is period_ns long.
    void tick(Line& line, u64 count, u64 period_ns) {
        missed(count - 1 + line.waiting(), period_ns);
        edge(line);
        if (!line.waiting()) forget();  // it leads nowhere, as at a masked pin
    }
    // Ticks without an edge. What is older than a second is lost.
    void missed(u64 count, u64 period_ns) {
        owed_ = std::min(owed_ + count, period_ns ? longest_ns / period_ns : 0);
    }
    // The processor has taken an interrupt.
    void taken(Line& line) {
        if (!owed_ || line.waiting()) return;
        owed_--;
        edge(line);
    }
    void forget() { owed_ = 0; }
    bool any() const { return owed_ != 0; }

 private:
    static constexpr u64 longest_ns = 1'000'000'000;

    static void edge(Line& line) {
        line.set(false);
        line.set(true);
    }

    u64 owed_ = 0;
};

}  // namespace bmbt
