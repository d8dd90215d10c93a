#include "memory/physical_map.hpp"

#include <cstring>

namespace bmbt {

void PhysicalMap::map(u64 gpa, u64 size, FrameKind kind, u64 hpa) {
    for (u64 done = 0; done < size && (gpa + done) >> 12 < frames_; done += page_size)
        frame_ref(gpa + done).raw = Frame::kind_(static_cast<u64>(kind)) | (kind == FrameKind::Absent ? 0 : hpa + done);
}

namespace {

// Calls step(gpa, bytes) for the piece of [gpa, gpa + size) in each page, as long as it returns true.
template <class Step>
bool each_page(u64 gpa, u64 size, Step step) {
    while (size) {
        u64 here = page_size - (gpa & (page_size - 1));
        if (here > size) here = size;
        if (!step(gpa, here)) return false;
        gpa += here;
        size -= here;
    }
    return true;
}

}  // namespace

bool PhysicalMap::read(u64 gpa, void* to, u64 size) {
    if (!each_page(gpa, size, [&](u64 at, u64) { return pointer(at) != nullptr; })) return false;
    auto* out = static_cast<u8*>(to);
    return each_page(gpa, size, [&](u64 at, u64 n) {
        std::memcpy(out, pointer(at), n);
        out += n;
        return true;
    });
}

bool PhysicalMap::write(u64 gpa, const void* from, u64 size) {
    if (!each_page(gpa, size, [&](u64 at, u64) { return ram(at) != nullptr; })) return false;
    auto* in = static_cast<const u8*>(from);
    return each_page(gpa, size, [&](u64 at, u64 n) {
        note_write(at, n);
        std::memcpy(ram(at), in, n);
        in += n;
        return true;
    });
}

bool PhysicalMap::fill(u64 gpa, u8 byte, u64 size) {
    if (!each_page(gpa, size, [&](u64 at, u64) { return ram(at) != nullptr; })) return false;
    return each_page(gpa, size, [&](u64 at, u64 n) {
        note_write(at, n);
        std::memset(ram(at), byte, n);
        return true;
    });
}

}  // namespace bmbt
