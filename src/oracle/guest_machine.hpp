// A guest CPU and a piece of guest-physical memory, arranged as the vectors' layout: page tables, descriptor tables,
// and the pages of code and data. Every exception has a handler that halts, at an address of its own, on a stack of its
// own: the state that ended a vector is what delivery pushed there. So any engine that runs a guest will do.
#pragma once
#include "cpu/vcpu.hpp"
#include "oracle/compare.hpp"

namespace bmbt::oracle {

// How vectors are run. 16- and 32-bit ones may run in a long-mode kernel's compatibility mode, as they were recorded,
// or in a legacy protected-mode one; all but those marked user_only may run as kernel code. 16-bit ones whose segments
// are like those of an 8086, and which ask for nothing that protection decides, run in virtual-8086 and in real mode
// too.
struct Variant {
    bool legacy = false;
    bool kernel = false;  // CPL 0
    enum class Segments : u8 { Protected, Virtual8086, Real } segments = Segments::Protected;

    static constexpr Variant virtual8086() { return {true, false, Segments::Virtual8086}; }
    static constexpr Variant real() { return {true, true, Segments::Real}; }
    bool is_virtual8086() const { return segments == Segments::Virtual8086; }
    bool is_real() const { return segments == Segments::Real; }
    // A legacy kernel's exceptions would be pushed on the vector's own stack, which is looked after in real mode alone.
    bool possible() const { return !(legacy && kernel) || is_real(); }
    bool fits(const Vector&) const;
};

class GuestMachine {
 public:
    static constexpr u64 memory_needed = 0x2'0000;

    // Uses guest RAM at [gpa, gpa + memory_needed), page aligned, below 4 GiB, contiguous for the host.
    GuestMachine(Vcpu& v, PhysicalMap& map, u64 gpa) : v_(v), map_(map), gpa_(gpa) {}

    // Builds the tables and fills the pages for a file. False: there is no such RAM.
    bool build(u64 memory_seed, Variant);

    // Puts code, memory and registers in place for a vector; state_before(vector) is left in `before`.
    void load(const Vector&, State& before);
    // What the vector left, once the CPU has halted in an exception's handler. False: it halted elsewhere.
    bool store(const Vector&, State& after, Outcome&) const;

    const u8* data() const { return page(Data); }
    const u8* seeded() const { return seeded_; }
    // Takes back what the vector changed in memory.
    void restore();

 private:
    enum Page : unsigned {
        Root,
        Pointers,
        Directory,
        Table,
        Gdt,
        Ldt,
        Idt,
        Tss,
        Handlers,
        Stack,
        Code,  // from here on as in the layout, so that segments of real mode reach them
        Code2,
        Gap,
        Data,
        Data2,
        Gap2,
        ReadOnly,
        Pages
    };
    // Linear addresses of the supervisor's pages, Gdt to Stack.
    static constexpr u32 linear_of(Page p) { return layout::region + 0x2'0000 + (p - Gdt) * 0x1000; }
    static constexpr unsigned vectors = 32, handler_size = 16;

    u64 gpa_of(unsigned p) const { return gpa_ + p * page_size; }
    u8* page(unsigned p) const { return map_.ram(gpa_of(p)); }
    void entry(Page table, unsigned index, u64 value);
    void build_pages();
    void build_segments();
    void build_exceptions();
    void descriptor(Page table, u16 selector, u32 base, u32 limit, u16 access);
    x86::Segment segment(u16 selector) const;
    u16 actual_selector(x86::Seg, u16 selector) const;    // of this variant, for one of a recorded state
    u16 recorded_selector(x86::Seg, u16 selector) const;  // and back
    u32 low_region() const;  // where the layout's region is for segments of an 8086, linear
    void load_segments(const State&, x86::CodeSize);
    void load_registers(const State&, x86::CodeSize);
    void store_protected(State&, u64 (&frame)[10]) const;
    void store_real(const Vector&, State&) const;

    Vcpu& v_;
    PhysicalMap& map_;
    u64 gpa_;
    Variant variant_;
    u8 seeded_[layout::data_size];
    u32 code_at_ = 0, code_bytes_ = 0;
    bool code_dirty_ = false;
};

}  // namespace bmbt::oracle
