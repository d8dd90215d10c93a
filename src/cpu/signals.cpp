#include "cpu/signals.hpp"

#include <utility>

#include "cpu/flags.hpp"
#include "cpu/platform.hpp"
#include "cpu/segmentation.hpp"
#include "cpu/transfer.hpp"

namespace bmbt {

using namespace x86;

void note_signals(Vcpu& v, const CpuSignals& s) {
    if (s.nmi) v.nmi_pending = true;
    if (s.init && !v.waits_for_startup) v.init_pending = true, v.startup_pending = false;
    if (s.startup && (v.waits_for_startup || v.init_pending)) v.startup_pending = true, v.startup_page = s.startup_page;
}

namespace {

// The column "INIT" of the table "IA-32 and Intel 64 Processor States Following Power-up, Reset, or INIT": x87, SSE,
// XCR0, the caches and MSRs stay. EFER is cleared, as AMD's manual has it: LMA cannot stay without paging.
void init_registers(Vcpu& v) {
    v.paging.cr0 = (v.paging.cr0 & (cr0::cd | cr0::nw)) | cr0::et;
    v.paging.cr3 = v.paging.cr4 = v.paging.efer = 0;
    v.cr2 = v.cr8 = 0;
    for (u64& r : v.gpr) r = 0;
    v.gpr[Rdx] = 0x600;  // a processor of family 6
    set_rflags(v, flag::reserved1);
    for (unsigned n = 0; n < 4; ++n) v.dr[n] = 0;
    v.dr[6] = 0xffff'0ff0, v.dr[7] = 0x400;
    v.breakpoint_hits = 0;
    v.gdtr = v.idtr = {0, 0xffff};
    v.ldtr = {.access = 0x82, .limit = 0xffff};
    v.tr = {.access = 0x8b, .limit = 0xffff};
    for (Seg seg : {Es, Ss, Ds, Fs, Gs}) set_segment(v, seg, {.access = 0x93, .limit = 0xffff});
    v.shadow = v.shadow_blocks_nmi = v.nmi_blocked = v.nmi_pending = v.halted = false;
}

void go_on_at(Vcpu& v, u16 selector, u64 base, u64 ip) {
    set_code_segment(v, {.selector = selector, .access = 0x9b, .limit = 0xffff, .base = base}, 0);
    v.rip = v.next_rip = ip;
    v.platform->flush_all(v);
    v.platform->mode_changed(v);
}

}  // namespace

void take_signal(Vcpu& v, bool bootstrap) {
    if (std::exchange(v.init_pending, false)) {
        init_registers(v);
        v.waits_for_startup = v.halted = !bootstrap;
        go_on_at(v, 0xf000, 0xffff'0000, 0xfff0);
    } else if (v.waits_for_startup) {
        v.waits_for_startup = v.startup_pending = v.halted = false;
        go_on_at(v, static_cast<u16>(v.startup_page << 8), u64{v.startup_page} << 12, 0);
    } else {
        v.nmi_pending = false;
        interrupt(v, 2);
    }
}

}  // namespace bmbt
