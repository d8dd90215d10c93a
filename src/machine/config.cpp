#include "machine/config.hpp"

#include <algorithm>
#include <charconv>

#include "memory/physical_map.hpp"

namespace bmbt {
namespace {

constexpr u64 least_memory = 16_MiB, most_memory = 1_GiB << 16;

constexpr Error bad_number{"the image's command line has a malformed number; start the image with ./bmbt run"};
constexpr Error unknown_word{"the image's command line has an unknown word; start the image with ./bmbt run"};
constexpr Error unknown_boot{"unknown kind of guest; boot= takes linux, multiboot, bios or raw"};
constexpr Error unknown_arch{
    "unknown architecture; --gdb-arch takes x86-64, i386 or i8086"};
constexpr Error unknown_event{
    "unknown trace event; --trace takes block, fault, irq, io, mmio, msr, bios, mode, smc, timer"};
constexpr Error little_memory{"too little guest memory; give at least --memory 16M"};
constexpr Error much_memory{"more guest memory than BMBT manages; give at most --memory 65536G"};
constexpr Error nothing_to_run{"no guest was given; start the image with ./bmbt run"};

bool number(std::string_view s, u64& out) {
    int base = 10;
    if (s.starts_with("0x")) {
        s.remove_prefix(2);
        base = 16;
    }
    auto [end, error] = std::from_chars(s.data(), s.data() + s.size(), out, base);
    return error == std::errc{} && end == s.data() + s.size() && !s.empty();
}

bool range(std::string_view s, Range& out) {
    const usize comma = s.find(',');
    return comma != s.npos && number(s.substr(0, comma), out.base) && number(s.substr(comma + 1), out.size) &&
           out.base + out.size >= out.base;
}

bool boot_kind(std::string_view s, Boot& out) {
    if (s == "linux")
        out = Boot::Linux;
    else if (s == "multiboot")
        out = Boot::Multiboot;
    else if (s == "bios")
        out = Boot::Bios;
    else if (s == "raw")
        out = Boot::Raw;
    else
        return false;
    return true;
}

bool trace_list(std::string_view s, TraceSet& out) {
    while (!s.empty()) {
        const usize comma = std::min(s.find(','), s.size());
        if (!out.add(s.substr(0, comma))) return false;
        s.remove_prefix(std::min(comma + 1, s.size()));
    }
    return true;
}

Result<> take_word(Config& c, std::string_view word) {
    if (word == "stats") return c.stats = true, Result<>{};
    if (word == "marks") return c.marks = true, Result<>{};
    if (word == "gdb") return c.gdb = true, Result<>{};
    if (word == "test-devices") return c.test_devices = true, Result<>{};
    if (word == "exact-mxcsr") return c.exact_mxcsr = true, Result<>{};
    if (word == "no-reboot") return c.no_reboot = true, Result<>{};

    const usize equals = std::min(word.find('='), word.size());
    const std::string_view name = word.substr(0, equals), value = word.substr(std::min(equals + 1, word.size()));
    auto need = [](bool good, Error e) { return good ? Result<>{} : std::unexpected(e); };
    if (name == "memory") return need(number(value, c.memory), bad_number);
    if (name == "raw-address") return need(number(value, c.raw_address), bad_number);
    if (name == "kernel") return need(range(value, c.kernel), bad_number);
    if (name == "initrd") return need(range(value, c.initrd), bad_number);
    if (name == "vectors") return need(range(value, c.vectors), bad_number);
    if (name == "boot") return need(boot_kind(value, c.boot), unknown_boot);
    if (name == "gdb-arch") return need((c.gdb_arch = gdb::arch_named(value)).has_value(), unknown_arch);
    if (name == "trace") return need(trace_list(value, c.trace), unknown_event);
    return std::unexpected(unknown_word);
}

}  // namespace

Result<Config> parse_config(std::string_view text) {
    Config c;
    while (!text.empty()) {
        if (text.front() == ' ' || text.front() == '\n' || text.front() == '\0') {
            text.remove_prefix(1);
            continue;
        }
        if (text.starts_with("cmdline=")) {
            c.command_line = text.substr(8);
            break;
        }
        const usize end = std::min(text.find_first_of(std::string_view(" \n\0", 3)), text.size());
        CHECK(take_word(c, text.substr(0, end)));
        text.remove_prefix(end);
    }
    if (c.vectors.size) return c;
    if (c.boot == Boot::None || c.kernel.size == 0) return std::unexpected(nothing_to_run);
    if (c.memory < least_memory) return std::unexpected(little_memory);
    if (c.memory > most_memory) return std::unexpected(much_memory);
    c.memory = align_down(c.memory, 2_MiB);
    return c;
}

RamLayout::RamLayout(u64 memory) : low(std::min(memory, hole)), high(memory - low) {}

u64 RamLayout::frames() const { return (above + high) / page_size; }

MemoryMap direct_boot_map(const RamLayout& ram) {
    MemoryMap map;
    map.add({0, RamLayout::conventional}, MemoryType::Ram);
    map.add({RamLayout::extended_bios, RamLayout::video - RamLayout::extended_bios}, MemoryType::Reserved);
    map.add({RamLayout::firmware, 1_MiB - RamLayout::firmware}, MemoryType::Reserved);
    map.add({1_MiB, ram.low - 1_MiB}, MemoryType::Ram);
    map.add({RamLayout::above, ram.high}, MemoryType::Ram);
    return map;
}

}  // namespace bmbt
