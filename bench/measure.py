"""Runs the measured programs under QEMU with the counting plugin and reads their marks."""

import hashlib
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time

from programs import INITRAMFS, KERNEL, NATIVE, OUT, PLUGIN, ROOT, names

APPEND = "console=ttyS0 quiet panic=-1"    # a panic ends the run
LIMIT = 24 * 3600    # seconds for a whole run; the limit of a workload ends it much earlier
ICOUNT = ["-icount", "shift=0,sleep=off"]    # guest time by instructions, so that timer interrupts come alike each time
FIRST = 1    # the mark of the initramfs' first program


def say(text):
    print(f"bmbt: {text}", file=sys.stderr, flush=True)


def x86_command(plugin, append):
    return ["qemu-system-x86_64", "-M", "pc", "-accel", "tcg", "-cpu", "qemu64", "-m", "512M", "-nographic", "-nic", "none",
            "-no-reboot", *ICOUNT, "-kernel", KERNEL, "-initrd", INITRAMFS, "-append", append, "-plugin", plugin]


def bmbt_command(plugin, append):
    return [ROOT / "bmbt", "run", "--kernel", KERNEL, "--initrd", INITRAMFS, "--append", append, "--memory", "512M",
            "--marks", "--icount", "--no-reboot", "--stats", "--qemu", f"-plugin {shlex.quote(plugin)}"]


def native_command(plugin, append):
    return ["qemu-system-loongarch64", "-M", "virt", "-accel", "tcg", "-cpu", "la464", "-m", "512M", "-nographic",
            "-nic", "none", *ICOUNT, "-kernel", NATIVE, "-plugin", plugin]


COMMANDS = {"x86": x86_command, "native": native_command, "bmbt": bmbt_command}


def read_marks(file):
    """The instructions executed before each mark; a child process may have left a mark twice, the first one counts."""
    marks = {}
    for line in file.read_text().splitlines() if file.exists() else []:
        words = line.split()
        if len(words) >= 6 and words[0] == "mark":
            marks.setdefault(int(words[1]), sum(map(int, words[3:6])))
    return marks


def watched(command, log, counts, limit):
    """Runs the command until it ends, or stays without a new mark for so many seconds."""
    with log.open("wb") as out:
        child = subprocess.Popen(["timeout", "-s", "KILL", str(LIMIT), *map(str, command)], stdin=subprocess.DEVNULL,
                                 stdout=out, stderr=subprocess.STDOUT, start_new_session=True)
        size, since = 0, time.monotonic()
        while child.poll() is None:
            time.sleep(0.2)
            now = counts.stat().st_size if counts.exists() else 0
            if now != size:
                size, since = now, time.monotonic()
            if time.monotonic() - since > limit:
                os.killpg(child.pid, signal.SIGKILL)
                child.wait()
                return False
    return True


class Measured:
    """Of one machine: instructions of each workload's second repetition, its result, and those before the first mark."""

    def __init__(self, figures=None, results=None, boot=None, troubles=None):
        self.figures, self.results, self.boot, self.troubles = figures or {}, results or {}, boot, troubles or {}

    def add(self, order, wanted, marks, text):
        if self.boot is None:
            self.boot = marks.get(FIRST)
        for name in wanted:
            number = order.index(name)
            before, after = marks.get(2 * number + 2), marks.get(2 * number + 3)
            if before is not None and after is not None:
                self.figures[name] = after - before
        for number, name, result in re.findall(r"bench (\d+) (\w+) ([0-9a-f]{16})", text):
            if int(number) < len(order) and order[int(number)] == name:
                self.results[name] = result


def run_once(machine, names_given, limit, each):
    counts, log = OUT / f"{machine}.counts", OUT / f"{machine}.log"
    counts.unlink(missing_ok=True)
    append = f"{APPEND} -- {' '.join(names_given)}" if names_given else APPEND
    plugin = f"{PLUGIN},out={counts}" + (",each=on" if each else "")
    ended = watched(COMMANDS[machine](plugin, append), log, counts, limit)
    return ended, read_marks(counts), log.read_text(errors="replace")


def measure(machine, wanted, limit, each=False):
    """Measures the workloads. One that stops the machine, or takes longer than limit seconds for a repetition, is left
    out, and the rest measured after a new start."""
    order, left, measured = names(), list(wanted), Measured()
    while left:
        say(f"measuring in {machine}: {' '.join(left) if left != order else 'all workloads'}")
        ended, marks, text = run_once(machine, left if left != order else [], limit, each)
        measured.add(order, left, marks, text)
        if FIRST not in marks:
            if measured.boot is None:
                sys.exit(f"bmbt: {machine} did not reach the first program; what it printed is in {OUT / machine}.log")
            measured.troubles.update({name: "not reached" for name in left})
            break
        missing = [name for name in left if name not in measured.figures]
        if not missing or machine == "native":    # which has not all of them, and takes no arguments
            break
        first = missing[0]
        measured.troubles[first] = "stopped the machine" if ended else f"took longer than {limit} s"
        (OUT / f"{machine}.log").rename(OUT / f"{machine}-{first}.log")
        say(f"{first} {measured.troubles[first]}; what was printed is in {OUT / machine}-{first}.log")
        left = missing[1:]
    return measured


def key_of(machine, each):
    """What the counts of a machine other than BMBT depend on."""
    parts = [NATIVE] if machine == "native" else [KERNEL, INITRAMFS]
    digest = hashlib.sha256()
    for part in [*parts, PLUGIN]:
        digest.update(part.read_bytes())
    words = COMMANDS[machine]("", APPEND)
    digest.update(subprocess.run([words[0], "--version"], check=True, capture_output=True).stdout)
    digest.update(repr([each, *map(str, words)]).encode())
    return digest.hexdigest()


def measure_once(machine, limit, each=False):
    """All workloads, from the counts kept of an earlier run when nothing has changed since."""
    kept, key = OUT / f"{machine}.json", key_of(machine, each)
    if kept.exists():
        old = json.loads(kept.read_text())
        if old.pop("key") == key:
            return Measured(**old)
    order = names()
    measured = measure(machine, order, limit, each)
    if machine == "native" or all(name in measured.figures for name in order):
        kept.write_text(json.dumps({"key": key, **vars(measured)}))
    return measured
