#!/usr/bin/env python3
"""New instruction vectors for as long as wanted: recorded on this machine's processor, run in the image, and the first that
differs made small and printed as a line for tests/insn. Ends with exit code 1 when there was one. Vectors of odd seeds
run with --exact-mxcsr.

usage: ./bmbt fuzz [--minutes N] [--seed S] [--only GROUP|MNEMONIC | --random] [--mode 16|32|64]
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ROUND = 20000  # vectors in one boot of the image
VECTOR = re.compile(r"^bmbt: vector (\d+): ", re.M)


def say(text):
    print(f"bmbt: {text}", flush=True)


class Oracle:
    def __init__(self, work):
        self.program = os.environ.get("BMBT_ORACLE") or ROOT / "build/dev/tools/oracle/oracle"
        self.work = Path(work)

    def run(self, *arguments):
        return subprocess.run([self.program, *map(str, arguments)], capture_output=True, text=True)

    def generate(self, seed, more):
        file = self.work / "generated"
        done = self.run("generate", "-o", file, "--seed", seed, "--count", ROUND, *more)
        if done.returncode:
            sys.exit(done.stderr.strip() or "bmbt: the oracle made no vectors")
        return file

    def record(self, lines):
        """A file of these vectors, or None when one of them is not for this machine to record."""
        text, file = self.work / "text", self.work / "recorded"
        text.write_text("\n".join(lines) + "\n")
        return file if self.run("record", "-o", file, text).returncode == 0 else None

    def line(self, file, number):
        """A vector as a line, without what came of it."""
        return self.run("show", file, number).stdout.strip().partition(" -> ")[0]


def image(file, exact):
    """The numbers of the vectors that differ; None when the image did not come to the end."""
    command = [ROOT / "bmbt", "run", "--memory", "64M", "--vectors", file] + (["--exact-mxcsr"] if exact else [])
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=1800)
    except subprocess.TimeoutExpired:
        return None, "no end after 1800 s"
    text = done.stdout.decode("utf-8", "replace").replace("\r", "")
    if not re.search(r" passed, \d+ failed", text):
        return None, "\n".join(text.splitlines()[-12:])
    return sorted({int(n) for n in VECTOR.findall(text)}), text


def smaller(line):
    """Every vector that is this one with something left out."""
    mode, code, rest = re.fullmatch(r'(\d+) "([^"]*)"\s*(.*)', line).groups()
    words, values = code.split(), rest.split()
    for n in range(1, len(words)):
        yield f'{mode} "{" ".join(words[n:])}" {rest}'.rstrip()
        yield f'{mode} "{" ".join(words[:-n])}" {rest}'.rstrip()
    for n in range(len(values)):
        yield f'{mode} "{code}" {" ".join(values[:n] + values[n + 1:])}'.rstrip()


def shrink(oracle, line, exact):
    """The least that still differs, found step by step; what this machine will not record is passed over."""
    while True:
        tried = [s for s in smaller(line) if oracle.record([s])]
        file = oracle.record(tried) if tried else None
        if not file:
            return line
        differ, _ = image(file, exact)
        if not differ:
            return line
        line = min((tried[n] for n in differ), key=len)


def fuzz(options, work):
    oracle = Oracle(work)
    more = [word for name in ("only", "mode") if getattr(options, name) for word in (f"--{name}", getattr(options, name))]
    more += ["--random"] if options.random else []
    end, seed, total = time.monotonic() + 60 * options.minutes, options.seed, 0
    while True:
        file = oracle.generate(seed, more)
        exact = seed % 2 == 1
        differ, text = image(file, exact)
        if differ is None:
            say(f"seed {seed}: the image did not come to the end:\n{text}")
            return 1
        if differ:
            say(f"seed {seed}: {len(differ)} vectors differ; the first, as it is and made small:")
            line = oracle.line(file, differ[0])
            print(line)
            print(shrink(oracle, line, exact), flush=True)
            return 1
        total += ROUND
        say(f"seed {seed}: all alike, {total} vectors so far")
        seed += 1
        if time.monotonic() >= end:
            return 0


def main():
    parser = argparse.ArgumentParser(prog="./bmbt fuzz", description="compares new instruction vectors with this machine's processor")
    parser.add_argument("--minutes", type=float, default=5, help="goes on for so long (default 5)")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="of the first vectors (default: the time)")
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument("--random", action="store_true", help="random bytes as code instead of known forms")
    kind.add_argument("--only", help="a group of forms or a mnemonic: see oracle forms")
    parser.add_argument("--mode", choices=["16", "32", "64"], help="code of this size only")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as work:
        return fuzz(options, work)


sys.exit(main())
