#include "oracle/vector.hpp"

#include "oracle/seed.hpp"

namespace bmbt::oracle {
namespace {

template <class T>
T load(const u8* p) {
    T v;
    std::memcpy(&v, p, sizeof v);
    return v;
}

constexpr usize word_size = 9;

// Moves the first n patches of `from` to `out`; false when they leave `from` or the data pages.
bool take_patches(std::span<const u8>& from, unsigned n, std::span<const u8>& out) {
    usize at = 0;
    while (n--) {
        if (from.size() - at < 3) return false;
        usize offset = load<u16>(&from[at]), size = from[at + 2];
        if (from.size() - at - 3 < size || offset + size > layout::data_size) return false;
        at += 3 + size;
    }
    out = from.first(at);
    from = from.subspan(at);
    return true;
}

}  // namespace

Reader::Reader(std::span<const u8> file) {
    if (file.size() < header_size || load<u32>(&file[0]) != file_magic || load<u16>(&file[4]) != file_version) return;
    usize size = load<u16>(&file[6]);
    if (size < header_size || size > file.size()) return;
    header_.memory_seed = load<u64>(&file[8]);
    header_.count = load<u32>(&file[16]);
    rest_ = file.subspan(size);
    ok_ = true;
}

bool Reader::next(Vector& v) {
    if (!ok_ || read_ == header_.count) return false;
    ok_ = false;
    if (rest_.size() < record_head) return false;
    const u8* p = rest_.data();
    usize size = load<u16>(p);
    if (size < record_head || size > rest_.size() || p[2] > 2 || p[4] > max_code) return false;
    v.mode = static_cast<x86::CodeSize>(p[2]);
    v.options = p[3];
    v.tolerance = static_cast<Tolerance>(p[5]);
    v.entry = load<u16>(p + 6);
    v.seed = load<u32>(p + 8);
    v.outcome = {static_cast<x86::Vector>(p[18]), load<u32>(p + 20), load<u64>(p + 24)};
    std::span<const u8> body = rest_.first(size).subspan(record_head);
    usize words[3] = {p[12] * word_size, p[13] * word_size, p[14] * word_size};
    if (body.size() < p[4] + words[0] + words[1] + words[2]) return false;
    auto take = [&](usize n) {
        auto taken = body.first(n);
        body = body.subspan(n);
        return taken;
    };
    v.code = take(p[4]);
    v.before = take(words[0]);
    v.after = take(words[1]);
    v.ignore = take(words[2]);
    if (v.entry < layout::code || v.entry + v.code.size() > layout::code_end) return false;
    if (!take_patches(body, p[15], v.memory_before) || !take_patches(body, p[16], v.memory_after) ||
        !take_patches(body, p[17], v.memory_ignore))
        return false;
    rest_ = rest_.subspan(size);
    read_++;
    return ok_ = true;
}

void apply_words(std::span<const u8> words, State& state) {
    for (usize i = 0; i + word_size <= words.size(); i += word_size)
        if (words[i] < state_words) set_word(state, words[i], load<u64>(&words[i + 1]));
}

void apply_patches(std::span<const u8> patches, u8* data) {
    for (usize i = 0; i < patches.size();) {
        usize size = patches[i + 2];
        std::memcpy(data + load<u16>(&patches[i]), patches.data() + i + 3, size);
        i += 3 + size;
    }
}

void state_before(const Vector& v, State& s) {
    seeded_state(v.seed, v.mode, v.options & option::x87, s);
    s.rip = address_base(v.mode) + v.entry;
    apply_words(v.before, s);
}

}  // namespace bmbt::oracle
