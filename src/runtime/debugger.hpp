// Lets a person stop the guest, look at it and change it, from a debugger on another line. The runtime asks it between
// instructions; without one it asks nobody. See docs/gdb.md.
#pragma once
#include "cpu/linear.hpp"
#include "gdb/server.hpp"

namespace bmbt {

class Runtime;
struct DescriptorEntry;

class Debugger final : public gdb::Target, public AccessWatch {
 public:
    // The guest stops before its first instruction and waits for a debugger.
    explicit Debugger(gdb::ByteStream& stream, std::optional<gdb::Arch> arch = {}) : server_(*this, stream, arch) {}
    // What runs the guest now: another one after a reset. Points stay.
    void attach(Runtime& runtime);

    enum class Next : u8 { Run, Step };
    // The guest's state is whole, and v.rip not begun: stops here if there is a reason to. Step: one instruction, then stepped().
    Next next();
    void stepped() { stepped_ = stepping_; }
    bool has_stepped() const { return stepped_; }  // and next() has not been asked since: a step over HLT ends before the wait
    // Hears whether the debugger calls. True until the guest has stopped.
    bool called() { return server_.wants_stop(); }
    // A debugger is there, and waits for the guest to stop.
    bool is_awaited() const { return server_.is_awaited(); }
    // A triple fault: stops before the reset, if somebody is there to look.
    void shut_down();
    void ended(int exit_code) { server_.ended(static_cast<u8>(exit_code)); }

    // A block that begins at the linear address may have so many of `bytes` bytes; 0: a breakpoint is there.
    u64 bytes_before_breakpoint(u64 linear, u64 bytes) const;
    bool watching() const { return watch_count_ != 0; }
    // Accesses to the page may be watched: they must come to accessed().
    bool watches_page(u64 linear) const { return watches(linear & ~(page_size - 1), page_size); }
    // AccessWatch
    bool watches(u64 linear, u64 size) const override;
    void accessed(u64 linear, u64 size, bool write) override;

    // gdb::Target
    gdb::Arch arch() override;
    void read_register(unsigned number, std::span<u8> value) override;
    const char* write_register(unsigned number, std::span<const u8> value) override;
    usize read_memory(u64 address, std::span<u8> to) override;
    bool write_memory(u64 address, std::span<const u8> from) override;
    bool add_point(gdb::Point, u64 address, u64 size) override;
    void remove_point(gdb::Point, u64 address, u64 size) override;
    void remove_all_points() override;
    bool monitor(std::string_view command, gdb::Console&) override;  // debugger_monitor.cpp

 private:
    // Debuggers remove all points at each stop and put them back when it goes on. So a point that is no longer wanted stays
    // until then, or until its place is wanted, and only a change of the set costs blocks or TLB entries.
    struct Breakpoint {
        u64 address = 0;
        bool soft = false, hard = false;
        bool applied = false;  // no block contains the address
        bool wanted() const { return soft || hard; }
    };
    struct Watch {
        gdb::Point kind{};
        u64 address = 0, size = 0;
        bool wanted = false, applied = false;  // applied: no TLB entry maps its pages
        // Both may reach to the end of the address space.
        bool meets(u64 begin, u64 bytes) const { return begin - address < size || address - begin < bytes; }
    };

    bool reason(gdb::Stop&);
    void stop(const gdb::Stop&);
    void apply_points();
    void drop_unwanted_breakpoints();
    void drop_unwanted_watches();
    void heard(u64 linear, u64 size, bool write);
    const Breakpoint* breakpoint_at(u64 linear) const;
    u64 rip_linear() const;
    u64 register_value(unsigned number) const;  // of those that are no vectors or x87 numbers
    const char* set_register(unsigned number, u64 value);
    const char* set_base(x86::Seg, u64 value);
    const char* go_to(u64 rip);
    bool in_range() const;
    bool monitor_cpu(gdb::Words&, gdb::Console&);
    bool monitor_gdt(gdb::Words&, gdb::Console&);
    bool monitor_ldt(gdb::Words&, gdb::Console&);
    bool monitor_idt(gdb::Words&, gdb::Console&);
    bool monitor_walk(gdb::Words&, gdb::Console&);
    bool monitor_phys(gdb::Words&, gdb::Console&);
    bool monitor_msr(gdb::Words&, gdb::Console&);
    bool monitor_stats(gdb::Words&, gdb::Console&);
    bool table_entry(u64 base, u64 limit, u64 offset, std::span<u8> entry);
    bool show_table(gdb::Words&, gdb::Console&, u64 base, u64 limit, u16 kind);
    void show_descriptor(gdb::Console&, u64 base, u64 limit, u16 selector);
    void show_gate(gdb::Console&, const DescriptorEntry&);
    u8* byte_at(u64 address, bool write, u64& gpa) const;  // null: nothing there; valid to the end of its page

    static constexpr usize most_breakpoints = 256, most_watches = 16;
    gdb::Server server_;
    Runtime* runtime_ = nullptr;
    Vcpu* v_ = nullptr;
    Breakpoint breakpoints_[most_breakpoints];
    usize breakpoint_count_ = 0;
    Watch watches_[most_watches];
    usize watch_count_ = 0;
    bool applied_dropped_ = false;  // of the watches that TLB entries leave out, one was dropped
    bool started_ = false;
    bool stepping_ = false, stepped_ = false;
    u64 range_begin_ = 0, range_end_ = 0;  // stepping goes on while RIP is inside, or where it lies
    bool range_linear_ = false;
    bool hit_ = false;                      // a watchpoint
    gdb::Stop hit_stop_;
};

}  // namespace bmbt
