// The code cache and what is known of every block in it. One region for each privilege class; both are emptied together
// when anything is full. All memory comes in spans at start: nothing is allocated later.
#pragma once
#include <span>

#include "cpu/semantics.hpp"
#include "memory/physical_map.hpp"
#include "translate/translator.hpp"

namespace bmbt {

// What makes two translations the same.
struct BlockKey {
    u64 gpa = 0;     // of the first byte
    u64 gpa2 = ~u64{0};  // of the second page, for the one instruction that crosses into it
    u64 rip = 0, cs_base = 0;
    u32 cs_limit = ~u32{0};  // all ones in 64-bit code, which has none
    Mode mode;
    friend bool operator==(const BlockKey&, const BlockKey&) = default;
};

constexpr u32 no_block = ~u32{0};
constexpr usize step_slot_words = 2048;

struct BlockInfo {
    BlockKey key;
    u32* code = nullptr;     // in the direct-mapped window
    u32 code_bytes = 0, main_bytes = 0;
    u32 snapshots = 0, exits = 0, insns = 0;  // indexes of the first in their tables
    u16 guest_bytes = 0;
    u8 snapshot_count = 0, exit_count = 0, insn_count = 0;
    u8 cpp_count = 0;        // instructions that C++ may run
    bool sets_if = false, valid = false;
    bool global = false;     // when it was last looked up, its pages were global: links to it outlive a change of CR3
    u32 hash_next = no_block;
    u32 frame_next[2] = {no_block, no_block};  // lists of the blocks of a frame, for gpa and gpa2
    u32 incoming = no_block;                   // exits linked to this block
};

// What has a way of its own before the general one; see system_call.cpp.
enum class Shortcut : u8 { None, Syscall, Sysret };
Shortcut shortcut_of(const Insn&);

// An instruction that C++ runs for a block, and the state it begins with: with all of its inline part done, or none.
struct CppInsn {
    Insn insn;
    Semantics run;
    u8 callout_snapshot, slow_snapshot;
    Shortcut shortcut;
};

struct ExitInfo {
    Exit exit;
    u32 owner;
    u32 linked = no_block;
    u32 next_incoming = no_block;
};

class BlockStore {
 public:
    struct Region {
        u32* begin = nullptr;
        u32* end = nullptr;
        u32* at = nullptr;      // where the next block goes
        u64 execute_delta = 0;  // added to a pointer gives the address the code runs at
        u32* first_block = nullptr;  // behind the shared code
        std::span<u32> order;   // ids in order of address
        u32 count = 0;
        SharedCode shared;
        std::span<u32> slot;    // where the rest of an interrupted instruction is copied to
    };
    struct Memory {
        std::span<BlockInfo> blocks;
        std::span<Snapshot> snapshots;
        std::span<ExitInfo> exits;
        std::span<CppInsn> insns;
        std::span<u32> hash;    // a power of two
        std::span<u32> frames;  // first block of each guest frame
        std::span<u32> order[2];
    };

    explicit BlockStore(const Memory& m) : m_(m) {}
    // region 0: kernel, 1: user.
    Region& region(bool user) { return regions_[user]; }
    void reset();  // forgets every block

    u32 find(const BlockKey&) const;
    BlockInfo& block(u32 id) { return m_.blocks[id]; }
    u32 blocks() const { return block_count_; }
    bool is_full(bool user) const;

    // Where the next block's code goes; its id is blocks().
    std::span<u32> room(bool user) { return {regions_[user].at, regions_[user].end}; }
    // Keeps a block that was generated into room(). It is not valid if it did not fit: then everything must be reset.
    u32 add(const BlockKey&, const Block&, const Source&, const Decoded&);

    // The block whose code contains the host address, or no_block.
    u32 at(u64 host_pc) const;
    const Snapshot& snapshot(const BlockInfo& b, unsigned n) const { return m_.snapshots[b.snapshots + n]; }
    ExitInfo& exit(const BlockInfo& b, unsigned n) { return m_.exits[b.exits + n]; }
    const CppInsn& insn(const BlockInfo& b, unsigned n) const { return m_.insns[b.insns + n]; }
    u64 address(const BlockInfo& b) const { return run_address(b.key.mode.user(), b.code); }
    u64 run_address(bool user, const u32* p) const { return reinterpret_cast<u64>(p) + regions_[user].execute_delta; }
    const u32* pointer(bool user, u64 pc) const { return reinterpret_cast<const u32*>(pc - regions_[user].execute_delta); }

    // Links exit n of a block to another block; undoes all links to a block, one exit's, or all that leave their page.
    void link(u32 from, unsigned n, u32 to, u16 epoch);
    void unlink_incoming(u32 id);
    void unlink(ExitInfo&);
    // Takes the block out of everything: it is never entered again.
    void remove(u32 id);
    u32 first_in_frame(u64 gpa) const { return gpa >> 12 < m_.frames.size() ? m_.frames[gpa >> 12] : no_block; }
    u32 next_in_frame(u32 id, u64 gpa) const {
        const BlockInfo& b = m_.blocks[id];
        return b.frame_next[b.key.gpa >> 12 != gpa >> 12];
    }
    u64 code_bytes() const;

 private:
    u32 slot(const BlockKey& k) const;
    void unlist(u32 id, u64 gpa, unsigned which);

    Memory m_;
    Region regions_[2];
    u32 block_count_ = 0, snapshot_count_ = 0, exit_count_ = 0, insn_count_ = 0;
};

// The x87 routines, called by blocks; part of the shared code.
void write_x87_code(la64::Assembler&, BlockStore::Region&, bool user);
// Writes the code that all blocks of a region share at its begin.
void write_shared_code(BlockStore::Region&, bool user, bool lasx);
void write_string_code(la64::Assembler&, SharedCode&, bool lasx);

}  // namespace bmbt
