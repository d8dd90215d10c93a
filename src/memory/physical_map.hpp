// The guest's physical address space: the frame table, eight bytes for each 4 KiB frame.
#pragma once
#include "base/bits.hpp"
#include "base/types.hpp"
#include "host/line.hpp"

namespace bmbt {

constexpr u64 page_size = 4096;

// What stands behind a guest frame.
enum class FrameKind : u8 { Absent = 0, Ram = 1, Rom = 2, Device = 3 };

// One frame-table entry. The TLB refill handler reads it too: kind and flags in the low bits, host frame in place.
struct Frame {
    u64 raw = 0;
    static constexpr Field kind_{0, 2};
    static constexpr Bit holds_code_{2};     // a translation was made from bytes of this frame: fill it with D = 0
    static constexpr Bit maybe_writable_{3}; // a TLB entry with D = 1 may exist for it
    static constexpr Bit self_checking_{4};  // rewritten often: its blocks check their own source, it is not protected
    static constexpr Field host_{12, 36};    // host physical frame number, in place

    FrameKind kind() const { return static_cast<FrameKind>(kind_.of(raw)); }
    u64 host() const { return raw & host_.mask(); }  // host-physical address of the frame
    bool ram() const { return kind() == FrameKind::Ram; }
    bool holds_code() const { return holds_code_.of(raw); }
};

// Guest physical to host memory. Everything above size() is Absent (an access goes to the bus).
class PhysicalMap final : public GuestMemory {
 public:
    // `table` has room for `frames` entries; `window` is added to a host-physical address to get a pointer.
    PhysicalMap(Frame* table, u64 frames, u64 window) : table_(table), frames_(frames), window_(window) {}

    void map(u64 gpa, u64 size, FrameKind kind, u64 hpa);  // all page aligned
    u64 frames() const { return frames_; }
    Frame* table() const { return table_; }

    // gpa beyond the table is Absent.
    Frame frame(u64 gpa) const { return gpa >> 12 < frames_ ? table_[gpa >> 12] : Frame{}; }
    Frame& frame_ref(u64 gpa) { return table_[gpa >> 12]; }  // gpa must be inside the table

    // Host pointer to the byte at gpa if it is RAM or ROM, null otherwise; valid up to the end of its page.
    u8* pointer(u64 gpa) const {
        Frame f = frame(gpa);
        if (f.kind() != FrameKind::Ram && f.kind() != FrameKind::Rom) return nullptr;
        return reinterpret_cast<u8*>(window_ + f.host() + (gpa & (page_size - 1)));
    }
    // The same, only if RAM that may be written.
    u8* ram(u64 gpa) const { return frame(gpa).ram() ? pointer(gpa) : nullptr; }
    u64 window() const { return window_; }

    // Called before bytes of a frame that holds code change behind the guest's back or under its hands.
    class CodeWatcher {
     public:
        virtual void code_written(u64 gpa, u64 size) = 0;

     protected:
        ~CodeWatcher() = default;
    };
    void watch(CodeWatcher* w) { watcher_ = w; }
    void note_write(u64 gpa, u64 size) {
        if (frame(gpa).holds_code() && watcher_) watcher_->code_written(gpa, size);
    }

    bool read(u64 gpa, void* to, u64 size) override;
    bool write(u64 gpa, const void* from, u64 size) override;
    bool fill(u64 gpa, u8 byte, u64 size) override;

    u64 a20_mask = ~u64{0};  // ~(1 << 20) while A20 is off; applied to every guest-physical address

 private:
    Frame* table_;
    u64 frames_;
    u64 window_;
    CodeWatcher* watcher_ = nullptr;
};

}  // namespace bmbt
