// Processors, their local APICs, an I/O APIC and the 8259 pair, wired as on a PC.
#pragma once
#include <memory>
#include <vector>

#include "device/apic_fabric.hpp"
#include "device/msi.hpp"
#include "device/pic.hpp"
#include "fakes.hpp"

namespace bmbt::test {

struct FakeCpu final : LapicCpu {
    void interrupt(bool d) override { deliverable = d; }
    void nmi() override { nmis++; }
    void smi() override { smis++; }
    void init() override { inits++; }
    void startup(u8 page) override { started_at = page; }
    u64 time_of_tsc(u64 tsc) override { return tsc / 2; }  // 2 GHz

    bool deliverable = false;
    unsigned nmis = 0, smis = 0, inits = 0;
    int started_at = -1;
};

class ApicMachine {
 public:
    explicit ApicMachine(unsigned cpus = 1) : cpu(cpus), ioapic(0, fabric), pic(to_lint0) {
        for (unsigned i = 0; i < cpus; i++) {
            lapics.push_back(std::make_unique<Lapic>(LapicConfig{.id = i, .bootstrap = i == 0}, clock, clock.queue,
                                                     cpu[i], fabric, pic));
            fabric.add(*lapics[i]);
        }
        fabric.add(ioapic);
        to_lint0.to = &lapics[0]->lint0();
    }
    Lapic& lapic(unsigned i = 0) { return *lapics[i]; }
    u32 get(unsigned offset, unsigned i = 0) { return static_cast<u32>(lapic(i).read(offset, Width::Dword)); }
    void put(unsigned offset, u32 value, unsigned i = 0) { lapic(i).write(offset, Width::Dword, value); }
    void enable(unsigned i = 0) { put(0xf0, 0x1ff, i); }
    void eoi(unsigned i = 0) { put(0xb0, 0, i); }
    void redirect(unsigned pin, u64 entry) {
        for (unsigned half = 0; half < 2; half++) {
            ioapic.write(0, Width::Dword, 0x10 + 2 * pin + half);
            ioapic.write(0x10, Width::Dword, static_cast<u32>(entry >> 32 * half));
        }
    }
    u64 redirection(unsigned pin) {
        u64 entry = 0;
        for (unsigned half = 0; half < 2; half++) {
            ioapic.write(0, Width::Dword, 0x10 + 2 * pin + half);
            entry |= ioapic.read(0x10, Width::Dword) << 32 * half;
        }
        return entry;
    }
    void init_pic() {
        for (u8 v : {0x20, 0x04, 0x01}) {
            if (v == 0x20) out(pic.master(), 0, 0x11);
            out(pic.master(), 1, v);
        }
    }

    struct Wire final : Line {
        void set(bool level) override { to->set(level); }
        Line* to = nullptr;
    };
    FakeClock clock;
    ApicFabric fabric;
    std::vector<FakeCpu> cpu;
    IoApic ioapic;
    Wire to_lint0;
    Pic pic;
    std::vector<std::unique_ptr<Lapic>> lapics;
};

}  // namespace bmbt::test
