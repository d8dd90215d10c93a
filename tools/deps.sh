#!/bin/sh
# deps.sh PART...: brings what the build and the guests need into build/deps, each part only when it is missing.
# Everything is Debian's and unpacked there; nothing is installed on the system.
#   sysroot      C++ headers and libgcc for LoongArch
#   libc         static C library for LoongArch Linux
#   zydis        source of the x86 decoder
#   zlib         source of the compression library, for the benchmarks
#   seabios      build/deps/seabios/bios-256k.bin
#   busybox      build/deps/busybox/busybox, static amd64
#   kernel       build/deps/kernel/{vmlinuz,config}, Debian's linux-image-amd64
#   kernel-cloud the same for linux-image-cloud-amd64, in build/deps/kernel-cloud
#   kernel-i386  the same for linux-image-686-pae, in build/deps/kernel-i386
#   busybox-i386 busybox, static i386
#   grub         build/deps/grub/{bin,lib,modules}: what makes GRUB images, a library it needs, modules for PCs and coreboot
#   memtest      build/deps/memtest/memtest86+{x64,ia32}.bin
#   ovmf         build/deps/ovmf/OVMF.fd, UEFI with its variables in one image
#   installer-amd64, installer-i386
#                build/deps/installer-*/{linux,initrd.gz}, the Debian installer for text terminals
#   qemu-plugin  qemu-plugin.h, for the instruction counter
#   apt-amd64, apt-i386
#                only the package lists of Debian 12, in build/deps/apt/bookworm-*
set -eu
. "$(dirname "$0")/common.sh"
tools=$(cd "$(dirname "$0")" && pwd -P)

# apt_root SUITE [ARCH]: sets $conf to a private apt configuration of that suite. It holds absolute names, so it is made
# anew when the tree has moved.
apt_root() {
    private=$deps/apt/$1-${2:-amd64}
    conf=$private/apt.conf
    if [ "$(cat "$private/ready" 2>/dev/null)" != "$private" ]; then
        say "reading the package lists of Debian $1"
        "$tools/private-apt.sh" "$private" "${2:-amd64}" "$1"
        echo "$private" > "$private/ready"
    fi
}

# unpack PACKAGE...: downloads packages of the current apt root and unpacks them into $work/root.
unpack() {
    say "downloading $*"
    (cd "$work" && apt-get -c "$conf" -q download "$@" > "$work/log" 2>&1) || { cat "$work/log" >&2; die "downloading $* failed"; }
    mkdir -p "$work/root"
    for package in "$work"/*.deb; do dpkg-deb -x "$package" "$work/root"; done
    rm -f "$work"/*.deb
}

# source_of PACKAGE: downloads the original tarball of a source package and unpacks it into $work/source. Some archives
# deliver the tarball without the description, which is enough here.
source_of() {
    say "downloading the source of $1"
    (cd "$work" && apt-get -c "$conf" -q --download-only source "$1" > "$work/log" 2>&1) || true
    tarball=$(ls "$work"/*.orig.tar.* 2>/dev/null | grep -v '\.asc$' | head -n 1)
    [ -n "$tarball" ] || { cat "$work/log" >&2; die "downloading the source of $1 failed"; }
    mkdir -p "$work/source"
}

# Each part is made in $work and moved into place when it is whole.
sysroot() {
    apt_root trixie
    unpack libstdc++-14-dev-loong64-cross libc6-dev-loong64-cross linux-libc-dev-loong64-cross libgcc-14-dev-loong64-cross
    mkdir "$work/out"
    mv "$work/root/usr/loongarch64-linux-gnu/include" "$work/out/include"
    mkdir "$work/out/lib"
    mv "$work/root"/usr/lib/gcc-cross/loongarch64-linux-gnu/14/libgcc.a "$work/out/lib/"
}

libc() {
    apt_root trixie
    unpack libc6-dev-loong64-cross libgcc-14-dev-loong64-cross
    mkdir "$work/out"
    mv "$work"/root/usr/loongarch64-linux-gnu/lib/*.[ao] "$work"/root/usr/lib/gcc-cross/loongarch64-linux-gnu/14/*.[ao] "$work/out/"
}

# The source is Debian 12's; its Zycore does not know LoongArch, so the headers are those of Debian 13.
zydis() {
    apt_root bookworm
    source_of zydis=4.0.0-1
    tar -xf "$tarball" -C "$work/source" --strip-components=1
    apt_root trixie
    unpack libzycore-dev
    mkdir -p "$work/out/include"
    mv "$work/source/src" "$work/source/include" "$work/out/"
    mv "$work/root/usr/include/Zycore" "$work/out/include/"
}

zlib() {
    apt_root bookworm
    source_of zlib
    mkdir "$work/out"
    tar -xf "$tarball" -C "$work/out" --strip-components=1
}

seabios() {
    apt_root bookworm
    unpack seabios
    mkdir "$work/out"
    mv "$work/root/usr/share/seabios/bios-256k.bin" "$work/out/"
}

# busybox ARCH
busybox() {
    apt_root bookworm "$1"
    unpack busybox-static
    mkdir "$work/out"
    mv "$work/root/bin/busybox" "$work/out/"
}

grub() {
    apt_root bookworm
    unpack grub-common grub-pc-bin grub-coreboot-bin libdevmapper1.02.1
    mkdir "$work/out" "$work/out/modules"
    mv "$work/root/usr/bin" "$work/out/bin"
    mv "$work/root/lib/x86_64-linux-gnu" "$work/out/lib"
    mv "$work/root"/usr/lib/grub/i386-* "$work/out/modules/"
}

memtest() {
    apt_root bookworm
    unpack memtest86+
    mkdir "$work/out"
    mv "$work/root"/boot/memtest86+*.bin "$work/out/"
}

ovmf() {
    apt_root bookworm
    unpack ovmf
    mkdir "$work/out"
    mv "$work/root/usr/share/ovmf/OVMF.fd" "$work/out/"
}

# installer ARCH. Its packages are for every architecture, so any root has them.
installer() {
    apt_root bookworm
    unpack "debian-installer-12-netboot-$1"
    mkdir "$work/out"
    mv "$work/root/usr/lib/debian-installer/images/12/$1/text/debian-installer/$1/linux" \
        "$work/root/usr/lib/debian-installer/images/12/$1/text/debian-installer/$1/initrd.gz" "$work/out/"
}

# linux METAPACKAGE SUITE ARCH
linux() {
    apt_root "$2" "$3"
    image=$(apt-cache -c "$conf" depends "$1" | sed -n 's/^ *Depends: \(linux-image-[0-9][^ ]*\).*/\1/p' | head -n 1)
    [ -n "$image" ] || die "$1 depends on no kernel image"
    unpack "$image"
    mkdir "$work/out"
    mv "$work/root"/boot/vmlinuz-* "$work/out/vmlinuz"
    mv "$work/root"/boot/config-* "$work/out/config"
}

qemu_plugin() {
    apt_root trixie
    source_of qemu
    header=$(tar -tf "$tarball" | grep 'include/qemu/qemu-plugin\.h$')
    mkdir "$work/out"
    tar -xOf "$tarball" "$header" > "$work/out/qemu-plugin.h"
}

# part NAME COMMAND...: makes build/deps/NAME by COMMAND, unless it is there.
part() {
    [ ! -d "$deps/$1" ] || return 0
    name=$1
    shift
    work=$deps/work-$name
    rm -rf "$work"
    mkdir -p "$work"
    "$@"
    mv "$work/out" "$deps/$name"
    rm -rf "$work"
}

for wanted; do
    case $wanted in
        sysroot | libc | zydis | zlib | seabios | grub | memtest | ovmf) part "$wanted" "$wanted" ;;
        busybox) part busybox busybox amd64 ;;
        busybox-i386) part busybox-i386 busybox i386 ;;
        installer-*) part "$wanted" installer "${wanted#installer-}" ;;
        kernel) part kernel linux linux-image-amd64 bookworm amd64 ;;
        kernel-cloud) part kernel-cloud linux linux-image-cloud-amd64 bookworm amd64 ;;
        kernel-i386) part kernel-i386 linux linux-image-686-pae bookworm i386 ;;
        qemu-plugin) part qemu-plugin qemu_plugin ;;
        apt-*) apt_root bookworm "${wanted#apt-}" ;;
        *) die "deps.sh: no such part: $wanted" ;;
    esac
done
