// A guest CPU with RAM from 0 and a platform that records what reaches it, for tests of src/cpu.
#pragma once
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>
#include <vector>

#include "cpu/flags.hpp"
#include "cpu/platform.hpp"
#include "memory/guest_ram.hpp"

namespace bmbt::test {

class FakePlatform final : public Platform {
 public:
    std::vector<std::string> log;  // "out 80 1 5", "mmio_write fee00000 4 1", "flush_page 1000", ...
    std::map<u64, u64> ports, device;
    u64 tsc = 1000, tpr = 0;
    unsigned tsc_moves = 0;

    u32 port_in(u16 port, Width w) override {
        note("in", port, bytes(w));
        return ports.count(port) ? ports[port] : mask(8 * bytes(w));
    }
    void port_out(u16 port, Width w, u32 value) override { note("out", port, bytes(w), value); }
    u64 mmio_read(u64 gpa, Width w) override {
        note("mmio_read", gpa, bytes(w));
        return device.count(gpa) ? device[gpa] : mask(8 * bytes(w));
    }
    void mmio_write(u64 gpa, Width w, u64 value) override {
        note("mmio_write", gpa, bytes(w), value);
        device[gpa] = value;
    }
    void tsc_moved(Vcpu&) override { tsc_moves++; }
    u64 host_tsc() override { return ++tsc; }
    u64 tsc_hz() override { return 1'000'000'000; }
    bool apic_msr_read(Vcpu&, u32 msr, u64& value) override {
        value = device[msr];
        return true;
    }
    bool apic_msr_write(Vcpu&, u32 msr, u64 value) override {
        device[msr] = value;
        return true;
    }
    u64 read_tpr(Vcpu&) override { return tpr; }
    void write_tpr(Vcpu&, u64 value) override { tpr = value; }
    void flush_page(Vcpu&, u64 linear) override { note("flush_page", linear); }
    void flush_non_global(Vcpu&) override { note("flush_non_global"); }
    void flush_all(Vcpu&) override { note("flush_all"); }
    void flush_pcid(Vcpu&, u16 pcid) override { note("flush_pcid", pcid); }
    void flush_pcid_page(Vcpu&, u16 pcid, u64 linear) override { note("flush_pcid_page", pcid, linear); }
    void switch_address_space(Vcpu&, bool keep) override { note("switch_address_space", keep); }
    void mode_changed(Vcpu&) override { modes++; }
    [[noreturn]] void unsupported(Vcpu&, const char* what) override {
        std::fprintf(stderr, "unsupported: %s\n", what);
        std::abort();
    }
    int modes = 0;

 private:
    template <class... N>
    void note(const char* what, N... numbers) {
        std::string s = what;
        char text[32];
        ((std::snprintf(text, sizeof text, " %llx", static_cast<unsigned long long>(numbers)), s += text), ...);
        log.push_back(s);
    }
};

// Segment::access of the usual flat segments.
constexpr u16 code16 = 0x009b, data16 = 0x0093, code32 = 0xc09b, data32 = 0xc093, code64 = 0xa09b, code32_user = 0xc0fb,
              data32_user = 0xc0f3, code64_user = 0xa0fb;

struct Machine {
    GuestRam ram;
    FakePlatform platform;
    Vcpu v;

    explicit Machine(u64 size = 1_MiB) : ram(size, 16_MiB) {
        v.platform = &platform;
        v.physical = &ram.map;
    }
    void set(x86::Seg s, u16 selector, u16 access, u32 limit, u64 base) {
        v.seg[s] = {.selector = selector, .access = access, .limit = limit, .base = base};
        v.seg_base[s] = base;
    }
    void real_mode() {
        for (unsigned s = 0; s < 6; s++) set(static_cast<x86::Seg>(s), 0, data16, 0xffff, 0);
        set(x86::Cs, 0, code16, 0xffff, 0);
        v.idtr = {0, 0x3ff};
    }
    void flat32(unsigned cpl = 0) {
        v.paging.cr0 = x86::cr0::pe | x86::cr0::ne | x86::cr0::et;
        v.cpl = cpl;
        for (unsigned s = 0; s < 6; s++)
            set(static_cast<x86::Seg>(s), 0x10 + cpl * 0x13, cpl ? data32_user : data32, ~u32{0}, 0);
        set(x86::Cs, 8 + cpl * 0x13, cpl ? code32_user : code32, ~u32{0}, 0);
    }
    // 64-bit mode; linear 0 to 1 GiB is mapped to itself by tables at top - 16 KiB.
    void long_mode(unsigned cpl = 0, u64 top = 1_MiB) {
        u64 t = top - 16_KiB;
        ram.put<u64>(t, (t + 0x1000) | 7);
        ram.put<u64>(t + 0x1000, (t + 0x2000) | 7);
        ram.put<u64>(t + 0x2000, (t + 0x3000) | 7);
        for (u64 n = 0; n < 256; n++) ram.put<u64>(t + 0x3000 + n * 8, n << 12 | 7);
        for (u64 n = 1; n < 512; n++) ram.put<u64>(t + 0x2000 + n * 8, n << 21 | 0x87);
        flat32(cpl);
        set(x86::Cs, 8 + cpl * 0x13, cpl ? code64_user : code64, ~u32{0}, 0);
        v.paging.cr0 |= x86::cr0::pg | x86::cr0::wp;
        v.paging.cr4 = x86::cr4::pae | x86::cr4::osfxsr | x86::cr4::osxmmexcpt;
        v.paging.cr3 = t;
        v.paging.efer = x86::efer::lme | x86::efer::lma | x86::efer::nxe | x86::efer::sce;
    }
};

}  // namespace bmbt::test
