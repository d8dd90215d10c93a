#!/bin/sh
# build.sh image|test: installs what is missing and builds the image, or the image and the tests. The log of a build is
# in build/image.log or build/dev.log; its end is shown when the build fails.
set -eu
. "$(dirname "$0")/common.sh"
tools=$(cd "$(dirname "$0")" && pwd -P)

# preset NAME [TARGET]: configures once and builds.
preset() {
    log=$root/build/$1.log
    cd "$root"
    # CMake refuses a build whose source has moved.
    if [ -e "build/$1/build.ninja" ] && ! grep -qxF "CMAKE_HOME_DIRECTORY:INTERNAL=$root" "build/$1/CMakeCache.txt"; then
        rm -rf "build/$1"
    fi
    if [ ! -e "build/$1/build.ninja" ]; then
        say "building in build/$1"
        if ! cmake --preset "$1" > "$log" 2>&1; then
            tail -n 30 "$log" >&2
            rm -rf "build/$1"
            die "configuring failed; the whole log is build/$1.log"
        fi
    fi
    if ! ninja -C "build/$1" ${2:-all} > "$log" 2>&1; then
        tail -n 30 "$log" >&2
        die "the build failed; the whole log is build/$1.log"
    fi
}

case $1 in
    image)
        "$tools/packages.sh" run
        "$tools/deps.sh" sysroot zydis
        preset image bmbt.elf
        ;;
    test)
        "$tools/packages.sh" test
        "$tools/deps.sh" sysroot zydis seabios busybox kernel kernel-cloud kernel-i386 busybox-i386 grub ovmf memtest
        preset image
        preset dev
        ;;
    *) die "usage: build.sh image|test" ;;
esac
