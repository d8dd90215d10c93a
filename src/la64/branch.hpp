// Reads and rewrites the instructions whose meaning depends on their own address, to relocate and to patch code.
#pragma once
#include <optional>

#include "la64/operands.hpp"

namespace bmbt::la64 {

enum class BranchKind : u8 {
    None,
    Jump,       // b, 26 bits of words
    Call,       // bl
    Zero,       // beqz bnez bceqz bcnez, 21 bits of words
    Compare,    // beq bne blt bge bltu bgeu, 16 bits of words
    Register,   // jirl: the offset is from rj, so moving it changes nothing
    PcAddress,  // pcaddi, 20 bits of words
    PcUpper12,  // pcaddu12i, 20 bits of 4 KiB
    PcPage,     // pcalau12i, 20 bits of 4 KiB, from the start of its own 4 KiB page
    PcUpper18,  // pcaddu18i, 20 bits of 256 KiB
};

// LoongArch vol. 1, "Branch Instructions" and "Arithmetic Operation Instructions": these are told by their top bits.
constexpr BranchKind branch_kind(u32 word) {
    switch (word >> 26) {
        case 0b010000:
        case 0b010001: return BranchKind::Zero;
        case 0b010010:
            return (word & 0x200) == 0 ? BranchKind::Zero : BranchKind::None;  // jj of bceqz, bcnez is 00, 01
        case 0b010011: return BranchKind::Register;
        case 0b010100: return BranchKind::Jump;
        case 0b010101: return BranchKind::Call;
        case 0b010110:
        case 0b010111:
        case 0b011000:
        case 0b011001:
        case 0b011010:
        case 0b011011: return BranchKind::Compare;
        default: break;
    }
    switch (word >> 25) {
        case 0b0001100: return BranchKind::PcAddress;
        case 0b0001101: return BranchKind::PcPage;
        case 0b0001110: return BranchKind::PcUpper12;
        case 0b0001111: return BranchKind::PcUpper18;
        default: return BranchKind::None;
    }
}

// The form of a kind's offset: where its bits are, and the unit it counts as a power of two.
struct BranchForm {
    Slot slot;
    u8 shift;
};
constexpr BranchForm branch_form(BranchKind kind) {
    switch (kind) {
        case BranchKind::Jump:
        case BranchKind::Call: return {drawn_slot("010100 iiiiiiiiiiiiiiii IIIIIIIIII", 'i'), 2};
        case BranchKind::Zero: return {drawn_slot("010000 iiiiiiiiiiiiiiii jjjjj IIIII", 'i'), 2};
        case BranchKind::Compare:
        case BranchKind::Register: return {drawn_slot("010110 iiiiiiiiiiiiiiii jjjjj ddddd", 'i'), 2};
        case BranchKind::PcAddress: return {drawn_slot("0001100 iiiiiiiiiiiiiiiiiiii ddddd", 'i'), 2};
        case BranchKind::PcUpper12:
        case BranchKind::PcPage: return {drawn_slot("0001110 iiiiiiiiiiiiiiiiiiii ddddd", 'i'), 12};
        case BranchKind::PcUpper18: return {drawn_slot("0001111 iiiiiiiiiiiiiiiiiiii ddddd", 'i'), 18};
        case BranchKind::None: break;
    }
    return {};
}

// The offset in bytes. The word has a kind.
constexpr i64 branch_offset(u32 word) {
    auto form = branch_form(branch_kind(word));
    return sign_extend(form.slot.of(word), form.slot.width()) * (i64{1} << form.shift);
}

// The same instruction with another offset in bytes, or nothing when it cannot hold that. The word has a kind.
constexpr std::optional<u32> with_branch_offset(u32 word, i64 offset) {
    auto form = branch_form(branch_kind(word));
    auto units = static_cast<u64>(offset >> form.shift);
    if ((offset & static_cast<i64>(mask(form.shift))) ||
        sign_extend(units, form.slot.width()) != static_cast<i64>(units))
        return std::nullopt;
    return (word & ~form.slot.place(~u32{0})) | form.slot.place(static_cast<u32>(units));
}

// The word that does at `to` what this one does at `from`, or nothing when it cannot. Other instructions stay as they
// are.
constexpr std::optional<u32> relocated(u32 word, u64 from, u64 to) {
    auto kind = branch_kind(word);
    if (kind == BranchKind::None || kind == BranchKind::Register) return word;
    if (kind == BranchKind::PcPage) from = align_down(from, 4096), to = align_down(to, 4096);
    return with_branch_offset(word, branch_offset(word) + static_cast<i64>(from - to));
}

// Points the b at `at` to `offset` bytes from itself, in one aligned store that other cores may see at any time. They,
// and this one, need an ibar before they are sure to run it. False when a b does not reach that far: nothing is
// changed.
inline bool retarget(u32* at, i64 offset) {
    auto word = with_branch_offset(drawn_bits("010100 iiiiiiiiiiiiiiii IIIIIIIIII"), offset);
    if (word) __atomic_store_n(at, *word, __ATOMIC_RELEASE);
    return word.has_value();
}

}  // namespace bmbt::la64
