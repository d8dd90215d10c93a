#!/usr/bin/env python3
"""Runs random code, tables and device traffic (long/chaos.cpp, common/kernel_round.hpp, long/device_chaos.cpp) on one machine or two.

Usage: chaos.py MACHINE ROM [--kind user|kernel|legacy|devices] [--interpreter FILE] [--rounds N] [--first N] [--minutes M] [--seed S] [--tell N]
MACHINE is interpreter, bmbt, or for the kinds kernel and legacy both: then each round's sum on one must be the other's. Without --minutes
there is one boot of so many rounds. With --tell, round N of kernel or legacy shows every trap.
Exit code 0: every boot came to its end, nothing was touched that page tables keep from programs, no round differed.

A round may leave the guest looping or halted for ever, which is its right: the next boot goes on behind it. Whether it is the guest
that loops or BMBT that hangs, the debugger's port tells: BMBT stops a looping guest at once.
"""

import argparse
import os
import re
import select
import socket
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from run import LAST, ROOT, output_of

KINDS = {"user": 0, "kernel": 1, "devices": 2, "legacy": 3}
BROKEN = re.compile(r"panic|in the hypervisor|unsupported:|AddressSanitizer|runtime error|report inside")
TOKEN = re.compile(r"(?<![\w.])(\d+):([0-9a-f]{8}|-)(?=\s)")
ROUND = re.compile(r"\[(\d+)\]\n")
AHEAD = re.compile(r"\[\d+\]\n|\d:[0-9a-f-]")
SILENCE = int(os.environ.get("SILENCE", 15))  # seconds without a new round


def with_orders(rom, folder, seed, rounds, kind, first, told=-1):
    image = bytearray(Path(rom).read_bytes())
    image[-48:-16] = struct.pack("<QQIIQ", seed, rounds, KINDS[kind], told + 1, first)
    own = Path(folder) / "rom"
    own.write_bytes(image)
    return own


def user(machine, rom, interpreter, seed, rounds):
    """Whether a boot of this many rounds of random programs went well."""
    with tempfile.TemporaryDirectory() as folder:
        text = output_of(machine, with_orders(rom, folder, seed, rounds, "user", 0), interpreter)
    last = LAST.search(text)
    good = last and last.group(2) == "0" and f"chaos {rounds} rounds" in text
    if not good:
        print("\n".join(text.splitlines()[-15:]))
        print(f"FAILED: {machine}, seed {seed}, {rounds} rounds")
    return good


class Boot:
    """One start of a machine with rounds of a kind; `text` grows until `over`."""

    def __init__(self, machine, given, seed, first, rounds):
        self.folder = tempfile.TemporaryDirectory()
        own = with_orders(given.rom, self.folder.name, seed, rounds, given.kind, first, given.tell)
        self.debugger = None
        if machine == "interpreter":
            line = [given.interpreter, "memory=134217728 boot=bios", own, "--until", " failed\n", "--budget", "100000000"]
        else:
            with socket.socket() as s:
                s.bind(("127.0.0.1", 0))
                port = s.getsockname()[1]
            line = [ROOT / "bmbt", "run", "--bios", own, "--memory", "128M", "--icount", "--exact-mxcsr", "--gdb", str(port)]
        self.process = subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                        start_new_session=True)
        self.text, self.heard, self.over = "", time.monotonic(), False
        if machine == "bmbt":
            self.debugger = self.connect(port)

    def connect(self, port):
        for _ in range(600):
            try:
                s = socket.create_connection(("127.0.0.1", port), timeout=60)
                s.sendall(b"+$?#3f")
                got = b""
                while b"#" not in got:
                    got += s.recv(1000)
                s.sendall(b"+$c#63")
                return s
            except OSError:
                time.sleep(0.1)
        raise SystemExit("chaos: the debugger's port does not answer")

    def poll(self, wait):
        ready = select.select([self.process.stdout], [], [], wait)[0]
        if ready:
            piece = os.read(self.process.stdout.fileno(), 65536)
            if not piece:
                self.over = True
            self.text += piece.decode("latin-1").replace("\r", "")
            if AHEAD.search(self.text[-40:]):  # a looping guest may print for ever
                self.heard = time.monotonic()
        if LAST.search(self.text[-200:]):
            self.over = True
        return self.over

    def silent(self):
        return time.monotonic() - self.heard > SILENCE

    def answers(self):
        """Whether BMBT stops the guest for the debugger."""
        if not self.debugger:
            return True
        try:
            self.debugger.settimeout(60)
            self.debugger.sendall(b"\x03")
            got = b""
            while not re.search(rb"\$[ST].*#", got):
                piece = self.debugger.recv(1000)
                if not piece:
                    return False
                got += piece
            return True
        except OSError:
            return False

    def end(self):
        if self.process.poll() is None:
            os.killpg(self.process.pid, 9)
        self.process.wait()
        if self.debugger:
            self.debugger.close()
        self.folder.cleanup()


class Rounds:
    """Rounds of one kind from one seed on one machine, over as many boots as that takes."""

    def __init__(self, machine, given, seed, first, rounds):
        self.machine, self.given, self.seed, self.end, self.next = machine, given, seed, first + rounds, first
        self.sums, self.loops, self.halts, self.resets, self.failure, self.last = {}, 0, 0, 0, None, ""

    def run(self):
        while self.next < self.end and not self.failure:
            boot = Boot(self.machine, self.given, self.seed, self.next, self.end - self.next)
            try:
                self.one(boot)
            finally:
                boot.end()

    def one(self, boot):
        begun = self.next
        while not boot.poll(1) and not boot.silent() and not BROKEN.search(boot.text[-4000:]):
            pass
        if BROKEN.search(boot.text):
            boot.poll(5)
        text = self.last = boot.text
        for n, value in TOKEN.findall(text):
            self.sums[int(n)] = value
        pattern = ROUND if self.given.kind == "devices" else re.compile(r"(?<![\w.])(\d+):")
        seen = [int(n) for n in pattern.findall(re.sub(r"(?m)^.*bmbt.*$", "", text)) if begun <= int(n) < self.end]
        self.next = max(seen, default=begun) + 1
        self.resets += text.count("report: triple fault") + text.count("reset")
        if BROKEN.search(text):
            self.failure = "BMBT broke"
        elif LAST.search(text):
            self.next = self.end
        elif not seen:
            self.failure = "no round began"
        elif not boot.over:
            if boot.answers():
                self.loops += 1
            else:
                self.failure = "BMBT hangs"
        else:
            self.halts += 1


def tell(run):
    print(run.last[-3000:])
    print(f"FAILED: {run.machine}, kind {run.given.kind}, seed {run.seed}, near round {run.next - 1}: {run.failure}")


def compared(given, seed):
    """Whether a batch of rounds went well, on one machine or alike on both; and what is to be said of it."""
    machines = ["interpreter", "bmbt"] if given.machine == "both" else [given.machine]
    runs = [Rounds(machine, given, seed, given.first, given.rounds) for machine in machines]
    for run in runs:
        run.run()
        if run.failure:
            tell(run)
            return False, None
    if given.tell >= 0:
        print("\n".join(run.last for run in runs))
    counts = [sum(r.loops for r in runs), sum(r.halts for r in runs), sum(r.resets for r in runs), 0]
    differ = []
    if len(runs) == 2:
        a, b = (run.sums for run in runs)
        both = [n for n in a if n in b and "-" not in (a[n], b[n])]
        counts[3] = len(both)
        differ = sorted(n for n in both if a[n] != b[n])
        if differ:
            print(f"FAILED: kind {given.kind}, seed {seed}: {len(differ)} rounds differ: {differ[:40]}", flush=True)
    return True, counts + [len(differ)]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("machine", choices=["interpreter", "bmbt", "both"])
    parser.add_argument("rom")
    parser.add_argument("--kind", choices=KINDS, default="user")
    parser.add_argument("--interpreter")
    parser.add_argument("--rounds", type=int, default=10000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--tell", type=int, default=-1)
    parser.add_argument("--minutes", type=float, default=0)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    if given.kind == "user" and given.rounds % 1000:
        parser.error("rounds are counted in thousands")
    if given.machine == "both" and given.kind not in ("kernel", "legacy"):
        parser.error("only kernel and legacy can be compared")
    end, seed, boots, totals = time.monotonic() + given.minutes * 60, given.seed, 0, [0, 0, 0, 0, 0]
    while True:
        if given.kind == "user":
            good = user(given.machine, given.rom, given.interpreter, seed, given.rounds)
        else:
            good, counts = compared(given, seed)
            totals = [a + b for a, b in zip(totals, counts or totals)]
        if not good:
            sys.exit(1)
        boots, seed = boots + 1, seed + 1
        if time.monotonic() >= end:
            break
        if given.minutes and given.kind != "user":
            print(f"{boots * given.rounds} rounds so far", flush=True)
    print(f"{boots * given.rounds} rounds, seeds {given.seed} to {seed - 1}: BMBT came to the end of all")
    if given.kind != "user":
        print("{} left the guest looping, {} halted, {} resets; {} compared, {} of them differ".format(*totals))
        sys.exit(totals[4] != 0)


main()
