#include "cpu/linear.hpp"

#include <cstring>

#include "cpu/breakpoints.hpp"
#include "cpu/platform.hpp"

namespace bmbt {

using namespace x86;

namespace {

// The widest naturally aligned access that starts at gpa and stays inside `left` bytes.
Width bus_width(u64 gpa, u64 left) {
    for (unsigned n = 8; n > 1; n /= 2)
        if (!(gpa & (n - 1)) && n <= left) return static_cast<Width>(n);
    return Width::Byte;
}

void load_span(Vcpu& v, const Span& s, u8* to) {
    if (s.host) {
        std::memcpy(to, s.host, s.size);
        return;
    }
    for (u64 done = 0; done < s.size;) {
        Width w = bus_width(s.gpa + done, s.size - done);
        u64 value = v.platform->mmio_read(s.gpa + done, w);
        std::memcpy(to + done, &value, bytes(w));
        done += bytes(w);
    }
}

void store_span(Vcpu& v, const Span& s, const u8* from) {
    if (s.host) {
        v.physical->note_write(s.gpa, s.size);
        std::memcpy(s.host, from, s.size);
        return;
    }
    for (u64 done = 0; done < s.size;) {
        Width w = bus_width(s.gpa + done, s.size - done);
        u64 value = 0;
        std::memcpy(&value, from + done, bytes(w));
        v.platform->mmio_write(s.gpa + done, w, value);
        done += bytes(w);
    }
}

Guest<Span> translate_page(Vcpu& v, u64 linear, u64 size, Access access) {
    if (v.walks)
        if (const WalkCache::Page* p = v.walks->find(linear, access)) {
            const u64 inside = linear & (page_size - 1);
            return Span{.host = p->host + inside, .gpa = p->gpa + inside, .size = size};
        }
    Translation t = TRY(walk(*v.physical, v.paging, linear, access));
    u8* host = access.write ? v.physical->ram(t.gpa) : v.physical->pointer(t.gpa);
    if (v.walks && host) v.walks->add(linear, access, t, host);
    return Span{.host = host, .gpa = t.gpa, .size = size};
}

// Both pages, before either is used.
Guest<Stretch> place(Vcpu& v, u64 linear, u64 size, Access access) {
    Stretch s;
    u64 here = page_size - (linear & (page_size - 1));
    if (size <= here) {
        s.part[0] = TRY(translate_page(v, linear, size, access));
    } else {
        u64 next = linear + here;
        if (!v.long_mode()) next &= 0xffff'ffff;
        s.part[0] = TRY(translate_page(v, linear, here, access));
        s.part[1] = TRY(translate_page(v, next, size - here, access));
    }
    if (breakpoints_enabled(v) && !access.fetch) [[unlikely]] note_access(v, linear, size, access.write);
    return s;
}

}  // namespace

void Stretch::load(Vcpu& v, void* to) const {
    auto* out = static_cast<u8*>(to);
    load_span(v, part[0], out);
    if (part[1].size) load_span(v, part[1], out + part[0].size);
}

void Stretch::store(Vcpu& v, const void* from) const {
    auto* in = static_cast<const u8*>(from);
    store_span(v, part[0], in);
    if (part[1].size) store_span(v, part[1], in + part[0].size);
}

Guest<Stretch> translate(Vcpu& v, u64 linear, u64 size, Access access) {
    Stretch s = TRY(place(v, linear, size, access));
    if (v.watch && !access.fetch) [[unlikely]] v.watch->accessed(linear, size, access.write);
    return s;
}

Guest<Stretch> translate_to_modify(Vcpu& v, u64 linear, u64 size) {
    Stretch s = TRY(place(v, linear, size, Access{.write = true, .fetch = false, .user = is_user(v, As::Current)}));
    if (v.watch) [[unlikely]] {
        v.watch->accessed(linear, size, false);
        v.watch->accessed(linear, size, true);
    }
    return s;
}

Guest<u64> read(Vcpu& v, u64 linear, Width w, As as) { return TRY(translate(v, linear, bytes(w), false, as)).load(v); }

Guest<> write(Vcpu& v, u64 linear, Width w, u64 value, As as) {
    TRY(translate(v, linear, bytes(w), true, as)).store(v, &value);
    return {};
}

Guest<> read(Vcpu& v, u64 linear, void* to, u64 size, As as) {
    TRY(translate(v, linear, size, false, as)).load(v, to);
    return {};
}

Guest<> write(Vcpu& v, u64 linear, const void* from, u64 size, As as) {
    TRY(translate(v, linear, size, true, as)).store(v, from);
    return {};
}

namespace {

bool inside_limit(const Segment& s, u64 offset, u64 last) {
    if (!s.is_code() && access::s.of(s.access) && s.access & access::expand_down)
        return offset > s.limit && last <= (s.big() ? 0xffff'ffff : 0xffff);
    // What wraps around a 4 GiB segment is left to the processor by the manual; it is let through.
    return last <= s.limit || s.limit == 0xffff'ffff;
}

// Intel SDM vol. 3, "Type Checking". Real and virtual-8086 mode know no types.
bool type_allows(const Segment& s, bool write) {
    if (s.is_code()) return !write && s.access & access::readable;
    return !write || s.access & access::writable;
}

}  // namespace

Guest<u64> linear_address(Vcpu& v, const Segment& s, Seg seg, u64 offset, u64 size, bool write) {
    Vector vector = seg == Ss ? Vector::Ss : Vector::Gp;
    u64 last = offset + (size ? size - 1 : 0);
    if (v.code64()) {
        u64 base = seg >= Fs ? s.base : 0;
        if (!canonical(base + offset) || !canonical(base + last)) return fault(vector, 0);
        return base + offset;
    }
    if (v.protected_mode() && !v.v8086() && (!s.present() || !type_allows(s, write))) return fault(vector, 0);
    if (!inside_limit(s, offset, last)) return fault(vector, 0);
    return (s.base + offset) & 0xffff'ffff;
}

namespace {

// Intel SDM vol. 3, "Alignment Requirements by Data Type". What else may be accessed unaligned is not checked.
u64 required_alignment(u64 size) {
    switch (size) {
        case 2:
        case 4:
        case 8:
        case 16: return size;  // 16: MOVUPS and its kin, where the manual leaves it open
        case 10: return 8;     // an extended real
        case 14:
        case 94: return 2;  // FPU environment and state with 16-bit operands
        case 28:
        case 108: return 4;
        default: return 1;
    }
}

}  // namespace

Guest<> check_aligned(const Vcpu& v, u64 linear, u64 size) {
    if (alignment_checked(v) && linear & (required_alignment(size) - 1)) return fault(Vector::Ac, 0);
    return {};
}

Guest<u64> linear_address(Vcpu& v, Seg seg, u64 offset, u64 size, bool write) {
    return linear_address(v, v.seg[seg], seg, offset, size, write);
}

}  // namespace bmbt
