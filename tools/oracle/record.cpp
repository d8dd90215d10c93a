#include "record.hpp"

#include "oracle/seed.hpp"

namespace bmbt::oracle {

Recorder::Recorder(u64 memory_seed) {
    seeded_memory(memory_seed, memory_, sizeof memory_);
    seeded_memory(~memory_seed, native_.read_only(), layout::read_only_size);
    native_.seal();
}

bool Recorder::record(Draft& d, std::string& why) {
    u8* data = native_.data();
    std::memcpy(data, memory_, sizeof memory_);
    for (const Patch& p : d.memory) std::memcpy(data + p.offset, p.bytes.data(), p.bytes.size());
    u8 before[layout::data_size];
    std::memcpy(before, data, sizeof before);

    RunResult result = native_.run(d.entry, d.code, d.before, d.after, d.outcome);
    if (result != RunResult::Done) {
        why = result == RunResult::Timeout ? "it does not end" : "it calls the operating system";
        return false;
    }
    if (d.outcome.vector == x86::Vector::Db) {
        why = "it ends with a debug exception, which hypervisors report in their own ways";
        return false;
    }
    d.options |= option::recorded;
    d.after.flags &= ~x86::flag::rf;  // set by faults in the frame only
    if (d.mode != x86::CodeSize::Bits64)
        for (u64& g : d.after.gpr) g &= 0xffff'ffff;
    if (d.keeps_stack && d.after.gpr[x86::Rsp] != d.before.gpr[x86::Rsp]) {
        why = "it loses a return address";
        return false;
    }

    // Bytes equal to what they were between two changed ones are cheaper to repeat than to leave out.
    d.memory_after.clear();
    for (unsigned i = 0; i < sizeof before; i++) {
        if (data[i] == before[i]) continue;
        bool joins =
            !d.memory_after.empty() && d.memory_after.back().offset + d.memory_after.back().bytes.size() + 4 > i;
        if (!joins) d.memory_after.push_back({static_cast<u16>(i), {}});
        Patch& p = d.memory_after.back();
        p.bytes.insert(p.bytes.end(), data + p.offset + p.bytes.size(), data + i + 1);
    }
    return find_undefined(d, why);
}

Differences Recorder::compare_again(const Vector& v) {
    static ExpectedMemory expected;
    expected.prepare(v, memory_);
    u8* data = native_.data();
    std::memcpy(data, memory_, sizeof memory_);
    apply_patches(v.memory_before, data);
    State before, after;
    Outcome outcome;
    state_before(v, before);
    native_.run(v.entry, v.code, before, after, outcome);
    return compare(v, before, after, outcome, expected, data);
}

}  // namespace bmbt::oracle
