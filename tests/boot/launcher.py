"""What the launcher says of bad input: one line that names the problem and the way out, before anything is started."""

import os
import re
import subprocess
import tempfile
import time
from pathlib import Path

from machine import ROOT, Failure, check, kernel, main

vmlinuz = kernel("kernel")


def bmbt(*words, **environment):
    run = subprocess.run([ROOT / "bmbt", *map(str, words)], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                         env={**os.environ, **environment}, timeout=60)
    return run.returncode, run.stdout, run.stderr


def refused(line, *options, **environment):
    code, out, err = bmbt("run", *options, **environment)
    check(code != 0, f"{options} was taken")
    check(out == "", f"{options}: started something: {out}")
    if err != f"bmbt: {line}\n":
        raise Failure(f"{options}\n got: {err}want: bmbt: {line}")


def command(*options):
    code, out, err = bmbt("run", "--dry-run", *options)
    check(code == 0 and err == "", f"--dry-run {options}: {code} {err}")
    return out


def bad_input(here):
    def file(name, size, start=b""):
        (here / name).write_bytes(start + bytes(size - len(start)))
        return here / name

    whole = vmlinuz.read_bytes()
    empty, zeros, odd = file("empty", 0), file("zeros", 5000), file("odd", 65537)
    truncated = file("truncated", 3_000_000, whole[:3_000_000])
    big = here / "big"
    os.truncate(os.open(big, os.O_CREAT | os.O_RDWR), 100 << 20)
    size = (int.from_bytes(whole[0x1f4:0x1f8], "little") * 16) + (whole[0x1f1] + 1) * 512
    needs = int.from_bytes(whole[0x258:0x260], "little") + int.from_bytes(whole[0x260:0x264], "little")

    refused("nothing: no such file; check the name given to --kernel", "--kernel", "nothing")
    refused("nothing: no such file; check the name given to --initrd", "--kernel", vmlinuz, "--initrd", "nothing")
    refused("nothing: no such file; check the name given to --bios", "--bios", "nothing")
    refused("nothing: no such file; check the name given to --raw", "--raw", "nothing")
    refused(f"{here}: cannot be read; --kernel wants a readable file", "--kernel", here)
    refused(f"{empty}: empty; --kernel wants a file with contents", "--kernel", empty)
    for other in (zeros, "/bin/sh"):
        refused(f"{other}: not a kernel; --kernel wants a Linux bzImage or a multiboot image", "--kernel", other)
    refused(f"{truncated}: truncated kernel, 3000000 of {size} bytes; copy it again", "--kernel", truncated)
    refused(f"{vmlinuz}: kernel does not fit into 64M of guest memory; give at least --memory {(needs >> 20) + 32}M",
            "--kernel", vmlinuz, "--memory", "64M")
    refused(f"{big}: initrd does not fit beside the kernel into 128M of guest memory; "
            f"give at least --memory {((needs + (100 << 20)) >> 20) + 64}M",
            "--kernel", vmlinuz, "--initrd", big, "--memory", "128M")
    refused(f"{odd}: not a PC firmware image; --bios wants a whole number of 64 KiB, at most 16 MiB", "--bios", odd)
    refused(f"{zeros}: does not fit below 1 MiB at address 0xff000; give a smaller image or address",
            "--raw", f"{zeros}@0xff000")
    refused(f"--raw {zeros}@here: not an address after @; give for example boot.bin@0x7c00", "--raw", f"{zeros}@here")

    refused("--memory 8M: too small; give at least 16M", "--memory", "8M")
    refused("--memory lots: not a size; give a number with suffix K, M or G, such as 512M", "--memory", "lots")
    has = int(Path("/proc/meminfo").read_text().split()[1]) // 1024
    refused(f"--memory 1024000M: more than this machine has, BMBT takes 1024256M of {has}M with it; give less",
            "--memory", "1000G")
    refused("--cpus 2: this version runs one CPU; give 1 or leave the option out", "--cpus", "2")
    refused("--cpus none: not a number of CPUs; give 1", "--cpus", "none")
    refused("--gdb 70000: not a TCP port; give a number from 1 to 65535", "--gdb", "70000")
    refused("--gdb-arch i486: not one of auto, x86-64, i386, i8086", "--gdb", "--gdb-arch", "i486")
    refused("--gdb-arch i386: belongs to --gdb; give that too", "--gdb-arch", "i386")
    refused("--marks and --test-devices both take port E9h; give one of them", "--bios", "--test-devices", "--marks")
    refused("--fast: unknown option; see ./bmbt --help", "--fast")
    refused("--kernel: wants a value; see ./bmbt --help", "--kernel")
    refused("--kernel, --bios, --raw and --vectors exclude each other; give one of them",
            "--bios", "--raw", zeros)
    refused("--initrd and --append belong to a kernel; leave them out with --bios, --raw and --vectors",
            "--bios", "--append", "quiet")
    refused("--qemu -d 'x: unmatched quote; close it", "--qemu", "-d 'x")
    line = f"memory=1073741824 boot=linux kernel=0xc0000000,{len(whole)} cmdline="
    refused(f"--append: too long by {len(line) + 499 - 511} characters; shorten it", "--kernel", vmlinuz, "--memory", "1G", "--append", "x" * 499)
    code, _, err = bmbt("start")
    check(code == 1 and err == "bmbt: start: unknown command; see ./bmbt --help\n", err)


def old_qemu(here):
    """A QEMU that is too old and not the distribution's own cannot be mended by installing another."""
    old = here / "qemu-system-loongarch64"
    old.write_text("#!/bin/sh\necho QEMU emulator version 7.2.15\n")
    old.chmod(0o755)
    refused(f"QEMU 10 or newer is needed, {old} is version 7; remove it from the PATH or update it", "--bios",
            PATH=f"{here}:{os.environ['PATH']}", BMBT_IMAGE="")


    refused(f"QEMU 10 or newer is needed, {old} is version 7; remove it from the PATH or update it", "--bios",
            PATH=f"{here}:{os.environ['PATH']}", BMBT_IMAGE="/bin/sh")


def no_qemu(here):
    """With an image built elsewhere nothing is installed, so the QEMU must be there."""
    programs = here / "programs"
    programs.mkdir()
    for folder in os.environ["PATH"].split(":"):
        for program in Path(folder).glob("*"):
            if not program.name.startswith("qemu-system") and not (programs / program.name).exists():
                (programs / program.name).symlink_to(program)
    refused("qemu-system-loongarch64: not found; install QEMU 10 or newer, or put it into the PATH", "--bios",
            PATH=str(programs), BMBT_IMAGE="/bin/sh")


def good_input(here):
    command()
    started = time.monotonic()
    line = command("--stats", "--marks", "--no-reboot", "--icount", "--trace", "block,io", "--append", "x='1 2' quiet")
    took = time.monotonic() - started
    check(took < 2, f"--dry-run took {took:.1f} s")
    for part in ("-icount shift=0,sleep=off", "memory=2147483648", "boot=linux", " stats marks no-reboot trace=block,io ",
                 r"cmdline=x='\''1 2'\'' quiet'"):
        check(part in line, f"{part!r} is not in {line}")
    strange = here / "it's, a disk"
    strange.write_bytes(b"\xf4")
    line = command("--raw", f"{strange}@0x7c00", "--memory", "16M")
    check(f"'loader,file={here}/it'\\''s,, a disk,addr=0x81000000,force-raw=on'" in line, line)
    check("boot=raw raw-address=31744 kernel=0x81000000,1" in line, line)
    line = command("--gdb", "--bios")
    check("-chardev socket,id=gdb,host=127.0.0.1,port=1234,server=on,wait=off,nodelay=on -serial chardev:gdb" in line and " gdb" in line, line)
    line = command("--test-devices", "--raw", strange)
    check("-serial mon:stdio -serial null -serial null -serial file:status" in line and " test-devices" in line, line)
    line = command("--test-devices", "--gdb", "--raw", strange)
    check("-serial mon:stdio -chardev socket,id=gdb," in line and "-serial chardev:gdb -serial null -serial file:status" in line, line)
    check("port=4321" in command("--gdb", "4321"), "--gdb 4321")
    check(" gdb gdb-arch=i386 " in command("--gdb", "--gdb-arch", "i386"), "--gdb-arch i386")
    check("gdb-arch" not in command("--gdb", "--gdb-arch", "auto"), "--gdb-arch auto")
    line = command("--bios", "--qemu", "-d 'a b' -D x\\ y", "--qemu", '-name "q r"')
    check(line.endswith("-d 'a b' -D 'x y' -name 'q r'\n"), line)
    check("boot=bios" in line and "bios-256k.bin" in line, line)


def words():
    code, out, _ = bmbt("--version")
    check(code == 0 and out.startswith("bmbt 0."), out)
    code, out, _ = bmbt("--help")
    for option in ("kernel", "initrd", "append", "bios", "raw", "memory", "cpus", "stats", "trace", "marks", "no-reboot",
                   "icount", "gdb", "gdb-arch", "test-devices", "qemu", "dry-run", "vectors"):
        check(f"--{option}" in out, f"--help does not tell --{option}")
        check(re.search(rf"^ +\./bmbt run .*--{option}\b", out, re.M), f"--help gives no example of --{option}")
    check(code == 0, "--help fails")


def test():
    with tempfile.TemporaryDirectory() as here:
        words()
        bad_input(Path(here))
        old_qemu(Path(here))
        no_qemu(Path(here))
        good_input(Path(here))


main(test)
