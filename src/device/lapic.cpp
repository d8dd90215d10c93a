#include "device/lapic.hpp"

namespace bmbt {

Lapic::Lapic(const LapicConfig& config, Clock& clock, AlarmQueue& alarms, LapicCpu& cpu, ApicBus& bus,
             VectorSource& pic)
    : cpu_(cpu),
      bus_(bus),
      pic_(pic),
      timer_(clock, alarms, *this, config.timer_period_ns),
      id_(config.id),
      physical_bits_(config.physical_bits),
      base_(default_base | global_enable() | bsp(config.bootstrap)) {
    lint_[0].bind(*this, 0);
    lint_[1].bind(*this, 1);
    clear();  // without a word to the processor, which may not be built yet
}

void Lapic::reset() {
    clear();
    update();
}

void Lapic::init() {
    reset();
    cpu_.init();
}

void Lapic::clear() {
    irr_ = isr_ = tmr_ = {};
    lvt_.fill(static_cast<u32>(masked.mask()));
    spiv_ = 0xff;
    ldr_ = 0;
    dfr_ = ~u32{0};
    icr_low_ = icr_high_ = 0;
    tpr_ = esr_ = errors_ = 0;
    ext_latched_ = false;
    timer_.reset();
}

void Lapic::enter_virtual_wire() {
    write_spiv(0x1ff);
    write_lvt(LvtLint0, static_cast<u32>(lvt_delivery(static_cast<u64>(Delivery::ExtInt))));
    write_lvt(LvtLint1, static_cast<u32>(lvt_delivery(static_cast<u64>(Delivery::Nmi))));
}

u8 Lapic::priority() const {
    const int serving = isr_.highest();
    const u8 serving_class = serving < 0 ? 0 : static_cast<u8>(serving & 0xf0);
    return (tpr_ & 0xf0) >= serving_class ? tpr_ : serving_class;
}

void Lapic::set_tpr(u8 value) {
    tpr_ = value;
    update();
}

int Lapic::pending() const {
    if (!enabled() || !software_enabled()) return -1;
    const int top = irr_.highest();
    return top >= 0 && (top & 0xf0) > (priority() & 0xf0) ? top : -1;
}

// The 8259 pair on LINT0: as INTR pin when the APIC is off, else through an LVT entry of delivery mode ExtINT.
bool Lapic::ext_int() const {
    if (ext_latched_) return true;
    if (!enabled()) return lint_[0].level();
    for (unsigned n = 0; n < 2; n++) {
        const u32 entry = lvt(LvtLint0 + n);
        if (lint_[n].level() && !masked.of(entry) && static_cast<Delivery>(lvt_delivery.of(entry)) == Delivery::ExtInt)
            return true;
    }
    return false;
}

bool Lapic::deliverable() const { return ext_int() || pending() >= 0; }

u8 Lapic::acknowledge() {
    u8 vector = static_cast<u8>(spiv_);
    if (const int top = pending(); top >= 0) {
        vector = static_cast<u8>(top);
        irr_.remove(vector);
        isr_.add(vector);
    } else if (ext_int()) {
        ext_latched_ = false;
        vector = pic_.acknowledge();
    }
    update();
    return vector;
}

void Lapic::end_of_interrupt() {
    const int top = isr_.highest();
    if (top < 0) return;
    const u8 vector = static_cast<u8>(top);
    isr_.remove(vector);
    if (tmr_.has(vector)) {
        for (unsigned n = 0; n < 2; n++) {
            u32& entry = lvt(LvtLint0 + n);
            if (!remote_irr.of(entry) || lvt_vector.of(entry) != vector) continue;
            entry = static_cast<u32>(remote_irr.put(entry, false));
            lint_changed(n, false);
        }
        bus_.end_of_interrupt(vector);
    }
    update();
}

bool Lapic::accept(u8 vector, bool level) {
    if (!software_enabled()) return false;
    if (vector < 16) {
        error(ReceiveIllegalVector);
        return true;
    }
    irr_.add(vector);
    if (level)
        tmr_.add(vector);
    else
        tmr_.remove(vector);
    update();
    return true;
}

bool Lapic::accepts(const ApicMessage& m) const {
    if (!enabled() || m.except == id_) return false;
    if (m.destination == ApicMessage::everyone) return true;
    if (!m.logical) return m.destination == id_;
    if (x2apic()) {
        const u32 mine = logical_id();
        return m.destination >> 16 == mine >> 16 && (m.destination & mine & 0xffff);
    }
    const u32 wanted = m.destination & 0xff, mine = ldr_ >> 24;
    if (wanted == 0xff) return true;              // a broadcast in either model
    if (dfr_ >> 28 == 0xf) return wanted & mine;  // flat model
    return (wanted >> 4 == 0xf || wanted >> 4 == mine >> 4) && (wanted & mine & 0xf);
}

bool Lapic::receive(const ApicMessage& m) {
    switch (m.delivery) {
        case Delivery::Fixed:
        case Delivery::LowestPriority: return accept(m.vector, m.level);
        case Delivery::Smi: cpu_.smi(); return true;
        case Delivery::Nmi: cpu_.nmi(); return true;
        case Delivery::Init: init(); return true;
        case Delivery::Startup: cpu_.startup(m.vector); return true;
        case Delivery::ExtInt:
            ext_latched_ = true;
            update();
            return true;
        default: return false;
    }
}

void Lapic::send(u32 low, u32 high) {
    constexpr Field vector{0, 8}, delivery{8, 3}, shorthand{18, 2};
    constexpr Bit logical{11}, assert_level{14}, level{15};
    icr_low_ = low;
    ApicMessage m{.logical = logical.of(low),
                  .delivery = static_cast<Delivery>(delivery.of(low)),
                  .vector = static_cast<u8>(vector.of(low))};
    const bool fixed = m.delivery == Delivery::Fixed || m.delivery == Delivery::LowestPriority;
    if (m.delivery == Delivery::Init && level.of(low) && !assert_level.of(low)) return;  // the old de-assert
    if (fixed && m.vector < 16) return error(SendIllegalVector);
    if (m.delivery == Delivery::ExtInt) return;  // reserved here, though the I/O APIC has it
    switch (shorthand.of(low)) {
        case 0: m.destination = x2apic() ? high : apic_destination(static_cast<u8>(high >> 24), m.logical); break;
        case 1:
            m.destination = id_;
            m.logical = false;
            break;
        case 3: m.except = id_; break;
        default: break;
    }
    bus_.send(m);
}

void Lapic::error(u8 which) {
    const bool first = !(errors_ & which);
    errors_ |= which;
    // Its own vector may be the illegal one: report it once.
    if (first) local_interrupt(LvtError);
}

// An edge-triggered local source: timer, error.
void Lapic::local_interrupt(unsigned reg) {
    if (!masked.of(lvt(reg))) accept(static_cast<u8>(lvt_vector.of(lvt(reg))), false);
}

void Lapic::alarm() { local_interrupt(LvtTimer); }

void Lapic::Lint::set(bool level) {
    const bool rising = level && !level_, same = level == level_;
    level_ = level;
    if (!same) apic_->lint_changed(n_, rising);
}

bool Lapic::lint0_may_signal() const {
    const u32 entry = lvt(LvtLint0);
    return enabled() && !masked.of(entry) && ignores_if(static_cast<Delivery>(lvt_delivery.of(entry)));
}

void Lapic::lint_changed(unsigned n, bool rising) {
    if (!enabled()) {
        if (n == 1 && rising) cpu_.nmi();
        return update();
    }
    u32& entry = lvt(LvtLint0 + n);
    if (masked.of(entry)) return;
    switch (static_cast<Delivery>(lvt_delivery.of(entry))) {
        case Delivery::Fixed: {
            const u8 vector = static_cast<u8>(lvt_vector.of(entry));
            if (!level_triggered.of(entry)) {
                if (rising) accept(vector, false);
            } else if (lint_[n].level() && !remote_irr.of(entry)) {
                entry = static_cast<u32>(remote_irr.put(entry, true));
                accept(vector, true);
            }
            break;
        }
        case Delivery::Nmi:
            if (rising) cpu_.nmi();
            break;
        case Delivery::Smi:
            if (rising) cpu_.smi();
            break;
        case Delivery::Init:
            if (rising) init();
            break;
        default: update();  // ExtINT follows the line
    }
}

void Lapic::set_tsc_deadline(u64 tsc) { timer_.set_deadline(tsc, tsc ? cpu_.time_of_tsc(tsc) : 0); }

}  // namespace bmbt
