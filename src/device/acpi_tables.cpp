#include "device/acpi_tables.hpp"

#include <algorithm>
#include <string_view>

#include "device/hpet.hpp"
#include "device/pm.hpp"

namespace bmbt {

namespace {

constexpr std::string_view rsdp_file = "etc/acpi/rsdp", tables_file = "etc/acpi/tables";
constexpr usize checksum_at = 9;  // in the header of every table

// A command of QEMU's table loader: 128 bytes, file names of 56.
enum class Command : u32 { Allocate = 1, AddPointer = 2, AddChecksum = 3 };
constexpr usize command_size = 128, file_size = 56;
enum class Zone : u8 { High = 1, FSegment = 2 };

}  // namespace

// Writes the tables one after the other, and for each pointer and checksum the loader's command or the final value.
class AcpiWriter {
 public:
    AcpiWriter(AcpiTables& t, u64 gpa) : t_(t), gpa_(gpa) {
        t_.tables_.fill(0);
        t_.rsdp_.fill(0);
        t_.loader_.fill(0);
        t_.used_ = t_.loader_used_ = 0;
    }
    bool failed() const { return failed_; }

    usize begin(const char* signature, u8 revision, usize alignment = 8) {
        t_.used_ = (t_.used_ + alignment - 1) & ~(alignment - 1);
        const usize at = t_.used_;
        text(signature, 4);
        number(0, 4);  // length
        number(revision, 1);
        number(0, 1);  // checksum
        text("BMBT  ", 6);
        text("BMBTPC  ", 8);
        number(1, 4);
        text("BMBT", 4);
        number(1, 4);
        return at;
    }
    void end(usize at) {
        put(at + 4, t_.used_ - at, 4);
        checksum(at, t_.used_ - at);
    }
    void number(u64 v, unsigned size) {
        put(t_.used_, v, size);
        t_.used_ += size;
    }
    void zeros(usize n) { t_.used_ += n; }
    void text(const char* s, usize n) {
        for (usize i = 0; i < n; i++) number(static_cast<u8>(s[i]), 1);
    }
    void pointer(usize to, unsigned size) {
        loader_pointer(tables_file, t_.used_, size);
        number(gpa_ + to, size);
    }
    void io_address(u16 port, u8 width) {  // generic address structure
        number(1, 1);
        number(width, 1);
        number(0, 1);
        number(width == 8 ? 1 : width == 16 ? 2 : 3, 1);  // accessed as a whole
        number(port, 8);
    }
    usize at() const { return t_.used_; }
    std::span<u8> rest() { return std::span(t_.tables_).subspan(t_.used_); }
    bool for_loader() const { return gpa_ == 0; }

    void allocate(std::string_view file, u32 alignment, Zone zone) {
        u8* c = command(Command::Allocate);
        if (!c) return;
        name(c + 4, file);
        store(c + 4 + file_size, alignment, 4);
        store(c + 8 + file_size, static_cast<u8>(zone), 1);
    }
    void rsdp(usize rsdt, usize xsdt) {
        u8* r = t_.rsdp_.data();
        name(r, "RSD PTR ");
        name(r + 9, "BMBT  ");
        store(r + 15, 2, 1);
        loader_pointer(rsdp_file, 16, 4);
        store(r + 16, gpa_ + rsdt, 4);
        store(r + 20, AcpiTables::rsdp_size, 4);
        loader_pointer(rsdp_file, 24, 8);
        store(r + 24, gpa_ + xsdt, 8);
        if (for_loader()) {
            loader_checksum(rsdp_file, 8, 0, 20);
            loader_checksum(rsdp_file, 32, 0, AcpiTables::rsdp_size);
        } else {
            r[8] = complement(r, 20);
            r[32] = complement(r, AcpiTables::rsdp_size);
        }
    }

 private:
    static void store(u8* to, u64 v, unsigned size) {
        for (unsigned i = 0; i < size; i++) to[i] = static_cast<u8>(v >> 8 * i);
    }
    static u8 complement(const u8* from, usize size) {
        u8 sum = 0;
        for (usize i = 0; i < size; i++) sum = static_cast<u8>(sum + from[i]);
        return static_cast<u8>(-sum);
    }
    void put(usize at, u64 v, unsigned size) {
        if (at + size > t_.tables_.size()) {
            failed_ = true;
            return;
        }
        store(&t_.tables_[at], v, size);
    }
    void checksum(usize at, usize size) {
        if (failed_ || at + size > t_.tables_.size()) {
            failed_ = true;
        } else if (for_loader()) {
            loader_checksum(tables_file, at + checksum_at, at, size);
        } else {
            t_.tables_[at + checksum_at] = complement(&t_.tables_[at], size);
        }
    }
    u8* command(Command c) {
        if (!for_loader()) return nullptr;
        if (t_.loader_used_ + command_size > t_.loader_.size()) {
            failed_ = true;
            return nullptr;
        }
        u8* p = &t_.loader_[t_.loader_used_];
        t_.loader_used_ += command_size;
        store(p, static_cast<u32>(c), 4);
        return p;
    }
    static void name(u8* to, std::string_view text) { std::copy(text.begin(), text.end(), to); }
    void loader_pointer(std::string_view in, usize at, unsigned size) {
        u8* c = command(Command::AddPointer);
        if (!c) return;
        name(c + 4, in);
        name(c + 4 + file_size, tables_file);
        store(c + 4 + 2 * file_size, at, 4);
        store(c + 8 + 2 * file_size, size, 1);
    }
    void loader_checksum(std::string_view file, usize at, usize start, usize size) {
        u8* c = command(Command::AddChecksum);
        if (!c) return;
        name(c + 4, file);
        store(c + 4 + file_size, at, 4);
        store(c + 8 + file_size, start, 4);
        store(c + 12 + file_size, size, 4);
    }

    AcpiTables& t_;
    u64 gpa_;
    bool failed_ = false;
};

namespace {

usize facs(AcpiWriter& w) {  // has no header and no checksum
    const usize at = w.at();
    w.text("FACS", 4);
    w.number(64, 4);
    w.zeros(24);
    w.number(1, 1);  // version
    w.zeros(31);
    return at;
}

usize dsdt(AcpiWriter& w, const AcpiConfig& c, bool& good) {
    const usize at = w.begin("DSDT", 2);
    const usize size = build_dsdt(c, w.rest());
    good = good && size != 0;
    w.zeros(size);
    w.end(at);
    return at;
}

// "Fixed ACPI Description Table (FADT)", of ACPI 4.
usize fadt(AcpiWriter& w, const AcpiConfig& c, usize facs_at, usize dsdt_at) {
    enum : u32 {
        Wbinvd = 1u << 0,
        ProcC1 = 1u << 2,
        NoSleepButton = 1u << 5,
        Timer32 = 1u << 8,
        ResetRegister = 1u << 10
    };
    enum : u16 { LegacyDevices = 1u << 0, Has8042 = 1u << 1, NoAspm = 1u << 4 };
    const u16 pm = c.pm_base;
    const usize at = w.begin("FACP", 4);
    w.pointer(facs_at, 4);
    w.pointer(dsdt_at, 4);
    w.number(0, 1);          // reserved
    w.number(1, 1);          // preferred profile: desktop
    w.number(c.sci_irq, 2);  // SCI
    w.number(0, 4);          // no SMI command port: ACPI is on
    w.zeros(4);              // ACPI enable and disable, S4BIOS, P-state control
    w.number(pm + PmLayout::event, 4);
    w.number(0, 4);
    w.number(pm + PmLayout::control, 4);
    w.number(0, 4);
    w.number(0, 4);  // PM2 control
    w.number(pm + PmLayout::timer, 4);
    w.number(pm + PmLayout::gpe0, 4);
    w.number(0, 4);
    w.number(4, 1);      // PM1 event length
    w.number(2, 1);      // PM1 control length
    w.number(0, 1);      // PM2 control length
    w.number(4, 1);      // PM timer length
    w.number(4, 1);      // GPE0 length
    w.number(0, 1);      // GPE1 length
    w.number(0, 1);      // GPE1 base
    w.number(0, 1);      // _CST support
    w.number(0xfff, 2);  // no C2
    w.number(0xfff, 2);  // no C3
    w.zeros(4);          // flush size and stride: WBINVD works
    w.zeros(2);          // duty offset and width
    w.zeros(2);          // day and month alarm
    w.number(0x32, 1);   // century byte of CMOS
    w.number(LegacyDevices | (c.keyboard ? Has8042 : 0) | NoAspm, 2);
    w.number(0, 1);
    w.number(Wbinvd | ProcC1 | NoSleepButton | Timer32 | ResetRegister, 4);
    w.io_address(0xcf9, 8);
    w.number(0x06, 1);  // reset value
    w.zeros(3);
    w.number(0, 8);  // the 32-bit FACS pointer is the valid one
    w.pointer(dsdt_at, 8);
    w.io_address(pm + PmLayout::event, 32);
    w.zeros(12);
    w.io_address(pm + PmLayout::control, 16);
    w.zeros(12);
    w.zeros(12);
    w.io_address(pm + PmLayout::timer, 32);
    w.io_address(pm + PmLayout::gpe0, 32);
    w.zeros(12);
    w.end(at);
    return at;
}

// "Multiple APIC Description Table (MADT)".
usize madt(AcpiWriter& w, const AcpiConfig& c) {
    constexpr u16 level_active_high = 0x000d;
    const usize at = w.begin("APIC", 3);
    w.number(c.lapic_base, 4);
    w.number(1, 4);  // there is an 8259 pair too
    for (unsigned i = 0; i < c.cpus; i++) {
        w.number(0, 1);
        w.number(8, 1);
        w.number(i, 1);
        w.number(i, 1);
        w.number(1, 4);
    }
    w.number(1, 1);
    w.number(12, 1);
    w.number(c.ioapic_id, 1);
    w.number(0, 1);
    w.number(c.ioapic_base, 4);
    w.number(0, 4);
    const auto override_irq = [&](u8 irq, u32 gsi, u16 flags) {
        w.number(2, 1);
        w.number(10, 1);
        w.number(0, 1);
        w.number(irq, 1);
        w.number(gsi, 4);
        w.number(flags, 2);
    };
    override_irq(0, 2, 0);
    override_irq(c.sci_irq, c.sci_irq, level_active_high);
    w.number(4, 1);  // NMI on LINT1 of every processor
    w.number(6, 1);
    w.number(0xff, 1);
    w.number(0, 2);
    w.number(1, 1);
    w.end(at);
    return at;
}

usize hpet(AcpiWriter& w, const AcpiConfig& c) {
    const usize at = w.begin("HPET", 1);
    w.number(Hpet::id, 4);
    w.number(0, 1);  // memory
    w.number(64, 1);
    w.number(0, 1);
    w.number(0, 1);
    w.number(c.hpet_base, 8);
    w.number(0, 1);     // its number
    w.number(0x80, 2);  // shortest period in ticks without lost interrupts
    w.number(0, 1);
    w.end(at);
    return at;
}

}  // namespace

bool AcpiTables::build(const AcpiConfig& config, u64 tables_gpa) {
    if (config.cpus == 0 || config.cpus > 0xff) return false;
    bool good = true;
    AcpiWriter w(*this, tables_gpa);
    w.allocate(rsdp_file, 16, Zone::FSegment);
    w.allocate(tables_file, 64, Zone::High);
    const usize facs_at = facs(w), dsdt_at = dsdt(w, config, good);
    std::array<usize, 3> listed{};
    usize count = 0;
    listed[count++] = fadt(w, config, facs_at, dsdt_at);
    listed[count++] = madt(w, config);
    if (config.hpet_base) listed[count++] = hpet(w, config);
    std::array<usize, 2> roots{};
    for (unsigned i = 0; i < 2; i++) {
        roots[i] = w.begin(i ? "XSDT" : "RSDT", 1);
        for (usize k = 0; k < count; k++) w.pointer(listed[k], i ? 8 : 4);
        w.end(roots[i]);
    }
    w.rsdp(roots[0], roots[1]);
    return good && !w.failed();
}

}  // namespace bmbt
