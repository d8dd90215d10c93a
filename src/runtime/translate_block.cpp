// From where the guest is to a block: the mode that code depends on, the fetch translation, look-up, translation.
#include <algorithm>

#include "cpu/breakpoints.hpp"
#include "cpu/linear.hpp"
#include "cpu/vcpu_offsets.inc"
#include "runtime/runtime.hpp"

namespace bmbt {

using namespace x86;

namespace {

// A data segment whose accesses need no check but (small) the 16-bit limit.
bool plain_data(const Segment& s) {
    u16 type = s.access & 15;
    return s.present() && access::s.of(s.access) && !(type & access::code) && (type & access::writable) && !(type & access::expand_down);
}

}  // namespace

Mode Runtime::mode_of_cpu() const {
    const Vcpu& v = v_;
    const u64 cr0 = v.paging.cr0, cr4 = v.paging.cr4;
    bool sse = !(cr0 & (cr0::em | cr0::ts)) && cr4 & cr4::osfxsr;
    constexpr u32 denormal_operand = 2;
    const bool inline_float = (v.mxcsr & 0xffc0) == 0x1f80;
    Mode m;
    m.raw = static_cast<u32>(Mode::cpl_(v.cpl) | Mode::sse_(sse) | Mode::mxcsr_default_(inline_float) |
                             Mode::denormals_(options_.exact_mxcsr && inline_float && !(v.mxcsr & denormal_operand)) |
                             Mode::single_step_(v.system_flags & flag::tf || breakpoints_enabled(v) || alignment_checked(v)) | Mode::tsc_(v.cpl == 0 || !(cr4 & cr4::tsd)) |
                             Mode::x87_(!(cr0 & (cr0::em | cr0::ts))));
    if (v.code64()) {
        constexpr u64 code64 = Mode::code_size_(static_cast<u64>(CodeSize::Bits64)) | Mode::stack_(3) | Mode::long_mode_(1) |
                               Mode::flat_(1 << Es | 1 << Cs | 1 << Ss | 1 << Ds) | Mode::plain_(1 << Fs | 1 << Gs) | Mode::protected_(1);
        m.raw |= static_cast<u32>(code64);
        return m;
    }
    bool real = !v.protected_mode() || v.v8086();
    CodeSize size = v.seg[Cs].big() ? CodeSize::Bits32 : CodeSize::Bits16;
    if (v.v8086()) size = CodeSize::Bits16;
    u32 flat = 0, plain = 0, small = 0;
    for (unsigned n = 0; n < 6; n++) {
        const Segment& s = v.seg[n];
        if (n == Cs) {
            if (s.base == 0) flat |= 1u << n;
            if (real && s.limit >= 0xffff) (s.limit == 0xffff ? small : plain) |= 1u << n;
            continue;
        }
        if (!real && !plain_data(s)) continue;
        if (s.limit == 0xffff'ffff) (s.base == 0 ? flat : plain) |= 1u << n;
        else if (s.limit == 0xffff) small |= 1u << n;
    }
    if (v.seg[Cs].limit != 0xffff'ffff) flat &= ~(1u << Cs);
    unsigned stack = v.seg[Ss].big() && !v.v8086() ? 2 : 1;
    m.raw |= static_cast<u32>(Mode::code_size_(static_cast<u64>(size)) | Mode::stack_(stack) | Mode::long_mode_(v.long_mode()) |
                              Mode::flat_(flat) | Mode::plain_(plain) | Mode::protected_(!real) | Mode::small_(small));
    return m;
}

// The block for v.rip. no_block: this instruction is for the interpreter.
u32 Runtime::find_or_translate() {
    u64 linear = code_base() + v_.rip;
    if (v_.code64() && !canonical(v_.rip)) return no_block;
    second_global_ = true;
    if (!v_.code64()) {
        if (v_.rip > v_.seg[Cs].limit) return no_block;
        linear &= 0xffff'ffff;
    }
    bool as_user = user();
    Fetch& f = fetch_[linear >> 12 & 63];
    if (f.page != linear >> 12 || f.user != as_user) {
        auto t = walk(memory_, v_.paging, linear, {.write = false, .fetch = true, .user = as_user});
        if (!t) return no_block;
        host_.large_pages().mark(linear, t->page_size);
        f = {.page = linear >> 12, .gpa = t->gpa & ~(page_size - 1) & memory_.a20_mask, .user = as_user,
             .global = t->global || !(v_.paging.cr0 & cr0::pg)};
    }
    BlockKey key{.gpa = f.gpa | (linear & (page_size - 1)), .gpa2 = ~u64{0}, .rip = v_.rip, .cs_base = code_base(), .cs_limit = code_limit(),
                 .mode = mode_};
    u32 id = store_.find(key);
    if (id == no_block) id = translate_here(key, linear);
    if (id != no_block) store_.block(id).global = f.global && second_global_;
    return id;
}

u32 Runtime::translate_here(BlockKey key, u64 linear) {
    const u8* page = memory_.pointer(key.gpa);
    if (!page) return no_block;
    u64 left = page_size - (linear & (page_size - 1));
    const u64 allowed = v_.code64() ? ~u64{0} : u64{v_.seg[Cs].limit} - v_.rip + 1;
    left = std::min(left, allowed);
    u64 here = left;
    if (debugger_) here = debugger_->bytes_before_breakpoint(linear, left);
    Source source{.bytes = {page, here}, .rip = key.rip, .cs_base = key.cs_base, .single = false};
    decode_block(source, mode_, decoded_);
    if (decoded_.count == 0) {
        // Not an instruction, or one that goes on in the next page.
        if (here != left || left >= 15 || left != page_size - (linear & (page_size - 1)) || left == allowed) return no_block;
        u64 next = linear + left;
        if (!v_.code64()) next &= 0xffff'ffff;
        else if (!canonical(next)) return no_block;
        auto t = walk(memory_, v_.paging, next, {.write = false, .fetch = true, .user = user()});
        if (!t) return no_block;
        host_.large_pages().mark(next, t->page_size);
        key.gpa2 = t->gpa & memory_.a20_mask;
        second_global_ = t->global || !(v_.paging.cr0 & cr0::pg);
        const u8* second = memory_.pointer(key.gpa2);
        if (!second) return no_block;
        // The key is whole only now.
        if (u32 id = store_.find(key); id != no_block) return id;
        std::copy_n(page, left, crossing_);
        std::copy_n(second, sizeof crossing_ - left, crossing_ + left);
        source.bytes = {crossing_, std::min<u64>(sizeof crossing_, allowed)};
        source.single = true;
        decode_block(source, mode_, decoded_);
        if (decoded_.count == 0 || decoded_.length <= left) return no_block;
    }
    bool as_user = key.mode.user();
    if (store_.is_full(as_user)) reset_code();
    protect_frame(key.gpa);
    if (key.gpa2 != ~u64{0}) protect_frame(key.gpa2);
    u32 id = store_.blocks();
    // What does not fit the builder's tables is made again with half the instructions, at last by the interpreter.
    for (; !build(key, source, id); decoded_.count /= 2)
        if (decoded_.count == 1) return no_block;
    host_.code_written();
    u16& count = code_pages_[linear >> 12 & 4095];
    if (count != 0xffff) count++;
    if (key.gpa2 != ~u64{0})
        if (u16& second = code_pages_[(linear >> 12) + 1 & 4095]; second != 0xffff) second++;
    stats_.blocks++;
    stats_.guest_bytes += store_.block(id).guest_bytes;
    stats_.host_bytes += store_.block(id).code_bytes;
    if (options_.trace.has(TraceEvent::Block)) trace(TraceEvent::Block, "block.made rip host", key.rip, store_.address(store_.block(id)));
    return id;
}

bool Runtime::build(const BlockKey& key, const Source& source, u32 id) {
    bool as_user = key.mode.user();
    la64::Assembler as(store_.room(as_user));
    // The builder is large; there is one, and it is the vCPU's.
    Block& b = *new (builder_) Block(as, store_.region(as_user).shared, mode_, key.rip, key.cs_base, id);
    b.expect_x87(vcpu_x87(v_).top(), vcpu_x87(v_).tag);
    generate(b, source, decoded_);
    if (b.failed()) return false;
    store_.add(key, b, source, decoded_);
    return true;
}

// From now on no TLB entry lets code write to the frame unseen.
void Runtime::protect_frame(u64 gpa) {
    if (gpa >> 12 >= memory_.frames()) return;
    Frame& f = memory_.frame_ref(gpa);
    if (f.holds_code()) return;
    f.raw |= Frame::holds_code_.mask();
    bool large = host_.split_large(gpa);
    if (large || Frame::maybe_writable_.of(f.raw)) {
        host_.invalidate_all();
        stats_.tlb_all_flushes++;
        f.raw &= ~Frame::maybe_writable_.mask();
    }
}

void Runtime::reset_code() {
    stats_.code_flushes++;
    for (u32 id = 0; id < store_.blocks(); id++) {
        const BlockKey& k = store_.block(id).key;
        for (u64 gpa : {k.gpa, k.gpa2})
            if (gpa >> 12 < memory_.frames()) memory_.frame_ref(gpa).raw &= ~Frame::holds_code_.mask();
    }
    store_.reset();
    std::fill(std::begin(code_pages_), std::end(code_pages_), 0);
    for (CodeSide& s : sides_) clear_jump_cache(s), clear_ring(s);
    cross_link_count_ = 0;
    step_.active = false;
    flushed_code_ = must_dispatch_ = true;
}

// The host register of the return ring belongs to this side from now on.
void Runtime::use_side(bool as_user) {
    if (side_ == as_user) return;
    ring_[side_] = v_.host.temp[8];
    v_.host.temp[8] = ring_[as_user];
    side_ = as_user;
}

// What user code reads of the Vcpu it reads in its own page.
void Runtime::sync_user_page() {
    auto* page = reinterpret_cast<u64*>(user_page_);
    for (unsigned n = mode_.code64() ? Fs : Es; n <= Gs; n++) page[VCPU_SEG_BASE / 8 + n] = v_.seg_base[n];
    page[VCPU_JUMP_CACHE / 8] = sides_[1].jump_cache_address;
    page[VCPU_LINK_EPOCH / 8] = u64{spaces_.epoch()} << 12;
    page[VCPU_EPOCH / 8] = u64{spaces_.epoch()} << epoch_shift;
    page[VCPU_DIRECTION / 8] = v_.direction;
    page[VCPU_COUNTER_START / 8] = v_.counter_start;
    page[VCPU_COUNTER_MULTIPLIER / 8] = v_.counter_multiplier;
    page[VCPU_TSC_OFFSET / 8] = v_.tsc_offset;
    page[VCPU_TSC_AUX / 8] = v_.tsc_aux;
    // The selectors, which share a doubleword with what user code does not read.
    for (unsigned n = 0; n < 6; n++) __builtin_memcpy(&page[(VCPU_SEGMENTS + n * sizeof(Segment)) / 8], &v_.seg[n], 8);
}

// Sets v.host up to run the code at a host address. Everything of the guest's is in v.
void Runtime::enter_at(u64 address, bool as_user) {
    step_.active = false;
    v_.host.pc = address;
    v_.host.prmd = as_user ? 7 : 4;
    v_.segment_base = v_.seg_base[as_user ? Fs : Gs];
    use_side(as_user);
    if (as_user) sync_user_page();
}

void Runtime::enter(u32 id) {
    const BlockInfo& b = store_.block(id);
    enter_at(store_.address(b), b.key.mode.user());
}

}  // namespace bmbt
