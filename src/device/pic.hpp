// The 8259A interrupt controller, and the pair of them in a PC ("8259A Programmable Interrupt Controller", Intel).
#pragma once
#include <array>

#include "device/byte_port.hpp"
#include "device/vector_source.hpp"

namespace bmbt {

// One chip. Ports: 0 and 1 (A0). Its edge/level control register belongs to the chipset, so it is set from outside.
class Pic8259 final : public BytePort {
 public:
    enum class Role : u8 { Master, Slave };  // the level of its SP pin

    Pic8259(Line& intr, Role role) : intr_(intr), role_(role) {}

    void input(unsigned n, bool level);
    bool waiting(unsigned n) const { return !expect_ && irr_ & ~imr_ & 1u << n; }
    // The first INTA cycle: the request that is served now (-1: none, a spurious one) and is in service from here on.
    int serve();
    u8 vector(unsigned n) const { return static_cast<u8>(base_ | n); }
    bool has_slave(unsigned n) const { return !single_ && (slaves_ >> n & 1); }

    u8 level_triggered() const { return elcr_; }
    void set_level_triggered(u8 pins);

 private:
    u8 read8(u16 offset) override;
    void write8(u16 offset, u8 value) override;
    void start_initialization(u8 icw1);
    void initialization_word(u8 value);
    void operation(u8 ocw2);
    void end_of_interrupt(unsigned n) { isr_ = static_cast<u8>(isr_ & ~(1u << n)); }
    int first(u8 set) const;  // highest priority of a set, -1 when it is empty
    int request() const;      // the request to be delivered now, or -1
    void update() { intr_.set(request() >= 0); }

    Line& intr_;
    const Role role_;
    u8 lines_ = 0;  // levels of the inputs
    u8 irr_ = 0, isr_ = 0, imr_ = 0, elcr_ = 0;
    u8 base_ = 0;
    u8 slaves_ = 0;  // inputs of a master that slaves are on
    u8 lowest_ = 7;  // the input of lowest priority
    u8 expect_ = 0;  // next initialization word, 2-4; 0 when the chip works
    bool single_ = false, wants_icw4_ = false, nested_ = false;
    bool auto_eoi_ = false, rotate_ = false, special_mask_ = false;
    bool read_isr_ = false, poll_ = false;
};

// The pair of a PC: the slave's output is the master's input 2.
class Pic final : public VectorSource {
 public:
    explicit Pic(Line& intr);
    Pic(const Pic&) = delete;
    Pic& operator=(const Pic&) = delete;

    // IRQ 0-15. The bus pin that once was IRQ 2 is wired to IRQ 9.
    Line& irq(unsigned n) { return irqs_[n == 2 ? 9 : n]; }
    Port& master() { return master_; }
    Port& slave() { return slave_; }
    Port& elcr() { return elcr_; }  // offsets 0 and 1, "Edge/Level Control Register" of the PIIX
    u8 acknowledge() override;      // both INTA cycles: the vector, IRQ 7 or 15 when the request is gone

 private:
    class Input final : public Line {
     public:
        void bind(Pic8259& chip, unsigned n) {
            chip_ = &chip;
            n_ = n;
        }
        void set(bool level) override { chip_->input(n_, level); }
        bool waiting() const override { return chip_->waiting(n_); }

     private:
        Pic8259* chip_ = nullptr;
        unsigned n_ = 0;
    };
    class Elcr final : public BytePort {
     public:
        explicit Elcr(Pic& pic) : pic_(pic) {}

     private:
        u8 read8(u16 offset) override;
        void write8(u16 offset, u8 value) override;
        Pic& pic_;
    };

    Pic8259 master_;
    Input cascade_;
    Pic8259 slave_;
    std::array<Input, 16> irqs_;
    Elcr elcr_;
};

}  // namespace bmbt
