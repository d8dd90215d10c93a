// QEMU's firmware configuration device, through which SeaBIOS, OVMF and guests learn about the machine ("QEMU Firmware
// Configuration (fw_cfg) Device" in QEMU's documentation).
#pragma once
#include <array>
#include <span>
#include <string_view>

#include "host/line.hpp"

namespace bmbt {

// Ports 510h-51bh: offset 0 selector, 1 data, 4 and 8 the halves of the DMA address.
class FwCfg final : public Port {
 public:
    enum Key : u16 {
        Signature = 0x00,
        Id = 0x01,
        Uuid = 0x02,
        RamSize = 0x03,
        NbCpus = 0x05,
        BootMenu = 0x0e,
        MaxCpus = 0x0f,
        FileDirectory = 0x19
    };
    static constexpr usize capacity = 64;  // items and files together
    static constexpr usize name_size = 56;

    explicit FwCfg(GuestMemory& memory);
    FwCfg(const FwCfg&) = delete;
    FwCfg& operator=(const FwCfg&) = delete;

    // The data must outlive the device. False: the table is full or the name too long.
    bool add_item(u16 key, std::span<const u8> data);
    bool add_number(u16 key, u64 value, unsigned size);  // little-endian, size 2, 4 or 8
    bool add_file(std::string_view name, std::span<const u8> data);
    bool add_writable_file(std::string_view name, std::span<u8> data);  // firmware writes its answers there, by DMA

    u32 read(u16 offset, Width w) override;
    void write(u16 offset, Width w, u32 value) override;

 private:
    static constexpr u16 first_file = 0x20, no_key = 0xffff;
    static constexpr usize directory_entry = 64;
    struct Item {
        u16 key = no_key;
        std::span<const u8> data;
        u8* writable = nullptr;
        std::array<u8, 8> number{};
        std::array<char, name_size> name{};  // empty: not a file
    };

    Item* add(u16 key, std::span<const u8> data);
    Item* add_named(std::string_view name, std::span<const u8> data);
    void select(u16 key);
    usize size() const;                           // of the selected item
    void copy(usize at, std::span<u8> to) const;  // zeros beyond its end
    u8 directory_byte(usize at) const;
    u8 next();
    void dma(u64 gpa);
    bool dma_transfer(u32 control, u32 length, u64 gpa);

    GuestMemory& memory_;
    std::array<Item, capacity> items_{};
    usize count_ = 0;
    u32 files_ = 0;
    const Item* selected_ = nullptr;
    u16 key_ = no_key;
    usize position_ = 0;
    u32 dma_high_ = 0;
};

}  // namespace bmbt
