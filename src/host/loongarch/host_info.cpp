#include "host/loongarch/host_info.hpp"

#include <cstring>

#include "host/loongarch/console.hpp"
#include "host/loongarch/direct.hpp"

namespace bmbt::host {

extern "C" u8 image_start[], image_end[];

namespace {

// UEFI Specification, "EFI System Table" and "EFI Configuration Table".
constexpr u64 system_table_signature = 0x5453'5953'2049'4249;
constexpr u64 table_count_offset = 104, tables_offset = 112;
constexpr u64 fallback_tree = 0x10'0000;  // where QEMU's virt machine puts it whatever the EFI tables say
constexpr u32 largest_tree = 2 << 20, largest_command_line = 4096;

struct Guid {
    u64 lo, hi;
    friend bool operator==(const Guid&, const Guid&) = default;
};
constexpr Guid tree_guid{0x41a5'f19c'b1b6'21d5, 0xe0aa'692c'15d9'0b83};    // b1b621d5-f19c-41a5-830b-d9152c69aae0
constexpr Guid initrd_guid{0x4f3d'68fc'5568'e427, 0x68cc'3152'55ca'74ac};  // 5568e427-68fc-4f3d-ac74-ca555231cc68

// The table with this GUID, physical; 0 if there is none.
u64 configuration_table(u64 system_table, Guid wanted) {
    const u8* st = direct<u8>(system_table & physical_mask);
    auto field = [](const u8* p) {
        u64 v;
        std::memcpy(&v, p, sizeof v);
        return v;
    };
    if (!system_table || field(st) != system_table_signature) return 0;
    u64 count = field(st + table_count_offset);
    const u8* table = direct<u8>(field(st + tables_offset) & physical_mask);
    for (u64 i = 0; i < count && i < 64; i++, table += 24)
        if (Guid{field(table), field(table + 8)} == wanted) return field(table + 16) & physical_mask;
    return 0;
}

Result<Fdt> find_tree(u64 system_table) {
    for (u64 at : {configuration_table(system_table, tree_guid), fallback_tree}) {
        if (!at || at % 8) continue;
        u32 size = Fdt::total_size(std::span<const u8, 8>(direct<u8>(at), 8));
        if (size >= 8 && size <= largest_tree) return Fdt::parse({direct<u8>(at), size});
    }
    return std::unexpected(Error{"no device tree was found"});
}

u32 number_or(const Fdt& tree, Fdt::Node n, std::string_view name, u32 otherwise) {
    Fdt::Value v = tree.property(n, name);
    return v ? v.cell(0) : otherwise;
}

UartInfo uart(const Fdt& tree, Fdt::Node n) {
    UartInfo u;
    if (auto r = tree.reg(n)) u.base = r->base;
    u.clock_hz = number_or(tree, n, "clock-frequency", 0);
    u.line = number_or(tree, n, "interrupts", 0);
    u.shift = static_cast<u8>(number_or(tree, n, "reg-shift", 0) & 3);
    return u;
}

bool disabled(const Fdt& tree, Fdt::Node n) {
    Fdt::Value v = tree.property(n, "status");
    return v && v.text() == "disabled";
}

void find_uarts(const Fdt& tree, HostInfo& info) {
    Fdt::Node chosen = tree.path("/chosen");
    std::string_view out = tree.property(chosen, "stdout-path").text();
    if (!out.empty() && out[0] != '/') out = tree.property(tree.path("/aliases"), out.substr(0, out.find(':'))).text();
    Fdt::Node console_node = tree.path(out);
    for (Fdt::Node n = tree.root(); n; n = tree.next(n)) {
        Fdt::Value is = tree.property(n, "compatible");
        if (!is || !(is.lists("ns16550a") || is.lists("ns16550")) || disabled(tree, n)) continue;
        UartInfo u = uart(tree, n);
        if (!u.base || info.uart_count == info.uart_store.size()) continue;
        info.uart_store[info.uart_count++] = u;
        if (n == console_node || !info.console.base) info.console = u;
    }
}

void find_ram(const Fdt& tree, HostInfo& info) {
    for (Fdt::Node n = tree.first_child(tree.root()); n; n = tree.next_sibling(n)) {
        if (tree.property(n, "device_type").text() != "memory" || disabled(tree, n)) continue;
        for (usize i = 0; auto r = tree.reg(n, i); i++)
            if (r->size && info.ram_count < info.ram_store.size()) info.ram_store[info.ram_count++] = *r;
    }
}

PowerRegister syscon(const Fdt& tree, std::string_view what) {
    Fdt::Node n = tree.compatible(what);
    Fdt::Node registers = tree.phandle(number_or(tree, n, "regmap", ~u32{0}));
    auto r = tree.reg(registers);
    if (!n || !r) return {};
    return {r->base + number_or(tree, n, "offset", 0), number_or(tree, n, "value", 0),
            static_cast<u8>(number_or(tree, registers, "reg-io-width", 4))};
}

void find_interrupts(const Fdt& tree, InterruptInfo& info) {
    Fdt::Node n = tree.compatible("loongson,ls2k2000-eiointc");
    if (auto r = tree.reg(n)) info.eiointc = r->base;
    info.cpu_line = number_or(tree, n, "interrupts", 0);
    n = tree.compatible("loongson,pch-pic-1.0");
    if (auto r = tree.reg(n)) info.pch_pic = r->base;
    info.pch_pic_vector = number_or(tree, n, "loongson,pic-base-vec", 0);
    n = tree.compatible("loongson,pch-msi-1.0");
    if (auto r = tree.reg(n)) info.msi_doorbell = r->base;
    info.msi_first = number_or(tree, n, "loongson,msi-base-vec", 0);
    info.msi_count = number_or(tree, n, "loongson,msi-num-vecs", 0);
}

// PCI Bus Binding to Open Firmware, "interrupt-map": address (3 cells), pin, parent, the parent's own specifier. QEMU
// gives the specifier one cell where its PCH-PIC node claims two: the step that keeps every parent in place is taken.
void find_intx(const Fdt& tree, Fdt::Node n, PciInfo& pci) {
    Fdt::Value map = tree.property(n, "interrupt-map"), mask = tree.property(n, "interrupt-map-mask");
    if (!map || !mask) return;
    u32 parent = map.cell(4);
    usize claimed = number_or(tree, tree.phandle(parent), "#interrupt-cells", 1), step = 0;
    for (usize specifier : {claimed, usize{1}, usize{2}}) {
        usize s = 5 + specifier;
        bool fits = map.cells() % s == 0;
        for (usize i = 0; fits && i < map.cells(); i += s) fits = map.cell(i + 4) == parent;
        if (fits && !step) step = s;
    }
    if (!step) return;
    for (u32 device = 0; device < 32; device++)
        for (usize i = 0; i < map.cells(); i += step) {
            u32 pin = map.cell(i + 3);
            if (((device << 11) & mask.cell(0)) == (map.cell(i) & mask.cell(0)) && pin >= 1 && pin <= 4)
                pci.line[device][pin - 1] = map.cell(i + 5);
        }
}

void find_pci(const Fdt& tree, PciInfo& pci) {
    Fdt::Node n = tree.compatible("pci-host-ecam-generic");
    auto r = tree.reg(n);
    if (!r) return;
    pci.ecam = *r;
    Fdt::Value buses = tree.property(n, "bus-range"), ranges = tree.property(n, "ranges");
    pci.first_bus = static_cast<u8>(buses.cell(0));
    pci.last_bus = buses ? static_cast<u8>(buses.cell(1)) : 255;
    usize up = tree.address_cells(tree.parent(n)), step = 3 + up + 2;
    for (usize i = 0; i + step <= ranges.cells(); i += step) {
        u64 bus = ranges.number(i + 1, 2);
        Range cpu{tree.to_cpu(tree.parent(n), ranges.number(i + 3, up)), ranges.number(i + 3 + up, 2)};
        u32 space = ranges.cell(i) >> 24 & 3;
        if (space == 1) pci.io = cpu, pci.io_bus = bus;
        if (space == 2) pci.memory = cpu, pci.memory_bus = bus;
    }
    find_intx(tree, n, pci);
}

Result<> find_cpu(HostInfo& info) {
    u32 word2 = cpucfg(feature::lsx_word);
    if (!feature::lsx.of(word2))
        return std::unexpected(
            Error{"this CPU has no LSX (128-bit vectors), which BMBT needs: use a 3A5000 or later, or -cpu la464 with "
                  "lsx=on"});
    info.lasx = feature::lasx.of(word2);
    u64 crystal = cpucfg(4), ratio = cpucfg(5), divisor = bits(ratio, 31, 16);
    info.timer_hz = divisor ? crystal * bits(ratio, 15, 0) / divisor : 0;
    if (!info.timer_hz) return std::unexpected(Error{"this CPU does not tell the frequency of its timer"});
    return {};
}

}  // namespace

Result<> find_host(const BootRegisters& boot, HostInfo& info) {
    auto found = find_tree(boot.system_table);
    if (!found) return std::unexpected(found.error());
    const Fdt& tree = *found;

    find_uarts(tree, info);
    if (!info.console.base) return std::unexpected(Error{"the device tree names no UART for the console"});
    console.open(info.console.base, info.console.shift);
    info.power_off = syscon(tree, "syscon-poweroff");
    info.reset = syscon(tree, "syscon-reboot");
    find_pci(tree, info.pci);
    if (auto r = tree.reg(tree.compatible("qemu,fw-cfg-mmio"))) info.fw_cfg = r->base;
    prepare_power(info);

    CHECK(find_cpu(info));
    find_ram(tree, info);
    find_interrupts(tree, info.interrupts);
    if (!info.interrupts.eiointc || !info.interrupts.pch_pic)
        return std::unexpected(Error{"the device tree names no EIOINTC or no PCH-PIC interrupt controller"});
    if (Fdt::Node n = tree.compatible("loongson,ls7a-rtc"))
        if (auto r = tree.reg(n)) info.rtc = r->base, info.rtc_line = number_or(tree, n, "interrupts", 0);
    Fdt::Node cpus = tree.path("/cpus");
    for (Fdt::Node n = tree.first_child(cpus); n; n = tree.next_sibling(n))
        info.cpus += tree.property(n, "device_type").text() == "cpu";

    if (u64 t = configuration_table(boot.system_table, initrd_guid)) {
        const u64* initrd = direct<u64>(t);
        info.initrd = {initrd[0] & physical_mask, initrd[1]};
    }
    if (boot.efi_boot) {  // under QEMU at address 0
        const char* s = direct<char>(boot.command_line & physical_mask);
        usize n = 0;
        while (n < largest_command_line && s[n]) n++;
        info.command_line = {s, n};
    }
    u64 start = physical_of(image_start), end = physical_of(image_end);
    info.image = {start, end - start};
    return {};
}

Result<Arena> boot_arena(const HostInfo& info) {
    u64 begin = info.image.base + info.image.size, end = 0;
    for (const Range& r : info.ram())
        if (begin >= r.base && begin - r.base < r.size) end = r.base + r.size;
    if (info.initrd.size && info.initrd.base + info.initrd.size > begin && info.initrd.base < end)
        end = info.initrd.base < begin ? begin : info.initrd.base;
    if (end <= begin) return std::unexpected(Error{"no memory is left behind the image: give the machine more"});
    return Arena(direct<u8>(begin), direct<u8>(end));
}

}  // namespace bmbt::host
