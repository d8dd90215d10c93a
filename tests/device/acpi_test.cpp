#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "device/acpi_tables.hpp"
#include "device/aml.hpp"

namespace bmbt::test {
namespace {

using Bytes = std::vector<u8>;

u64 number(const u8* p, unsigned size) {
    u64 v = 0;
    for (unsigned i = 0; i < size; i++) v |= u64{p[i]} << 8 * i;
    return v;
}
u8 sum(const u8* p, usize n) {
    u8 s = 0;
    while (n--) s = static_cast<u8>(s + *p++);
    return s;
}

// The tables as a guest finds them: by signature, from the root in memory that begins at `base`.
std::map<std::string, Bytes> found(const u8* memory, u64 base, const u8* rsdp) {
    std::map<std::string, Bytes> tables;
    EXPECT_EQ(std::memcmp(rsdp, "RSD PTR ", 8), 0);
    EXPECT_EQ(sum(rsdp, 20), 0);
    EXPECT_EQ(sum(rsdp, 36), 0);
    const auto take = [&](u64 gpa) {
        const u8* p = memory + (gpa - base);
        Bytes t(p, p + number(p + 4, 4));
        const std::string name(p, p + 4);
        if (name != "FACS") EXPECT_EQ(sum(t.data(), t.size()), 0) << name;
        tables[name] = t;
        return t;
    };
    const Bytes rsdt = take(number(rsdp + 16, 4)), xsdt = take(number(rsdp + 24, 8));
    for (usize i = 36, k = 36; i < rsdt.size(); i += 4, k += 8) {
        EXPECT_EQ(number(&rsdt[i], 4), number(&xsdt[k], 8));
        take(number(&rsdt[i], 4));
    }
    const Bytes& fadt = tables["FACP"];
    EXPECT_EQ(fadt.size(), 244u);
    EXPECT_EQ(number(&fadt[36], 4) % 64, 0u);
    take(number(&fadt[36], 4));
    EXPECT_EQ(number(&fadt[40], 4), number(&fadt[140], 8));
    take(number(&fadt[40], 4));
    return tables;
}

// What SeaBIOS and OVMF do with the loader's script.
struct Loader {
    static constexpr u64 tables_at = 0x7fe0000;
    Bytes tables, rsdp;
    unsigned allocated = 0;

    Bytes& file(const u8* name) {
        return std::string(reinterpret_cast<const char*>(name)) == "etc/acpi/rsdp" ? rsdp : tables;
    }
    void run(std::span<const u8> script) {
        ASSERT_EQ(script.size() % 128, 0u);
        for (usize i = 0; i < script.size(); i += 128) {
            const u8* c = &script[i];
            switch (number(c, 4)) {
                case 1:
                    EXPECT_EQ(c[64], &file(c + 4) == &rsdp ? 2 : 1);
                    allocated++;
                    break;
                case 2: {
                    u8* at = &file(c + 4)[number(c + 116, 4)];
                    EXPECT_EQ(&file(c + 60), &tables);
                    const u64 v = number(at, c[120]) + tables_at;
                    std::memcpy(at, &v, c[120]);
                    break;
                }
                case 3: {
                    Bytes& f = file(c + 4);
                    u8& at = f[number(c + 60, 4)];
                    at = static_cast<u8>(at - sum(&f[number(c + 64, 4)], number(c + 68, 4)));
                    break;
                }
                default: ADD_FAILURE() << "unknown command";
            }
        }
    }
};

TEST(Acpi, DirectTables) {
    AcpiTables acpi;
    ASSERT_TRUE(acpi.build({.cpus = 2}, 0xe0000));
    EXPECT_TRUE(acpi.loader().empty());
    auto t = found(acpi.tables().data(), 0xe0000, acpi.rsdp().data());
    EXPECT_EQ(t.size(), 7u);
    const Bytes& fadt = t["FACP"];
    EXPECT_EQ(number(&fadt[46], 2), 9u);      // SCI
    EXPECT_EQ(number(&fadt[56], 4), 0x600u);  // PM1a event
    EXPECT_EQ(number(&fadt[64], 4), 0x604u);
    EXPECT_EQ(number(&fadt[76], 4), 0x608u);
    EXPECT_EQ(fadt[91], 4);
    EXPECT_EQ(number(&fadt[112], 4) & 0x500, 0x500u);
    EXPECT_EQ(number(&fadt[120], 8), 0xcf9u);
    EXPECT_EQ(fadt[128], 6);
    EXPECT_EQ(number(&fadt[152], 8), 0x600u);
    EXPECT_EQ(number(&fadt[176], 8), 0x604u);
    EXPECT_EQ(number(&fadt[212], 8), 0x608u);
    EXPECT_EQ(t["APIC"].size(), 44u + 2 * 8 + 12 + 2 * 10 + 6);
    EXPECT_EQ(number(&t["HPET"][44], 8), 0xfed00000u);
}

TEST(Acpi, LoaderGivesTheSameTables) {
    AcpiTables acpi, direct;
    ASSERT_TRUE(acpi.build({}, 0));
    ASSERT_TRUE(direct.build({}, Loader::tables_at));
    Loader loader{.tables = Bytes(acpi.tables().begin(), acpi.tables().end()),
                  .rsdp = Bytes(acpi.rsdp().begin(), acpi.rsdp().end())};
    loader.run(acpi.loader());
    EXPECT_EQ(loader.allocated, 2u);
    EXPECT_EQ(loader.tables, Bytes(direct.tables().begin(), direct.tables().end()));
    EXPECT_EQ(loader.rsdp, Bytes(direct.rsdp().begin(), direct.rsdp().end()));
    found(loader.tables.data(), Loader::tables_at, loader.rsdp.data());
}

TEST(Acpi, SizesAreChecked) {
    AcpiTables acpi;
    EXPECT_FALSE(acpi.build({.cpus = 0}, 0));
    EXPECT_FALSE(acpi.build({.cpus = 256}, 0));
    EXPECT_TRUE(acpi.build({.cpus = 64}, 0));
}

std::string run(const std::string& command, int& status) {
    std::string output;
    FILE* p = popen((command + " 2>&1").c_str(), "r");
    if (!p) return "no shell";
    char piece[256];
    while (fgets(piece, sizeof piece, p)) output += piece;
    status = pclose(p);
    return output;
}

// Intel's own compiler takes every table apart and compiles the result again without a complaint.
TEST(Acpi, IaslFindsNothingToSay) {
    for (const AcpiConfig& config : {AcpiConfig{.cpus = 17}, AcpiConfig{.hpet_base = 0,
                                                                        .keyboard = false,
                                                                        .pci_window64 = u64{1} << 36,
                                                                        .pci_window64_end = (u64{1} << 37) - 1}}) {
        AcpiTables acpi;
        ASSERT_TRUE(acpi.build(config, 0xe0000));
        char name[] = "/tmp/bmbt-acpi-XXXXXX";
        ASSERT_NE(mkdtemp(name), nullptr);
        const std::string dir = name;
        for (const auto& [signature, bytes] : found(acpi.tables().data(), 0xe0000, acpi.rsdp().data())) {
            const std::string stem = dir + "/" + signature;
            std::ofstream(stem + ".aml", std::ios::binary)
                .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
            int status = 0;
            std::string said = run("iasl -d " + stem + ".aml", status);
            EXPECT_EQ(status, 0) << said << "(iasl is in the package acpica-tools)";
            for (const char* bad : {"rror", "arning", "nvalid", "nknown"}) EXPECT_EQ(said.find(bad), said.npos) << said;
            if (signature == "RSDT" || signature == "XSDT") continue;  // iasl compiles these only with their tables
            said = run("iasl " + stem + ".dsl", status);
            EXPECT_EQ(status, 0) << said;
            EXPECT_NE(said.find("0 Errors, 0 Warnings"), said.npos) << said;
        }
        std::filesystem::remove_all(dir);
    }
}

TEST(Aml, Encodings) {
    std::array<u8, 64> buffer{};
    const auto written = [&](auto&& f) {
        Aml a(buffer);
        f(a);
        return Bytes(buffer.begin(), buffer.begin() + static_cast<std::ptrdiff_t>(a.size()));
    };
    EXPECT_EQ(written([](Aml& a) { a.path("\\_SB.PCI0"); }),
              Bytes({'\\', 0x2e, '_', 'S', 'B', '_', 'P', 'C', 'I', '0'}));
    EXPECT_EQ(written([](Aml& a) { a.integer(0), a.integer(1), a.integer(2), a.integer(0x1234); }),
              Bytes({0, 1, 0x0a, 2, 0x0b, 0x34, 0x12}));
    EXPECT_EQ(written([](Aml& a) { a.eisa_id("PNP0A03"); }), Bytes({0x0c, 0x41, 0xd0, 0x0a, 0x03}));
    EXPECT_EQ(written([](Aml& a) { a.package(1, [&] { a.integer(1); }); }), Bytes({0x12, 3, 1, 1}));
    Aml small(std::span(buffer).first(8));
    small.device("ABCD", [&] { small.integer(0x12345678); });
    EXPECT_TRUE(small.overflowed());
}

TEST(Aml, LongPackagesHaveLongLengths) {
    std::vector<u8> buffer(0x2000);
    Aml a(buffer);
    a.scope("ABCD", [&] {
        for (int i = 0; i < 100; i++) a.integer(7);
    });
    EXPECT_EQ(buffer[1], 0x40 | ((206) & 15));
    EXPECT_EQ(buffer[2], 206 >> 4);
    EXPECT_EQ(a.size(), 207u);
}

}  // namespace
}  // namespace bmbt::test
