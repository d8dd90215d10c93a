"""Debian's gdb debugs Debian's amd64 and i386 kernels, by names that the kernel itself gives. Usage: gdb.py KERNEL"""

import os
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from machine import DEPS, Failure, Machine, check, free_port, initramfs, kernel, main

BOOT = 900
PROMPT = r"^[~/][^\n]* # $"
FUNCTION, COUNTER, STRING = "do_sys_openat2", "jiffies_64", "linux_banner"
I386 = sys.argv[1] == "kernel-i386"
NAMES = [FUNCTION] if I386 else [FUNCTION, COUNTER, STRING]  # its kallsyms has no data


class Gdb:
    """One session of gdb, which runs the commands and ends. What each prints is behind a line with its number."""

    def __init__(self, port, *commands, symbols=None):
        self.script = Path(tempfile.gettempdir()) / f"bmbt-{os.getpid()}-commands.gdb"
        lines = ["set pagination off", "set confirm off", "set remotetimeout 60", "set breakpoint always-inserted on",
                 f"target remote 127.0.0.1:{port}"]
        for number, command in enumerate(commands):
            lines += [f"echo <<<{number}>>>\\n", command]
        self.script.write_text("\n".join(lines + ["echo <<<end>>>\\n", ""]))
        self.process = subprocess.Popen(["gdb", "-nx", "-batch", "-x", self.script, *([symbols] if symbols else [])],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.text = ""

    def _read_until(self, pattern, seconds):
        """Reads until the pattern comes, or, without one, to the end."""
        deadline = time.monotonic() + seconds
        while not (pattern and re.search(pattern, self.text)):
            ready, _, _ = select.select([self.process.stdout], [], [], max(0, deadline - time.monotonic()))
            if not ready:
                self.process.kill()
                raise Failure(f"gdb still runs after {seconds} s:\n{self.text}")
            data = os.read(self.process.stdout.fileno(), 65536).decode()
            if os.environ.get("BMBT_TEST_ECHO"):
                sys.stderr.write(data)
            self.text += data
            if not data:
                break

    def outputs(self, seconds=300):
        self._read_until(None, seconds)
        self.process.wait()
        check("<<<end>>>" in self.text, f"gdb did not come to its end:\n{self.text}")
        return re.split(r"<<<\w+>>>\n", self.text)[1:-1]

    def interrupt_at(self, command):
        """Ctrl-C while the guest runs by the command of that number."""
        self._read_until(f"<<<{command}>>>\n", 300)
        time.sleep(2)
        self.process.send_signal(signal.SIGINT)


def found(pattern, text, what):
    match = re.search(pattern, text, re.M)
    if not match:
        raise Failure(f"{what}: no {pattern!r} in:\n{text}")
    return match


def symbol_file(addresses):
    """An ELF file without contents that has the names, and the place that each is at."""
    here = Path(tempfile.gettempdir()) / f"bmbt-{os.getpid()}-symbols"
    base = min(addresses.values()) & ~0xfffff
    lines = ['.section .kernel,"ax",@nobits']
    for name, address in sorted(addresses.items(), key=lambda item: item[1]):
        kind = "function" if name == FUNCTION else "object"
        lines += [f".globl {name}", f".type {name}, @{kind}", f".org {address - base:#x}", f"{name}:"]
    source = here.with_suffix(".S")
    source.write_text("\n".join(lines + [".org 0x4000000", ""]))
    subprocess.run(["clang-19", f"--target={'i386' if I386 else 'x86_64'}-linux-gnu", "-c", source, "-o", here.with_suffix(".o")], check=True)
    subprocess.run(["ld.lld-19", f"--section-start=.kernel={base:#x}", "-e", "0", here.with_suffix(".o"), "-o", here], check=True)
    return here


def first_instructions(port):
    """The guest waits before its first instruction: steps, registers and memory there, then it boots."""
    register, value, hole = ("$ebx", "0x11223344", "0xe0000000") if I386 else ("$rbx", "0x1122334455667788", "0xffffffffffff0000")
    begin, _, step, write, read, nowhere, vector, fpu = Gdb(
        port, "p/x $pc", "stepi 3", "p/x $pc", f"set var {register} = {value}", f"p/x {register}",
        f"python\ntry:\n  gdb.selected_inferior().read_memory({hole}, 8)\nexcept gdb.MemoryError as e:\n  print(e)\nend",
        "p/x $xmm3.uint128", "p/x $fctrl", "detach").outputs()[:8]
    check(begin != step, f"three steps did not move: {begin}")
    found(rf"= {value}$", read, "a register that was set")
    found(rf"Cannot access memory at address {hole}", nowhere, "memory that is not there")
    found(r"= 0x0$", vector, "a vector")
    found(r"= 0x37f$", fpu, "the x87 control word")


def ranges(port, symbols, address):
    """A step through a range of addresses, as next makes it where there are line numbers."""
    end = address + 16
    _, answer, _ = Gdb(port, f"tbreak *{address}\ncontinue", f"maint packet vCont;r{address:x},{end:x}",
                       "maint flush register-cache\ndetach", symbols=symbols).outputs()
    rip = int.from_bytes(bytes.fromhex(found(r"T05.*;08:(\w{8});" if I386 else r"T05.*;10:(\w{16});", answer, "the end of a step").group(1)), "little")
    check(not address <= rip < end, f"a step through {address:#x} to {end:#x} ended at {rip:#x}")


def breakpoints(port, symbols):
    before, banner, _, stop, rip, under, registers, _, step, function, _, _, returned, _, hard = Gdb(
        port, f"x/8xb &{FUNCTION}", "echo no name" if I386 else f"x/s &{STRING}", f"break *&{FUNCTION}", "continue", "p/x $pc", f"x/8xb &{FUNCTION}",
        "info registers", "stepi", "p/x $pc", f"p/x &{FUNCTION}", "delete", f"tbreak *&{FUNCTION}\ncontinue\nset $back = *(unsigned long*)$sp\ntbreak *$back\ncontinue",
        "p $pc == $back", f"delete\nhbreak *&{FUNCTION}", "continue\nbt 1", "delete\ndetach", symbols=symbols).outputs()[:15]
    I386 or found(r"Linux version \d", banner, "a string of the kernel's")
    found(rf"Breakpoint 1, .*{FUNCTION}", stop, "a breakpoint")
    address = found(r"= (0x\w+)$", rip, "RIP at the breakpoint").group(1)
    check(address in function, f"the breakpoint is at {address}, the function at {function}")
    check(before == under, f"a breakpoint changed memory from\n{before}to\n{under}")
    for name in ("eax" if I386 else "rax", "eflags", "cs", "fs_base", "gs_base", "cr3", "cr4", "efer"):
        found(rf"^{name} +", registers, "info registers")
    check(I386 or int(found(r"^k_gs_base +(0x\w+)", registers, "registers").group(1), 16) < 1 << 47, registers)
    check(I386 or int(found(r"^gs_base +(0x\w+)", registers, "registers").group(1), 16) >> 63 == 1, registers)
    check(found(r"= (0x\w+)$", step, "RIP after the step").group(1) != address, "the step did not move")
    found(r"= 1$", returned, "where the function returned to")
    found(rf"Breakpoint \d, .*{FUNCTION}", hard, "a hardware breakpoint")


def watchpoints(port, symbols):
    value = f"*(unsigned long *)&{COUNTER}"
    write, again, read, access = Gdb(
        port, f"watch {value}\ncontinue", "continue", f"delete\nrwatch {value}\ncontinue", f"delete\nawatch {value}\ncontinue",
        "delete\ndetach", symbols=symbols).outputs()[:4]
    for text in (write, again):
        old, new = (int(found(rf"^{word} value = (\d+)", text, "a watchpoint").group(1)) for word in ("Old", "New"))
        check(new > old, f"the counter went from {old} to {new}")
    found(r"Hardware read watchpoint \d+: .*\n\nValue = \d+", read, "a read watchpoint")
    found(r"Hardware access \(read/write\) watchpoint \d+", access, "an access watchpoint")


def pushes(port, symbols):
    """What the function pushes: its code is 32-bit code to gdb, and its stack is watched."""
    code, stop, later = Gdb(port, f"x/4i &{FUNCTION}", f"tbreak *&{FUNCTION}\ncontinue\nset $slot = $sp - 4\nwatch *(long *)$slot\ncontinue",
                            f"p/d (long)$pc - (long)&{FUNCTION}", "delete\ndetach", symbols=symbols).outputs()[:3]
    found(r"%e[a-ds][xpi]", code, "32-bit code")
    found(r"Hardware watchpoint \d+: \*\(long \*\)\$slot", stop, "a watchpoint on the stack")
    check(int(found(r"= (-?\d+)$", later, "a distance").group(1)) != 0, "the watchpoint was hit at the function's begin")


def interrupts(port, symbols):
    gdb = Gdb(port, "continue", "p/x $cs\nstepi 300", f"break *&{FUNCTION}\ncontinue", "delete\ncontinue", "detach", symbols=symbols)
    gdb.interrupt_at(0)
    gdb.interrupt_at(3)
    first, cs, stop, second, _ = gdb.outputs()
    found(r"Program received signal SIGINT", first, "Ctrl-C")
    found(r"^\$1 = 0x(60|7b|73)$" if I386 else r"^\$1 = 0x(10|33)$", cs, "CS")
    found(r"Breakpoint 1, ", stop, "a breakpoint after Ctrl-C")
    found(r"Program received signal SIGINT", second, "Ctrl-C again")


def test():
    check(shutil.which("gdb"), "gdb is not installed")
    name, port = sys.argv[1], free_port()
    files = {"bin__busybox": DEPS / "busybox-i386/busybox"} if I386 else {}
    options = ["--kernel", kernel(name), "--append", "console=ttyS0 quiet loglevel=1 nokaslr", "--memory", "512M",
               "--initrd", initramfs("gdb", **files), "--gdb", str(port)]
    with Machine(*options) as machine:
        machine.expect(f"target remote localhost:{port}$", 120)
        time.sleep(2)
        first_instructions(port)
        machine.expect("A busybox shell", BOOT)
        machine.expect(PROMPT, 120)
        machine.send(f"grep -E ' ({'|'.join(NAMES)})$' /proc/kallsyms\n")
        addresses = {}
        while len(addresses) < len(NAMES):
            match = machine.expect(r"^([0-9a-f]{8,16}) . (\w+)\n", 120)
            addresses[match.group(2)] = int(match.group(1), 16)
        machine.expect(PROMPT, 60)
        symbols = symbol_file(addresses)
        machine.send("while usleep 50000; do cat /proc/version > /dev/null; done &\n")
        machine.expect(PROMPT, 60)
        for part in (breakpoints, pushes if I386 else watchpoints, interrupts):
            part(port, symbols)
            machine.send("echo $((6 * 7)) goes on\n")
            machine.expect("^42 goes on$", 60)
        ranges(port, symbols, addresses[FUNCTION])
        Gdb(port, "kill").outputs()
        machine.ends(0, 60)


main(test)
