#include "common/random_code.hpp"

namespace guest {
namespace {

// Instructions with a ModRM byte, and what follows it: 0, a byte, or as wide as the operand.
struct Row {
    u8 first, last;  // opcodes
    u8 immediate;    // 1: a byte; 4: operand's size, at most 4
};
constexpr Row with_modrm[] = {{0x00, 0x03, 0}, {0x08, 0x0b, 0}, {0x10, 0x13, 0}, {0x18, 0x1b, 0}, {0x20, 0x23, 0},
                              {0x28, 0x2b, 0}, {0x30, 0x33, 0}, {0x38, 0x3b, 0}, {0x63, 0x63, 0}, {0x69, 0x69, 4},
                              {0x6b, 0x6b, 1}, {0x80, 0x80, 1}, {0x81, 0x81, 4}, {0x83, 0x83, 1}, {0x84, 0x87, 0},
                              {0x88, 0x8b, 0}, {0x8c, 0x8d, 0}, {0x8f, 0x8f, 0}, {0xc0, 0xc1, 1}, {0xc6, 0xc6, 1},
                              {0xc7, 0xc7, 4}, {0xd0, 0xd3, 0}, {0xf6, 0xf6, 1}, {0xf7, 0xf7, 4}, {0xfe, 0xff, 0},
                              {0xd8, 0xdf, 0}, {0xd8, 0xdf, 0}, {0x62, 0x62, 0}, {0xc4, 0xc5, 0}};
constexpr Row plain[] = {{0x40, 0x4f, 0}, {0x50, 0x5f, 0}, {0x50, 0x5f, 0}, {0x90, 0x99, 0}, {0x9c, 0x9f, 0},
                         {0xa4, 0xaf, 0}, {0xa4, 0xaf, 0}, {0xa8, 0xa8, 1}, {0xa9, 0xa9, 4}, {0xb0, 0xb7, 1},
                         {0x04, 0x04, 1}, {0x2d, 0x2d, 4}, {0xc9, 0xc9, 0}, {0xd7, 0xd7, 0}, {0xf8, 0xfd, 0},
                         {0xf5, 0xf5, 0}, {0x27, 0x27, 0}, {0x2f, 0x2f, 0}, {0x37, 0x37, 0}, {0x3f, 0x3f, 0},
                         {0x60, 0x61, 0}, {0xd4, 0xd5, 1}, {0x68, 0x68, 4}, {0x6a, 0x6a, 1}, {0x06, 0x07, 0},
                         {0x16, 0x17, 0}, {0x1e, 0x1f, 0}, {0xce, 0xce, 0}};
// Behind 0F.
constexpr Row two_byte[] = {{0x40, 0x4f, 0}, {0x90, 0x9f, 0}, {0xa3, 0xa3, 0}, {0xab, 0xab, 0}, {0xb3, 0xb3, 0},
                            {0xbb, 0xbd, 0}, {0xa4, 0xa4, 1}, {0xa5, 0xa5, 0}, {0xac, 0xac, 1}, {0xad, 0xaf, 0},
                            {0xb0, 0xb1, 0}, {0xb6, 0xb8, 0}, {0xba, 0xba, 1}, {0xbe, 0xbf, 0}, {0xc0, 0xc1, 0},
                            {0xc7, 0xc7, 0}, {0xc8, 0xcf, 0}, {0x10, 0x17, 0}, {0x28, 0x2f, 0}, {0x50, 0x6f, 0},
                            {0x70, 0x73, 1}, {0x74, 0x76, 0}, {0x7c, 0x7f, 0}, {0xc2, 0xc2, 1}, {0xc4, 0xc6, 1},
                            {0xd0, 0xff, 0}, {0xd0, 0xff, 0}, {0x18, 0x1f, 0}, {0xae, 0xae, 0}, {0xb2, 0xb2, 0},
                            {0xb4, 0xb5, 0}};

// Reading clocks and ports, halting, and what would lead there.
bool left_out(u8 byte) {
    return (byte >= 0xe4 && byte <= 0xe7) || (byte >= 0xec && byte <= 0xef) || (byte >= 0x6c && byte <= 0x6f) ||
           byte == 0xf4 || (byte >= 0x30 && byte <= 0x33) || byte == 0xf9 || byte == 0xc7;
}

// CLD. Eight times 90h would be an absolute address in 64-bit code, of a place that guests are trusted not to touch.
constexpr u8 padding = 0xfc;

class Writer {
 public:
    Writer(Random& r, u8* at, const CodePlan& plan, unsigned left) : r_(r), at_(at), plan_(plan), left_(left) {}

    void slot() {
        contents();
        // What is left is run through or jumped over.
        if (r_.one_in(2) && size_ + 2 <= slot_size) {
            put(0xeb);
            put(static_cast<u8>(slot_size - size_ - 1));
        }
    }

 private:
    void contents() {
        switch (r_.below(16)) {
            case 0:
            case 1: bytes(1 + r_.below(7)); break;
            case 2:
            case 3: system(); break;
            case 4: branch(); break;
            case 5: rewrite(); break;
            case 6:
            case 7:
            case 8: media(); break;
            case 9:
            case 10: prefixes(), row(plain, sizeof plain / sizeof *plain, false); break;
            default: prefixes(), row(with_modrm, sizeof with_modrm / sizeof *with_modrm, true);
        }
        // Short ones may be followed by another.
        if (size_ < 6 && r_.one_in(3)) row(with_modrm, 24, true);
    }

    bool wide() const { return plan_.bits == 64; }
    void put(u8 byte) {
        if (size_ < slot_size) at_[size_++] = byte;
    }
    void put32(u64 value, unsigned bytes = 4) {
        for (unsigned n = 0; n < bytes; ++n) put(static_cast<u8>(value >> 8 * n));
    }
    void bytes(unsigned count) {
        for (unsigned n = 0; n < count; ++n) {
            u8 byte;
            do byte = static_cast<u8>(r_.next());
            while (left_out(byte));
            put(byte);
        }
    }
    void text(const char* bytes, unsigned size) {
        for (unsigned n = 0; n < size; ++n) put(static_cast<u8>(bytes[n]));
    }

    void prefixes() {
        static constexpr u8 all[] = {0x66, 0x66, 0x66, 0x67, 0xf0, 0xf2, 0xf3,
                                     0xf3, 0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65};
        while (r_.one_in(4)) {
            const u8 prefix = all[r_.below(sizeof all)];
            if (prefix == 0x66) operand_prefix_ = true;
            if (prefix == 0x67) address_prefix_ = true;
            put(prefix);
        }
        if (wide() && r_.one_in(2))
            put(static_cast<u8>(0x40 | (r_.one_in(2) ? 8 : 0) | (r_.one_in(3) ? r_.below(8) : 0)));
    }
    unsigned operand_bytes() const { return (plan_.bits == 16) != operand_prefix_ ? 2 : 4; }

    void modrm() {
        const unsigned mod = r_.below(4), reg = r_.below(8), rm = r_.below(8);
        const u8 byte = static_cast<u8>(mod << 6 | reg << 3 | rm);
        put(byte == 0xf9 ? 0xf8 : byte);  // of 0F 01 it is RDTSCP
        if (mod == 3) return;
        if ((plan_.bits == 16) != address_prefix_ && !wide()) {
            if (mod == 1 || (mod == 0 && rm == 6)) bytes(1);
            if (mod == 0 && rm == 6) put(static_cast<u8>(r_.below(plan_.data_size >> 8)));
            if (mod == 2) bytes(1), put(static_cast<u8>(r_.below(8)));
            return;
        }
        unsigned base = rm;
        if (rm == 4) {
            base = r_.below(8);
            put(static_cast<u8>(r_.below(4) << 6 | (r_.one_in(4) ? r_.below(8) : 4) << 3 | base));
        }
        if (mod == 1) bytes(1);
        if (mod == 2) put32(r_.one_in(8) ? r_.next() : r_.below(0x2000));
        if (mod == 0 && base == 5) put32(wide() && rm == 5 ? r_.below(0x2000) : plan_.data + r_.below(plan_.data_size));
    }

    void row(const Row* rows, unsigned count, bool has_modrm) {
        const Row& row = rows[r_.below(count)];
        const u8 opcode = static_cast<u8>(row.first + r_.below(row.last - row.first + 1u));
        if (opcode == 0xf9 || opcode == 0xf4) return put(0xf8);
        put(opcode);
        const bool bswap = rows == two_byte && (opcode & 0xf8) == 0xc8;
        if (has_modrm && !bswap) modrm();
        immediate(row.immediate);
    }
    void immediate(unsigned kind) {
        if (kind == 1) bytes(1);
        if (kind == 4) r_.one_in(2) ? put32(r_.below(0x100), operand_bytes()) : bytes(operand_bytes());
    }

    // 0F with its maps: integer, MMX and SSE.
    void media() {
        static constexpr u8 forms[] = {0x66, 0x66, 0xf2, 0xf3};
        if (!r_.one_in(3)) put(forms[r_.below(4)]);
        if (wide() && r_.one_in(2)) put(static_cast<u8>(0x40 | r_.below(16)));
        put(0x0f);
        const unsigned map = r_.below(8);
        if (map == 0) {
            put(0x38), put(static_cast<u8>(r_.below(0x42))), modrm();
        } else if (map == 1) {
            put(0x3a), put(static_cast<u8>(r_.below(0x24))), modrm(), bytes(1);
        } else {
            row(two_byte, sizeof two_byte / sizeof *two_byte, true);
        }
    }

    // Forward, to the begin of a slot that follows.
    void branch() {
        const unsigned distance = left_ > 1 ? 1 + r_.below(left_ < 4 ? left_ - 1 : 4) : 1;
        const u8 condition = static_cast<u8>(r_.below(16));
        const bool call = r_.one_in(4);
        put(call ? 0xe8 : r_.one_in(4) ? 0xeb : static_cast<u8>(0x70 | condition));
        const u32 to = distance * slot_size - size_ - (call ? (plan_.bits == 16 ? 2 : 4) : 1);
        if (call)
            put32(to, plan_.bits == 16 ? 2 : 4);
        else
            put(static_cast<u8>(to));
    }

    // A store into the code that follows, this slot's rest included.
    void rewrite() {
        const u32 ahead = r_.below(3 * slot_size);
        if (plan_.bits == 16 || plan_.bits == 32) {
            text("\xe8", 1), put32(0, plan_.bits / 8);  // CALL the next
            put(0x5b);                                  // POP BX
            text(plan_.bits == 16 ? "\x2e\xc6\x47" : "\x2e\xc6\x43", 3), put(ahead & 63),
                bytes(1);  // through CS it faults
            return;
        }
        if (r_.one_in(2))
            text("\xc6\x05", 2), put32(ahead), bytes(1);
        else
            text("\x89\x05", 2), put32(ahead);
    }

    void system() {
#define TEXT(bytes) text(bytes, sizeof bytes - 1)
        const u8 bit = static_cast<u8>(r_.below(32));
        switch (r_.below(20)) {
            case 0: TEXT("\x0f\x06"); break;                                           // CLTS
            case 1: put(0x0f), put(r_.below(2)), modrm(); break;                       // SLDT..VERW, SGDT..INVLPG
            case 2: put(0x0f), put(static_cast<u8>(2 + r_.below(2))), modrm(); break;  // LAR, LSL
            case 3:
                put(0x0f), put(0x20), put(static_cast<u8>(0xc0 | (r_.below(64) & ~8u)));
                break;  // MOV from CR but CR3, a pointer that would end the round
            case 4: put(0x0f), put(0x21), put(static_cast<u8>(0xc0 | r_.below(64))); break;  // MOV from DR
            case 5:  // a bit of CR0 that leaves paging and level alone
                TEXT("\x0f\x20\xc0\x0f\xba\xf8"), put((0x5002eu >> bit & 1) ? bit : 3), TEXT("\x0f\x22\xc0");
                break;
            case 6:
                TEXT("\x0f\x20\xe0\x0f\xba\xf8"), put((0x150f8cu >> bit & 1) ? bit : 9), TEXT("\x0f\x22\xe0");
                break;                                                  // of CR4
            case 7: TEXT("\x50\x0f\x20\xd8\x0f\x22\xd8\x58"); break;    // CR3 to itself
            case 8: TEXT("\x0f\xa2"); break;                            // CPUID
            case 9: put(0x0f), put(r_.one_in(2) ? 0x09 : 0x08); break;  // WBINVD, INVD
            case 10: put(static_cast<u8>(0xfa + r_.below(2))); break;   // CLI, STI
            case 11:
                put(0x68), put32(r_.next() & 0x2'5fd7, plan_.bits == 16 ? 2 : 4), put(0x9d);
                break;                                                             // PUSH, POPF: TF, NT, AC
            case 12: put(0xcd), bytes(1); break;                                   // INT n
            case 13: put(r_.one_in(2) ? 0xcc : 0xf1); break;                       // INT3, INT1
            case 14: put(0x8e), modrm(); break;                                    // MOV to a segment register
            case 15: put(r_.one_in(2) ? 0xcf : 0xcb); break;                       // IRET, far RET
            case 16: put(0xff), modrm(); break;                                    // far CALL and JMP among them
            case 17: wide() ? TEXT("\x0f\x01\xf8") : TEXT("\x0f\x01\xe0"); break;  // SWAPGS, SMSW
            case 18: put(0x0f), put(0x05 + 2 * r_.below(2)); break;                // SYSCALL, SYSRET
            default: msr(); break;
        }
#undef TEXT
    }

    void msr() {
        static constexpr u32 indexes[] = {0xc000'0100, 0xc000'0101, 0xc000'0102, 0xc000'0103, 0xc000'0081,
                                          0xc000'0082, 0xc000'0084, 0x174,       0x175,       0x176,
                                          0x277,       0x200,       0x2ff,       0x8c};
        if (plan_.bits == 16) put(0x66);
        put(0xb9), put32(indexes[r_.below(sizeof indexes / sizeof *indexes)]);
        if (r_.one_in(2)) text("\x31\xd2", 2);
        put(0x0f), put(r_.one_in(2) ? 0x30 : 0x32);
    }

    Random& r_;
    u8* at_;
    const CodePlan& plan_;
    unsigned left_, size_ = 0;
    bool operand_prefix_ = false, address_prefix_ = false;
};

}  // namespace

void random_slots(Random& r, u8* code, unsigned slots, const CodePlan& plan) {
    for (unsigned n = 0; n < slots * slot_size; ++n) code[n] = padding;
    for (unsigned n = 0; n < slots; ++n) Writer(r, code + n * slot_size, plan, slots - n).slot();
}

}  // namespace guest
