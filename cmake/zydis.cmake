# Zydis, the x86 decoder, built from Debian's source for both sides so that both decode alike. Only the decoder is built.
set(zydis_root ${BMBT_DEPS}/zydis)
if(NOT EXISTS ${zydis_root}/src/Decoder.c)
    message(FATAL_ERROR "the source of Zydis is missing: run tools/deps.sh zydis")
endif()
foreach(file Decoder DecoderData MetaInfo Mnemonic Register Segment SharedData Utils Zydis)
    list(APPEND zydis_sources ${zydis_root}/src/${file}.c)
endforeach()
add_library(zydis STATIC ${zydis_sources})
target_include_directories(zydis SYSTEM PUBLIC ${zydis_root}/include PRIVATE ${zydis_root}/src)
# Not ZYAN_NO_LIBC: it clears structures byte by byte, which takes most of the time of decoding. Of the library only memset,
# memcpy and memcmp are called, which the image has.
target_compile_definitions(zydis PUBLIC ZYDIS_STATIC_BUILD ZYCORE_STATIC_BUILD
    ZYDIS_DISABLE_FORMATTER ZYDIS_DISABLE_ENCODER)
target_compile_options(zydis PRIVATE -w -fno-sanitize=all -O2 -DNDEBUG)
