"""Debian's kernels with a busybox initramfs. Usage: linux.py KERNEL WHAT, KERNEL a part of build/deps."""

import hashlib
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from machine import DEPS, GUESTS, ROOT, Machine, busybox_here, check, chroot_here, initramfs, kernel, main, same

BOOT = 900  # seconds to the shell, generous: two may run at once on a slow machine
PROMPT = r"^[~/][^\n]* # $"


# What compares no times counts them in instructions, so that it runs the same on a busy machine.
COUNTED = "--icount"


def options(name, *more):
    return ["--kernel", kernel(name), "--append", "console=ttyS0 quiet loglevel=1", "--memory", "512M", *more]


def userland(name):
    """The busybox that goes with a kernel, if it is not that of initramfs.sh."""
    return {"bin__busybox": DEPS / "busybox-i386/busybox"} if name == "kernel-i386" else {}


def to_shell(machine):
    machine.expect("A busybox shell", BOOT)
    machine.expect(PROMPT, 120)


def ask(machine, command, pattern, seconds=120):
    """Types a command and gives the match of the pattern in its output, then waits for the prompt."""
    machine.send(command + "\n")
    machine.expect(re.escape(command[-10:]), 60)  # the echo
    match = machine.expect(pattern, seconds)
    machine.expect(PROMPT, 60)
    return match


def shell(name):
    """What ./bmbt run gives: typing, editing, job control, and power-off with exit code 0."""
    initrd = initramfs("shell", **userland(name))
    with Machine(*options(name, COUNTED, "--initrd", initrd)) as machine:
        to_shell(machine)
        ask(machine, "echo $((6 * 7)) is the answer", r"^42 is the answer$")
        ask(machine, "echo wrongg\x7f | tr a-z A-Z", r"^WRONG$")
        ask(machine, "cat /proc/cmdline", r"^console=ttyS0 quiet loglevel=1$")
        ask(machine, "uname -m; ls / | wc -l", rf"^{'i686' if name == 'kernel-i386' else 'x86_64'}\n\d+$")
        # Not sleep: to an idle machine that counts instructions a thousand seconds are none.
        machine.send("sh -c 'echo started; exec cat'\n")
        machine.expect(r"^started", 60)
        machine.send("to the cat\n")
        machine.expect(r"to the cat\s+to the cat$", 60)
        machine.send("\x03")  # Ctrl-C is the guest's
        machine.expect(PROMPT, 60)
        ask(machine, "echo still here", r"^still here$")
        machine.send("poweroff\n")
        machine.ends(0, 120)


def date(name):
    """The guest's clock and its sleep agree with this machine's."""
    initrd = initramfs("date")
    with Machine(*options(name, "--initrd", initrd)) as machine:
        to_shell(machine)
        now = int(ask(machine, "date +%s", r"^(\d{9,})\n").group(1))
        check(abs(now - time.time()) < 10, f"the guest's clock says {now}, this machine's {time.time():.0f}")
        started = time.monotonic()
        ask(machine, "sleep 20; echo slept", r"^slept$")
        slept = time.monotonic() - started
        check(19.5 < slept < 24, f"sleep 20 took {slept:.1f} s")
        machine.leave()


def clocks(name):
    """Over 60 seconds the guest's clock, run by TSC, HPET and PM timer in turn, and this machine's differ by less than 0.1 %,
    the time to ask aside."""
    initrd = initramfs("clocks")
    with Machine(*options(name, "--initrd", initrd)) as machine:
        to_shell(machine)
        # The guest says when; how long the line was under way is bounded by two questions in a row.
        def moment():
            before = time.time()
            machine.send("cat /proc/uptime\n")
            guest = float(machine.expect(r"^(\d+\.\d\d) \d+\.\d\d$", 60).group(1))
            after = time.time()
            machine.expect(PROMPT, 60)
            return guest, before, after
        current = "/sys/devices/system/clocksource/clocksource0/current_clocksource"
        for clock in ("tsc", "hpet", "acpi_pm"):
            ask(machine, f"echo {clock} > {current}; cat {current}", f"^{clock}$")
            for _ in range(3):
                first = moment()
            time.sleep(60)
            last = moment()
            guest = last[0] - first[0]
            shortest, longest = last[1] - first[2], last[2] - first[1]
            check(shortest * 0.999 - 0.01 <= guest <= longest * 1.001 + 0.01,
                  f"by {clock} the guest counted {guest:.2f} s, this machine between {shortest:.2f} and {longest:.2f}")
        machine.leave()


def reboot(name):
    """A reboot comes back to the shell; with --no-reboot it ends with exit code 0."""
    initrd = initramfs("reboot")
    with Machine(*options(name, COUNTED, "--initrd", initrd)) as machine:
        to_shell(machine)
        machine.send("touch /tmp/before; reboot\n")
        to_shell(machine)
        ask(machine, "ls /tmp | wc -l", r"^0$")
        machine.leave()
    with Machine(*options(name, COUNTED, "--initrd", initrd, "--no-reboot")) as machine:
        to_shell(machine)
        machine.send("reboot -f\n")
        machine.ends(0, 120)


def script(name):
    """The busybox script prints the same as on this machine."""
    wanted = busybox_here(GUESTS / "busybox-script.sh")
    check(wanted.rstrip().endswith("== end"), f"the script failed on this machine:\n{wanted}")
    initrd = initramfs("script", etc__autorun=GUESTS / "autorun", etc__script=GUESTS / "busybox-script.sh",
                       **userland(name))
    with Machine(*options(name, COUNTED, "--initrd", initrd)) as machine:
        machine.expect(r"<<<begin>>>\n", BOOT)
        begin = machine.mark
        end = machine.expect(r"^<<<end>>>$", 3600).start()
        same(machine.text[begin:end], wanted, "the script's output")
        machine.ends(0, 120)


# What a user program may meet at the addresses of the window, by name: when it reads, and when it writes; all else is
# SEGV1, a page that is not there. Loads from the code trap where the host checks NR, which QEMU does not on a page that it
# has fetched from; and QEMU takes bit 47 for the sign, so that aliases of what may be read may be read.
NOT_THERE, NOT_CANONICAL = {"SEGV1"}, {"SEGV128", "BUS128"}
IN_WINDOW = {
    "code": ({"."} | NOT_THERE, NOT_THERE),
    "page": ({"."}, {"."}),
    "cache": ({"."}, NOT_THERE),
    "alias": ({"."} | NOT_CANONICAL, NOT_CANONICAL),
}


def check_window(text):
    for line in text.splitlines():
        name, address, *answers = line.split()
        reads, writes = IN_WINDOW.get(name, (NOT_THERE, NOT_THERE))
        for answer in answers:
            kind, what = answer.split("=")
            allowed = reads if kind in ("byte", "word", "vector", "string", "pop") else writes
            if kind == "run":
                allowed = NOT_CANONICAL if name == "alias" else NOT_THERE
            check(what in allowed, f"{kind} at {address} ({name}) gave {what} instead of {sorted(allowed)}")


def escape(name):
    """A user program that tries to reach what is not its own meets the same as on this machine, and of the window no
    more than it needs. The program is the third argument."""
    program = sys.argv[3]
    wanted = subprocess.run([program], check=True, capture_output=True, text=True).stdout
    initrd = initramfs("escape", etc__autorun=GUESTS / "autorun", etc__script=GUESTS / "escape-script.sh", etc__escape=program)
    with Machine(*options(name, COUNTED, "--initrd", initrd)) as machine:
        machine.expect(r"<<<begin>>>\n", BOOT)
        begin = machine.mark
        end = machine.expect(r"^<<<end>>>$", 600).start()
        outside, _, window = machine.text[begin:end].partition("== window\n")
        same(outside, wanted, "what a user program reaches")
        window, _, rest = window.partition("== end\n")
        lines = window.splitlines()
        check(len(lines) == 19 + 16 and not rest, f"the program ended early:\n{window}{rest}")
        check_window("\n".join(lines[:19]))
        # Where there is no code for a program to run it ends; among code it may do anything to itself.
        check(all(line.endswith(" killed") for line in lines[19:27]), f"a return went where there is nothing:\n{window}")
        machine.ends(0, 120)


PROGRAMS = {"kernel-i386": ("i386", ["python3", "perl"])}
ALL_PROGRAMS = ("amd64", ["python3", "python3-tests", "perl", "openssl", "sqlite3", "gcc"])


def programs(name):
    """Debian's real programs, those of tests/guests/programs, print the same as on this machine."""
    arch, sections = PROGRAMS.get(name, ALL_PROGRAMS)
    subprocess.run([ROOT / "tools/programs.sh", arch], check=True)
    root = ROOT / f"build/guest/programs-{arch}"
    with tempfile.TemporaryDirectory() as work:
        script = Path(work) / "script"
        script.write_text("".join((GUESTS / f"programs/{section}.sh").read_text() for section in sections) + "echo == end\n")
        wanted = chroot_here(root, script)
        check(wanted.rstrip().endswith("== end"), f"the script failed on this machine:\n{wanted}")
        initrd = initramfs(f"programs-{arch}", etc__autorun=GUESTS / "autorun", etc__script=script, before=root.with_suffix(".cpio"),
                           **userland(name))
    with Machine(*options(name, COUNTED, "--initrd", initrd, "--memory", "3G" if arch == "amd64" else "1G")) as machine:
        machine.expect(r"<<<begin>>>\n", BOOT)
        begin = machine.mark
        end = machine.expect(r"^<<<end>>>$", 10000).start()
        same(machine.text[begin:end], wanted, "the programs' output")
        machine.ends(0, 120)


def initrd(name):
    """An initramfs of 500 MB arrives whole."""
    size = 500_000_000
    with tempfile.TemporaryDirectory() as work:
        line = b"".join(b"%015d\n" % n for n in range(65536))
        with open(Path(work) / "large", "wb") as file:
            for n in range(size // len(line)):
                file.write(line)
                file.write(b"piece %09d\n" % n)
        content = (Path(work) / "large").read_bytes()
        large = Path(work) / "large.cpio"
        with large.open("wb") as out:
            subprocess.run(["cpio", "-o", "-H", "newc", "--quiet"], cwd=work, input=b"large\n", stdout=out, check=True)
        archive = initramfs("initrd", before=large)
    with Machine("--kernel", kernel(name), "--append", "console=ttyS0 quiet loglevel=1", "--memory", "2G", COUNTED, "--initrd", archive) as machine:
        to_shell(machine)
        ask(machine, "stat -c %s /large", f"^{len(content)}$", 600)
        for megabyte in (0, 237, len(content) >> 20):
            wanted = hashlib.md5(content[megabyte << 20:(megabyte + 1) << 20]).hexdigest()
            ask(machine, f"dd if=/large bs=1M skip={megabyte} count=1 2>/dev/null | md5sum", f"^{wanted}  -$", 600)
        machine.send("poweroff -f\n")
        machine.ends(0, 120)


def default(_):
    """Nothing but ./bmbt run."""
    with Machine() as machine:
        to_shell(machine)
        machine.leave()


if __name__ == "__main__":
    main(lambda: globals()[sys.argv[2]](sys.argv[1]))
