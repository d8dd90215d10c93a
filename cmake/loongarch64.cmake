# Toolchain of the image: clang for bare LoongArch with the C++ headers and libgcc of Debian's cross packages.
set(CMAKE_SYSTEM_NAME Generic)
set(CMAKE_SYSTEM_PROCESSOR loongarch64)
set(CMAKE_C_COMPILER clang-19)
set(CMAKE_CXX_COMPILER clang++-19)
set(CMAKE_ASM_COMPILER clang-19)
set(CMAKE_AR llvm-ar-19)
set(CMAKE_RANLIB llvm-ranlib-19)
set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)
set(CMAKE_TRY_COMPILE_PLATFORM_VARIABLES BMBT_DEPS)

if(NOT BMBT_DEPS)
    set(BMBT_DEPS ${CMAKE_CURRENT_LIST_DIR}/../build/deps)
endif()
get_filename_component(BMBT_DEPS ${BMBT_DEPS} ABSOLUTE)
set(sysroot ${BMBT_DEPS}/sysroot)
if(NOT EXISTS ${sysroot}/lib/libgcc.a)
    message(FATAL_ERROR "the LoongArch C++ headers are missing: run tools/deps.sh sysroot")
endif()

# No LSX: guest vectors stay in those registers while the image's own code runs. -nostdlibinc keeps the build
# machine's /usr/include out; -ffreestanding is left out because libstdc++ then refuses <charconv>, <format> and others.
string(JOIN " " machine
    --target=loongarch64-unknown-none -march=loongarch64 -mabi=lp64d -mno-lsx -mcmodel=medium -fno-pic
    -fno-stack-protector -fno-omit-frame-pointer -fno-asynchronous-unwind-tables -ffunction-sections -fdata-sections
    -nostdlibinc -D_GNU_SOURCE)
set(c_headers "-isystem ${sysroot}/include")
set(cxx_headers "-nostdinc++ -isystem ${sysroot}/include/c++/14 -isystem ${sysroot}/include/c++/14/loongarch64-linux-gnu")
set(CMAKE_ASM_FLAGS_INIT "${machine} ${c_headers}")
set(CMAKE_C_FLAGS_INIT "${machine} ${c_headers}")
set(CMAKE_CXX_FLAGS_INIT "${machine} -fno-exceptions -fno-rtti -fno-threadsafe-statics ${cxx_headers} ${c_headers}")

# The linker is called directly: clang's driver for this target knows no bare-metal link.
set(CMAKE_CXX_LINK_EXECUTABLE "ld.lld-19 <LINK_FLAGS> <OBJECTS> --start-group <LINK_LIBRARIES> ${sysroot}/lib/libgcc.a --end-group -o <TARGET>")
