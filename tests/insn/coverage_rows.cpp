#include "coverage_rows.hpp"

#include <tuple>

#include "cpu/semantics.hpp"
#include "golden/translated.hpp"

namespace bmbt::oracle {
namespace {

using x86::CodeSize;

// Whether the translator makes host code of it: more than a call of C++, with tests before it or not.
bool translated_inline(CodeSize mode, std::span<const u8> bytes) {
    for (bool kernel : {false, true}) {
        const Translated t = translated(flat_setting(mode, kernel), bytes);
        if (t.one_block && t.fits && !t.callouts) return true;
    }
    return false;
}

bool is_instruction(CodeSize mode, std::span<const u8> bytes) {
    static const Semantics ud = semantics_of(x86::Insn{});
    x86::Insn i;
    return x86::decode(bytes.data(), bytes.size(), mode, i) == x86::DecodeError::None && semantics_of(i) != ud;
}

}  // namespace

std::string RowKey::prefixes() const {
    std::string out;
    if (lock) out += " lock";
    if (repeat) out += repeat == 0xf2 ? " repne" : " rep";
    if (address_bits) out += " a" + std::to_string(address_bits);
    return out;
}

std::string RowKey::text() const {
    return x86::mnemonic_name(form.mnemonic) + (" " + form.text()) + prefixes() +
           (operand_bits ? " o" + std::to_string(operand_bits) : "");
}

// First which sizes make a difference, by what they change of an encoding's operands; then what there is.
Rows::Rows() {
    struct Found {
        CodeSize mode;
        std::vector<u8> bytes;
        Shape shape;
    };
    std::vector<Found> found;
    std::map<std::tuple<CodeSize, unsigned, EncodedForm>, std::map<unsigned, std::vector<u16>>> sizes;
    walk_encodings([&](const Encoding& e) {
        if (e.reused || !is_instruction(e.mode, e.bytes)) return;
        // What may also stand before it: LOCK, the other address size, repeats.
        static const std::vector<u8> before[] = {{}, {0xf0}, {0x67}, {0xf2}, {0xf3}, {0x67, 0xf2}, {0x67, 0xf3}};
        Shape plain;
        if (!shape_of(e.mode, e.bytes, plain)) return;
        for (const auto& prefix : before) {
            std::vector<u8> bytes = prefix;
            bytes.insert(bytes.end(), e.bytes.begin(), e.bytes.end());
            bytes.resize(15);  // another address size may want more of them
            Shape s;
            if (!is_instruction(e.mode, bytes) || !shape_of(e.mode, bytes, s) || s.form != plain.form) continue;
            bytes.resize(s.length);
            Matters& m = matters_[s.form];
            sizes[{e.mode, s.address_bits, s.form}].try_emplace(s.operand_bits, s.sizes);
            m.address_size |= s.address_bits != plain.address_bits && s.addresses != plain.addresses;
            found.push_back({e.mode, bytes, s});
        }
    });
    for (auto& [where, by_size] : sizes) {
        Matters& m = matters_[std::get<EncodedForm>(where)];
        auto differs = [&](unsigned size) {
            auto own = by_size.find(size), plain = by_size.find(32);
            if (plain == by_size.end()) plain = by_size.begin();
            return own != by_size.end() && own->second != plain->second;
        };
        m.size16 |= differs(16);
        m.size64 |= differs(64);
    }
    for (const Found& f : found) {
        Row& row = all[key(f.shape)];
        const auto size = static_cast<unsigned>(f.mode);
        if (!row.example[size].empty()) continue;
        row.example[size] = f.bytes;
        row.in_line[size] = translated_inline(f.mode, f.bytes);
    }
}

RowKey Rows::key(const Shape& s) const {
    RowKey k{.form = s.form, .lock = s.lock, .repeat = s.repeat};
    auto m = matters_.find(s.form);
    if (m == matters_.end()) return k;
    if (m->second.size16 || m->second.size64) {
        const bool own = (s.operand_bits == 16 && m->second.size16) || (s.operand_bits == 64 && m->second.size64);
        k.operand_bits = own ? static_cast<u8>(s.operand_bits) : 32;
    }
    if (m->second.address_size) k.address_bits = static_cast<u8>(s.address_bits);
    return k;
}

Rows::Entry* Rows::find(CodeSize mode, std::span<const u8> bytes, unsigned* length) {
    Shape s;
    if (!shape_of(mode, bytes, s)) return nullptr;
    if (length) *length = s.length;
    auto found = all.find(key(s));
    return found == all.end() ? nullptr : &*found;
}

const char* const families[14] = {"Arithmetic",
                                  "Shifts and bits",
                                  "Moves and flags",
                                  "Stack",
                                  "Branches",
                                  "Strings",
                                  "Hints",
                                  "System and others",
                                  "x87",
                                  "MMX",
                                  "SSE",
                                  "SSE2",
                                  "SSE3 and SSSE3",
                                  "SSE4"};

const char* family_of(const Row& row) {
    Shape s;
    for (unsigned size = 0; size < 3; size++)
        if (row.exists(size)) shape_of(static_cast<CodeSize>(size), row.example[size], s);
    switch (s.isa_extension) {
        case ZYDIS_ISA_EXT_X87: return "x87";
        case ZYDIS_ISA_EXT_MMX: return "MMX";
        case ZYDIS_ISA_EXT_SSE: return "SSE";
        case ZYDIS_ISA_EXT_SSE2: return "SSE2";
        case ZYDIS_ISA_EXT_SSE3:
        case ZYDIS_ISA_EXT_SSSE3: return "SSE3 and SSSE3";
        case ZYDIS_ISA_EXT_SSE4: return "SSE4";
        default: break;
    }
    switch (s.form.mnemonic) {
        case ZYDIS_MNEMONIC_LEA: return "Moves and flags";
        case ZYDIS_MNEMONIC_ENTER:
        case ZYDIS_MNEMONIC_LEAVE: return "Stack";
        default: break;
    }
    switch (s.category) {
        case ZYDIS_CATEGORY_BINARY:
        case ZYDIS_CATEGORY_LOGICAL:
        case ZYDIS_CATEGORY_DECIMAL: return "Arithmetic";
        case ZYDIS_CATEGORY_SHIFT:
        case ZYDIS_CATEGORY_ROTATE:
        case ZYDIS_CATEGORY_BITBYTE: return "Shifts and bits";
        case ZYDIS_CATEGORY_DATAXFER:
        case ZYDIS_CATEGORY_CMOV:
        case ZYDIS_CATEGORY_SETCC:
        case ZYDIS_CATEGORY_CONVERT:
        case ZYDIS_CATEGORY_SEMAPHORE:
        case ZYDIS_CATEGORY_FLAGOP: return "Moves and flags";
        case ZYDIS_CATEGORY_PUSH:
        case ZYDIS_CATEGORY_POP: return "Stack";
        case ZYDIS_CATEGORY_COND_BR:
        case ZYDIS_CATEGORY_UNCOND_BR:
        case ZYDIS_CATEGORY_CALL:
        case ZYDIS_CATEGORY_RET: return "Branches";
        case ZYDIS_CATEGORY_STRINGOP: return "Strings";
        case ZYDIS_CATEGORY_NOP:
        case ZYDIS_CATEGORY_WIDENOP:
        case ZYDIS_CATEGORY_PREFETCH: return "Hints";
        default: return "System and others";
    }
}

}  // namespace bmbt::oracle
