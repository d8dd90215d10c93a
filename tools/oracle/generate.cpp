#include "generate.hpp"

#include <ctype.h>

#include <algorithm>

namespace bmbt::oracle {
namespace {

using x86::CodeSize;

bool in_mode(const Form& f, CodeSize mode) {
    bool only64 = f.notes.find(note::only64) != std::string::npos, no64 = f.notes.find(note::no64) != std::string::npos;
    return mode == CodeSize::Bits64 ? !no64 : !only64;
}

// Instructions may lie across two code pages, or run into the absent page behind them.
void choose_entry(Random& r, Draft& d) {
    if (r.one_in(8)) d.entry = static_cast<u16>(layout::code + 0x1000 - 1 - r.below(10));
}

u32 nonzero(u64 v) { return static_cast<u32>(v) ? static_cast<u32>(v) : 1; }

}  // namespace

// The first seed begins with every form's variants; the others somewhere behind, so that short runs differ.
Generator::Generator(u64 seed, const std::string& only, int mode)
    : seed_(seed), first_round_((seed - 1) * 37 & 0xffff'ffff), sequences_(only.empty()) {
    for (const Form& f : oracle::forms()) {
        if (!only.empty() && only != f.group && only != f.name) continue;
        for (CodeSize m : {CodeSize::Bits64, CodeSize::Bits32, CodeSize::Bits64, CodeSize::Bits16})
            // String instructions have most prefixes that make a difference.
            for (unsigned n = f.notes.find(note::string) != std::string::npos ? 4 : 1; n--;)
                if ((mode < 0 || static_cast<int>(m) == mode) && in_mode(f, m)) add_turn(f, m);
    }
    for (const Form& f : oracle::forms()) {
        auto in = [&](std::initializer_list<const char*> groups) {
            return std::find(groups.begin(), groups.end(), f.group) != groups.end();
        };
        bool image = f.operands.size() > 2 && f.operands[0] == 'M' && isdigit(f.operands[1]);  // with reserved fields
        if (in({"x87", "mmx"}) && !image && f.notes.find_first_of("U*4") == std::string::npos) x87_.push_back(&f);
        if (f.notes.find_first_of("NU*4X") != std::string::npos) continue;
        if (in({"alu", "muldiv", "shift", "bit", "flag", "condition", "mov"})) plain_.push_back(&f);
        if (in({"ssei", "ssef", "convert"}) && std::string(f.name) != "stmxcsr") vectors_.push_back(&f);
    }
}

Draft Generator::make(u64 number) const {
    for (u64 attempt = 0;; attempt++) {
        Random r(seed_ * 0x1'0000'0001 + number * 0x2545'f491'4f6c'dd1d + attempt);
        r.next();
        const Turn& turn = turns_[number % turns_.size()];
        Draft d;
        d.mode = turn.mode;
        d.seed = nonzero(r.next());
        const u64 round = number / turns_.size() * turn.times->second + turn.nth + first_round_;
        const bool variant_is_new = round < turn.variants;
        bool done =
            sequences_ && !variant_is_new && r.one_in(4) ? sequence(r, turn.mode, d) : single(r, turn, round, d);
        if (done && d.code.size() <= max_code) return d;
    }
}

void Generator::add_turn(const Form& f, CodeSize mode) {
    Random r(1);
    Draft d;
    d.mode = mode;
    Encoder e(r, f, d);
    e.turn = 0;
    e.choose();
    auto times = times_.try_emplace({&f, mode}, 0).first;
    turns_.push_back({&f, mode, times->second++, e.variants, times});
}

bool Generator::single(Random& r, const Turn& turn, u64 round, Draft& d) const {
    if (turn.form->notes.find(note::x87) != std::string::npos) d.options |= option::x87;
    if (turn.form->notes.find(note::user) != std::string::npos) d.options |= option::user_only;
    Encoder e(r, *turn.form, d);
    e.turn = static_cast<i64>(round);
    e.tame = round < turn.variants;
    choose_entry(r, d);
    d.reset_state();
    // Alignment is checked in programs alone. How far a frame has come when it faults is the CPU's own affair,
    // which of two operands is named, and whether the images of FXSAVE and XSAVE are checked.
    bool open = turn.form->group == "far" || turn.form->group == "state" || turn.form->opcode.starts_with("0F AE") ||
                std::string(turn.form->name) == "enter" || std::string(turn.form->name).starts_with("cmps");
    if (!open && !e.tame && r.one_in(40)) d.before.flags |= x86::flag::ac, d.options |= option::user_only;
    if (e.has(note::stack)) e.reserved |= 1 << x86::Rsp;
    if (!e.choose()) return false;
    arrange(e);
    e.encode();
    append_after(e);
    if (turn.form->group == "undefined") d.code = undefined_code(r, turn.mode);
    if (turn.form->group != "undefined" && !e.tame && r.one_in(64)) {  // the rest of it is not there
        usize there = 1 + r.below(static_cast<u32>(d.code.size()));
        u64 moved = layout::code_end - there - d.entry;
        d.entry = static_cast<u16>(d.entry + moved);
        d.before.rip += moved;
        d.code.resize(there);
    }
    return d.entry + d.code.size() <= layout::code_end;
}

// Flags pass from one instruction to the next, through memory operands that may fault. Addresses are absolute, since
// registers change on the way.
bool Generator::sequence(Random& r, CodeSize mode, Draft& d) const {
    choose_entry(r, d);
    d.reset_state();
    switch (r.below(6)) {
        case 0: loop(r, mode, d); break;
        case 1: subroutine(r, mode, d); break;
        case 2: stack_body(r, mode, d); break;
        default: body(r, mode, d, 2 + r.below(4), false);
    }
    return d.entry + d.code.size() <= layout::code_end;
}

void Generator::body(Random& r, CodeSize mode, Draft& d, unsigned length, bool tame) const {
    bool with_vectors = r.one_in(3);
    usize branch = 0;  // where a branch's displacement is, that will be the length of what follows
    for (unsigned n = 0; n < length;) {
        const auto& from = with_vectors && r.one_in(2) ? vectors_ : plain_;
        const Form& f = *from[r.below(static_cast<u32>(from.size()))];
        if (!in_mode(f, mode)) continue;
        bool branches = f.opcode.find(" cb") != std::string::npos || f.opcode.find(" cz") != std::string::npos;
        if (branches && (n + 1 == length || branch)) continue;
        Encoder e(r, f, d);
        e.absolute_only = true;
        e.tame = tame || !r.one_in(8);
        if (!e.choose()) continue;
        if (tame) e.segment_prefix = 0;
        if (branches) e.immediate_chosen = true;  // 0
        State before = d.before;
        usize start = d.code.size();
        e.encode();
        d.before = before;
        n++;
        if (branch) {
            d.code[branch] = static_cast<u8>(d.code.size() - start);
            branch = 0;
        }
        if (branches) {
            unsigned size = f.opcode.find(" cb") != std::string::npos ? 1 : mode == CodeSize::Bits16 ? 2 : 4;
            branch = d.code.size() - size;  // its lowest byte
        }
    }
}

// x87 instructions in a row, seldom an MMX one or an integer one between them: TOP and tags over several of them. The
// state is as compilers leave it more often than not, which is what translated code knows about.
void Generator::stack_body(Random& r, CodeSize mode, Draft& d) const {
    d.options |= option::x87;
    d.reset_state();
    Fxsave& fx = d.before.fx;
    if (!r.one_in(4)) {
        fx.fcw = 0x37f;
        fx.ftw = static_cast<u8>(r.next() | r.next());
        for (auto& st : fx.st) {
            if (r.one_in(4)) continue;
            u64 significand = r.next() | 1ull << 63;
            u16 exponent = static_cast<u16>(0x3fff - 8 + r.below(32) | r.below(2) << 15);
            std::memcpy(st, &significand, 8);
            std::memcpy(st + 8, &exponent, 2);
        }
    }
    unsigned length = 3 + r.below(6);
    for (unsigned n = 0; n < length && d.code.size() < max_code - 20;) {
        const auto& from = r.one_in(6) ? plain_ : x87_;
        const Form& f = *from[r.below(static_cast<u32>(from.size()))];
        bool branches = f.opcode.find(" cb") != std::string::npos || f.opcode.find(" cz") != std::string::npos;
        if (!in_mode(f, mode) || branches || (f.group == "mmx" && !r.one_in(8))) continue;
        Encoder e(r, f, d);
        e.absolute_only = true;
        e.tame = !r.one_in(12);
        if (!e.choose()) continue;
        State before = d.before;
        e.encode();
        d.before = before;
        n++;
    }
}

// A few turns of a body, counted in memory: blocks that are linked to each other, and flags from the turn before.
void Generator::loop(Random& r, CodeSize mode, Draft& d) const {
    constexpr u32 counter = layout::data_end - 16;
    u8 turns = static_cast<u8>(2 + r.below(5));
    d.poke(counter - layout::data, &turns, 1);
    body(r, mode, d, 1 + r.below(3), true);
    u64 address = address_base(mode) + counter;
    std::vector<u8> end;  // DEC BYTE [counter]; JNZ
    if (mode == CodeSize::Bits64)
        end = {0xfe, 0x0c, 0x25};
    else if (mode == CodeSize::Bits32)
        end = {0xfe, 0x0d};
    else
        end = {0xfe, 0x0e};
    for (unsigned n = 0; n < (mode == CodeSize::Bits16 ? 2u : 4u); n++)
        end.push_back(static_cast<u8>(address >> n * 8));
    d.code.insert(d.code.end(), end.begin(), end.end());
    d.code.push_back(0x75);
    d.code.push_back(static_cast<u8>(-static_cast<int>(d.code.size()) - 1));
}

// A call of a body that returns, and a jump over it: CALL, JMP, the body, RET.
void Generator::subroutine(Random& r, CodeSize mode, Draft& d) const {
    d.keeps_stack = true;
    d.code = {0xe8, 2, 0};
    if (mode != CodeSize::Bits16) d.code.insert(d.code.end(), {0, 0});
    d.code.insert(d.code.end(), {0xeb, 0});
    usize start = d.code.size();
    body(r, mode, d, 1 + r.below(3), false);
    d.code.push_back(0xc3);
    d.code[start - 1] = static_cast<u8>(d.code.size() - start);
}

}  // namespace bmbt::oracle
