// Wiring helpers: one line to two places, several lines to one.
#pragma once
#include <array>

#include "host/line.hpp"

namespace bmbt {

// A line that goes nowhere.
class Unconnected final : public Line {
 public:
    void set(bool) override {}
};

// One source, two destinations: an ISA interrupt reaches the 8259 pair and the I/O APIC.
class Split final : public Line {
 public:
    Split(Line& first, Line& second) : first_(first), second_(second) {}
    void set(bool level) override {
        first_.set(level);
        second_.set(level);
    }

 private:
    Line& first_;
    Line& second_;
};

// Several sources share one destination, which is high while any of them is.
template <unsigned N>
class Shared {
 public:
    explicit Shared(Line& out) : out_(out) {
        for (unsigned i = 0; i < N; i++) inputs_[i].bind(*this, i);
    }
    Shared(const Shared&) = delete;
    Shared& operator=(const Shared&) = delete;
    Line& input(unsigned i) { return inputs_[i]; }

 private:
    static_assert(N <= 32);
    class Input final : public Line {
     public:
        void bind(Shared& owner, unsigned n) {
            owner_ = &owner;
            n_ = n;
        }
        void set(bool level) override {
            const u32 old = owner_->levels_;
            owner_->levels_ = level ? old | u32{1} << n_ : old & ~(u32{1} << n_);
            if (old != owner_->levels_) owner_->out_.set(owner_->levels_ != 0);
        }
        bool waiting() const override { return owner_->out_.waiting(); }

     private:
        Shared* owner_ = nullptr;
        unsigned n_ = 0;
    };
    Line& out_;
    std::array<Input, N> inputs_;
    u32 levels_ = 0;
};

}  // namespace bmbt
