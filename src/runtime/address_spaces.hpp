// Address-space identifiers of the host TLB for the guest's PCIDs, and the epochs of their instruction translations.
#pragma once
#include "base/types.hpp"

namespace bmbt {

class AddressSpaces {
 public:
    static constexpr unsigned contexts = 64;  // PCIDs kept apart; a further one takes the oldest's place

    void start(unsigned asids) {
        limit_ = asids;
        reset();
    }
    // Forgets every context: to be called with an invalidation of the whole TLB.
    void reset() {
        for (Context& c : contexts_) c = {};
        next_asid_ = 0;
        current_ = &contexts_[0];
        contexts_[0] = {.used = true, .pcid = 0, .asid = 0, .epoch = take_epoch()};
        next_asid_ = 1;
    }

    // Makes the PCID's context current. fresh: its translations are to be forgotten, so it gets a new ASID and epoch.
    // False: ASIDs ran out; the caller invalidates the TLB, calls reset() and selects again.
    bool select(u16 pcid, bool fresh) {
        Context* c = find(pcid);
        if (!c) {
            c = oldest();
            *c = {};
            fresh = true;
        }
        if (fresh || !c->used) {
            if (next_asid_ >= limit_) return false;
            *c = {.used = true, .pcid = pcid, .asid = static_cast<u16>(next_asid_++), .epoch = take_epoch()};
        }
        c->age = ++clock_;
        current_ = c;
        return true;
    }
    // The same for a context that is not current: it is forgotten, and takes a new ASID when it is next selected.
    void forget(u16 pcid) {
        if (Context* c = find(pcid); c && c != current_) *c = {};
    }
    bool is_current(u16 pcid) const { return current_->pcid == pcid; }
    // -1: the context is not known, so the TLB holds nothing of it.
    int asid_of(u16 pcid) {
        Context* c = find(pcid);
        return c ? c->asid : -1;
    }
    u16 asid() const { return current_->asid; }
    u16 epoch() const { return current_->epoch; }
    // Every context's instruction translations are to be forgotten. True: epochs were used up and began anew, so that
    // nothing tagged with an old one may be left.
    bool renew_epochs() {
        bool wrapped = false;
        for (Context& c : contexts_)
            if (c.used) {
                u16 before = epoch_counter_;
                c.epoch = take_epoch();
                wrapped |= c.epoch < before;
            }
        return wrapped;
    }
    bool epochs_low() const { return epoch_counter_ > 0xfe00; }
    void restart_epochs() {
        epoch_counter_ = 0;
        renew_epochs();
    }

 private:
    struct Context {
        bool used = false;
        u16 pcid = 0, asid = 0, epoch = 0;
        u64 age = 0;
    };
    Context* find(u16 pcid) {
        for (Context& c : contexts_)
            if (c.used && c.pcid == pcid) return &c;
        return nullptr;
    }
    Context* oldest() {
        Context* best = nullptr;
        for (Context& c : contexts_) {
            if (!c.used) return &c;
            if (&c != current_ && (!best || c.age < best->age)) best = &c;
        }
        return best;
    }
    u16 take_epoch() { return ++epoch_counter_; }

    Context contexts_[contexts];
    Context* current_ = &contexts_[0];
    unsigned next_asid_ = 0, limit_ = 1024;
    u16 epoch_counter_ = 0;
    u64 clock_ = 0;
};

}  // namespace bmbt
