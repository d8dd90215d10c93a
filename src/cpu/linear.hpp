// Guest memory from C++: by linear address through the guest's page tables, and by segment and offset.
#pragma once
#include "cpu/vcpu.hpp"
#include "x86/fault.hpp"

namespace bmbt {

// Who makes an access, as paging sees it. Descriptor tables and the TSS are read as Supervisor whatever CPL is.
enum class As : u8 { Current, Supervisor, User };

inline bool is_user(const Vcpu& v, As as) { return as == As::User || (as == As::Current && v.cpl == 3); }

// The part of an access that lies in one page. host is null where the access goes to the bus (devices, ROM writes).
struct Span {
    u8* host = nullptr;
    u64 gpa = 0;
    u64 size = 0;
};

// A translated stretch of guest memory, at most a page long: no access to it can fault any more.
struct Stretch {
    Span part[2];

    void load(Vcpu&, void* to) const;
    void store(Vcpu&, const void* from) const;
    u64 load(Vcpu& v) const {
        u64 value = 0;
        load(v, &value);
        return value;
    }
    u64 size() const { return part[0].size + part[1].size; }
    // One piece of RAM that may be used in place, or null.
    u8* whole() const { return part[1].size ? nullptr : part[0].host; }
};

// Hears of data accesses to guest memory, once they can fault no more.
class AccessWatch {
 public:
    // accessed() does something for the range: it must come with what is accessed and no more.
    virtual bool watches(u64 linear, u64 size) const = 0;
    virtual void accessed(u64 linear, u64 size, bool write) = 0;

 protected:
    ~AccessWatch() = default;
};

// Translates [linear, linear + size), 1 <= size <= 4096, and sets A and D. Both pages are checked before either is
// used.
x86::Guest<Stretch> translate(Vcpu&, u64 linear, u64 size, Access);
inline x86::Guest<Stretch> translate(Vcpu& v, u64 linear, u64 size, bool write, As as = As::Current) {
    return translate(v, linear, size, Access{.write = write, .fetch = false, .user = is_user(v, as)});
}
// For writing what the instruction also reads: who watches hears of both.
x86::Guest<Stretch> translate_to_modify(Vcpu&, u64 linear, u64 size);

x86::Guest<u64> read(Vcpu&, u64 linear, Width, As = As::Current);
x86::Guest<> write(Vcpu&, u64 linear, Width, u64 value, As = As::Current);
// Any size up to a page.
x86::Guest<> read(Vcpu&, u64 linear, void* to, u64 size, As = As::Current);
x86::Guest<> write(Vcpu&, u64 linear, const void* from, u64 size, As = As::Current);

constexpr bool canonical(u64 linear) { return sign_extend(linear, 48) == static_cast<i64>(linear); }

// The linear address of [offset, offset + size) in a segment after the limit, type and canonical checks of the current
// mode. #SS(0) for SS, #GP(0) for the others. `offset` is already modulo the address size.
x86::Guest<u64> linear_address(Vcpu&, x86::Seg, u64 offset, u64 size, bool write);
// The same in a segment that is not loaded (a stack being switched to); `seg` chooses #SS or #GP.
x86::Guest<u64> linear_address(Vcpu&, const x86::Segment&, x86::Seg seg, u64 offset, u64 size, bool write);

// Programs may ask for #AC. Intel SDM vol. 3, "Alignment Check Exception (#AC)".
inline bool alignment_checked(const Vcpu& v) {
    return v.cpl == 3 && v.system_flags & x86::flag::ac && v.paging.cr0 & x86::cr0::am;
}
x86::Guest<> check_aligned(const Vcpu&, u64 linear, u64 size);

}  // namespace bmbt
