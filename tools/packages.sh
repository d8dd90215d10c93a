#!/bin/sh
# packages.sh run|test|bench: installs the Debian packages that running, also testing, or also measuring BMBT needs; does
# nothing when they are there. QEMU must be 10 or newer: Debian 13 has it, Debian 12 takes it from its backports.
set -eu
. "$(dirname "$0")/common.sh"

run_packages="clang-19 lld-19 llvm-19 cmake ninja-build binutils cpio xz-utils"
test_packages="acpica-tools bochs libclang-rt-19-dev libgtest-dev libbenchmark-dev libstdc++-12-dev|libstdc++-14-dev gcc gdb libc6-dev python3"

updated=
update_once() {
    [ -z "$updated" ] || return 0
    say "updating the package lists"
    quiet_apt update || die "apt-get update failed: this machine needs a Debian mirror to install packages from"
    updated=yes
}

# Adds to $missing every package that is not installed; a|b is there when one of them is.
missing=
need() {
    there=" $(dpkg-query -W -f '${Package} ${db:Status-Status}\n' $(echo "$*" | tr '|' ' ') 2>/dev/null |
        sed -n 's/ installed$//p' | tr '\n' ' ')"
    for entry; do
        for name in $(echo "$entry" | tr '|' ' '); do
            case $there in *" $name "*) continue 2 ;; esac
        done
        missing="$missing $entry"
    done
}

# need_qemu PROGRAM PACKAGE
need_qemu() {
    version=$(qemu_major "$1")
    if [ "$version" -lt 10 ]; then
        case $(command -v "$1") in
            '' | /usr/bin/*) install_qemu "$2"; version=$(qemu_major "$1") ;;
        esac
    fi
    [ "$version" -ge 10 ] ||
        die "QEMU 10 or newer is needed, $(command -v "$1") is version $version; remove it from the PATH or update it"
}

install_qemu() {
    update_once
    say "installing $1"
    candidate=$(apt-cache policy "$1" | sed -n 's/ *Candidate: *//p' | sed 's/^[0-9]*://; s/\..*//')
    if [ "${candidate:-0}" -ge 10 ] 2>/dev/null; then
        quiet_apt install --no-install-recommends "$1" || die "installing $1 failed"
        return
    fi
    # The system's own lists stay as they are: a second set of lists, made from their address, has the backports too.
    base=$(debian_base)
    [ -n "$base" ] || die "no Debian suite among this machine's apt sources; install $1 10 or newer by hand"
    key=$(debian_keyring) || die "no Debian archive keyring; install debian-archive-keyring"
    codename=$(. /etc/os-release && echo "$VERSION_CODENAME")
    lists=$deps/apt/backports
    mkdir -p "$lists/lists/partial"
    for suite in "$codename" "$codename-updates" "$codename-backports"; do
        echo "deb [signed-by=$key] $base $suite main"
    done > "$lists/sources.list"
    package=$1
    set -- -o Dir::Etc::sourcelist="$lists/sources.list" -o Dir::Etc::sourceparts=/dev/null -o Dir::State::lists="$lists/lists"
    quiet_apt "$@" update || die "the backports of $codename cannot be reached; install $package 10 or newer by hand"
    quiet_apt "$@" -t "$codename-backports" install --no-install-recommends "$package" ||
        die "installing $package from $codename-backports failed"
}

case ${1:-} in
    run) need $run_packages ;;
    test | bench) need $run_packages $test_packages ;;
    *) die "usage: packages.sh run|test|bench" ;;
esac

if [ -n "$missing" ]; then
    update_once
    chosen=
    for entry in $missing; do
        for name in $(echo "$entry" | tr '|' ' '); do
            if apt-cache show "$name" >/dev/null 2>&1; then chosen="$chosen $name"; break; fi
        done
    done
    say "installing$chosen"
    quiet_apt install --no-install-recommends $chosen || die "installing$chosen failed"
fi
need_qemu qemu-system-loongarch64 qemu-system-misc
[ "$1" = run ] || need_qemu qemu-system-x86_64 qemu-system-x86
if [ "$1" = bench ]; then
    need_qemu qemu-loongarch64 qemu-user
fi
