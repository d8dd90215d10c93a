// QEMU's fw_cfg as its guest (that is us): named files from the command line of QEMU. Not to be confused with the model
// that our own guest sees. Source: QEMU documentation, "QEMU Firmware Configuration (fw_cfg) Device".
#pragma once
#include <optional>
#include <string_view>

#include "base/types.hpp"

namespace bmbt::host {

class FwCfg {
 public:
    struct File {
        u16 selector = 0;
        u32 size = 0;
    };
    explicit FwCfg(u64 base) : base_(base) {}

    std::optional<File> find(std::string_view name) const;
    // Copies `size` bytes from the file's start; behind its end come zeros. `to` lies in the direct-mapped window.
    bool read(File, void* to, u32 size) const;

 private:
    u64 base_;
};

}  // namespace bmbt::host
