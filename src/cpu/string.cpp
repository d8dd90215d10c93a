#include "cpu/string.hpp"

#include <cstring>

#include "cpu/breakpoints.hpp"
#include "cpu/control.hpp"
#include "cpu/operands.hpp"
#include "cpu/platform.hpp"

namespace bmbt {

using namespace x86;

namespace {

enum class Kind : u8 { Ins, Outs, Movs, Cmps, Stos, Lods, Scas };

Kind kind_of(u8 opcode) {
    switch (opcode & 0xfe) {
        case 0x6c: return Kind::Ins;
        case 0x6e: return Kind::Outs;
        case 0xa4: return Kind::Movs;
        case 0xa6: return Kind::Cmps;
        case 0xaa: return Kind::Stos;
        case 0xac: return Kind::Lods;
        default: return Kind::Scas;
    }
}

constexpr u64 piece_budget = 64_KiB;

u64 load_element(const u8* p, unsigned size) {
    u64 value = 0;
    std::memcpy(&value, p, size);
    return value;
}

class StringRun {
 public:
    StringRun(Vcpu& v, const Insn& i)
        : v_(v),
          i_(i),
          kind_(kind_of(i.opcode)),
          size_(i.opcode & 1 ? i.operand_size : 1),
          address_mask_(mask(8 * i.address_size)),
          back_(v.system_flags & flag::df) {
        bool port = kind_ == Kind::Ins || kind_ == Kind::Outs;
        if (port && size_ == 8) size_ = 4;
        uses_si_ = kind_ == Kind::Movs || kind_ == Kind::Cmps || kind_ == Kind::Lods || kind_ == Kind::Outs;
        uses_di_ = kind_ != Kind::Lods && kind_ != Kind::Outs;
        compares_ = kind_ == Kind::Cmps || kind_ == Kind::Scas;
    }

    Guest<> run() {
        if (kind_ == Kind::Ins || kind_ == Kind::Outs) CHECK(check_port(v_, v_.gpr[Rdx], size_));
        if (!i_.rep && !i_.repne) return element();
        // A trap comes after each element.
        u64 budget = v_.system_flags & flag::tf || breakpoints_enabled(v_) ? size_ : piece_budget;
        const LazyFlags before = v_.flags;
        while (count()) {
            if (!budget) {
                v_.next_rip = v_.rip;
                return {};
            }
            auto n = piece(budget / size_);
            if (!n) {
                v_.flags = before;  // comparisons before the fault do not show, but for those of pieces before
                return std::unexpected(n.error());
            }
            budget -= *n * size_;
            if (compares_ && finished_) return {};
        }
        return {};
    }

 private:
    u64 count() const { return v_.gpr[Rcx] & address_mask_; }
    u64 si() const { return v_.gpr[Rsi] & address_mask_; }
    u64 di() const { return v_.gpr[Rdi] & address_mask_; }

    // n elements are done.
    void advance(u64 n) {
        u64 distance = n * size_;
        if (back_) distance = -distance;
        if (uses_si_) set_gpr(v_, Rsi, i_.address_size, si() + distance);
        if (uses_di_) set_gpr(v_, Rdi, i_.address_size, di() + distance);
        if (i_.rep || i_.repne) set_gpr(v_, Rcx, i_.address_size, count() - n);
    }

    // Does up to `most` elements; returns how many. A fault leaves the registers at its element.
    Guest<u64> piece(u64 most) {
        u64 n = count() < most ? count() : most;
        bool in_pieces = kind_ != Kind::Ins && kind_ != Kind::Outs && kind_ != Kind::Lods && !alignment_checked(v_);
        if (n > 1 && in_pieces) {
            u64 done = bulk(n);
            if (done) return done;
        }
        CHECK(element());
        return 1;
    }

    // --- One element, with every check

    Guest<Stretch> source() {
        u64 at = TRY(linear_address(v_, i_.mem.seg, si(), size_, false));
        CHECK(check_aligned(v_, at, size_));
        return translate(v_, at, size_, false);
    }
    Guest<Stretch> destination(bool write) {
        u64 at = TRY(linear_address(v_, Es, di(), size_, write));
        CHECK(check_aligned(v_, at, size_));
        return translate(v_, at, size_, write);
    }
    void compare(u64 a, u64 b) {
        v_.flags = {a, b, flag_kind(FlagOp::Sub, log2_size(size_))};
        finished_ = i_.repne ? a == b : a != b;
    }

    Guest<> element() {
        switch (kind_) {
            case Kind::Movs: {
                u64 value = TRY(source()).load(v_);
                TRY(destination(true)).store(v_, &value);
                break;
            }
            case Kind::Stos: TRY(destination(true)).store(v_, &v_.gpr[Rax]); break;
            case Kind::Lods: set_gpr(v_, Rax, size_, TRY(source()).load(v_)); break;
            case Kind::Cmps: {
                u64 a = TRY(source()).load(v_);
                compare(a, TRY(destination(false)).load(v_));
                break;
            }
            case Kind::Scas: compare(get_gpr(v_, Rax, size_), TRY(destination(false)).load(v_)); break;
            case Kind::Ins: {
                Stretch to = TRY(destination(true));
                u64 value = v_.platform->port_in(v_.gpr[Rdx], static_cast<Width>(size_));
                to.store(v_, &value);
                break;
            }
            case Kind::Outs: {
                u64 value = TRY(source()).load(v_);
                v_.platform->port_out(v_.gpr[Rdx], static_cast<Width>(size_), value);
                break;
            }
        }
        advance(1);
        return {};
    }

    // --- Many elements inside one page of RAM

    // How many elements from `offset` on lie in one page and before the address wraps.
    u64 fit(u64 offset, u64 linear) const {
        u64 in_page = linear & (page_size - 1);
        if (in_page + size_ > page_size) return 0;
        u64 n = back_ ? in_page / size_ + 1 : (page_size - in_page) / size_;
        u64 in_segment = back_ ? offset / size_ + 1 : i_.address_size == 8 ? n : (address_mask_ - offset + 1) / size_;
        return n < in_segment ? n : in_segment;
    }

    struct Area {
        u8* low = nullptr;  // host address of the lowest byte
        u64 gpa = 0;
        u64 n = 0;  // elements
    };
    // The first n elements at `offset` as host memory; n = 0 where only the element path can say what happens.
    Area area(Seg seg, u64 offset, u64 n, bool write) {
        auto first = linear_address(v_, seg, offset, size_, write);
        if (!first) return {};
        u64 fits = fit(offset, *first);
        if (n > fits) n = fits;
        if (!n) return {};
        u64 below = back_ ? (n - 1) * size_ : 0;
        if (!linear_address(v_, seg, offset - below, n * size_, write)) return {};
        // A scan may end before the area does, and the other operand's area be shorter.
        if (v_.watch && v_.watch->watches(*first - below, n * size_)) [[unlikely]] return {};
        auto place = translate(v_, *first - below, n * size_, write);
        if (!place || !place->whole()) return {};
        return {place->whole(), place->part[0].gpa, n};
    }
    u64 shift_low(const Area& a, u64 n) const { return back_ ? (a.n - n) * size_ : 0; }

    u64 bulk(u64 n) {
        Area from, to;
        if (uses_si_) {
            from = area(i_.mem.seg, si(), n, false);
            if (!from.n) return 0;
            n = from.n;
        }
        to = area(Es, di(), n, !compares_);
        if (!to.n) return 0;
        n = to.n;
        if (uses_si_) from.low += shift_low(from, n);  // the top n elements, going down
        switch (kind_) {
            case Kind::Movs: move(to, from.low, n); break;
            case Kind::Stos: fill(to, n); break;
            default: n = scan(from.low, to.low, n); break;
        }
        advance(n);
        return n;
    }

    void move(const Area& to, const u8* from, u64 n) {
        const u64 length = n * size_;
        v_.physical->note_write(to.gpa, length);
        // An element that was just written may be read again, as when a pattern is spread by overlapping copies.
        bool feeds_itself = back_ ? to.low < from && from < to.low + length : from < to.low && to.low < from + length;
        if (!feeds_itself) {
            std::memmove(to.low, from, length);
            return;
        }
        for (u64 k = 0; k < n; k++) {
            u64 at = (back_ ? n - 1 - k : k) * size_;
            u64 value = load_element(from + at, size_);
            std::memcpy(to.low + at, &value, size_);
        }
    }

    void fill(const Area& to, u64 n) {
        v_.physical->note_write(to.gpa, n * size_);
        u64 value = get_gpr(v_, Rax, size_);
        u64 byte = value & 0xff, repeated = byte * (mask(8 * size_) / 0xff);
        if (value == repeated) {
            std::memset(to.low, static_cast<int>(byte), n * size_);
            return;
        }
        for (u64 k = 0; k < n; k++) std::memcpy(to.low + k * size_, &value, size_);
    }

    // CMPS and SCAS: returns how many elements were looked at, the last one's comparison is in the flags.
    u64 scan(const u8* from, const u8* to, u64 n) {
        const u64 accumulator = get_gpr(v_, Rax, size_);
        u64 a = 0, b = 0, k = 0;
        while (k < n) {
            u64 at = (back_ ? n - 1 - k : k) * size_;
            a = from ? load_element(from + at, size_) : accumulator;
            b = load_element(to + at, size_);
            k++;
            if ((a == b) == i_.repne) break;
        }
        compare(a, b);
        return k;
    }

    Vcpu& v_;
    const Insn& i_;
    Kind kind_;
    unsigned size_;
    u64 address_mask_;
    bool back_, uses_si_ = false, uses_di_ = false, compares_ = false, finished_ = false;
};

}  // namespace

Guest<> string_instruction(Vcpu& v, const Insn& i) { return StringRun(v, i).run(); }

}  // namespace bmbt
