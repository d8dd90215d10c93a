// The image: builds the parts of a machine once, connects them, and starts the guest; again after a reset.
#include "host/loongarch/main.hpp"

#include "base/version.hpp"
#include "host/loongarch/direct.hpp"
#include "host/loongarch/panic.hpp"
#include "host/loongarch/trap.hpp"
#include "image/debug_line.hpp"
#include "image/loongarch_cpu.hpp"
#include "image/status_line.hpp"
#include "image/vector_mode.hpp"
#include "machine/cpu_setup.hpp"
#include "machine/guest.hpp"
#include "runtime/runtime.hpp"
#include "x86/insn.hpp"

extern "C" void execute_mark(bmbt::u8);

namespace bmbt {
namespace {

using host::Arena;

class MarkSink final : public CharSink {
 public:
    void put(u8 c) override { execute_mark(c); }
};

class TextSink final : public CharSink {
 public:
    void put(u8 c) override { host::console.put(c); }
};

// Everything that lives as long as the image.
struct Machine final : MapListener {
    Config config;
    GuestFiles files;
    Range rom;
    u64 guest_ram = 0;
    u64 frame_table_bytes = 0, own_bytes = 0;  // the tables with an entry for each frame; all the rest but the code cache
    host::HostClock* clock = nullptr;
    host::Interrupts* interrupts = nullptr;
    PhysicalMap* memory = nullptr;
    BlockStore* store = nullptr;
    LoongArchCpu* cpu = nullptr;
    host::UserWindow* window = nullptr;
    CodeSide sides[2];
    u8* user_page = nullptr;
    Pc* pc = nullptr;
    void* pc_place = nullptr;
    Runtime* runtime = nullptr;
    void* runtime_place = nullptr;
    Debugger* debugger = nullptr;   // or nobody debugs
    StatusLine* status = nullptr;   // or nobody asks for an exit code
    VectorMode* vectors = nullptr;  // or there is a guest
    Vcpu vcpu;
    TextSink console;
    MarkSink marks;
    Silence silence;

    void map_changed(u64 gpa, u64 size) override {
        if (runtime) runtime->map_changed(gpa, size);
    }
};

Machine* machine;
alignas(16) u8 vcpu_stack[128 * 1024];
alignas(2048) u8 kernel_ring_page[4096];

constexpr u64 code_bytes = 32_MiB;           // for each privilege class
constexpr u64 ring_offset = 2048;            // in the user page, and in the kernel's
constexpr u64 block_room = 128 * 1024;

template <class T>
std::span<T> table(Arena& arena, u64 count, u64 align = alignof(T)) {
    auto s = arena.array<T>(count, align);
    if (s.empty() && count) host::fail("the machine's low memory is too small for BMBT's own tables");
    return s;
}

// A file that is in host RAM behind the guest's.
std::span<const u8> payload(const host::HostInfo& info, Range r) {
    if (!r.size) return {};
    const u64 guest_end = machine->guest_ram + machine->config.memory;
    for (const host::Range& ram : info.ram())
        if (r.base >= guest_end && r.base >= ram.base && r.base - ram.base <= ram.size && r.size <= ram.size - (r.base - ram.base))
            return {host::direct<u8>(r.base), r.size};
    host::fail("a file of the guest's is not in host memory where the command line says; start the image with ./bmbt run");
}

// The RAM that the guest gets: the start of the largest range behind our own.
u64 find_guest_ram(const host::HostInfo& info, u64 size) {
    host::Range best;
    for (const host::Range& r : info.ram())
        if (!(info.image.base >= r.base && info.image.base < r.base + r.size) && r.size > best.size) best = r;
    if (best.size < size)
        host::fail("the guest's memory does not fit: {} MiB asked for, {} MiB of host memory free; use a smaller --memory",
                   size >> 20, best.size >> 20);
    return best.base;
}

void print_stats() {
    const Machine& m = *machine;
    const Stats& s = m.runtime->stats();
    auto line = [](const char* key, u64 value) { host::print("{} {}\n", key, value); };
    for (const Counter& c : counters) line(c.name, s.*c.value);
    line("code_cache_bytes", m.store->code_bytes());
    line("own_memory_bytes", m.own_bytes), line("frame_table_bytes", m.frame_table_bytes);
    line("tlb_refills", m.vcpu.counters[host::counter::refills]), line("tlb_slow_refills", m.vcpu.counters[host::counter::slow_refills]);
    line("tlb_large_refills", m.vcpu.counters[host::counter::large_refills]), line("tlb_window_refills", m.vcpu.counters[host::counter::window_refills]);
    // The instructions that C++ ran most, by name.
    bool shown[Stats::mnemonics] = {};
    for (unsigned n = 0; n < 24; n++) {
        unsigned best = 0;
        for (unsigned k = 0; k < Stats::mnemonics; k++)
            if (!shown[k] && s.in_cpp[k] > s.in_cpp[best]) best = k;
        if (shown[best] || !s.in_cpp[best]) break;
        shown[best] = true;
        host::print("in_cpp_{} {}\n", x86::mnemonic_name(static_cast<u16>(best)), s.in_cpp[best]);
    }
}

void end_machine(int code, const char* reason) {
    if (!host::console.at_line_start()) host::console.write("\r\n");
    host::say("{}", reason);
    if (machine->config.stats) print_stats();
    if (machine->debugger) machine->debugger->ended(code);
    if (machine->status) {
        machine->status->put(static_cast<u8>(code));  // the launcher's exit code
        host::power_off();
    }
    if (code) host::fail_exit();
    host::power_off();
}

// A guest from its power-on: devices, memory and files as new.
[[noreturn]] void start_guest() {
    Machine& m = *machine;
    m.runtime = nullptr;
    map_guest_memory(*m.memory, RamLayout(m.config.memory), m.guest_ram, m.rom);
    if (m.pc) m.pc->~Pc();
    m.pc = new (m.pc_place) Pc(m.config, PcHost{.clock = *m.clock,
                                               .wall = *m.clock,
                                               .console = m.console,
                                               .marks = m.config.marks ? static_cast<CharSink&>(m.marks) : m.console,
                                               .firmware_log = m.config.trace.has(TraceEvent::Bios) ? static_cast<CharSink&>(m.console) : m.silence,
                                               .memory = *m.memory,
                                               .listener = m,
                                               .cpu = m.vcpu,
                                               .shadow_ram = m.guest_ram + Shadow::base,
                                               .rom = m.rom});
    m.cpu->connect(m.vcpu, *m.pc, end_machine, [] { start_guest(); });
    m.pc->watch_serial_room(m.cpu);
    auto state = m.vectors ? Result<CpuState>(reset_state()) : load_guest(m.config, m.files, *m.memory, *m.pc);
    if (!state) host::fail("{}", state.error().what);
    m.cpu->summarize();
    start_cpu(m.vcpu, *state);
    m.runtime = new (m.runtime_place) Runtime(m.vcpu, *m.pc, *m.cpu, *m.memory, *m.store, m.sides[0], m.sides[1], m.user_page,
                                              m.console, {.trace = m.config.trace, .no_reboot = m.config.no_reboot,
                                                          .exact_mxcsr = m.config.exact_mxcsr,
                                                          .halt_is_success = m.config.boot == Boot::Raw,
                                                          .at_end = m.vectors, .debugger = m.debugger});
    if (m.vectors) {
        m.vcpu.platform = m.runtime;
        m.vcpu.physical = m.memory;
        m.vectors->begin();
    }
    m.runtime->start();
    enter_guest(m.vcpu);
}

void build_code_cache(Machine& m, Arena& arena) {
    auto frames = m.memory->frames();
    m.store = arena.make<BlockStore>(BlockStore::Memory{.blocks = table<BlockInfo>(arena, block_room),
                                                        .snapshots = table<Snapshot>(arena, block_room * 6),
                                                        .exits = table<ExitInfo>(arena, block_room * 5 / 2),
                                                        .insns = table<CppInsn>(arena, block_room / 2),
                                                        .hash = table<u32>(arena, block_room),
                                                        .frames = table<u32>(arena, frames),
                                                        .order = {table<u32>(arena, block_room), table<u32>(arena, block_room)}});
    for (bool user : {false, true}) {
        auto* code = static_cast<u32*>(arena.take(code_bytes, 2_MiB));
        if (!code) host::fail("the machine's low memory is too small for BMBT's code cache");
        BlockStore::Region& r = m.store->region(user);
        r.begin = code;
        r.end = code + code_bytes / 4;
    }
    auto caches = table<JumpCacheEntry>(arena, 2 * jump_cache_entries, jump_cache_bytes);
    m.user_page = static_cast<u8*>(arena.take(8_KiB, 8_KiB));
    if (!m.user_page) host::fail("the machine's low memory is too small for BMBT's own tables");
    __builtin_memset(m.user_page, 0, 8_KiB);
    BlockStore::Region& user = m.store->region(true);
    m.window = arena.make<host::UserWindow>(host::UserWindow::Part{host::physical_of(user.begin), code_bytes},
                                            host::UserWindow::Part{host::physical_of(m.user_page), 8_KiB},
                                            host::UserWindow::Part{host::physical_of(caches.data() + jump_cache_entries), jump_cache_bytes});
    m.cpu->own_window(*m.window);
    m.sides[0] = {.jump_cache = caches.data(), .jump_cache_address = reinterpret_cast<u64>(caches.data()),
                  .ring = reinterpret_cast<u64>(kernel_ring_page) + ring_offset, .ring_memory = kernel_ring_page + ring_offset};
    // Where these are for user code the runtime says, which chooses the window's slot.
    m.sides[1] = {.jump_cache = caches.data() + jump_cache_entries, .ring_memory = m.user_page + ring_offset};
}

}  // namespace

void machine_main(const host::HostInfo& info, host::Arena& arena) {
    auto config = parse_config(info.command_line);
    if (!config) host::fail("{}", config.error().what);
    const u64 arena_bytes = arena.left();
    machine = arena.make<Machine>();
    Machine& m = *machine;
    m.config = *config;
    if (m.config.boot == Boot::None && !m.config.vectors.size) {
        host::say("{}: no guest was given", version);
        host::power_off();
    }
    RamLayout layout(m.config.memory);
    m.guest_ram = find_guest_ram(info, m.config.memory);
    m.files = {.kernel = payload(info, m.config.kernel), .initrd = payload(info, m.config.initrd)};
    if (m.config.boot == Boot::Bios) {
        m.rom = m.config.kernel;
        if (auto r = check_firmware(m.files.kernel); !r) host::fail("{}", r.error().what);
    }
    m.clock = arena.make<host::HostClock>(info);
    m.interrupts = arena.make<host::Interrupts>(info);
    auto frames = table<Frame>(arena, layout.frames());
    m.memory = arena.make<PhysicalMap>(frames.data(), layout.frames(), host::direct_base);
    auto summary = table<u8>(arena, layout.frames() * page_size / 2_MiB);
    host::Tlb::prepare();
    m.cpu = arena.make<LoongArchCpu>(*m.clock, *m.interrupts, *m.memory, summary);
    host::set_refill_memory(m.vcpu, frames.data(), layout.frames(), summary.data(), m.cpu->large_pages());
    build_code_cache(m, arena);
    if (m.config.vectors.size) m.vectors = arena.make<VectorMode>(payload(info, m.config.vectors), *m.memory, m.vcpu, m.config.exact_mxcsr, end_machine);
    if (m.config.gdb) {
        host::UartInfo port = DebugLine::find(info);
        if (!port.base) host::fail("--gdb needs a second serial port, and this machine has one");
        m.debugger = arena.make<Debugger>(*arena.make<DebugLine>(port, *m.interrupts, *m.clock), m.config.gdb_arch);
    }
    if (m.config.test_devices) {
        host::UartInfo port = StatusLine::find(info);
        if (!port.base) host::fail("--test-devices needs a third serial port, and this machine has fewer");
        m.status = arena.make<StatusLine>(port);
    }
    m.pc_place = arena.take(sizeof(Pc), alignof(Pc));
    m.runtime_place = arena.take(sizeof(Runtime), alignof(Runtime));
    if (!m.pc_place || !m.runtime_place) host::fail("the machine's low memory is too small for BMBT's own tables");
    m.frame_table_bytes = layout.frames() * (sizeof(Frame) + sizeof(u32)) + summary.size();  // the second: BlockStore's
    m.own_bytes = info.image.size + arena_bytes - arena.left() - m.frame_table_bytes - 2 * code_bytes;
    m.vcpu.counter_start = m.clock->start();
    m.vcpu.counter_multiplier = m.clock->ns_per_tick();
    host::prepare_vcpu(m.vcpu, reinterpret_cast<u64>(vcpu_stack) + sizeof vcpu_stack, 0);
    host::panic_report = [] {
        if (machine->runtime) machine->runtime->report("the vCPU");
    };
    start_guest();
}

}  // namespace bmbt

extern "C" void guest_exit(bmbt::Vcpu&) { bmbt::machine->runtime->left(); }
