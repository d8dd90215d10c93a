#!/bin/sh
# plugin.sh: builds the instruction counter for QEMU, build/tools/count.so.
set -eu
. "$(dirname "$0")/common.sh"
tools=$(cd "$(dirname "$0")" && pwd -P)

"$tools/deps.sh" qemu-plugin
out=$root/build/tools/count.so
if [ ! "$out" -nt "$tools/count/count.c" ]; then
    mkdir -p "$root/build/tools"
    clang-19 -O2 -Wall -Wextra -Werror -shared -fPIC -I "$tools/count" -I "$deps/qemu-plugin" "$tools/count/count.c" -o "$out"
fi
