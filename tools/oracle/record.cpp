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
    d.options |= option::recorded;

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

}  // namespace bmbt::oracle
