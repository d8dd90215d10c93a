#!/bin/sh
# Runs the self-test image under QEMU in all its modes: run.sh <selftest.elf>. Exits 0 when every mode ended as it should.
image=${1:?usage: run.sh <selftest.elf>}
out=$(mktemp) || exit 1
trap 'rm -f "$out"' EXIT
failed=0

# run <what> <wanted exit code> <wanted text> <command line> [QEMU arguments]; console input from standard input
run() {
    what=$1 wanted=$2 text=$3 words=$4
    shift 4
    timeout -s KILL 120 qemu-system-loongarch64 -M virt -cpu la464 -m 1G -nodefaults -display none -serial stdio \
        -device pvpanic-pci -action panic=exit-failure -kernel "$image" -append "$words" "$@" >"$out" 2>&1
    code=$?
    if [ $code -ne "$wanted" ] || ! grep -q -- "$text" "$out"; then
        echo "FAILED $what: exit code $code, wanted $wanted and \"$text\""
        sed 's/^/  /' "$out"
        failed=1
    else
        echo "ok $what"
    fi
}

run "self test" 0 ' 0 failed' all </dev/null
run "self test, counted instructions" 0 ' 0 failed' all -icount shift=0,sleep=off </dev/null
# An interrupt by typing would disturb the tests before, so the line waits until it is asked for.
typed() {
    for _ in $(seq 100); do
        if grep -q 'type a line' "$out"; then break; fi
        sleep 1
    done
    echo hello
}
typed | run "console input" 0 '6 bytes, sum 542' uart
run "failing exit" 1 'a failing exit, as asked' fail </dev/null
run "wild access in the hypervisor" 1 'address not mapped .* address 0000000000001234' panic </dev/null
run "CPU without LSX" 1 'has no LSX' all -cpu la464,lsx=off </dev/null
run "too little memory" 1 'too little memory' all -m 64M </dev/null
"$(dirname "$0")"/registers.sh "$image.debug" || failed=1
exit $failed
