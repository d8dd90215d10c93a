#!/bin/sh
# Makes vectors, records them on this machine and runs them in the image: image.sh <oracle> <bmbt> <count> <seed>.
# Exits 0 when every one passed in each of the image's modes.
set -eu
oracle=${1:?usage: image.sh <oracle> <bmbt> <count> <seed>} bmbt=$2 count=$3 seed=$4
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0

texts=
for text in "$here"/*.txt; do
    case $text in */CMakeLists.txt) ;; *) texts="$texts $text" ;; esac
done
"$oracle" record -o "$work/written" $texts
"$oracle" generate -o "$work/generated" --seed "$seed" --count "$count"
"$oracle" generate --random -o "$work/random" --seed "$seed" --count $((count / 5))
"$oracle" generate --only ssef -o "$work/float" --seed "$seed" --count $((count / 5))
"$oracle" generate --only convert -o "$work/convert" --seed "$seed" --count $((count / 10))

# run VECTORS [OPTION]
run() {
    vectors=$1
    shift
    # A hang is an error too; QEMU then ignores SIGTERM.
    timeout -s KILL 600 "$bmbt" run --memory 64M --vectors "$work/$vectors" "$@" </dev/null >"$work/out" 2>&1 || failed=1
    grep -q ' passed, 0 failed' "$work/out" || failed=1
    grep -a 'bmbt:' "$work/out" || true
}
for vectors in written generated random; do run $vectors; done
for vectors in written float convert; do run $vectors --exact-mxcsr; done
exit $failed
