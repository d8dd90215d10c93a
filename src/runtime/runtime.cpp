#include "runtime/runtime.hpp"

#include <Zydis/Mnemonic.h>

#include <algorithm>

#include "cpu/flags.hpp"

namespace bmbt {

using namespace x86;

Runtime::Runtime(Vcpu& v, Board& board, HostCpu& host, PhysicalMap& memory, BlockStore& store, const CodeSide& kernel,
                 const CodeSide& user, u8* user_page, CharSink& messages, const RunOptions& options)
    : v_(v), board_(board), host_(host), memory_(memory), store_(store), sides_{kernel, user}, user_page_(user_page),
      messages_(messages), options_(options), debugger_(options.debugger) {
    // The x87 state moves to where user code finds it.
    if (auto* x87 = reinterpret_cast<fpu::X87*>(user_page_ + USER_PAGE_X87); v_.x87 != x87) {
        *x87 = vcpu_x87(v_);
        v_.x87 = x87;
    }
    write_shared_code(store_.region(false), false, host.has_lasx());
    write_shared_code(store_.region(true), true, host.has_lasx());
    spaces_.start(host_.asids());
    memory_.watch(this);
    if (debugger_) debugger_->attach(*this);
}

void Runtime::start() {
    v_.platform = this;
    v_.physical = &memory_;
    v_.walks = &walks_;
    v_.decodings = &decodings_;
    walks_.forget_all();
    v_.jump_cache = sides_[0].jump_cache_address;
    guest_slots_.reset();
    place_window(first_window_slot);
    ring_[0] = sides_[0].ring;
    side_ = false;
    reset_code();
    spaces_.reset();
    host_.invalidate_all();
    host_.set_asid(spaces_.asid());
    for (Fetch& f : fetch_) f = {};
    kernel_not_global_ = false;
    timer_ = ~u64{0};
    mode_ = mode_of_cpu();
    side_mode_[0] = side_mode_[1] = mode_;
    refill_tables_changed();
    dispatch();
}

// --- messages

namespace {

struct Text {
    char line[480];
    usize size = 0;
    Text& add(const char* s) {
        while (*s && size < sizeof line) line[size++] = *s++;
        return *this;
    }
    Text& hex(u64 v, unsigned digits = 0) {
        char d[16];
        unsigned n = 0;
        do d[n++] = "0123456789abcdef"[v & 15];
        while (v >>= 4);
        for (; digits > n; digits--) add("0");
        while (n) {
            char c[2] = {d[--n], 0};
            add(c);
        }
        return *this;
    }
};

}  // namespace

void Runtime::say(const char* text) {
    for (const char* p = "bmbt: "; *p; p++) messages_.put(static_cast<u8>(*p));
    for (; *text; text++) messages_.put(static_cast<u8>(*text));
    messages_.put('\r'), messages_.put('\n');
}

void Runtime::trace(TraceEvent, const char* text, u64 a, u64 b) {
    Text t;
    t.add(text).add(" ").hex(a).add(" ").hex(b);
    t.line[std::min(t.size, sizeof t.line - 1)] = 0;
    say(t.line);
}

void Runtime::trace_fault(const Fault& f) {
    Text t;
    t.add("fault vector ").hex(static_cast<u8>(f.vector)).add(" error ").hex(f.error).add(" address ").hex(f.address).add(" cs:rip ").hex(v_.seg[Cs].selector).add(":").hex(v_.rip);
    t.line[std::min(t.size, sizeof t.line - 1)] = 0;
    say(t.line);
}

void Runtime::trace_state() {
    Text t;
    t.add("exec ").hex(v_.seg[Cs].selector).add(":").hex(v_.rip);
    for (u64 r : v_.gpr) t.add(" ").hex(r);
    t.add(" f ").hex(rflags(v_));
    t.line[std::min(t.size, sizeof t.line - 1)] = 0;
    say(t.line);
}

void Runtime::report(const char* why) {
    auto line = [&](auto fill) {
        Text t;
        fill(t);
        t.line[std::min(t.size, sizeof t.line - 1)] = 0;
        say(t.line);
    };
    line([&](Text& t) { t.add("report: ").add(why); });
    static constexpr const char* names[] = {"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
                                            "r8 ", "r9 ", "r10", "r11", "r12", "r13", "r14", "r15"};
    for (unsigned n = 0; n < 16; n += 4)
        line([&](Text& t) {
            for (unsigned k = n; k < n + 4; k++) t.add(names[k]).add("=").hex(v_.gpr[k], 16).add(" ");
        });
    line([&](Text& t) { t.add("rip=").hex(v_.rip, 16).add(" rflags=").hex(rflags(v_)).add(" cpl=").hex(v_.cpl).add(" cs=").hex(v_.seg[Cs].selector).add(" base ").hex(v_.seg[Cs].base).add(" ss=").hex(v_.seg[Ss].selector).add(" base ").hex(v_.seg[Ss].base); });
    line([&](Text& t) { t.add("cr0=").hex(v_.paging.cr0).add(" cr2=").hex(v_.cr2).add(" cr3=").hex(v_.paging.cr3).add(" cr4=").hex(v_.paging.cr4).add(" efer=").hex(v_.paging.efer).add(" fs=").hex(v_.seg[Fs].base).add(" gs=").hex(v_.seg[Gs].base); });
    line([&](Text& t) {
        t.add("code:");
        for (unsigned n = 0; n < 16; n++) {
            u64 linear = v_.seg[Cs].base + v_.rip + n;
            if (!v_.code64()) linear &= 0xffff'ffff;
            auto at = peek_walk(memory_, v_.paging, linear);
            const u8* p = at ? memory_.pointer(at->gpa) : nullptr;
            t.add(" ");
            p ? t.hex(*p, 2) : t.add("--");
        }
    });
    u32 first = store_.blocks() > 8 ? store_.blocks() - 8 : 0;
    for (u32 id = first; id < store_.blocks(); id++)
        line([&](Text& t) {
            const BlockInfo& b = store_.block(id);
            t.add("block ").hex(id).add(" rip ").hex(b.key.rip).add(" gpa ").hex(b.key.gpa).add(" host ").hex(store_.address(b));
        });
}

}  // namespace bmbt
