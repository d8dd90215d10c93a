#!/bin/sh
# The guest's vector and floating-point registers stay live while C++ runs, so no function of an image may touch them
# but those that move them on purpose, and the control register but those that set it for the guest: registers.sh <image.elf.debug>
image=${1:?usage: registers.sh <image.elf.debug>}
found=$(llvm-objdump-19 -d --no-show-raw-insn "$image" | awk '
    /^[0-9a-f]+ <.*>:$/ { name = substr($2, 2, length($2) - 3) }
    /[\t ,]\$(f[ast][0-9]|vr[0-9]|xr[0-9]|fcc[0-9]|fcsr[0-9])/ && name !~ /^(save_vectors|load_vectors)$/ &&
        !(/\$fcsr0/ && name ~ /prepare_vcpu|take_fp_flags/) { print name ": " $0 }')
if [ -n "$found" ]; then
    echo "FAILED $image uses the guest's registers:"
    echo "$found" | head -20
    exit 1
fi
echo "ok no floating-point or vector instruction in $image"
