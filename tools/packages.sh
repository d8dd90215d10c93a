#!/bin/sh
# packages.sh run|test: installs the Debian packages that running (or running and testing) BMBT needs; does nothing
# when they are there. QEMU must be 10 or newer: Debian 13 has it, Debian 12 takes it from its backports.
set -eu
. "$(dirname "$0")/common.sh"

run_packages="clang-19 lld-19 llvm-19 cmake ninja-build binutils cpio xz-utils"
test_packages="libclang-rt-19-dev libgtest-dev libbenchmark-dev libstdc++-12-dev|libstdc++-14-dev gcc libc6-dev python3"

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

qemu_major() {
    command -v qemu-system-loongarch64 >/dev/null 2>&1 || { echo 0; return; }
    qemu-system-loongarch64 --version | sed -n '1s/.*version \([0-9]*\).*/\1/p'
}

install_qemu() {
    [ "$(command -v qemu-system-loongarch64 || echo /usr/bin/)" = /usr/bin/qemu-system-loongarch64 ] ||
        [ "$(qemu_major)" = 0 ] || return 0
    update_once
    say "installing QEMU"
    candidate=$(apt-cache policy qemu-system-misc | sed -n 's/ *Candidate: *//p' | sed 's/^[0-9]*://; s/\..*//')
    if [ "${candidate:-0}" -ge 10 ] 2>/dev/null; then
        quiet_apt install --no-install-recommends qemu-system-misc || die "installing qemu-system-misc failed"
        return
    fi
    # The system's own lists stay as they are: a second set of lists, made from their address, has the backports too.
    base=$(debian_base)
    [ -n "$base" ] || die "no Debian suite among this machine's apt sources, so QEMU 10 cannot be installed from backports"
    codename=$(. /etc/os-release && echo "$VERSION_CODENAME")
    lists=$deps/apt/backports
    mkdir -p "$lists/lists/partial"
    key=$(debian_keyring) || die "no Debian archive keyring: install debian-archive-keyring"
    for suite in "$codename" "$codename-updates" "$codename-backports"; do
        echo "deb [signed-by=$key] $base $suite main"
    done > "$lists/sources.list"
    set -- -o Dir::Etc::sourcelist="$lists/sources.list" -o Dir::Etc::sourceparts=/dev/null -o Dir::State::lists="$lists/lists"
    quiet_apt "$@" update || die "the backports of $codename cannot be reached"
    quiet_apt "$@" -t "$codename-backports" install --no-install-recommends qemu-system-misc ||
        die "installing qemu-system-misc from $codename-backports failed"
}

case "${1:-run}" in
    run) need $run_packages ;;
    test) need $run_packages $test_packages ;;
    *) die "usage: packages.sh run|test" ;;
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
if [ "$(qemu_major)" -lt 10 ]; then
    install_qemu
    [ "$(qemu_major)" -ge 10 ] ||
        die "QEMU 10 or newer is needed, $(command -v qemu-system-loongarch64) is $(qemu_major); install a newer qemu-system-misc"
fi
