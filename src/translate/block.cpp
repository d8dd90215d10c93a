// Guest registers, instruction boundaries, calls of C++ and ways out of a block.
#include "translate/block.hpp"

#include <new>

#include "cpu/vcpu_offsets.inc"

namespace bmbt {

using namespace la64;

void Block::begin(const Insn& insn, u64 rip, u64 flags_live_after) {
    if (insn_ && insn_->op[0].is(OperandKind::Xmm)) not_denormal_[insn_->op[0].reg] = result_not_denormal_;
    result_not_denormal_ = 0;
    insn_ = &insn;
    rip_ = rip;
    flags_live_ = flags_live_after;
    temps_used_ = vector_temps_used_ = 0;
    // Jcc, SETcc and CMOVcc leave a comparison's operands alone.
    bool conditional = insn.opcode_map == 0 ? insn.opcode >> 4 == 7
                                            : insn.opcode_map == 1 && (insn.opcode >> 4 == 4 || insn.opcode >> 4 == 8 || insn.opcode >> 4 == 9);
    if (!conditional) compared_in_vectors_ = false;
    ++insn_count_;
    shadowed_ = shadow_next_;
    shadow_next_ = false;
    out_of_temps_ = false;
    start_ = {as.size(), exit_count_, cold_count_, snapshot_count_, in_cpp_, flags_, pending_, sign32_, zero32_, x87_};
    take_snapshot();
}

void Block::take_snapshot() {
    if (snapshot_count_ == max_snapshots) {
        full_ = true;
        return;
    }
    snapshots_[snapshot_count_++] = {.host_offset = static_cast<u32>(as.size()),
                                     .guest_offset = static_cast<u16>(rip_ - start_rip_),
                                     .pending = pending_,
                                     .insn = static_cast<u8>(insn_count_ - 1),
                                     .shadowed = shadowed_,
                                     .x87 = X87Record(x87_),
                                     .flags = flags_};
}

Gpr Block::temp() {
    if (temps_used_ >= std::size(host::temps)) [[unlikely]] {
        out_of_temps_ = true;
        return host::temps[0];
    }
    return host::temps[temps_used_++];
}

Vr Block::vector_temp() {
    if (vector_temps_used_ >= 16) [[unlikely]] bad_operand("vector temporaries");
    return host::vtemp(vector_temps_used_++);
}

void Block::retreat() {
    as.rewind(start_.code);
    exit_count_ = start_.exits, cold_count_ = start_.cold, snapshot_count_ = start_.snapshots;
    in_cpp_ = start_.in_cpp;
    flags_ = start_.flags;
    x87_ = start_.x87;
    pending_ = start_.pending, sign32_ = start_.sign32, zero32_ = start_.zero32;
    temps_used_ = 0;
    ended_ = out_of_temps_ = false;
    take_snapshot();
}

Gpr Block::constant(u64 value) {
    if (value == 0) return zero;
    Gpr t = temp();
    as.li(t, value);
    return t;
}

// --- guest registers

Gpr Block::whole(unsigned reg) {
    Gpr r = host::guest[reg];
    if (bit(pending_, reg)) {
        as.bstrpick_d(r, r, 31, 0);
        pending_ &= ~(1u << reg);
        sign32_ &= ~(1u << reg);
        zero32_ |= 1u << reg;
    }
    return r;
}

void Block::preserve_flags_in(Gpr r) {
    for (unsigned n = 0; n < 16; n++)
        if (host::guest[n] == r) offset16_known_ &= ~(1u << n);
    if (flags_.kind != FlagState::Kind::Known) return;
    if (!flags_.b_constant && flags_.b == r) {
        bool shared = flags_.a == r;
        as.move(host::flag_b, r);
        flags_.b = host::flag_b;
        flags_.b_zero_extended = flags_.b_sign_extended = false;
        if (!shared) return;
    }
    if (flags_.a == r) {
        as.move(host::flag_a, r);
        flags_.a = host::flag_a;
        flags_.a_zero_extended = flags_.a_sign_extended = false;
    }
}

Gpr Block::write64(unsigned reg) {
    preserve_flags_in(host::guest[reg]);
    u16 m = static_cast<u16>(~(1u << reg));
    pending_ &= m, sign32_ &= m, zero32_ &= m;
    return host::guest[reg];
}

Gpr Block::write32(unsigned reg, Upper upper) {
    Gpr r = write64(reg);
    if (upper == Upper::Zero) {
        zero32_ |= 1u << reg;
    } else {
        pending_ |= 1u << reg;
        if (upper == Upper::Sign) sign32_ |= 1u << reg;
    }
    return r;
}

void Block::write_low(unsigned reg, unsigned size, Gpr value, Upper known) {
    if (size == 8) {
        Gpr r = write64(reg);
        if (!(r == value)) as.move(r, value);
    } else if (size == 4) {
        Gpr r = write32(reg, known);
        if (!(r == value)) as.move(r, value);
    } else {
        preserve_flags_in(host::guest[reg]);
        as.bstrins_d(host::guest[reg], value, size * 8 - 1, 0);
        sign32_ &= ~(1u << reg);  // bit 31 is unchanged, but keep it simple for 16 bits and less
    }
}

void Block::write(const Operand& o, Gpr value, Upper known) {
    if (o.kind == OperandKind::GprHigh) {
        preserve_flags_in(host::guest[o.reg]);
        as.bstrins_d(host::guest[o.reg], value, 15, 8);
        sign32_ &= ~(1u << o.reg);
    } else {
        write_low(o.reg, o.size, value, known);
    }
}

// --- floating-point operands

bool Block::known_not_denormal(Vr r, Floats f) const {
    return r.number < 16 && (not_denormal_[r.number] & static_cast<u8>(f));
}

void Block::learn_not_denormal(Vr r, Floats f) {
    if (r.number >= 16) return;
    u8& known = not_denormal_[r.number];
    known |= static_cast<u8>(f);
    if (f == Floats::Singles) known |= static_cast<u8>(Floats::LowSingle);
    if (f == Floats::Doubles) known |= static_cast<u8>(Floats::LowDouble);
}

// --- operands

Gpr Block::read(const Operand& o, Upper upper) {
    switch (o.kind) {
        case OperandKind::Gpr:
            if (o.size == 8) return whole(o.reg);
            if (upper == Upper::Any) return low(o.reg);
            if (o.size == 4 && upper == Upper::Sign && is_sign_extended(o.reg)) return low(o.reg);
            if (o.size == 4 && upper == Upper::Zero && (bit(pending_, o.reg) || bit(zero32_, o.reg))) return whole(o.reg);
            break;
        case OperandKind::Immediate: {
            u64 v = static_cast<u64>(constant_of(o));
            if (upper == Upper::Zero && o.size < 8) v &= mask(o.size * 8);
            return constant(v);
        }
        default: break;
    }
    Gpr t = temp();
    read_into(t, o, upper);
    return t;
}

void Block::read_into(Gpr to, const Operand& o, Upper upper) {
    switch (o.kind) {
        case OperandKind::Gpr: {
            Gpr r = o.size == 8 ? whole(o.reg) : low(o.reg);
            if (o.size == 8 || upper == Upper::Any) as.move(to, r);
            else if (upper == Upper::Zero) as.bstrpick_d(to, r, o.size * 8 - 1, 0);
            else if (o.size == 4) as.slli_w(to, r, 0);
            else if (o.size == 2) as.ext_w_h(to, r);
            else as.ext_w_b(to, r);
            return;
        }
        case OperandKind::GprHigh:
            as.bstrpick_d(to, low(o.reg), 15, 8);
            if (upper == Upper::Sign) as.ext_w_b(to, to);
            return;
        case OperandKind::Immediate: {
            u64 v = static_cast<u64>(constant_of(o));
            if (upper == Upper::Zero && o.size < 8) v &= mask(o.size * 8);
            as.li(to, v);
            return;
        }
        case OperandKind::Memory: load(to, address(), o.size, upper); return;
        default: bad_operand("operand kind");
    }
}

// --- leaving

void Block::emit_flag_registers(const FlagState& f) {
    if (f.kind != FlagState::Kind::Known) return;
    if (!(f.a == host::flag_a)) as.move(host::flag_a, f.a);
    if (f.b_constant) as.li(host::flag_b, static_cast<u64>(static_cast<i64>(f.b_value)));
    else if (!(f.b == host::flag_b)) as.move(host::flag_b, f.b);
    as.li(host::flag_kind, flag_kind(f.op, f.size_log2));
}

void Block::emit_pending(u16 pending) {
    for (unsigned r = 0; r < 16; r++)
        if (bit(pending, r)) as.bstrpick_d(host::guest[r], host::guest[r], 31, 0);
}

void Block::emit_gate(u32 number) {
    as.li(t0, u64{id_} << 8 | number);
    if (mode.user()) {
        as.syscall(0);
    } else {
        as.ld_d(ra, host::state, VCPU_GATE_TARGET);
        as.jirl(ra, ra, 0);
    }
}

void Block::emit_near(const u32* target, bool call) {
    i64 offset = reinterpret_cast<const char*>(target) - reinterpret_cast<const char*>(here());
    if (call) as.bl(offset);
    else as.b(offset);
}

void Block::emit_site(u64 target, u32 begin) {
    if (exit_count_ == max_exits) {
        full_ = true;
        return;
    }
    u32 number = exit_count_++;
    u32 epoch_site = 0, check = static_cast<u32>(as.size());
    Label stale;
    if (mode.user() && !page_local(target)) {
        // Another page: right only while the address space is the one the link was made in.
        epoch_site = static_cast<u32>(as.size());
        as.lu12i_w(t0, 0);
        as.ld_d(t1, host::state, VCPU_LINK_EPOCH);
        as.bne(t0, t1, stale);
    }
    u32 site = static_cast<u32>(as.size());
    as.b(4);
    as.bind(stale);
    emit_gate(gate::exit + number);
    exits_[number] = {.target = target, .begin = begin, .check = check, .epoch_site = epoch_site, .site = site,
                      .end = static_cast<u32>(as.size()), .page_local = page_local(target)};
}

Block::Cold* Block::cold(Cold::Kind kind) {
    if (cold_count_ == std::size(cold_)) {
        full_ = true;
        cold_count_--;
    }
    Cold& c = cold_[cold_count_++];
    c = {.from = {}, .kind = kind, .insn = static_cast<u8>(insn_count_ - 1), .pending = pending_, .target = 0, .flags = flags_,
         .x87 = x87_};
    return &c;
}

Label& Block::slow_path() {
    in_cpp_ |= u64{1} << (insn_count_ - 1);
    if (cold_count_ > start_.cold)
        if (Cold& last = cold_[cold_count_ - 1]; last.kind == Cold::Kind::Slow) return last.from;
    return cold(Cold::Kind::Slow)->from;
}

void Block::exit_if(Test t, u64 target) {
    Cold* c = cold(Cold::Kind::Exit);
    c->target = target;
    // A conditional branch reaches 128 KiB; a block is far smaller.
    if (t.right == zero && t.condition == Condition::Eq) as.beqz(t.left, c->from);
    else if (t.right == zero && t.condition == Condition::Ne) as.bnez(t.left, c->from);
    else as.branch(t.condition, t.left, t.right, c->from);
}

void Block::exit_to(u64 target) {
    emit_pending(pending_);
    emit_flag_registers(flags_);
    emit_x87(x87_);
    emit_site(target, static_cast<u32>(as.size()));
    ended_ = true;
}

void Block::canonical() {
    emit_pending(pending_);
    emit_flag_registers(flags_);
    emit_x87(x87_);
    pending_ = sign32_ = zero32_ = offset16_known_ = 0;
    flags_ = FlagState{};
}

void Block::exit_indirect(Gpr target) {
    if (!(target == t1)) as.move(t1, target);
    canonical();
    emit_near(shared_.indirect, true);  // the link says which block it was
    ended_ = true;
}

void Block::push_return(u64 rip, Gpr value) {
    Cold* c = cold(Cold::Kind::Landing);
    c->target = rip;
    Gpr t = temp();
    as.addi_d(host::return_ring, host::return_ring, 16);
    as.bstrins_d(host::return_ring, zero, return_ring_log2, return_ring_log2);
    as.st_d(value, host::return_ring, 0);
    as.adr(t, c->from);
    as.st_d(t, host::return_ring, 8);
}

void Block::exit_return(Gpr target) {
    if (!(target == t1)) as.move(t1, target);
    canonical();
    Label miss;
    as.ld_d(t2, host::return_ring, 0);
    as.ld_d(t3, host::return_ring, 8);
    as.bne(t1, t2, miss);
    as.addi_d(host::return_ring, host::return_ring, -16);
    as.jr(t3);
    as.bind(miss);
    emit_near(shared_.indirect, true);  // the link says which block it was
    ended_ = true;
}

void Block::restart() {
    const unsigned top = x87_first_top_;
    const u8 tag = x87_first_tag_;
    as.rewind(0);
    new (this) Block(as, shared_, mode, start_rip_, cs_base_, id_);
    expect_x87(top, tag);
}

void Block::callout() {
    const u64 own = u64{1} << (insn_count_ - 1);
    in_cpp_ |= own;
    if (flags_.kind == FlagState::Kind::Dead) callouts_without_flags_ |= own;
    emit_gate(cpp_number(insn_count_ - 1));
    pending_ = sign32_ = zero32_ = offset16_known_ = 0;
    for (u8& known : not_denormal_) known = 0;
    flags_ = FlagState{};
    x87_after_callout();
}

void Block::finish(u64 next_rip) {
    if (!ended_) exit_to(next_rip);
    main_size_ = static_cast<u32>(as.size());
    for (unsigned n = 0; n < cold_count_; n++) {
        Cold& c = cold_[n];
        as.bind(c.from);
        u32 begin = static_cast<u32>(as.size());
        switch (c.kind) {
            case Cold::Kind::Exit:
                emit_pending(c.pending);
                emit_flag_registers(c.flags);
                emit_x87(c.x87);
                emit_site(c.target, begin);
                break;
            case Cold::Kind::Landing: emit_site(c.target, begin); break;
            case Cold::Kind::Slow: emit_gate(gate::slow + cpp_number(c.insn)); break;
        }
    }
}

}  // namespace bmbt
