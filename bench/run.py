#!/usr/bin/env python3
"""Measures BMBT in host instructions: bench/run.py [WORKLOAD...] prints the table of docs/performance.md.

Every figure counts executed instructions, the kernel's included, of a workload's second repetition: those of the x86
program in qemu-system-x86_64, the LoongArch instructions that BMBT takes for it, and, for what needs no kernel, those of
the same source compiled for LoongArch. The guest is Debian's cloud kernel with the workloads as its first program.
"""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
DEPS = ROOT / "build/deps"
OUT = ROOT / "build/bench"
PLUGIN = ROOT / "build/tools/count.so"
APPEND = "console=ttyS0 quiet"
HOUR = 3600
FLAGS = ["-O2", "-fno-math-errno"]

# At most so many LoongArch instructions for one of x86's.
TARGET = {"intmix": 2.2, "calls": 3, "interpreter": 3.5, "scalar": 3.5, "packed": 2.5, "x87": 40, "syscall": 6}
# At most so many for one of the LoongArch C library's.
NATIVE_TARGET = {f"{what}_{size}": 2 for what in ("memcpy", "memset", "movs", "stos") for size in ("4k", "1m")}
BOOT_TARGET = 8e9


def run(command, **more):
    return subprocess.run(list(map(str, command)), check=True, **more)


def build():
    run([ROOT / "tools/packages.sh", "bench"])
    run([ROOT / "tools/deps.sh", "kernel-cloud", "libc", "sysroot"])
    run([ROOT / "tools/plugin.sh"])
    OUT.mkdir(parents=True, exist_ok=True)
    sources = sorted([*(ROOT / "bench").glob("*.c"), ROOT / "bench/mark.S"])
    run(["clang-19", *FLAGS, "-static", *sources, "-o", OUT / "bench-x86"])
    # Alone on the machine, with the functions that the C library chooses on a CPU with LASX.
    objects = []
    for source in [ROOT / "bench/native/start.S", ROOT / "bench/native/main.c", ROOT / "bench/mark.S",
                   *(ROOT / f"bench/{name}.c" for name in ("integer", "float", "memory"))]:
        objects.append(OUT / f"{source.stem}.o")
        run(["clang-19", *FLAGS, "--target=loongarch64-unknown-none", "-march=la464", "-fno-pic", "-nostdlibinc",
             "-isystem", DEPS / "sysroot/include", "-c", source, "-o", objects[-1]])
    chosen = [f"--defsym={name}=__{name}_lasx" for name in ("memcpy", "memset", "memcmp")]
    library = [f"{name}-lasx.o" for name in ("memmove", "memset", "memcmp")]
    run(["llvm-ar-19", "x", "--output", OUT, DEPS / "libc/libc.a", *library])
    run(["ld.lld-19", "-static", "-T", ROOT / "bench/native/link.ld", *chosen, *objects, *(OUT / name for name in library),
         "-o", OUT / "bench-loongarch"])


def initramfs():
    tree = OUT / "tree"
    tree.mkdir(exist_ok=True)
    (tree / "dev").mkdir(exist_ok=True)
    (tree / "init").write_bytes((OUT / "bench-x86").read_bytes())
    (tree / "init").chmod(0o755)
    archive = OUT / "bench.cpio"
    run(["sh", "-c", f"cd {shlex.quote(str(tree))} && find . | cpio --quiet -o -H newc -R 0:0 > ../bench.cpio"])
    return archive


def counts(name, command, environment=None):
    """Runs a QEMU with the plugin and gives what it printed and the counts of all instructions at each mark."""
    file = OUT / f"{name}.counts"
    file.unlink(missing_ok=True)
    print(f"measuring: {name}", file=sys.stderr)
    done = subprocess.run(["timeout", "-s", "KILL", str(2 * HOUR), *map(str, command(f"{PLUGIN},out={file}"))],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, env={**os.environ, **(environment or {})})
    (OUT / f"{name}.log").write_text(done.stdout + done.stderr)
    marks = {}
    for line in file.read_text().splitlines() if file.exists() else []:
        _, mark, _, *numbers = line.split()
        marks[int(mark)] = sum(map(int, numbers[:3]))
    results = {m[1]: (int(m[0]), m[2]) for m in re.findall(r"bench (\d+) (\w+) ([0-9a-f]{16})\s*$", done.stdout, re.M)}
    if 1 not in marks:
        sys.exit(f"{name} did not run; what it printed is in {OUT / name}.log")
    return marks, results


def figure(marks, number):
    """The instructions of a workload's second repetition."""
    return marks[2 * number + 3] - marks[2 * number + 2] if 2 * number + 3 in marks else None


def cell(value, form="{:.1f}"):
    return form.format(value) if value is not None else "-"


def main(wanted):
    build()
    archive = initramfs()
    kernel = DEPS / "kernel-cloud/vmlinuz"
    append = f"{APPEND} {' '.join(wanted)}".strip()
    x86, x86_results = counts("x86", lambda plugin: [
        "qemu-system-x86_64", "-M", "pc", "-m", "512M", "-nographic", "-nic", "none", "-kernel", kernel, "-initrd", archive,
        "-append", append, "-plugin", plugin])
    ours, our_results = counts("bmbt", lambda plugin: [
        ROOT / "bmbt", "run", "--kernel", kernel, "--initrd", archive, "--append", append, "--memory", "512M", "--marks",
        "--qemu", f"-plugin {shlex.quote(plugin)}"])
    native, _ = counts("native", lambda plugin: [
        "qemu-system-loongarch64", "-M", "virt", "-cpu", "la464", "-m", "512M", "-nographic", "-nic", "none",
        "-kernel", OUT / "bench-loongarch", "-plugin", plugin])

    print("| workload | x86 (M) | BMBT (M) | BMBT / x86 | at most | native (M) | BMBT / native | at most |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    missed = []
    for name, (number, result) in x86_results.items():
        guest, host, alone = figure(x86, number), figure(ours, number), figure(native, number)
        ratio = host / guest if host and guest else None
        share = host / alone if host and alone else None
        if our_results.get(name) != (number, result):
            missed.append(f"{name}: another result than in qemu-system-x86_64")
        if name in TARGET and (ratio is None or ratio > TARGET[name]):
            missed.append(f"{name}: {cell(ratio, '{:.2f}')} for one x86 instruction, at most {TARGET[name]}")
        if name in NATIVE_TARGET and (share is None or share > NATIVE_TARGET[name]):
            missed.append(f"{name}: {cell(share, '{:.2f}')} times native, at most {NATIVE_TARGET[name]}")
        million = [cell(n / 1e6 if n is not None else None) for n in (guest, host, alone)]
        print(f"| {name} | {million[0]} | {million[1]} | {cell(ratio, '{:.2f}')} | {TARGET.get(name, '-')} | {million[2]} | "
              f"{cell(share, '{:.2f}')} | {NATIVE_TARGET.get(name, '-')} |")
    print(f"| boot | {x86[1] / 1e6:.0f} | {ours[1] / 1e6:.0f} | {ours[1] / x86[1]:.2f} | "
          f"{BOOT_TARGET / 1e6:.0f} M | - | - | - |")
    if ours[1] > BOOT_TARGET:
        missed.append(f"boot: {ours[1] / 1e9:.1f} G instructions, at most {BOOT_TARGET / 1e9:.0f} G")
    for line in missed:
        print(f"missed: {line}", file=sys.stderr)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
