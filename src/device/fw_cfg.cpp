#include "device/fw_cfg.hpp"

#include <algorithm>
#include <bit>

namespace bmbt {

namespace {

constexpr std::array<u8, 4> signature{'Q', 'E', 'M', 'U'};
constexpr u64 dma_signature = 0x5145'4d55'2043'4647;  // "QEMU CFG"

u8 big_endian_byte(u32 value, usize at) { return static_cast<u8>(value >> (24 - 8 * at)); }

}  // namespace

FwCfg::FwCfg(GuestMemory& memory) : memory_(memory) {
    add_item(Signature, signature);
    add_number(Id, 3, 4);  // the plain interface and DMA
}

FwCfg::Item* FwCfg::add(u16 key, std::span<const u8> data) {
    for (usize i = 0; i < count_; i++)
        if (items_[i].key == key) {
            items_[i].data = data;
            return &items_[i];
        }
    if (count_ == capacity) return nullptr;
    Item& item = items_[count_++];
    item.key = key;
    item.data = data;
    return &item;
}

bool FwCfg::add_item(u16 key, std::span<const u8> data) { return add(key, data) != nullptr; }

bool FwCfg::add_number(u16 key, u64 value, unsigned size) {
    Item* item = add(key, {});
    if (!item || size > 8) return false;
    for (unsigned i = 0; i < size; i++) item->number[i] = static_cast<u8>(value >> 8 * i);
    item->data = std::span(item->number).first(size);
    return true;
}

FwCfg::Item* FwCfg::add_named(std::string_view name, std::span<const u8> data) {
    if (name.empty() || name.size() >= name_size) return nullptr;
    Item* item = add(static_cast<u16>(first_file + files_), data);
    if (!item) return nullptr;
    files_++;
    std::copy(name.begin(), name.end(), item->name.begin());
    return item;
}

bool FwCfg::add_file(std::string_view name, std::span<const u8> data) { return add_named(name, data) != nullptr; }

bool FwCfg::add_writable_file(std::string_view name, std::span<u8> data) {
    Item* item = add_named(name, data);
    if (item) item->writable = data.data();
    return item != nullptr;
}

void FwCfg::select(u16 key) {
    key_ = key;
    position_ = 0;
    selected_ = nullptr;
    for (usize i = 0; i < count_; i++)
        if (items_[i].key == key) selected_ = &items_[i];
}

usize FwCfg::size() const {
    if (key_ == FileDirectory) return 4 + files_ * directory_entry;
    return selected_ ? selected_->data.size() : 0;
}

// A big-endian count, then entries of size, key, two reserved bytes, and name.
u8 FwCfg::directory_byte(usize at) const {
    if (at < 4) return big_endian_byte(files_, at);
    const usize wanted = (at - 4) / directory_entry, within = (at - 4) % directory_entry;
    for (usize i = 0; i < count_; i++) {
        const Item& item = items_[i];
        if (!item.name[0] || item.key != first_file + wanted) continue;
        if (within < 4) return big_endian_byte(static_cast<u32>(item.data.size()), within);
        if (within < 6) return big_endian_byte(item.key, within - 2);
        return within < 8 ? 0 : static_cast<u8>(item.name[within - 8]);
    }
    return 0;
}

void FwCfg::copy(usize at, std::span<u8> to) const {
    for (usize done = 0; done < to.size(); done++) {
        if (at + done >= size()) {
            std::fill(to.begin() + static_cast<std::ptrdiff_t>(done), to.end(), u8{0});
            return;
        }
        to[done] = key_ == FileDirectory ? directory_byte(at + done) : selected_->data[at + done];
    }
}

u8 FwCfg::next() {
    if (position_ >= size()) return 0;
    u8 value = 0;
    copy(position_++, {&value, 1});
    return value;
}

u32 FwCfg::read(u16 offset, Width w) {
    u32 value = 0;
    for (unsigned i = 0; i < bytes(w); i++) {
        const unsigned at = offset + i;
        const u8 byte = at >= 4 && at < 12 ? static_cast<u8>(dma_signature >> (56 - 8 * (at - 4)))
                        : offset == 1      ? next()
                                           : 0xff;
        value |= u32{byte} << 8 * i;
    }
    return value;
}

void FwCfg::write(u16 offset, Width w, u32 value) {
    if (offset == 0 && w == Width::Word) select(static_cast<u16>(value));
    if (w != Width::Dword) return;
    if (offset == 4) dma_high_ = std::byteswap(value);
    if (offset == 8) {
        const u64 gpa = u64{dma_high_} << 32 | std::byteswap(value);
        dma_high_ = 0;
        dma(gpa);
    }
}

// The descriptor: control, length, address, all big-endian. Control ends as 0, or as the error bit.
void FwCfg::dma(u64 gpa) {
    struct {
        u32 control, length;
        u64 address;
    } request;
    if (!memory_.read(gpa, &request, sizeof request)) return;
    const bool good =
        dma_transfer(std::byteswap(request.control), std::byteswap(request.length), std::byteswap(request.address));
    const u32 result = std::byteswap(good ? 0u : 1u);
    memory_.write(gpa, &result, sizeof result);
}

bool FwCfg::dma_transfer(u32 control, u32 length, u64 gpa) {
    constexpr u32 read = 2, skip = 4, select_key = 8, write = 16;
    if (control & select_key) select(static_cast<u16>(control >> 16));
    const usize left = position_ < size() ? size() - position_ : 0;
    if (control & read) {
        const usize have = std::min<usize>(length, left);
        if (key_ != FileDirectory) {
            if (have && !memory_.write(gpa, selected_->data.data() + position_, have)) return false;
        } else {
            std::array<u8, directory_entry> piece;
            for (usize done = 0; done < have;) {
                const std::span<u8> part(piece.data(), std::min(piece.size(), have - done));
                copy(position_ + done, part);
                if (!memory_.write(gpa + done, part.data(), part.size())) return false;
                done += part.size();
            }
        }
        if (length > have && !memory_.fill(gpa + have, 0, length - have)) return false;
    } else if (control & write) {
        if (!selected_ || !selected_->writable || length > left) return false;
        if (!memory_.read(gpa, selected_->writable + position_, length)) return false;
    } else if (!(control & skip)) {
        return true;
    }
    position_ += std::min<usize>(length, left);
    return true;
}

}  // namespace bmbt
