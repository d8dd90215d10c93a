#!/bin/sh
# private-apt.sh DIR ARCH SUITE...: a private apt root of Debian suites, made from this machine's own apt sources;
# nothing of the system changes. Then: apt-get -c DIR/apt.conf download PACKAGE, or install --download-only PACKAGE.
set -eu
. "$(dirname "$0")/common.sh"

dir=$1 arch=$2
shift 2
base=$(debian_base)
if [ -z "$base" ]; then
    quiet_apt update || die "apt-get update failed: this machine needs a Debian mirror"
    base=$(debian_base)
fi
[ -n "$base" ] || die "no Debian suite among this machine's apt sources"
key=$(debian_keyring) || die "no Debian archive keyring: install debian-archive-keyring"

mkdir -p "$dir/etc/preferences.d" "$dir/etc/sources.list.d" "$dir/state/lists/partial" "$dir/cache/archives/partial"
dir=$(cd "$dir" && pwd -P)
: > "$dir/status"
: > "$dir/etc/sources.list"
for suite; do
    for type in deb deb-src; do
        echo "$type [signed-by=$key] $base $suite main" >> "$dir/etc/sources.list"
    done
done
cat > "$dir/apt.conf" <<CONF
APT::Architecture "$arch";
APT::Architectures { "$arch"; };
APT::Install-Recommends "false";
APT::Sandbox::User "";
Acquire::Retries "3";
Dir::Etc "$dir/etc";
Dir::Etc::sourcelist "$dir/etc/sources.list";
Dir::Etc::sourceparts "$dir/etc/sources.list.d";
Dir::Etc::preferencesparts "$dir/etc/preferences.d";
Dir::State "$dir/state";
Dir::State::status "$dir/status";
Dir::Cache "$dir/cache";
CONF
if ! apt-get -c "$dir/apt.conf" -q update > "$dir/log" 2>&1; then
    cat "$dir/log" >&2
    die "the Debian suites $* cannot be reached"
fi
