// Lines that end in the PC itself: what happens when a device pulls them.
#pragma once
#include "cpu/board.hpp"
#include "device/lapic.hpp"
#include "host/line.hpp"
#include "machine/map_listener.hpp"
#include "memory/physical_map.hpp"

namespace bmbt {

// The wish to end, first come first served, and who had it.
class StopRequest {
 public:
    void ask(Stop stop, const char* reason) {
        if (stop_ == Stop::None) stop_ = stop, reason_ = reason;
    }
    Stop stop() const { return stop_; }
    const char* reason() const { return reason_; }

 private:
    Stop stop_ = Stop::None;
    const char* reason_ = "";
};

class StopLine final : public Line {
 public:
    StopLine(StopRequest& request, Stop stop, const char* reason) : request_(request), stop_(stop), reason_(reason) {}
    void set(bool level) override {
        if (level) request_.ask(stop_, reason_);
    }

 private:
    StopRequest& request_;
    Stop stop_;
    const char* reason_;
};

// INIT, as chipset and keyboard controller signal it: each rise is one.
class InitLine final : public Line {
 public:
    explicit InitLine(Lapic& apic) : apic_(apic) {}
    void set(bool level) override {
        if (level) apic_.init();
    }

 private:
    Lapic& apic_;
};

// The test device's end of the machine: the code stays until the CPU's loop has seen the wish.
class ExitCode final : public CharSink {
 public:
    explicit ExitCode(StopRequest& request) : request_(request) {}
    void put(u8 code) override {
        if (request_.stop() == Stop::None) code_ = code;
        request_.ask(Stop::Exit, "test device");
    }
    u8 code() const { return code_; }

 private:
    StopRequest& request_;
    u8 code_ = 0;
};

// Address line 20: while it is low, odd mebibytes show the even ones below them.
class A20Line final : public Line {
 public:
    A20Line(PhysicalMap& memory, MapListener& listener) : memory_(memory), listener_(listener) {}
    void set(bool open) override {
        memory_.a20_mask = open ? ~u64{0} : ~u64{1_MiB};
        listener_.map_changed(0, ~u64{0});
    }

 private:
    PhysicalMap& memory_;
    MapListener& listener_;
};

// The 8259 pair's INTR output. The pair is built before the local APIC that it leads to.
class ForwardLine final : public Line {
 public:
    void connect(Line& to) { to_ = &to; }
    void set(bool level) override {
        if (to_) to_->set(level);
    }

 private:
    Line* to_ = nullptr;
};

}  // namespace bmbt
