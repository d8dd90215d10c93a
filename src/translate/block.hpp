// The block builder: what the semantics of an instruction are written with. It knows where guest registers, flags and
// memory operands are in the host, and hides when they are made whole. See docs/translator.md.
#pragma once
#include "cpu/flags.hpp"
#include "la64/assembler.hpp"
#include "translate/host_registers.hpp"
#include "translate/mode.hpp"
#include "x86/insn.hpp"

namespace bmbt {

using la64::Condition;
using la64::Label;
using x86::Insn;
using x86::Operand;
using x86::OperandKind;

// How the bits above an operand's size are wanted.
enum class Upper : u8 { Any, Zero, Sign };

// Which elements of a vector register a floating-point operation takes.
enum class Floats : u8 { LowSingle = 1, LowDouble = 2, Singles = 4, Doubles = 8 };

// Where the arithmetic flags come from at one point of a block.
struct FlagState {
    enum class Kind : u8 {
        Dynamic,  // as flag_kind, flag_a and flag_b say
        Known,    // as op, size, a and b say
        Dead      // nobody can see them before they are written again
    };
    Kind kind = Kind::Dynamic;
    FlagOp op = FlagOp::Bits;
    u8 size_log2 = 0;
    Gpr a = host::flag_a, b = host::flag_b;  // host registers: pinned guest registers, flag_a, flag_b or zero
    bool b_constant = false;
    i32 b_value = 0;
    bool a_zero_extended = false, a_sign_extended = false;  // of flag_a's content, from the operation's size
    bool b_zero_extended = false, b_sign_extended = false;

    bool uses(Gpr r) const {
        if (kind == Kind::Dead) return false;
        if (kind == Kind::Dynamic) return r == host::flag_a || r == host::flag_b || r == host::flag_kind;
        return a == r || (!b_constant && b == r);
    }
};

// What a block knows of the x87 at one point, and what of that it has not written to the state in memory yet.
// See docs/x87.md.
struct X87Lazy {
    static constexpr u8 no_segment = 0xff;
    bool known = false;       // TOP and tags are these, all exceptions are masked and none is pending
    bool nearest = false;     // rounding to nearest at 64 bits
    bool clear_c1 = false;    // C1 is 0, the memory's may be 1
    bool remembered = false;  // the last instruction that counts was the one at guest_offset, with that opcode (FOP)
    u8 top = 0, tag = 0, memory_top = 0, memory_tag = 0;
    u8 segment = no_segment;  // of the last memory operand, whose offset is in memory already
    u16 opcode = 0, guest_offset = 0;
};

// What of it a snapshot keeps: there are many.
struct X87Record {
    u8 known : 1 = 0, clear_c1 : 1 = 0, remembered : 1 = 0, top : 3 = 0;
    u8 tag = 0;
    u16 opcode : 11 = 0, segment : 3 = 0, has_segment : 1 = 0;
    u16 guest_offset = 0;

    X87Record() = default;
    explicit X87Record(const X87Lazy& x)
        : known(x.known), clear_c1(x.clear_c1), remembered(x.remembered), top(x.top & 7), tag(x.tag), opcode(x.opcode & 0x7ff),
          segment(x.segment & 7), has_segment(x.segment != X87Lazy::no_segment), guest_offset(x.guest_offset) {}
};

// The state of a block at an instruction's boundary: what recovers the guest's registers from the host's.
struct Snapshot {
    u32 host_offset;   // bytes from the block's start where the instruction's code begins
    u16 guest_offset;  // bytes from the block's first instruction
    u16 pending;       // by guest register: only the low 32 bits are valid, the upper half is 0
    u8 insn;           // its number in the block; a second snapshot of one instruction follows a change in its middle
    bool shadowed = false;  // no interrupt is delivered here
    X87Record x87;
    FlagState flags;
};
static_assert(sizeof(Snapshot) == 32);

// A way out of the block to a known address, all registers whole and all flags in theirs from `check` on. The word at `site`
// is a `b` that the runtime points at the next block; until then it goes to the code behind it, which asks for that.
// Outside the block's own page user code first compares the epoch: the lu12i.w at `epoch_site` loads the link's (0: there
// is none). It is part of an instruction because user code may not read the code cache.
// Offsets are bytes from the block's start.
struct Exit {
    u64 target;  // RIP
    u32 begin;   // where the cold code that makes things whole begins; `check` if that is not cold
    u32 check, epoch_site, site, end;
    bool page_local;
};

struct Address {
    Gpr base = la64::zero;
    Gpr index = la64::zero;  // added when not zero
    i32 disp = 0;            // fits 12 signed bits; 0 with an index
};

// A condition as a branch of two registers: holds when `c(left, right)`.
struct Test {
    Condition condition;
    Gpr left, right;
};

// The x87 routines that blocks call, see runtime/x87_code.cpp. Arithmetic and comparison: kind * 8 + the opcode's reg field,
// where the second operand is a register's value, binary32 or binary64.
namespace x87_routine {
enum Kind : u8 { Register, M32, M64 };
constexpr unsigned compare = 2;
constexpr unsigned widen32 = 24, widen64 = 25, narrow32 = 26, narrow64 = 27, to_int = 28, truncate = 29, count = 30;
}  // namespace x87_routine

// Code that every block shares, in the same code cache, written once by write_shared_code.
struct SharedCode {
    const u32* flag_bits = nullptr;      // the flags to bits in flag_a, called with link; clobbers t6, t7
    // Goes on at the RIP in t1 through the jump cache; clobbers t0, t2-t4. Called with link, for C++ to know from where.
    const u32* indirect = nullptr;
    const u32* no_prediction = nullptr;  // where the ring's empty entries lead
    const u32* movs[4] = {};             // REP MOVS and STOS by log2 of the element's bytes, called with link; see
    const u32* stos[4] = {};             // runtime/string_code.cpp
    const u32* strings = nullptr;        // where these begin
    const u32* end = nullptr;
    const u32* x87[x87_routine::count] = {};
};

// The return prediction ring: 1 << return_ring_log2 bytes of {RIP, host address}, aligned to twice that, one guard entry before.
constexpr unsigned return_ring_log2 = 9;

// What a gate asks C++ for: t0 = block id << 8 | number. Instructions count among those that C++ may run.
namespace gate {
constexpr u32 slow = 64;        // + instruction: run it, then dispatch anew (below: run it, then come back)
constexpr u32 exit = 128;       // + exit: go on at its target
constexpr u32 indirect = 0xff;  // go on at the RIP in t1
}  // namespace gate

class Block {
 public:
    static constexpr unsigned max_insns = 48, max_exits = max_insns + 2, max_snapshots = 2 * max_insns;

    Block(la64::Assembler& as, const SharedCode& shared, Mode mode, u64 rip, u64 cs_base, u32 id)
        : as(as), mode(mode), shared_(shared), start_rip_(rip), cs_base_(cs_base), id_(id) {}

    la64::Assembler& as;
    const Mode mode;

    // --- the instruction being translated
    void begin(const Insn&, u64 rip, u64 flags_live_after);
    u64 rip() const { return rip_; }
    u64 next_rip() const { return rip_ + insn_->length; }
    const Insn& insn() const { return *insn_; }
    bool ended() const { return ended_; }

    // --- temporaries, free again at the next instruction
    Gpr temp();
    // A temporary with a constant, or zero.
    Gpr constant(u64);
    Vr vector_temp();
    // More were asked for than there are: the instruction's code is void, see retreat().
    bool out_of_temps() const { return out_of_temps_; }
    // Goes back to where the current instruction began, as if nothing had been written for it.
    void retreat();

    // --- guest registers
    Gpr whole(unsigned reg);                 // all 64 bits right
    Gpr low(unsigned reg) const { return host::guest[reg]; }  // the low 32 bits right
    bool zero_extended(unsigned reg) const { return !bit(pending_, reg) && bit(zero32_, reg); }
    bool is_sign_extended(unsigned reg) const { return bit(sign32_, reg); }
    bool is_pending(unsigned reg) const { return bit(pending_, reg); }
    // The register to write a 64-bit result to. Flags kept in it are saved first.
    Gpr write64(unsigned reg);
    // The same for a 32-bit result whose upper half is as said: it counts as zero from here on.
    Gpr write32(unsigned reg, Upper);
    // Writes a value to any register operand.
    void write(const Operand&, Gpr value, Upper known = Upper::Any);
    void write_low(unsigned reg, unsigned size, Gpr value, Upper known = Upper::Any);
    // Must be called before the host register of `reg` changes in any other way.
    void preserve_flags_in(Gpr);

    // --- operands
    // A register or immediate or memory operand's value in a register (a pinned one if it is there).
    Gpr read(const Operand&, Upper);
    void read_into(Gpr to, const Operand&, Upper);
    bool is_constant(const Operand& o) const { return o.kind == OperandKind::Immediate; }
    i64 constant_of(const Operand& o) const { return o.second_immediate ? insn_->imm2 : insn_->imm; }

    // --- memory. Addresses are linear; a reference that must be checked in C++ makes the whole instruction a callout
    // (see addressable), so what arrives here needs no checks.
    bool addressable(const Insn&) const;
    bool has_small_operand(const Insn&) const;  // in a segment of 64 KiB
    Address address(i64 extra = 0);
    Address address_of(const x86::MemoryOperand&, unsigned address_size, i64 extra = 0);
    Gpr effective_address(const x86::MemoryOperand&, unsigned address_size);  // LEA: no segment, whole in address_size
    // to = the bytes at address.
    void load(Gpr to, const Address&, unsigned size, Upper);
    void store(Gpr value, const Address&, unsigned size);
    void load_vector(Vr to, const Address&);
    void store_vector(Vr from, const Address&);
    // 4 or 8 bytes at the bottom of a vector register; the rest of a loaded one is undefined.
    void load_scalar(Vr to, const Address&, unsigned size);
    void store_scalar(Vr from, const Address&, unsigned size);
    // The address of a 16-byte operand that raises #GP off its boundary: goes to the slow path there.
    Address aligned_address();
    // The address as one register, for AM*, LL and SC.
    Gpr address_register(const Address&);
    // SS:(stack pointer + offset); what would pass the end of a 64 KiB stack goes to the slow path there.
    Address stack_address(i64 offset, unsigned size);
    void add_to_stack_pointer(i64);

    // --- flags
    u64 flags_live() const { return flags_live_; }
    bool flags_needed() const { return flags_live_ != 0; }
    // The flags from here on; the old ones are gone. Operands: see FlagState.
    void set_flags(FlagOp, unsigned size, Gpr a, Gpr b);
    void set_flags_constant(FlagOp, unsigned size, Gpr a, i64 b);
    // The flags of comparing the floating-point numbers a and b, whose bits are in flag_a and flag_b.
    void set_flags_of_compare(unsigned size, Vr a, Vr b);
    void drop_flags() { flags_.kind = FlagState::Kind::Dead; }
    FlagState& flags() { return flags_; }
    // flag_a (flag_b) to write new sources to, if what was there is not needed until the instruction's last fault.
    bool flag_a_free() const { return !flags_.uses(host::flag_a); }
    bool flag_b_free() const { return !flags_.uses(host::flag_b); }
    // All flags into flag_a, flag_b, flag_kind.
    void flags_to_registers() { emit_flag_registers(flags_); flags_ = FlagState{}; }
    // The flags as bits in flag_a; clobbers link and t4-t7 if it must call.
    void flags_to_bits();
    // The condition code's test; may use temporaries.
    Test test(unsigned cc);
    // A temporary with 0 or 1.
    Gpr condition_value(unsigned cc);

    // --- floating-point operands, by XMM register: what is known to hold no denormal number (see sse.hpp)
    bool known_not_denormal(Vr, Floats) const;
    void learn_not_denormal(Vr, Floats);
    // The current instruction's result, in its first operand, is none; or is what another register holds.
    void result_not_denormal(Floats f) { result_not_denormal_ |= static_cast<u8>(f); }
    void result_as(Vr source) { result_not_denormal_ |= not_denormal_[source.number]; }

    // --- x87: see translate/x87.cpp and docs/x87.md
    // What the state will be when the block first runs.
    void expect_x87(unsigned top, u8 tag) { x87_expected_top_ = x87_first_top_ = top & 7, x87_expected_tag_ = x87_first_tag_ = tag; }
    X87Lazy& x87() { return x87_; }
    // From here on the state is known, or the instruction has gone to the slow path. `rounds`: as it must be known to round.
    void x87_enter(bool rounds);
    // The current instruction is what FNSTENV will tell of.
    void x87_remember();
    void call_x87(unsigned routine) { emit_near(shared_.x87[routine], true); }

    // --- leaving
    void exit_to(u64 target);             // ends the block
    void exit_if(Test, u64 target);       // a side exit
    void exit_indirect(Gpr target);       // ends the block: RIP in target (already limited to the code's address size)
    void push_return(u64 rip, Gpr value);  // a call is about to leave: predicts its return; value holds rip; before exit_*
    void exit_return(Gpr target);         // ends the block: a return to target
    // The instruction runs in C++; code goes on behind it if it does not branch.
    void callout();
    // Instructions that did so while nobody kept the flags before them: an interrupt behind one would show others.
    u64 callouts_without_flags() const { return callouts_without_flags_; }
    // Forgets everything written, for another beginning.
    void restart();
    // A rare case of an instruction whose common case is inline: jumps to C++, which runs the instruction whole and goes on
    // behind it by a new dispatch. Branch to the label before any effect.
    Label& slow_path();

    // The instruction may set IF, which an interrupt may wait for. `shadow`: none is delivered before the next instruction.
    void sets_if(bool shadow) { sets_if_ = true, shadow_next_ = shadow; }
    bool has_set_if() const { return sets_if_; }

    // All of the guest's registers and flags whole in their places: what an instruction that changes them as it goes begins with.
    void make_exact() { canonical(), take_snapshot(); }
    void call_shared(const u32* routine) { emit_near(routine, true); }
    const SharedCode& shared() const { return shared_; }

    // Ends the translation: cold paths and a last exit if none was made.
    void finish(u64 next_rip);

    unsigned insns() const { return insn_count_; }
    unsigned snapshots() const { return snapshot_count_; }
    const Snapshot& snapshot(unsigned n) const { return snapshots_[n]; }
    unsigned exits() const { return exit_count_; }
    const Exit& exit(unsigned n) const { return exits_[n]; }
    u32 main_size() const { return main_size_; }  // bytes before the cold code
    u64 in_cpp() const { return in_cpp_; }  // by instruction: a gate may run it in C++; gates number these in order
    bool failed() const { return as.overflowed() || full_; }

 private:
    // Code that is rarely reached, written behind the block.
    struct Cold {
        enum class Kind : u8 { Exit, Slow, Landing };
        Label from;
        Kind kind;
        u8 insn;
        u16 pending;
        u64 target;
        FlagState flags;
        X87Lazy x87;
    };
    Cold* cold(Cold::Kind);
    struct Progress {
        usize code = 0;
        unsigned exits = 0, cold = 0, snapshots = 0;
        u64 in_cpp = 0;
        FlagState flags;
        u16 pending = 0, sign32 = 0, zero32 = 0;
        X87Lazy x87;
    };
    void emit_flag_registers(const FlagState&);
    void emit_pending(u16 pending);
    void emit_x87(const X87Lazy&);
    void x87_after_callout();
    void emit_site(u64 target, u32 begin);
    void emit_gate(u32 number);
    u32 cpp_number(unsigned insn) const { return static_cast<u32>(__builtin_popcountll(in_cpp_ & mask(insn))); }
    void emit_near(const u32* target, bool call);
    void take_snapshot();
    void canonical();  // all registers whole, flags in their registers: the state after C++ ran
    Gpr scaled(Gpr r, unsigned shift);
    Gpr operand_for_test(Gpr r, bool is_a, Upper);
    bool known_extension(Gpr r, bool is_a, Upper) const;
    Gpr flag_b_value();
    Test test_compare(unsigned cc);
    Gpr flag_result();  // the result in a temporary, sign-extended from the operation's size
    // What begins in the page's last bytes may be an instruction that goes on in the next page.
    bool page_local(u64 target) const {
        u64 to = target + cs_base_;
        return to >> 12 == (start_rip_ + cs_base_) >> 12 && (to & 0xfff) <= 0x1000 - 15;
    }
    const u32* here() const { return as.words().data() + as.size() / 4; }

    const SharedCode& shared_;
    u64 start_rip_, cs_base_;
    u32 id_;
    const Insn* insn_ = nullptr;
    u64 rip_ = 0, flags_live_ = 0, in_cpp_ = 0, callouts_without_flags_ = 0;
    unsigned insn_count_ = 0, exit_count_ = 0, cold_count_ = 0, temps_used_ = 0, vector_temps_used_ = 0, snapshot_count_ = 0;
    bool ended_ = false, full_ = false, out_of_temps_ = false, sets_if_ = false, shadow_next_ = false, shadowed_ = false;
    Progress start_;  // of the current instruction
    u32 main_size_ = 0;
    FlagState flags_;
    u16 pending_ = 0, sign32_ = 0, zero32_ = 0;
    u16 offset16_known_ = 0;  // by guest register: its value modulo 16 is offset16_[], as an alignment test has shown
    u8 offset16_[16];
    u8 not_denormal_[16] = {}, result_not_denormal_ = 0;  // sets of Floats
    Vr compared_a_{}, compared_b_{};  // where a floating-point comparison's operands still are
    bool compared_in_vectors_ = false;
    X87Lazy x87_;
    unsigned x87_expected_top_ = 0, x87_first_top_ = 0;  // first: where the block begins
    u8 x87_expected_tag_ = 0, x87_first_tag_ = 0;
    // Each element is made when it is needed: most blocks need few, and there are many blocks.
    union {
        Snapshot snapshots_[max_snapshots];
    };
    union {
        Exit exits_[max_exits];
    };
    union {
        Cold cold_[max_exits + 2 * max_insns];
    };
};

}  // namespace bmbt
