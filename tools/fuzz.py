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
END = 600  # seconds in which a boot comes to its end
ALONE = 60  # and in which one of few vectors does
VECTOR = re.compile(r"^bmbt: vector (\d+): [^:]*(?:: (.*))?$")
DIFFERENCE = re.compile(r"^bmbt: {5}(.*): expected ")
NO_END = "no end"  # what differs when the image hangs or panics


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

    def record(self, lines, strict):
        """A file of these vectors, or None when one of them is not for this machine to record. `strict`: nor one whose
        result may be this machine's own affair, as that of CPUID."""
        text, file = self.work / "text", self.work / "recorded"
        text.write_text("\n".join(lines) + "\n")
        return file if self.run("record", *["--random"] * strict, "-o", file, text).returncode == 0 else None

    def cut(self, file, first, count):
        part = self.work / "part"
        if self.run("cut", file, first, count, "-o", part).returncode:
            sys.exit("bmbt: the oracle did not cut its file")
        return part

    def line(self, file, number):
        """A vector as a line, without what came of it."""
        return self.run("show", file, number).stdout.strip().partition(" -> ")[0]


class Image:
    def __init__(self, exact):
        self.options = ["--exact-mxcsr"] if exact else []

    def differing(self, file, limit=END):
        """What differs, by the numbers of the vectors: the names of words; None and the last lines when there was no end."""
        command = [ROOT / "bmbt", "run", "--memory", "64M", "--vectors", file, *self.options]
        try:
            done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=limit)
        except subprocess.TimeoutExpired:
            return None, f"no end after {limit} s"
        return read_report(done.stdout.decode("utf-8", "replace").replace("\r", ""))


def read_report(text):
    if not re.search(r" passed, \d+ failed", text) or "instruction vectors" not in text:
        return None, "\n".join(text.splitlines()[-12:])
    differ, number = {}, None
    for line in text.splitlines():
        if found := VECTOR.match(line):
            number = int(found.group(1))
            differ.setdefault(number, set())
            if found.group(2):
                differ[number].add(found.group(2))  # why it was given up
        elif found := DIFFERENCE.match(line):
            differ[number].add("memory" if found.group(1).startswith("[") else found.group(1))
    return differ, text


def smaller(line):
    """Every vector that is this one with something left out."""
    mode, code, rest = re.fullmatch(r'(\d+) "([^"]*)"\s*(.*)', line).groups()
    words, values = code.split(), rest.split()
    for n in range(1, len(words)):
        yield f'{mode} "{" ".join(words[n:])}" {rest}'.rstrip()
        yield f'{mode} "{" ".join(words[:-n])}" {rest}'.rstrip()
    for n in range(len(values)):
        yield f'{mode} "{code}" {" ".join(values[:n] + values[n + 1:])}'.rstrip()


def alone(oracle, image, lines, strict):
    """What differs in each of these vectors; one without an end hides the others, so then each is run by itself."""
    file = oracle.record(lines, strict)
    if not file:
        return {}
    differ, _ = image.differing(file, ALONE)
    if differ is not None:
        return differ
    if len(lines) == 1:
        return {0: {NO_END}}
    return {n: d for n, line in enumerate(lines) for d in alone(oracle, image, [line], strict).values()}


def shrink(oracle, image, line):
    """The least vector that still differs, found step by step, in nothing that the first does not differ in; what this machine
    will not record is passed over. None when the line alone does not differ."""
    strict = oracle.record([line], True) is not None
    what = alone(oracle, image, [line], strict).get(0)
    if what is None:
        return None
    while True:
        tried = [s for s in smaller(line) if oracle.record([s], strict)]
        differ = alone(oracle, image, tried, strict) if tried else {}
        good = [tried[n] for n, d in differ.items() if d and d <= what]
        if not good:
            return line
        line = min(good, key=len)


def culprit(oracle, image, file):
    """The number of a vector at which the image comes to no end, or None if none does so alone."""
    first, count = 0, ROUND
    while count > 1:
        half = count // 2
        limit = END if half > 1000 else ALONE
        if image.differing(oracle.cut(file, first, half), limit)[0] is not None:
            first, half = first + half, count - half
        count = half
    return first if image.differing(oracle.cut(file, first, 1), ALONE)[0] is None else None


def fuzz(options, work):
    oracle = Oracle(work)
    more = [word for name in ("only", "mode") if getattr(options, name) for word in (f"--{name}", getattr(options, name))]
    more += ["--random"] if options.random else []
    end, seed, total = time.monotonic() + 60 * options.minutes, options.seed, 0
    while True:
        file = oracle.generate(seed, more)
        image = Image(exact=seed % 2 == 1)
        differ, text = image.differing(file)
        if differ != {}:
            say(f"seed {seed}:")
            return tell(oracle, image, file, differ, text)
        total += ROUND
        say(f"seed {seed}: all alike, {total} vectors so far")
        seed += 1
        if time.monotonic() >= end:
            return 0


def tell(oracle, image, file, differ, text):
    """Says what is wrong with the first vector that differs; the exit code."""
    if differ is None:
        say(f"the image did not come to the end:\n{text}")
        first = culprit(oracle, image, file)
    else:
        say(f"{len(differ)} vectors differ")
        first = min(differ)
    if first is None:
        say("no vector alone does so")
        return 1
    line = oracle.line(file, first)
    say(f"vector {first}: {line}")
    least = shrink(oracle, image, line)
    if least is None:
        say("it does not differ alone: what ran before it matters")
    else:
        say("made small, a line for tests/insn:")
        print(least, flush=True)
    return 1


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


if __name__ == "__main__":
    sys.exit(main())
