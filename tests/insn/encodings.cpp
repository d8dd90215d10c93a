#include "encodings.hpp"

#include <set>

namespace bmbt::oracle {
namespace {

using x86::CodeSize;

ZydisDecoder decoder_of(CodeSize mode, bool extensions) {
    static constexpr ZydisMachineMode modes[] = {ZYDIS_MACHINE_MODE_LEGACY_16, ZYDIS_MACHINE_MODE_LEGACY_32,
                                                 ZYDIS_MACHINE_MODE_LONG_64};
    static constexpr ZydisStackWidth stacks[] = {ZYDIS_STACK_WIDTH_16, ZYDIS_STACK_WIDTH_32, ZYDIS_STACK_WIDTH_64};
    ZydisDecoder d{.machine_mode = modes[static_cast<unsigned>(mode)],
                   .stack_width = stacks[static_cast<unsigned>(mode)],
                   .decoder_mode = {}};
    if (extensions)
        for (auto m : {ZYDIS_DECODER_MODE_MPX, ZYDIS_DECODER_MODE_CET, ZYDIS_DECODER_MODE_LZCNT,
                       ZYDIS_DECODER_MODE_TZCNT, ZYDIS_DECODER_MODE_WBNOINVD, ZYDIS_DECODER_MODE_CLDEMOTE})
            d.decoder_mode[m] = ZYAN_TRUE;
    return d;
}

struct Decoded {
    ZydisDecodedInstruction z;
    ZydisDecodedOperand operand[ZYDIS_MAX_OPERAND_COUNT];
};

bool decode(const ZydisDecoder& decoder, std::span<const u8> bytes, Decoded& out) {
    return ZYAN_SUCCESS(ZydisDecoderDecodeFull(&decoder, bytes.data(), bytes.size(), &out.z, out.operand));
}

EncodedForm form_of(const Decoded& d) {
    EncodedForm f;
    const ZydisDecodedInstruction& z = d.z;
    f.map = static_cast<u8>(z.opcode_map);
    f.encoding = static_cast<u8>(z.encoding);
    f.opcode = z.opcode;
    f.mnemonic = static_cast<u16>(z.mnemonic);
    for (unsigned n = 0; n < z.raw.prefix_count; n++)
        if (z.raw.prefixes[n].type == ZYDIS_PREFIX_TYPE_MANDATORY) f.mandatory = z.raw.prefixes[n].value;
    for (unsigned n = 0; n < z.operand_count; n++)
        if (d.operand[n].encoding == ZYDIS_OPERAND_ENCODING_OPCODE) f.opcode &= 0xf8;
    if (!(z.attributes & ZYDIS_ATTRIB_HAS_MODRM)) return f;
    f.place = z.raw.modrm.mod == 3 ? 'r' : 'm';
    bool reg = false, rm = f.place == 'm';
    for (unsigned n = 0; n < z.operand_count; n++) {
        reg |= d.operand[n].encoding == ZYDIS_OPERAND_ENCODING_MODRM_REG;
        rm |= d.operand[n].encoding == ZYDIS_OPERAND_ENCODING_MODRM_RM;
    }
    if (z.opcode_map == ZYDIS_OPCODE_MAP_0F) {
        // Where the tables split by fields that the instruction does not look at: SETcc, hints, fences; moves of
        // control and debug registers take any ModRM.mod for a register.
        bool hint = z.opcode == 0x0d || (z.opcode >= 0x18 && z.opcode <= 0x1f), fence = z.opcode == 0xae && f.place == 'r';
        reg |= (z.opcode & 0xf0) == 0x90 || (hint && z.mnemonic == ZYDIS_MNEMONIC_NOP);
        rm |= hint || (fence && z.raw.modrm.reg >= 5);
        if (z.opcode >= 0x20 && z.opcode <= 0x23) f.place = 'r', rm = true;
    }
    if (!reg) f.reg = static_cast<i8>(z.raw.modrm.reg);
    if (!rm) f.rm = static_cast<i8>(z.raw.modrm.rm);
    return f;
}

class Walker {
 public:
    explicit Walker(const std::function<void(const Encoding&)>& visit) : visit_(visit) {}

    void legacy(CodeSize mode) {
        static const std::vector<u8> prefixes[] = {{}, {0x66}, {0xf2}, {0xf3}, {0x66, 0xf2}, {0x66, 0xf3}, {0x67}};
        static const std::vector<u8> maps[] = {{}, {0x0f}, {0x0f, 0x38}, {0x0f, 0x3a}};
        for (const auto& prefix : prefixes)
            for (unsigned rex = 0; rex < (mode == CodeSize::Bits64 ? 2u : 1u); rex++)
                for (const auto& map : maps) {
                    std::vector<u8> head = prefix;
                    if (rex) head.push_back(0x48);
                    usize own = head.size();
                    head.insert(head.end(), map.begin(), map.end());
                    opcodes(mode, head, own);
                }
        for (unsigned code = 0; code < 256; code++)  // 3DNow!: the opcode lies behind the operands
            for (u8 modrm : {0x07, 0xc1}) try_one(mode, {0x0f, 0x0f, modrm, static_cast<u8>(code)}, 0);
    }

    // VEX, XOP and EVEX, whose prefixes hold W, vvvv, L and pp.
    void extended(CodeSize mode) {
        registers_ = 1;
        for (unsigned wide = 0; wide < 2; wide++)
            for (unsigned prefix = 0; prefix < 4; prefix++)
                for (unsigned operand : {0u, 15u})
                    for (unsigned wide_vector = 0; wide_vector < 2; wide_vector++) {
                        u8 last = static_cast<u8>(wide << 7 | operand << 3 | wide_vector << 2 | prefix);
                        for (u8 map = 1; map < 4; map++) opcodes(mode, {0xc4, static_cast<u8>(0xe0 | map), last}, 0);
                        opcodes(mode, {0xc5, static_cast<u8>(last | 0x80)}, 0);
                        for (u8 map = 8; map < 11; map++) opcodes(mode, {0x8f, static_cast<u8>(0xe0 | map), last}, 0);
                        if (operand)
                            for (u8 map = 1; map < 7; map++)
                                opcodes(mode,
                                        {0x62, static_cast<u8>(0xf0 | map), static_cast<u8>(wide << 7 | 0x7c | prefix),
                                         static_cast<u8>(0x48 | wide_vector)},
                                        0);
                    }
        registers_ = 8;
    }

 private:
    // All opcodes of a map behind `head`, whose first `prefixes` bytes may stand before any opcode.
    void opcodes(CodeSize mode, const std::vector<u8>& head, usize prefixes) {
        for (unsigned opcode = 0; opcode < 256; opcode++) {
            if (head.size() == prefixes && is_prefix(mode, static_cast<u8>(opcode))) continue;
            std::vector<u8> bytes = head;
            bytes.push_back(static_cast<u8>(opcode));
            bytes.push_back(0);
            for (unsigned reg = 0; reg < 8; reg++) {
                for (unsigned modrm : {0x07u, 0x04u}) {
                    bytes.back() = static_cast<u8>(modrm | reg << 3);
                    try_one(mode, bytes, prefixes);
                }
                for (unsigned rm = 0; rm < registers_; rm++) {
                    bytes.back() = static_cast<u8>(0xc0 | reg << 3 | rm);
                    try_one(mode, bytes, prefixes);
                }
            }
        }
    }

    static bool is_prefix(CodeSize mode, u8 b) {
        static constexpr u8 all[] = {0x0f, 0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x67, 0xf0, 0xf2, 0xf3};
        for (u8 p : all)
            if (b == p) return true;
        return mode == CodeSize::Bits64 && (b & 0xf0) == 0x40;
    }

    void try_one(CodeSize mode, std::vector<u8> bytes, usize prefixes) {
        bytes.resize(15);  // a SIB byte of [RAX+RAX], no displacement, immediates of 0
        u16 plain = 0;
        for (bool extensions : {false, true}) {
            Decoded d;
            if (!decode(decoder_of(mode, extensions), bytes, d) || d.z.mnemonic == plain) continue;
            plain = static_cast<u16>(d.z.mnemonic);
            EncodedForm f = form_of(d);
            std::vector<u8> key(bytes.begin(), bytes.begin() + static_cast<long>(prefixes));
            if (!seen_.insert({mode, key, f}).second) continue;
            Encoding e{.mode = mode,
                       .bytes = {bytes.begin(), bytes.begin() + d.z.length},
                       .form = f,
                       .isa_set = static_cast<u16>(d.z.meta.isa_set),
                       .reused = extensions,
                       .privileged = (d.z.attributes & ZYDIS_ATTRIB_IS_PRIVILEGED) != 0};
            visit_(e);
        }
    }

    struct Key {
        CodeSize mode;
        std::vector<u8> prefixes;
        EncodedForm form;
        auto operator<=>(const Key&) const = default;
    };
    std::set<Key> seen_;
    unsigned registers_ = 8;  // how many values of ModRM.rm are tried with registers
    const std::function<void(const Encoding&)>& visit_;
};

}  // namespace

std::string EncodedForm::text() const {
    static constexpr const char* maps[] = {"",       "0F ",    "0F 38 ", "0F 3A ", "map 4 ", "map 5 ",
                                           "map 6 ", "map 7 ", "0F 0F ", "XOP 8 ", "XOP 9 ", "XOP A "};
    char b[64];
    std::string out;
    if (encoding == ZYDIS_INSTRUCTION_ENCODING_VEX) out += "VEX ";
    if (encoding == ZYDIS_INSTRUCTION_ENCODING_EVEX) out += "EVEX ";
    if (mandatory) snprintf(b, sizeof b, "%02X ", mandatory), out += b;
    snprintf(b, sizeof b, "%s%02X", map < std::size(maps) ? maps[map] : "?", opcode);
    out += b;
    if (place == '-') return out;
    out += reg < 0 ? " /r" : " /" + std::to_string(reg);
    if (rm >= 0) out += " rm=" + std::to_string(rm);
    return out + (place == 'm' ? " m" : " r");
}

bool form_of(CodeSize mode, std::span<const u8> bytes, EncodedForm& out) {
    Decoded d;
    if (!decode(decoder_of(mode, false), bytes.first(std::min<usize>(bytes.size(), 15)), d)) return false;
    out = form_of(d);
    return true;
}

bool shape_of(CodeSize mode, std::span<const u8> bytes, Shape& out) {
    Decoded d;
    if (!decode(decoder_of(mode, false), bytes.first(std::min<usize>(bytes.size(), 15)), d)) return false;
    const ZydisDecodedInstruction& z = d.z;
    out = {.form = form_of(d), .length = z.length, .operand_bits = z.operand_width, .address_bits = z.address_width};
    out.lock = (z.attributes & ZYDIS_ATTRIB_HAS_LOCK) != 0;
    if (z.attributes & (ZYDIS_ATTRIB_HAS_REP | ZYDIS_ATTRIB_HAS_REPE)) out.repeat = 0xf3;
    if (z.attributes & ZYDIS_ATTRIB_HAS_REPNE) out.repeat = 0xf2;
    out.isa_extension = static_cast<u16>(z.meta.isa_ext);
    out.category = static_cast<u16>(z.meta.category);
    for (unsigned n = 0; n < z.operand_count; n++) {
        const ZydisDecodedOperand& o = d.operand[n];
        out.sizes.push_back(o.size);
        if (o.type == ZYDIS_OPERAND_TYPE_IMMEDIATE && o.imm.is_relative) out.sizes.push_back(z.operand_width);
        if (o.encoding == ZYDIS_OPERAND_ENCODING_MODRM_RM && z.mnemonic != ZYDIS_MNEMONIC_LEA) continue;
        if (o.type == ZYDIS_OPERAND_TYPE_REGISTER) out.addresses.push_back(static_cast<u16>(o.reg.value));
        if (o.type != ZYDIS_OPERAND_TYPE_MEMORY) continue;
        for (ZydisRegister r : {o.mem.base, o.mem.index}) out.addresses.push_back(static_cast<u16>(r));
        if (o.encoding == ZYDIS_OPERAND_ENCODING_DISP16_32_64) out.addresses.push_back(z.address_width);
    }
    return true;
}

void walk_encodings(const std::function<void(const Encoding&)>& visit) {
    Walker walker(visit);
    for (CodeSize mode : {CodeSize::Bits16, CodeSize::Bits32, CodeSize::Bits64}) {
        walker.legacy(mode);
        walker.extended(mode);
    }
}

}  // namespace bmbt::oracle
