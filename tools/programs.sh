#!/bin/sh
# programs.sh amd64|i386: a file system of Debian 12's programs in build/guest/programs-ARCH, and as an archive to put before an
# initramfs of initramfs.sh in build/guest/programs-ARCH.cpio. amd64: python3 with its test suite, perl, openssl, sqlite3
# and gcc; i386: python3 and perl.
# The packages are only unpacked: nothing of them is installed or run here.
set -eu
. "$(dirname "$0")/common.sh"
tools=$(cd "$(dirname "$0")" && pwd -P)
guest=$root/build/guest
arch=${1:?usage: programs.sh amd64|i386}
case $arch in
    amd64) packages="python3 libpython3.11-testsuite perl openssl sqlite3 gcc libc6-dev dash libc-bin coreutils" ;;
    i386) packages="python3 perl dash libc-bin" ;;
    *) die "programs.sh: no such architecture: $arch" ;;
esac

[ ! -e "$guest/programs-$arch.cpio" ] || exit 0
conf=$deps/apt/bookworm-$arch/apt.conf
"$tools/deps.sh" "apt-$arch"
say "downloading $packages"
work=$guest/programs-work-$arch
rm -rf "$work"
mkdir -p "$work/archives/partial" "$work/root" "$work/root/bin" "$work/root/tmp"
apt-get -c "$conf" -o Dir::Cache::archives="$work/archives" -q -y install --download-only --no-install-recommends $packages \
    > "$work/log" 2>&1 </dev/null || { cat "$work/log" >&2; die "downloading the programs failed"; }
for package in "$work"/archives/*.deb; do dpkg-deb -x "$package" "$work/root"; done
[ -e "$work/root/bin/sh" ] || ln -s dash "$work/root/bin/sh"
rm -rf "$work/root/usr/share/doc" "$work/root/usr/share/man" "$work/root/usr/share/locale" "$work/root/usr/share/info" \
    "$work/root/usr/share/zoneinfo" "$work/root/usr/lib/gcc/x86_64-linux-gnu/12/lto-dump" "$work/root/var/cache"
mkdir -p "$work/root/dev" "$work/root/proc"
rm -rf "$work/archives" "$guest/programs-$arch"
(cd "$work/root" && find . | LC_ALL=C sort | cpio --quiet -o -H newc -R 0:0) > "$work/programs.cpio"
mv "$work/root" "$guest/programs-$arch"
mv "$work/programs.cpio" "$guest/programs-$arch.cpio"
rm -rf "$work"
