#!/usr/bin/env python3
"""Runs random bytes as programs over random page tables and descriptors (long/chaos.cpp) on one machine.

Usage: chaos.py MACHINE ROM [--interpreter FILE] [--rounds N] [--minutes M] [--seed S]
MACHINE as for run.py. Without --minutes there is one boot. Exit code 0: every boot came to its end, and nothing was touched that the
page tables keep from the programs.
"""

import argparse
import struct
import sys
import tempfile
import time
from pathlib import Path

from run import LAST, output_of


def one(machine, rom, interpreter, seed, rounds):
    """Whether a boot of this many rounds went well."""
    with tempfile.TemporaryDirectory() as folder:
        image = bytearray(Path(rom).read_bytes())
        image[-32:-16] = struct.pack("<QQ", seed, rounds)
        own = Path(folder) / "rom"
        own.write_bytes(image)
        text = output_of(machine, own, interpreter)
    last = LAST.search(text)
    good = last and last.group(2) == "0" and f"chaos {rounds} rounds" in text
    if not good:
        print("\n".join(text.splitlines()[-15:]))
        print(f"FAILED: {machine}, seed {seed}, {rounds} rounds")
    return good


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("machine")
    parser.add_argument("rom")
    parser.add_argument("--interpreter")
    parser.add_argument("--rounds", type=int, default=10000)
    parser.add_argument("--minutes", type=float, default=0)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    if given.rounds % 1000:
        parser.error("rounds are counted in thousands")
    end, seed, boots = time.monotonic() + given.minutes * 60, given.seed, 0
    while True:
        if not one(given.machine, given.rom, given.interpreter, seed, given.rounds):
            sys.exit(1)
        boots, seed = boots + 1, seed + 1
        if time.monotonic() >= end:
            break
    print(f"{boots * given.rounds} rounds, seeds {given.seed} to {seed - 1}: nothing broke")


main()
