// A PC in host memory, with a clock that stands still until it is told.
#pragma once
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "machine/cpu_setup.hpp"
#include "machine/guest.hpp"

namespace bmbt::test {

struct StillClock final : Clock {
    u64 now() const override { return time; }
    u64 time = 1000;
};
struct SomeDay final : WallClock {
    u64 unix_seconds() const override { return 1'700'000'000; }
};
struct StringSink final : CharSink {
    void put(u8 c) override { text += static_cast<char>(c); }
    std::string text;
};
struct NoListener final : MapListener {
    void map_changed(u64, u64) override { ++changes; }
    unsigned changes = 0;
};

// Page-aligned host memory; untouched pages cost nothing.
class HostBlock {
 public:
    explicit HostBlock(u64 size)
        : data_(static_cast<u8*>(std::aligned_alloc(page_size, align_up(size, page_size)))), size_(size) {}
    ~HostBlock() { std::free(data_); }
    HostBlock(const HostBlock&) = delete;
    HostBlock& operator=(const HostBlock&) = delete;
    u8* data() const { return data_; }
    u64 address() const { return reinterpret_cast<u64>(data_); }
    std::span<const u8> bytes() const { return {data_, size_}; }

 private:
    u8* data_;
    u64 size_;
};

// All that a Pc needs besides a clock, a terminal and someone to run its CPU.
class MachineMemory {
 public:
    MachineMemory(const Config& config, std::span<const u8> rom)
        : layout_(config.memory),
          ram_(config.memory),
          rom_(rom.size() + 1),
          table_(static_cast<Frame*>(std::calloc(layout_.frames(), sizeof(Frame))), std::free),
          map_(table_.get(), layout_.frames(), 0),
          rom_range_{rom_.address(), rom.size()} {
        if (rom.size()) std::memcpy(rom_.data(), rom.data(), rom.size());
        map_guest_memory(map_, layout_, ram_.address(), rom_range_);
    }
    PhysicalMap& map() { return map_; }
    u64 shadow_ram() const { return ram_.address() + Shadow::base; }
    Range rom() const { return rom_range_; }
    void power_on() { map_guest_memory(map_, layout_, ram_.address(), rom_range_); }

 private:
    RamLayout layout_;
    HostBlock ram_, rom_;
    std::unique_ptr<Frame, decltype(&std::free)> table_;
    PhysicalMap map_;
    Range rom_range_;
};

}  // namespace bmbt::test
