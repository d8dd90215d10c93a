"""Debian's gdb at guests of our own: 32-bit code with symbols, 64-bit and 16-bit code, firmware. Usage: debugged.py DIRECTORY, where the guests are."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from machine import Failure, Machine, check, free_port, main

INSIDE = Path(__file__).with_name("debugged_inside.py")


class Gdb:
    """One session that does a part of what debugged_inside.py has."""

    def __init__(self, port, part, *files, **environment):
        self.part = part
        self.process = subprocess.Popen(
            ["gdb", "-nx", "-batch", "-x", INSIDE, *files], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            env=dict(os.environ, PORT=str(port), PART=part, **environment), text=True)

    def ends_well(self, seconds=240):
        try:
            output, _ = self.process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            output, _ = self.process.communicate()
            raise Failure(f"{self.part}: gdb still runs after {seconds} s:\n{output}")
        if self.process.returncode or "all is well" not in output:
            raise Failure(f"{self.part}: gdb ended with {self.process.returncode}:\n{output}")


def start(*options):
    port = free_port()
    machine = Machine(*options, "--memory", "64M", "--gdb", str(port))
    machine.expect(f"target remote localhost:{port}$", 120)
    time.sleep(2)
    return machine, port


def protected_and_long_mode(guests):
    program = guests / "debugged.elf"
    machine, port = start("--kernel", program)
    with machine:
        Gdb(port, "first", program).ends_well()
        symbols = subprocess.run(["nm", program], check=True, capture_output=True, text=True).stdout
        Gdb(port, "registers", SYMBOLS=symbols).ends_well()
        Gdb(port, "long_mode", SYMBOLS=symbols).ends_well()
        killed = Gdb(port, "runs_for_ever", program)
        while killed.process.stdout.readline().strip() != "runs":
            check(killed.process.poll() is None, "gdb ended")
        time.sleep(2)
        killed.process.send_signal(signal.SIGKILL)
        killed.process.wait()
        Gdb(port, "comes_after_another", program).ends_well()
        machine.ends(0, 60)


def real_mode(guests):
    machine, port = start("--raw", f"{guests / 'debugged_real.bin'}@0x7c00")
    with machine:
        Gdb(port, "real_mode", guests / "debugged_real.elf").ends_well()
        machine.leave()


def firmware():
    machine, port = start("--bios")
    with machine:
        Gdb(port, "firmware").ends_well()
        machine.expect("SeaBIOS", 120)
        machine.expect("No bootable device", 300)
        machine.leave()


def test():
    check(shutil.which("gdb"), "gdb is not installed")
    guests = Path(sys.argv[1])
    protected_and_long_mode(guests)
    real_mode(guests)
    firmware()


main(test)
