// The monitor command of the debugger: what a person asks of a PC's processor that no debugger knows of.
#include <algorithm>

#include "cpu/control.hpp"
#include "cpu/segmentation.hpp"
#include "runtime/runtime.hpp"

namespace bmbt {

using namespace x86;
using gdb::Console;
using gdb::Words;

namespace {

struct Name {
    u64 bit;
    const char* name;
};

constexpr Name cr0_names[] = {{cr0::pg, "PG"}, {cr0::cd, "CD"}, {cr0::nw, "NW"}, {cr0::am, "AM"}, {cr0::wp, "WP"}, {cr0::ne, "NE"},
                              {cr0::et, "ET"}, {cr0::ts, "TS"}, {cr0::em, "EM"}, {cr0::mp, "MP"}, {cr0::pe, "PE"}};
constexpr Name cr4_names[] = {{cr4::smap, "SMAP"}, {cr4::smep, "SMEP"}, {cr4::osxsave, "OSXSAVE"}, {cr4::pcide, "PCIDE"},
                              {cr4::fsgsbase, "FSGSBASE"}, {cr4::umip, "UMIP"}, {cr4::osxmmexcpt, "OSXMMEXCPT"}, {cr4::osfxsr, "OSFXSR"},
                              {cr4::pce, "PCE"}, {cr4::pge, "PGE"}, {cr4::mce, "MCE"}, {cr4::pae, "PAE"}, {cr4::pse, "PSE"},
                              {cr4::de, "DE"}, {cr4::tsd, "TSD"}, {cr4::pvi, "PVI"}, {cr4::vme, "VME"}};
constexpr Name efer_names[] = {{efer::nxe, "NXE"}, {efer::lma, "LMA"}, {efer::lme, "LME"}, {efer::sce, "SCE"}};
// Of an entry of a page table. Source: Intel SDM vol. 3, "4-Level Paging and 5-Level Paging".
constexpr Name entry_names[] = {{u64{1} << 63, "XD"}, {1 << 8, "G"}, {1 << 7, "PS"}, {1 << 6, "D"}, {1 << 5, "A"}, {1 << 4, "PCD"},
                                {1 << 3, "PWT"}, {1 << 2, "U"}, {1 << 1, "W"}, {1 << 0, "P"}};

void names(Console& out, u64 value, std::span<const Name> all) {
    for (const Name& n : all)
        if (value & n.bit) out.text(" ").text(n.name);
}

// Rights as a descriptor has them; `type` names are Intel's.
void rights(Console& out, u16 access) {
    const unsigned type = access & 15;
    if (!access::present.of(access)) {
        out.text("not present");
        return;
    }
    if (access::s.of(access)) {
        const bool code = type & access::code;
        out.text(code ? "code " : "data ");
        if (code) out.text(access::l.of(access) ? "64-bit" : access::db.of(access) ? "32-bit" : "16-bit");
        else out.text(access::db.of(access) ? "32-bit" : "16-bit");
        if (code) out.text(type & access::readable ? " readable" : "").text(type & access::conforming ? " conforming" : "");
        else out.text(type & access::writable ? " writable" : "").text(type & access::expand_down ? " expand-down" : "");
        out.text(type & access::accessed ? " accessed" : "");
    } else {
        static constexpr const char* kinds[] = {"reserved", "TSS16", "LDT", "TSS16 busy", "call gate 16", "task gate", "interrupt gate 16",
                                                "trap gate 16", "reserved", "TSS", "reserved", "TSS busy", "call gate", "reserved",
                                                "interrupt gate", "trap gate"};
        out.text(kinds[type]);
    }
    out.text(" DPL ").number(access >> 5 & 3);
}

const char* mode_name(const Vcpu& v) {
    if (v.code64()) return "64-bit";
    if (v.long_mode()) return v.seg[Cs].big() ? "compatibility, 32-bit code" : "compatibility, 16-bit code";
    if (!v.protected_mode()) return "real";
    if (v.v8086()) return "virtual 8086";
    return v.seg[Cs].big() ? "protected, 32-bit code" : "protected, 16-bit code";
}

const char* paging_name(const PagingState& p) {
    if (!(p.cr0 & cr0::pg)) return "off";
    if (p.efer & efer::lma) return "4-level";
    return p.cr4 & cr4::pae ? "PAE" : "32-bit";
}

}  // namespace

bool Debugger::monitor(std::string_view command, Console& out) {
    struct Command {
        std::string_view name, arguments, help;
        bool (Debugger::*run)(Words&, Console&);  // false: not so
    };
    static constexpr Command commands[] = {
        {"cpu", "", "mode, segments, tables, control registers, interrupts", &Debugger::monitor_cpu},
        {"gdt", "[SELECTOR]", "descriptors of the GDT", &Debugger::monitor_gdt},
        {"ldt", "[SELECTOR]", "descriptors of the LDT", &Debugger::monitor_ldt},
        {"idt", "[VECTOR]", "gates of the IDT, or the vectors of real mode", &Debugger::monitor_idt},
        {"walk", "ADDRESS", "the page table entries of a linear address", &Debugger::monitor_walk},
        {"phys", "ADDRESS [BYTES]", "guest-physical memory; 64 bytes, or up to 65536", &Debugger::monitor_phys},
        {"msr", "NUMBER", "what RDMSR gives", &Debugger::monitor_msr},
        {"stats", "", "what the translator has counted", &Debugger::monitor_stats},
    };
    Words words(command);
    const std::string_view name = words.next();
    if (name == "help") {
        for (const Command& c : commands) out.text(c.name).text(" ").text(c.arguments).pad(30).text(c.help).end_line();
        out.text("Addresses and selectors are hexadecimal.").end_line();
        return true;
    }
    for (const Command& c : commands) {
        if (c.name != name) continue;
        if (!(this->*c.run)(words, out)) out.text("usage: monitor ").text(c.name).text(" ").text(c.arguments).end_line();
        return true;
    }
    return false;
}

bool Debugger::monitor_cpu(Words& words, Console& out) {
    if (!words.at_end()) return false;
    Vcpu& v = *v_;
    out.text("mode ").text(mode_name(v)).text(", CPL ").number(v.cpl).text(", paging ").text(paging_name(v.paging)).end_line();
    out.text("at   ").hex(v.seg[Cs].selector, 4).text(":").hex(v.rip, v.code64() ? 16 : v.seg[Cs].big() ? 8 : 4).text(", linear ").hex(rip_linear()).end_line();
    const unsigned digits = v.long_mode() ? 16 : 8;
    auto segment = [&](const char* name, const Segment& s) {
        out.text(name).pad(5).hex(s.selector, 4).text(" base ").hex(s.base, digits).text(" limit ").hex(s.limit, 8).text(" ");
        rights(out, s.access);
        out.end_line();
    };
    static constexpr struct {
        const char* name;
        Seg seg;
    } segments[] = {{"cs", Cs}, {"ss", Ss}, {"ds", Ds}, {"es", Es}, {"fs", Fs}, {"gs", Gs}};
    for (auto& s : segments) segment(s.name, v.seg[s.seg]);
    segment("ldtr", v.ldtr);
    segment("tr", v.tr);
    out.text("gdtr      base ").hex(v.gdtr.base, digits).text(" limit ").hex(v.gdtr.limit, 4).end_line();
    out.text("idtr      base ").hex(v.idtr.base, digits).text(" limit ").hex(v.idtr.limit, 4).end_line();
    auto flags = [&](const char* name, u64 value, std::span<const Name> all) {
        out.text(name).pad(5).hex(value, 8);
        names(out, value, all);
        out.end_line();
    };
    flags("cr0", v.paging.cr0, cr0_names);
    out.text("cr2  ").hex(v.cr2, digits).end_line();
    out.text("cr3  ").hex(v.paging.cr3, digits).end_line();
    flags("cr4", v.paging.cr4, cr4_names);
    out.text("cr8  ").hex(v.platform->read_tpr(v)).end_line();
    flags("efer", v.paging.efer, efer_names);
    out.text("dr0  ").hex(v.dr[0]).text(" dr1 ").hex(v.dr[1]).text(" dr2 ").hex(v.dr[2]).text(" dr3 ").hex(v.dr[3]);
    out.text(" dr6 ").hex(v.dr[6]).text(" dr7 ").hex(v.dr[7]).end_line();
    out.text("interrupts ").text(v.system_flags & flag::if_ ? "on" : "off").text(runtime_->interrupt_waits() ? ", one waits" : ", none waits");
    out.text(v.shadow ? ", held back for an instruction" : "").text(v.nmi_pending ? ", an NMI waits" : "");
    out.text(v.nmi_blocked ? ", NMIs off" : "").text(v.halted ? ", halted" : "").end_line();
    return true;
}

bool Debugger::table_entry(u64 base, u64 limit, u64 offset, std::span<u8> entry) {
    if (offset + entry.size() - 1 > limit) return false;
    const u64 at = base + offset;
    return read_memory(v_->long_mode() ? at : at & 0xffff'ffff, entry) == entry.size();
}

// One descriptor of a table, named by the selector for it.
void Debugger::show_descriptor(Console& out, u64 base, u64 limit, u16 selector) {
    DescriptorEntry e;
    u8 bytes[16] = {};
    const u64 offset = selector & ~u64{7};
    out.hex(selector, 4).text(" ");
    if (!table_entry(base, limit, offset, std::span(bytes).first(8))) {
        out.text("beyond the limit, or not in memory").end_line();
        return;
    }
    __builtin_memcpy(&e.low.raw, bytes, 8);
    const bool twice = v_->long_mode() && e.is_system();
    if (twice && table_entry(base, limit, offset, bytes)) __builtin_memcpy(&e.high, bytes + 8, 8);
    const u8 type = e.type();
    const bool gate = e.is_system() && (type & 7) >= 4;
    if (gate) {
        show_gate(out, e);
    } else {
        out.text("base ").hex((twice ? e.high << 32 : 0) | e.low.base(), v_->long_mode() ? 16 : 8).text(" limit ").hex(e.low.limit(), 8).text(" ");
        rights(out, e.low.access());
    }
    out.end_line();
}

void Debugger::show_gate(Console& out, const DescriptorEntry& e) {
    const u64 mask = e.type() & 8 ? ~u64{0} : 0xffff;
    out.hex(e.gate_selector(), 4).text(":").hex(e.gate_offset() & mask, v_->long_mode() ? 16 : 8).text(" ");
    rights(out, e.low.access());
}

bool Debugger::show_table(Words& words, Console& out, u64 base, u64 limit, u16 kind) {
    if (!words.at_end()) {
        u64 selector;
        if (!words.hex(selector) || !words.at_end() || selector > 0xffff) return false;
        show_descriptor(out, base, limit, static_cast<u16>(selector));
        return true;
    }
    for (u64 offset = 0; offset + 7 <= limit && offset < 0x10000; offset += 8) {
        u64 raw = 0;
        u8 bytes[8];
        if (!table_entry(base, limit, offset, bytes)) break;
        __builtin_memcpy(&raw, bytes, 8);
        if (!raw) continue;
        show_descriptor(out, base, limit, static_cast<u16>(offset | kind));
        if (v_->long_mode() && !bit(raw, 44)) offset += 8;
    }
    return true;
}

bool Debugger::monitor_gdt(Words& words, Console& out) { return show_table(words, out, v_->gdtr.base, v_->gdtr.limit, 0); }

bool Debugger::monitor_ldt(Words& words, Console& out) {
    if (v_->ldtr.present()) return show_table(words, out, v_->ldtr.base, v_->ldtr.limit, 4);
    out.text("there is no LDT").end_line();
    return true;
}

bool Debugger::monitor_idt(Words& words, Console& out) {
    u64 first = 0, last = 255;
    const bool one = !words.at_end();
    if (one) {
        if (!words.hex(first) || !words.at_end() || first > 255) return false;
        last = first;
    }
    const bool real = !v_->protected_mode();
    const unsigned size = real ? 4 : v_->long_mode() ? 16 : 8;
    for (u64 n = first; n <= last; n++) {
        u8 bytes[16] = {};
        if (!table_entry(v_->idtr.base, v_->idtr.limit, n * size, std::span(bytes).first(size))) {
            if (one) out.text("beyond the limit, or not in memory").end_line();
            return true;
        }
        DescriptorEntry e;
        __builtin_memcpy(&e.low.raw, bytes, 8);
        __builtin_memcpy(&e.high, bytes + 8, 8);
        if (!one && !e.low.raw) continue;
        out.hex(n, 2).text(" ");
        if (real) out.hex(e.low.raw >> 16, 4).text(":").hex(e.low.raw & 0xffff, 4);
        else show_gate(out, e);
        out.end_line();
    }
    return true;
}

bool Debugger::monitor_walk(Words& words, Console& out) {
    u64 linear;
    if (!words.hex(linear) || !words.at_end()) return false;
    if (v_->long_mode() ? !canonical(linear) : linear >> 32) {
        out.text("not an address of this mode").end_line();
        return true;
    }
    WalkTrace trace;
    const auto at = peek_walk(*v_->physical, v_->paging, linear, trace);
    out.text("paging ").text(paging_name(v_->paging)).text(", cr3 ").hex(v_->paging.cr3).end_line();
    const bool pae = v_->paging.cr4 & cr4::pae || v_->long_mode();
    if (v_->paging.cr0 & cr0::pg && pae && !v_->long_mode()) {
        const u64 pdpte = v_->paging.pdpte[bits(linear, 31, 30)];
        out.text("PDPTE").pad(28).hex(pdpte, 16);
        names(out, pdpte & 1, entry_names);
        out.end_line();
    }
    for (unsigned n = 0; n < trace.count; n++) {
        const auto& s = trace.step[n];
        out.text(s.shift == 12 ? "PTE  " : s.shift <= 22 ? "PDE  " : s.shift == 30 ? "PDPTE" : "PML4E");
        out.text(" at ").hex(s.at, 10).pad(28).hex(s.entry, pae ? 16 : 8);
        names(out, s.entry, entry_names);
        out.end_line();
    }
    if (!at) {
        out.text(at.error().error & pf_code::reserved ? "not mapped: a reserved bit is set" : "not mapped").end_line();
        return true;
    }
    out.text("physical ").hex(at->gpa).text(", page of ");
    if (at->page_size >= 1_GiB) out.number(at->page_size / 1_GiB).text(" GiB");
    else if (at->page_size >= 1_MiB) out.number(at->page_size / 1_MiB).text(" MiB");
    else out.number(at->page_size / 1_KiB).text(" KiB");
    out.text(at->writable ? ", writable" : ", read-only").text(at->user ? ", user" : ", supervisor").text(at->no_execute ? ", no code" : "");
    out.text(at->global ? ", global" : "").text(v_->physical->pointer(at->gpa) ? "" : ", not RAM or ROM").end_line();
    return true;
}

bool Debugger::monitor_phys(Words& words, Console& out) {
    constexpr u64 most = 65536, row = 16;
    u64 at, bytes = 64;
    if (!words.hex(at)) return false;
    if (!words.at_end() && !words.number(bytes)) return false;
    if (!words.at_end() || bytes > most || (bytes && at + (bytes - 1) < at)) return false;
    while (bytes) {
        const u64 here = std::min(bytes, row - (at & (row - 1)));
        bytes -= here;
        out.hex(at, 10).text(": ");
        char text[row + 1] = {};
        for (u64 n = 0; n < here; at++, n++) {
            const u8* p = v_->physical->pointer(at);
            if (p) out.hex(*p, 2).text(" ");
            else out.text("-- ");
            text[n] = p && *p >= ' ' && *p < 0x7f ? static_cast<char>(*p) : '.';
        }
        out.pad(61).text(text).end_line();
    }
    return true;
}

bool Debugger::monitor_msr(Words& words, Console& out) {
    u64 number;
    if (!words.hex(number) || !words.at_end() || number >> 32) return false;
    const auto value = read_msr(*v_, static_cast<u32>(number));
    if (value) out.hex(*value, 16).end_line();
    else out.text("RDMSR would raise #GP").end_line();
    return true;
}

bool Debugger::monitor_stats(Words& words, Console& out) {
    if (!words.at_end()) return false;
    for (const Counter& c : counters) out.text(c.name).text(" ").number(runtime_->stats().*c.value).end_line();
    return true;
}

}  // namespace bmbt
