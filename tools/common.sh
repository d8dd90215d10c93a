# Shared by the scripts of this folder: where things are, how to speak, how to become root. Sourced by plain sh.
root=$(cd "$(dirname "$0")" && pwd -P)
root=${root%/tools}
deps=$root/build/deps
export LC_ALL=C    # words of other programs are read here

say() { echo "bmbt: $*" >&2; }
die() { say "$*"; exit 1; }

# The major version of the QEMU program $1, 0 when there is none.
qemu_major() {
    command -v "$1" >/dev/null 2>&1 || { echo 0; return; }
    "$1" --version | sed -n '1s/.*version \([0-9]*\).*/\1/p'
}

# Runs a command as root: directly, or through sudo.
as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"
    elif command -v sudo >/dev/null 2>&1; then sudo "$@"
    else die "installing packages needs root: run this as root, or install sudo"
    fi
}

# apt-get that asks nothing; its words are shown only when it fails.
quiet_apt() {
    log=$(mktemp)
    if ! as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o Acquire::Retries=3 "$@" >"$log" 2>&1 </dev/null; then
        cat "$log" >&2; rm -f "$log"
        return 1
    fi
    rm -f "$log"
}

# The address of this machine's Debian archive, known to apt only after an update.
debian_base() {
    apt-get indextargets --format '$(ORIGIN)|$(RELEASE)|$(CODENAME)|$(REPO_URI)' 'Created-By: Packages' |
        awk -F'|' '$1 == "Debian" && $2 == $3 && $2 !~ /-/ {print $4; exit}'
}

debian_keyring() {
    for key in /usr/share/keyrings/debian-archive-keyring.pgp /usr/share/keyrings/debian-archive-keyring.gpg; do
        if [ -e "$key" ]; then echo "$key"; return; fi
    done
    return 1
}
