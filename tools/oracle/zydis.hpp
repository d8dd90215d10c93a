// Zydis' own view of an instruction, where the guest's (x86/insn.hpp) does not tell enough: its flags, its extension, and every
// extension that gives older encodings a new meaning.
#pragma once
#include <Zydis/Zydis.h>

#include "x86/insn.hpp"

namespace bmbt::oracle {

// False: Zydis knows no such instruction.
inline bool zydis_decode(x86::CodeSize mode, const u8* bytes, usize size, ZydisDecodedInstruction& out) {
    using x86::CodeSize;
    ZydisDecoder decoder;
    ZydisDecoderInit(&decoder,
                     mode == CodeSize::Bits64   ? ZYDIS_MACHINE_MODE_LONG_64
                     : mode == CodeSize::Bits32 ? ZYDIS_MACHINE_MODE_LEGACY_32
                                                : ZYDIS_MACHINE_MODE_LEGACY_16,
                     mode == CodeSize::Bits64   ? ZYDIS_STACK_WIDTH_64
                     : mode == CodeSize::Bits32 ? ZYDIS_STACK_WIDTH_32
                                                : ZYDIS_STACK_WIDTH_16);
    out = {};
    return ZYAN_SUCCESS(ZydisDecoderDecodeInstruction(&decoder, nullptr, bytes, size, &out));
}

}  // namespace bmbt::oracle
