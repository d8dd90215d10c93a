"""What the image says when it cannot run, in one line and with exit code 1; and its size. Usage: image.py TINY, a raw guest
that halts."""

import os
import subprocess
import sys
from pathlib import Path

from machine import ROOT, Machine, check, main


def ends_with(line, *options):
    with Machine(*options) as machine:
        machine.expect(line, 60)
        machine.ends(1, 60)
        lines = [line for line in machine.text.splitlines() if line]
        check(len(lines) == 1, f"more than one line: {lines}")


def small():
    """Less than 2 MiB, as a file and in memory; the symbols are in a file beside it."""
    image = Path(os.environ.get("BMBT_IMAGE") or ROOT / "build/image/bmbt.elf")
    check(image.stat().st_size < 2 << 20, f"the image's file has {image.stat().st_size} bytes")
    out = subprocess.run(["llvm-size-19", image], check=True, capture_output=True, text=True).stdout
    loaded = sum(map(int, out.splitlines()[1].split()[:3]))
    check(loaded < 2 << 20, f"the image has {loaded} bytes in memory")
    symbols = subprocess.run(["llvm-nm-19", f"{image}.debug"], check=True, capture_output=True, text=True).stdout
    check(" machine_main" in symbols or "host_start" in symbols, "the symbols are not beside the image")


def own_memory():
    """What BMBT takes besides the guest's memory, the frame table and the code cache, which grow with the guest's."""
    with Machine("--raw", sys.argv[1], "--memory", "2G", "--stats") as machine:
        own = int(machine.expect(r"^own_memory_bytes (\d+)\n", 60).group(1))
        machine.ends(0, 60)
        check(2 << 20 < own < 64 << 20, f"BMBT takes {own} bytes of its own")


def test():
    small()
    own_memory()
    ends_with(r"^bmbt: no guest was given; ", "--bios", "--qemu", "-append ''")
    ends_with(r"^bmbt: .*LSX", "--bios", "--qemu", "-cpu la464,lsx=off")
    ends_with(r"^bmbt: unknown trace event; ", "--bios", "--trace", "everything")
    ends_with(r"^bmbt: .*memory", "--bios", "--qemu", "-m 512M")
    # What the launcher does not let through: files that are no guest, or not where they should be.
    given = "memory=0x4000000 kernel={} boot={}"
    there = "0x84000000,262144"    # SeaBIOS, behind the guest's memory
    for kernel, boot, line in [
            (there, "linux", "the kernel is neither a bzImage nor a multiboot image"),
            (there, "multiboot", "the kernel is neither a bzImage nor a multiboot image"),
            ("0x84000000,262143", "bios", "the firmware is no ROM image"),
            ("0x84000000,0", "raw", "no guest was given"),
            ("0x83fff000,262144", "bios", "a file of the guest's is not in host memory"),
            ("0x200000,262144", "raw", "a file of the guest's is not in host memory"),
            ("0x7fffffffffff0000,262144", "bios", "a file of the guest's is not in host memory"),
            ("0x84000000,0xffffffffffff", "linux", "a file of the guest's is not in host memory"),
            ("0x84000000,0xffffffffffffffff", "linux", "the image's command line has a malformed number"),
            (there, "floppy", "unknown kind of guest"),
            (there + " raw-address=0x100000", "raw", "the raw image's address must lie below 1 MiB"),
            (there + " raw-address=0xf0000", "raw", "the raw image does not end below 1 MiB"),
            (there + " fast", "bios", "the image's command line has an unknown word")]:
        ends_with(f"^bmbt: {line}", "--bios", "--memory", "64M", "--qemu", f"-append '{given.format(kernel, boot)}'")
    given = "memory=0x800000 kernel=0x84000000,262144 boot=bios"
    ends_with("^bmbt: too little guest memory; ", "--bios", "--memory", "64M", "--qemu", f"-append '{given}'")


main(test)
