"""What the image says when it cannot run, in one line and with exit code 1; and its size."""

import os
import subprocess

from machine import ROOT, Machine, check, main


def ends_with(line, *options):
    with Machine(*options) as machine:
        machine.expect(line, 60)
        machine.ends(1, 60)
        lines = [line for line in machine.text.splitlines() if line]
        check(len(lines) == 1, f"more than one line: {lines}")


def small():
    """Less than 2 MiB, everything counted that is loaded from the file."""
    image = os.environ.get("BMBT_IMAGE") or ROOT / "build/image/bmbt.elf"
    out = subprocess.run(["llvm-size-19", image], check=True, capture_output=True, text=True).stdout
    text, data = map(int, out.splitlines()[1].split()[:2])
    check(text + data < 2 << 20, f"the image has {text + data} bytes")


def test():
    small()
    ends_with(r"^bmbt: no guest was given; ", "--bios", "--qemu", "-append ''")
    ends_with(r"^bmbt: .*LSX", "--bios", "--qemu", "-cpu la464,lsx=off")
    ends_with(r"^bmbt: unknown trace event; ", "--bios", "--trace", "everything")
    ends_with(r"^bmbt: .*memory", "--bios", "--qemu", "-m 512M")


main(test)
