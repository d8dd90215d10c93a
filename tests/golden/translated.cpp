#include "golden/translated.hpp"

#include <array>
#include <memory>

#include "la64/branch.hpp"
#include "la64/disassembler.hpp"

namespace bmbt {
namespace {

using x86::CodeSize;

constexpr u64 every = 0x3f, code_segment = 1 << x86::Cs;  // sets of x86::Seg
constexpr u64 based = 0x2'0000;                           // where a segment that is not flat begins

// A program's, with flat segments but for FS and GS.
Setting flat_program(CodeSize size) {
    const u64 stack = size == CodeSize::Bits64 ? 3 : size == CodeSize::Bits32 ? 2 : 1;
    return {.mode = {static_cast<u32>(Mode::code_size_(static_cast<u64>(size)) | Mode::cpl_(3) | Mode::stack_(stack) |
                                      Mode::long_mode_(1) | Mode::flat_(0x0f) | Mode::plain_(0x30) | Mode::sse_(1) |
                                      Mode::mxcsr_default_(1) | Mode::x87_(1) | Mode::protected_(1) | Mode::tsc_(1))},
            .rip = 0x40'1000};
}

// Segments of another kind: as Runtime::mode_of_cpu tells of them.
void set_segments(Mode& m, u64 plain, u64 small) {
    constexpr u64 all = Mode::flat_(every) | Mode::plain_(every) | Mode::small_(every);
    m.raw = (m.raw & ~static_cast<u32>(all)) | static_cast<u32>(Mode::plain_(plain) | Mode::small_(small));
}

Setting virtual_8086() {
    Setting s = flat_program(CodeSize::Bits16);
    s.mode.raw &= ~static_cast<u32>(Mode::long_mode_(1) | Mode::protected_(1));
    set_segments(s.mode, 0, every);
    s.rip = 0x1000, s.cs_base = based;
    return s;
}

bool apply(char letter, Setting& s) {
    const bool code64 = s.mode.code64(), code16 = s.mode.code_size() == CodeSize::Bits16,
               real = !Mode::protected_.of(s.mode.raw);
    switch (letter) {
        case 'k': s.mode.raw &= ~static_cast<u32>(Mode::cpl_(3)); return true;
        case 's':
            // Of CS, only real mode's code knows that no limit can be passed.
            set_segments(s.mode, real ? every : every & ~code_segment, 0);
            s.cs_base = based;
            return !code64;
        case 'l':
            set_segments(s.mode, 0, 0);
            s.cs_base = based;
            return !code64;
        case 'p':
            set_segments(s.mode, 0, every & ~code_segment);
            s.mode.raw |= static_cast<u32>(Mode::protected_(1));
            return code16;
        case 'd': s.mode.raw |= static_cast<u32>(Mode::denormals_(1)); return true;
        case 'e': s.x87_top = 0, s.x87_tag = 0; return true;
        case 'c': s.in_cpp = true; return true;
        default: return false;
    }
}

// Shared code that is never run: each routine is a place of its own, so that the code which calls it tells which one.
class Routines {
 public:
    explicit Routines(const u32* first) : next_(first) {
        static constexpr const char* operations[] = {"add", "mul", "com", nullptr, "sub", "subr", "div", "divr"};
        static constexpr const char* kinds[] = {"", "_m32", "_m64"};
        static constexpr const char* conversions[] = {"widen32",  "widen64", "narrow32",
                                                      "narrow64", "to_int",  "truncate"};
        code.flag_bits = place("flag_bits");
        code.indirect = place("indirect");
        for (unsigned n = 0; n < 4; n++) {
            code.movs[n] = place("movs" + std::to_string(1 << n));
            code.stos[n] = place("stos" + std::to_string(1 << n));
        }
        code.strings = code.movs[0];
        for (unsigned n = 0; n < x87_routine::widen32; n++)
            if (const char* name = operations[n % 8]) code.x87[n] = place(std::string("x87_") + name + kinds[n / 8]);
        for (unsigned n = x87_routine::widen32; n < x87_routine::count; n++)
            code.x87[n] = place(std::string("x87_") + conversions[n - x87_routine::widen32]);
        code.end = next_;
    }

    SharedCode code;

    const std::string* name_of(const u32* at) const {
        for (auto& [where, name] : names_)
            if (where == at) return &name;
        return nullptr;
    }

 private:
    const u32* place(std::string name) {
        names_.emplace_back(next_, std::move(name));
        return next_++;
    }

    const u32* next_;
    std::vector<std::pair<const u32*, std::string>> names_;
};

bool is_gate(u32 word) {
    constexpr u32 syscall_0 = 0x002b'0000, jirl_ra_ra_0 = 0x4c00'0021;
    return word == syscall_0 || word == jirl_ra_ra_0;
}

// Whether an instruction's code ends with the call of C++ however it runs: nothing in it leads behind the call.
bool only_callout(std::span<const u32> words) {
    if (words.empty() || !is_gate(words.back())) return false;
    for (usize n = 0; n < words.size(); n++) {
        const auto kind = la64::branch_kind(words[n]);
        if (kind != la64::BranchKind::Jump && kind != la64::BranchKind::Zero && kind != la64::BranchKind::Compare)
            continue;
        if (static_cast<i64>(4 * n) + la64::branch_offset(words[n]) == static_cast<i64>(4 * words.size())) return false;
    }
    return true;
}

// By instruction of the block. A second snapshot of one instruction lies within its code.
unsigned count_callouts(const Block& b, std::span<const u32> words) {
    unsigned count = 0;
    for (unsigned insn = 0, n = 0; insn < b.insns(); insn++) {
        while (b.snapshot(n).insn != insn) n++;
        unsigned next = n;
        while (next < b.snapshots() && b.snapshot(next).insn == insn) next++;
        const usize begin = b.snapshot(n).host_offset / 4;
        const usize end = next < b.snapshots() ? b.snapshot(next).host_offset / 4 : words.size();
        count += only_callout(words.subspan(begin, end - begin));
    }
    return count;
}

}  // namespace

std::optional<Setting> setting_of(std::string_view word) {
    const std::string_view bits = word.substr(0, 2);
    if (bits != "64" && bits != "32" && bits != "16") return std::nullopt;
    Setting s = bits == "16" ? virtual_8086() : flat_program(bits == "64" ? CodeSize::Bits64 : CodeSize::Bits32);
    for (char letter : word.substr(2))
        if (!apply(letter, s)) return std::nullopt;
    return s;
}

Setting flat_setting(CodeSize size, bool kernel) {
    Setting s = flat_program(size);
    if (kernel) apply('k', s);
    return s;
}

Translated translated(const Setting& setting, std::span<const u8> code) {
    constexpr usize room = 4096;
    static std::array<u32, room + 64> words;
    static const Routines routines(&words[room]);
    Translated out;
    const Source source{.bytes = code, .rip = setting.rip, .cs_base = setting.cs_base, .single = false};
    auto decoded = std::make_unique<Decoded>();
    decode_block(source, setting.mode, *decoded);
    out.one_block = decoded->length == code.size();
    if (!out.one_block) return out;
    la64::Assembler as(std::span(words).first(room));
    auto block = std::make_unique<Block>(as, routines.code, setting.mode, source.rip, source.cs_base, 1);
    block->expect_x87(setting.x87_top, setting.x87_tag);
    generate(*block, source, *decoded);
    out.fits = !block->failed();
    if (!out.fits) return out;
    u32 end = block->main_size();
    for (unsigned n = 0; n < block->exits(); n++)
        if (block->exit(n).begin < end && block->exit(n).end == block->main_size()) end = block->exit(n).begin;
    out.words.assign(words.begin(), words.begin() + end / 4);
    out.callouts = count_callouts(*block, out.words);
    out.without_flags = block->callouts_without_flags();
    for (usize n = 0; n < out.words.size(); n++) {
        const u32 word = out.words[n];
        const std::string* name = nullptr;
        if (la64::branch_kind(word) == la64::BranchKind::Call)
            name = routines.name_of(&words[n] + la64::branch_offset(word) / 4);
        char text[64];
        la64::disassemble(word, 0, text);
        out.text.push_back(name ? "bl <" + *name + ">" : text);
    }
    return out;
}

}  // namespace bmbt
