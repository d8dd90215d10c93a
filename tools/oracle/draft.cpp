#include "draft.hpp"

#include <stdio.h>
#include <stdlib.h>

#include "oracle/seed.hpp"

namespace bmbt::oracle {
namespace {

void put(std::vector<u8>& out, u64 value, unsigned bytes) {
    for (; bytes--; value >>= 8) out.push_back(static_cast<u8>(value));
}

unsigned put_words(std::vector<u8>& out, const State& from, const State& to) {
    unsigned count = 0;
    for (unsigned i = 0; i < state_words; i++) {
        if (get_word(from, i) == get_word(to, i)) continue;
        out.push_back(static_cast<u8>(i));
        put(out, get_word(to, i), 8);
        count++;
    }
    return count;
}

unsigned put_patches(std::vector<u8>& out, const std::vector<Patch>& patches) {
    unsigned count = 0;
    for (const Patch& p : patches)
        for (usize at = 0; at < p.bytes.size(); at += 255, count++) {
            usize size = std::min<usize>(255, p.bytes.size() - at);
            put(out, p.offset + at, 2);
            put(out, size, 1);
            out.insert(out.end(), p.bytes.begin() + at, p.bytes.begin() + at + size);
        }
    return count;
}

std::vector<Patch> patches(std::span<const u8> from) {
    std::vector<Patch> out;
    for (usize i = 0; i < from.size();) {
        usize size = from[i + 2];
        out.push_back({static_cast<u16>(from[i] | from[i + 1] << 8), {&from[i] + 3, &from[i] + 3 + size}});
        i += 3 + size;
    }
    return out;
}

}  // namespace

void Draft::reset_state() {
    seeded_state(seed, mode, options & option::x87, before);
    before.rip = address_base(mode) + entry;
}

void Draft::poke(u16 offset, const void* bytes, usize size) {
    const u8* p = static_cast<const u8*>(bytes);
    memory.push_back({offset, {p, p + size}});
}

Draft to_draft(const Vector& v) {
    Draft d;
    d.mode = v.mode;
    d.options = v.options;
    d.tolerance = v.tolerance;
    d.entry = v.entry;
    d.seed = v.seed;
    d.code.assign(v.code.begin(), v.code.end());
    state_before(v, d.before);
    d.memory = patches(v.memory_before);
    d.after = d.before;
    apply_words(v.after, d.after);
    d.outcome = v.outcome;
    d.memory_after = patches(v.memory_after);
    d.memory_ignore = patches(v.memory_ignore);
    for (usize i = 0; i < v.ignore.size(); i += 9) std::memcpy(&d.ignore[v.ignore[i]], &v.ignore[i + 1], 8);
    return d;
}

Writer::Writer(u64 memory_seed) {
    put(bytes_, file_magic, 4);
    put(bytes_, file_version, 2);
    put(bytes_, header_size, 2);
    put(bytes_, memory_seed, 8);
    put(bytes_, 0, 8);
}

void Writer::add(const Draft& d) {
    Draft plain = d;
    plain.reset_state();
    std::vector<u8> body = d.code;
    unsigned before = put_words(body, plain.before, d.before), after = 0, ignored = 0;
    bool recorded = d.options & option::recorded;
    if (recorded) {
        after = put_words(body, d.before, d.after);
        for (unsigned i = 0; i < state_words; i++) {
            if (!d.ignore[i]) continue;
            body.push_back(static_cast<u8>(i));
            put(body, d.ignore[i], 8);
            ignored++;
        }
    }
    unsigned memory = put_patches(body, d.memory), memory_after = 0, memory_ignore = 0;
    if (recorded) {
        memory_after = put_patches(body, d.memory_after);
        memory_ignore = put_patches(body, d.memory_ignore);
    }
    if (memory > 255 || memory_after > 255 || memory_ignore > 255 || d.code.size() > max_code) {
        fprintf(stderr, "oracle: a vector changes too much memory for the file format\n");
        exit(2);
    }
    std::vector<u8>& b = bytes_;
    put(b, record_head + body.size(), 2);
    put(b, static_cast<u8>(d.mode), 1);
    put(b, d.options, 1);
    put(b, d.code.size(), 1);
    put(b, static_cast<u8>(d.tolerance), 1);
    put(b, d.entry, 2);
    put(b, d.seed, 4);
    for (unsigned n : {before, after, ignored, memory, memory_after, memory_ignore}) put(b, n, 1);
    put(b, static_cast<u8>(d.outcome.vector), 2);
    put(b, d.outcome.error, 4);
    put(b, d.outcome.address, 8);
    b.insert(b.end(), body.begin(), body.end());
    count_++;
}

std::vector<u8> Writer::finish() {
    std::memcpy(&bytes_[16], &count_, 4);
    return std::move(bytes_);
}

std::vector<u8> read_file(const std::string& name) {
    FILE* f = fopen(name.c_str(), "rb");
    if (!f) {
        perror(name.c_str());
        exit(2);
    }
    std::vector<u8> out;
    u8 buffer[65536];
    for (usize n; (n = fread(buffer, 1, sizeof buffer, f));) out.insert(out.end(), buffer, buffer + n);
    fclose(f);
    return out;
}

void write_file(const std::string& name, const std::vector<u8>& bytes) {
    FILE* f = fopen(name.c_str(), "wb");
    if (!f || fwrite(bytes.data(), 1, bytes.size(), f) != bytes.size() || fclose(f)) {
        perror(name.c_str());
        exit(2);
    }
}

}  // namespace bmbt::oracle
