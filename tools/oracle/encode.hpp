// Puts an instruction of a form together: operands chosen at random, and the state arranged so that memory operands lie
// where they should.
#pragma once
#include "draft.hpp"
#include "forms.hpp"
#include "oracle/seed.hpp"

namespace bmbt::oracle {

// A form's strings, taken apart.
struct Pattern {
    u8 mandatory = 0;  // 66, F2, F3 or none
    bool rex_w = false;
    std::vector<u8> bytes;
    bool modrm = false, in_opcode = false, address = false;
    int digit = -1;
    bool stack_register = false;  // ST(i) in the last byte
    std::vector<std::string> immediates;

    struct Operand {
        char kind = 0;
        std::string size;
    };
    Operand rm, reg;           // what ModRM.rm and ModRM.reg name
    std::string operand_size;  // "b", "v", "y" or none
};
const Pattern& pattern_of(const Form&);

// Where a memory operand lies, as an offset in the region (beyond it for limits and wild addresses).
struct Place {
    bool wild = false;  // address is not of the region but this non-canonical one
    u64 offset = 0;
};

struct Encoder {
    Encoder(Random& random, const Form& form, Draft& draft);

    // --- choices the caller may make before encode()
    // Which turn of this form it is. The first ones go through all its variants, one each: operand size, memory or a
    // register, LOCK, a repeat prefix, the address size where the form has one of its own. Nothing that is not the form's
    // own fails in these (see tame); later turns go through them again. Without a turn they are random.
    i64 turn = -1;
    bool registers_only = false;  // no memory operand
    bool absolute_only = false;   // memory operands name no register
    bool tame = false;            // memory operands never fault, and no prefix or mask makes anything else do so
    u32 reserved = 0;             // general registers that no address may use

    // --- what it chose
    bool memory = false;  // rm is a memory operand
    Place place;
    unsigned operand_size = 4, memory_size = 0, memory_align = 1;
    unsigned rm = 0, reg = 0;  // register numbers, REX included
    u8 segment_prefix = 0;
    u64 immediate = 0;
    bool immediate_chosen = false;

    u32 variants = 1;  // how many there are

    bool choose();  // sizes and registers; false when the form has no memory operand to leave out, or needs one
    void encode();  // appends the instruction to draft.code and sets the registers that its address needs

    bool has(char n) const { return form.notes.find(n) != std::string::npos; }
    bool is64() const { return draft.mode == x86::CodeSize::Bits64; }
    bool is16() const { return draft.mode == x86::CodeSize::Bits16; }
    unsigned size_of(const std::string& size) const;
    Place random_place(unsigned size, unsigned align);
    u64 address_of(const Place&, u8 segment) const;  // as code names it behind a segment prefix
    void set_gpr(unsigned n, u64 value);             // masked to what the code size has
    void poke_place(const void* bytes, usize size);  // at the memory operand, as far as it lies in the data pages

    Random& random;
    const Form& form;
    const Pattern& pattern;
    Draft& draft;
    u8 repeat_prefix = 0;
    bool lock = false, wide_prefix = false;  // wide_prefix: 66
    bool address_prefix = false, address_chosen = false;

 private:
    u32 pick(u32 choices);  // the turn's, or a random one
    void choose_size();
    void encode_memory(unsigned reg_field);
    void decorate();
    std::vector<u8> address_bytes_;
    u8 rex_ = 0;
    bool rip_relative_ = false;
};

}  // namespace bmbt::oracle
