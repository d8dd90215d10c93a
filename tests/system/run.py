#!/usr/bin/env python3
"""Runs the system tests' ROM on one machine and compares what it says with the list of known differences.

Usage: run.py MACHINE ROM [INTERPRETER]
MACHINE is interpreter (then INTERPRETER is bmbt-interpret), bmbt, qemu or bochs. Exit code 0: every check passed but those
that differences.txt lists for this machine, and those all failed.
"""

import os
import re
import select
import subprocess
import sys
import tempfile
import time
from fnmatch import fnmatchcase
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
LAST = re.compile(r"^(\d+) checks, (\d+) failed$", re.M)
SILENCE = int(os.environ.get("SILENCE", 120))  # seconds without a line, after which a machine counts as hanging

BOCHS = """
megs: 128
cpu: model={model}, count=1, ips=50000000, reset_on_triple_fault=1, ignore_bad_msrs=0
romimage: file={rom}
display_library: rfb, options="timeout=0"
com1: enabled=1, mode=file, dev={serial}
sound: waveoutdrv=dummy, waveindrv=dummy, midioutdrv=dummy
log: {folder}/log
panic: action=fatal
"""


def command(machine, rom, folder, interpreter):
    """What starts the machine, and the file its serial port writes (None: the standard output)."""
    if machine == "interpreter":
        return [interpreter, "memory=134217728 boot=bios", rom, "--until", " failed\n", "--budget", "3000"], None
    if machine == "bmbt":
        return [ROOT / "bmbt", "run", "--bios", rom, "--memory", "128M", "--icount"], None
    if machine == "qemu":
        return ["qemu-system-x86_64", "-cpu", "max,vendor=GenuineIntel", "-m", "128", "-bios", rom, "-display", "none", "-serial", "stdio",
                "-monitor", "none", "-net", "none", "-accel", "tcg"], None
    serial, config = folder / "serial", folder / "bochsrc"
    serial.touch()
    config.write_text(BOCHS.format(rom=rom, serial=serial, folder=folder, model="corei7_icelake_u"))
    (folder / "commands").write_text("c\n" * 100)  # Debian's Bochs has its debugger, which waits to be told, also at each triple fault
    return ["bochs", "-q", "-f", config, "-rc", folder / "commands"], serial


def output_of(machine, rom, interpreter):
    """Everything the guest printed up to its last line."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        line, serial = command(machine, Path(rom).resolve(), folder, interpreter)
        if serial:
            log = open(folder / "out", "wb")
        process = subprocess.Popen(line, stdin=subprocess.PIPE, stdout=log if serial else subprocess.PIPE,
                                   stderr=subprocess.STDOUT, start_new_session=True)
        text, heard = "", time.monotonic()
        try:
            source = open(serial, "rb") if serial else process.stdout
            while not LAST.search(text):
                if serial:
                    piece = source.read()
                    if not piece:
                        time.sleep(0.2)
                else:
                    ready = select.select([source], [], [], 1)[0]
                    piece = os.read(source.fileno(), 65536) if ready else b""
                    if ready and not piece:
                        break
                if piece:
                    text += piece.decode("latin-1").replace("\r", "")
                    heard = time.monotonic()
                    if os.environ.get("VERBOSE"):
                        print(piece.decode("latin-1"), end="", flush=True)
                elif time.monotonic() > heard + SILENCE or (serial and process.poll() is not None and not source.read(1)):
                    break
        finally:
            if process.poll() is None:
                os.killpg(process.pid, 9)
            process.wait()
        return text


def differences(machine):
    """Patterns for the names of the checks that are known to fail on this machine."""
    names = set()
    for line in (HERE / "differences.txt").read_text().splitlines():
        if line.strip() and not line.startswith("#"):
            name, machines, _why = (part.strip() for part in line.split("|", 2))
            if machine in machines.split():
                names.add(name)
    return names


def main():
    machine, rom, *rest = sys.argv[1:]
    text = output_of(machine, rom, *rest or [None])
    last = LAST.search(text)
    if not last:
        print("\n".join(text.splitlines()[-15:]))
        sys.exit(f"{machine}: the guest did not come to its last line")
    failed = {}
    passed = set()
    for line in text.splitlines():
        if line.startswith("FAIL "):
            failed[line[5:].split(": ", 1)[0]] = line
        elif line.startswith(("ok ", "skip ")):
            passed.add(line.split(" ", 1)[1])
    known = differences(machine)
    listed = {name for name in passed | set(failed) if any(fnmatchcase(name, pattern) for pattern in known)}
    for name in failed:
        if name not in listed:
            print(failed[name])
    gone = sorted(passed & listed)
    for name in gone:
        print(f"listed as a difference of {machine}, but does not fail: {name}")
    strangers = sorted(p for p in known if not any(fnmatchcase(name, p) for name in passed | set(failed)))
    for name in strangers:
        print(f"listed as a difference of {machine}, but there is no such check: {name}")
    skipped = sum(line.startswith("skip ") for line in text.splitlines())
    print(f"{machine}: {last[0]}, {len(set(failed) & listed)} of them known, {skipped} skipped")
    sys.exit(bool(set(failed) - listed or gone or strangers))


if __name__ == "__main__":
    main()
