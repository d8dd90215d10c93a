"""The archive of tests that guest.c runs: one after the other, each

    u32 size, bits (32 or 64), regions, 0; u64 entry, stack; regions times u64 base, size, contents; the contents

with the contents of each region padded to 8 bytes. All is little-endian. What the guest prints is read here too."""

import struct
import subprocess
from pathlib import Path

HERE = Path(__file__).resolve().parent
GPRS = "RAX RBX RCX RDX RSI RDI RBP RSP R8 R9 R10 R11 R12 R13 R14 R15".split()


def entry(bits, start, stack, regions):
    """One test; regions are (base, size, contents)."""
    head = b"".join(struct.pack("<QQQ", base, size, len(data)) for base, size, data in regions)
    body = b"".join(data + bytes(-len(data) % 8) for _, _, data in regions)
    return struct.pack("<IIIIQQ", 32 + len(head) + len(body), bits, len(regions), 0, start, stack) + head + body


def build_guest(out):
    """The guest as a multiboot image in the directory out."""
    objects = []
    for source in ("start.S", "guest.c"):
        objects.append(out / (source + ".o"))
        subprocess.run(["clang-19", "--target=x86_64-unknown-none", "-O2", "-Wall", "-Wextra", "-ffreestanding",
                        "-mno-red-zone", "-mgeneral-regs-only", "-fno-pic", "-mcmodel=small", "-c", HERE / source,
                        "-o", objects[-1]], check=True)
    image = out / "guest.bin"
    subprocess.run(["ld.lld-19", "--oformat", "binary", "-T", HERE / "guest.ld", "-o", image, *objects], check=True)
    return image


def results(text):
    """Of each test that ended, by its index: a dictionary of registers."""
    found = {}
    for line in text.splitlines():
        words = line.split()
        if not words or words[0] != "T" or len(words) != 1 + 7 + 16 + 32 + 16 + 2:
            continue
        n = [int(word, 16) for word in words[1:]]
        state = dict(zip(("vector", "error", "RIP", "rflags", "cr2", "code"), n[1:7]))
        state.update({name: [value] for name, value in zip(GPRS, n[7:23])})
        state.update({f"XMM{i}": n[23 + 2 * i:25 + 2 * i] for i in range(16)})
        state.update({f"MM{i}": n[55 + 2 * i:57 + 2 * i] for i in range(8)})
        state.update({"FS": [n[71]], "GS": [n[72]], "RIP": [state["RIP"]]})
        found[n[0]] = state
    return found
