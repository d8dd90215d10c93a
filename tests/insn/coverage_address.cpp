#include "coverage_address.hpp"

namespace bmbt::oracle {

using x86::CodeSize;
using x86::Insn;

AddressCounts every_address() {
    AddressCounts all;
    for (CodeSize mode : {CodeSize::Bits16, CodeSize::Bits32, CodeSize::Bits64})
        for (bool other : {false, true})
            for (unsigned modrm = 0; modrm < 0xc0; modrm++)
                for (unsigned sib = 0; sib < 0x100; sib++) {
                    u8 bytes[15] = {}, *p = bytes;
                    if (other) *p++ = 0x67;
                    *p++ = 0x8b;  // MOV
                    *p++ = static_cast<u8>(modrm);
                    *p++ = static_cast<u8>(sib);
                    Insn i;
                    x86::decode(bytes, sizeof bytes, mode, i);
                    all[address_kind(i)].try_emplace(mode, 0);
                }
    for (const u8 prefix : {0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65})
        for (CodeSize mode : {CodeSize::Bits16, CodeSize::Bits32, CodeSize::Bits64}) {
            const u8 bytes[15] = {prefix, 0x8b, 0x07};
            Insn i;
            x86::decode(bytes, sizeof bytes, mode, i);
            all[segment_kind(i)].try_emplace(mode, 0);
        }
    return all;
}

std::string address_kind(const Insn& i) {
    static constexpr const char* registers[] = {"ax", "cx", "dx", "bx", "sp", "bp", "si", "di"};
    const unsigned mod = i.modrm >> 6;
    const bool narrow = i.address_size == 2, based = i.mem.base != x86::no_register;
    std::string out, name = "a" + std::to_string(i.address_size * 8) + " ";
    auto add = [&](const std::string& part) { out += (out.empty() ? "" : "+") + part; };
    if (based) add(i.mem.base == x86::rip_register ? "rip" : narrow ? registers[i.mem.base & 7] : "base");
    if (i.mem.index != x86::no_register)
        add(narrow ? registers[i.mem.index & 7] : "index*" + std::to_string(1 << i.mem.shift));
    if (mod == 1)
        add("d8");
    else if (mod == 2 || out.empty() || i.mem.base == x86::rip_register || !(narrow || based))
        add(narrow ? "d16" : "d32");
    return name + out;
}

std::string segment_kind(const Insn& i) {
    static constexpr const char* names[] = {"es", "cs", "ss", "ds", "fs", "gs"};
    return std::string("segment ") + names[i.mem.seg];
}

}  // namespace bmbt::oracle
