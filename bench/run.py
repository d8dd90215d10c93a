#!/usr/bin/env python3
"""Measures BMBT in host instructions: what ./bmbt bench runs.

Every figure counts executed instructions, the kernel's included, of a workload's second repetition: those of the x86
program in qemu-system-x86_64, the LoongArch instructions that BMBT takes for it, and, for what needs no kernel, those of
the same source compiled for LoongArch and run on the bare machine. The guest is Debian's cloud kernel with the workloads
as its first program. Ends with exit code 1 when a figure is above its bound, is missing, or has another result.
"""

import argparse
import sys

import measure
import programs

# At most so many LoongArch instructions for one of x86's.
BOUND = {"intmix": 2.2, "calls": 3, "interpreter": 3.5, "scalar": 3.5, "packed": 2.5, "x87": 40, "syscall": 6}
# At most so many for one of the LoongArch C library's.
NATIVE_BOUND = {f"{what}_{size}": 2 for what in ("memcpy", "memset", "movs", "stos") for size in ("4k", "1m")}
BOOT_BOUND = 8e9

PAGE = programs.ROOT / "docs/performance.md"
BEGIN, END = "<!-- begin of the table that ./bmbt bench --update writes -->", "<!-- end of the table -->"
HEAD = ["workload", "x86 (M)", "BMBT (M)", "BMBT / x86", "bound", "native (M)", "BMBT / native", "bound"]


def number(value, form):
    return "-" if value is None else form.format(value)


def quotient(a, b):
    return a / b if a is not None and b else None


class Row:
    """One line of the table: instructions on the three machines, and what is wrong with them."""

    def __init__(self, name, x86, ours, native, bound=None, native_bound=None, trouble=None):
        self.name, self.x86, self.ours, self.native, self.trouble = name, x86, ours, native, trouble
        self.bound, self.native_bound = bound, native_bound
        self.ratio, self.share = quotient(ours, x86), quotient(ours, native)

    def cells(self):
        million = [number(n and n / 1e6, "{:.2f}") for n in (self.x86, self.ours, self.native)]
        return [self.name, million[0], million[1] if self.trouble is None else self.trouble, number(self.ratio, "{:.2f}"),
                number(self.bound, "{:.3g}"), million[2], number(self.share, "{:.2f}"), number(self.native_bound, "{:g}")]

    def misses(self):
        if self.trouble:
            yield self.trouble
        elif self.ours is None:
            yield "not measured"
        if self.ratio and self.bound and self.ratio > self.bound:
            yield f"{self.ratio:.2f} for one x86 instruction, at most {self.bound:g}"
        if self.share and self.native_bound and self.share > self.native_bound:
            yield f"{self.share:.2f} for one of native LoongArch, at most {self.native_bound:g}"


def rows(wanted, x86, ours, native):
    if ours.boot is not None:
        yield Row("boot", x86.boot, ours.boot, None, BOOT_BOUND / x86.boot)
    for name in wanted:
        trouble = ours.troubles.get(name)
        if trouble is None and ours.results.get(name) != x86.results.get(name):
            trouble = "wrong result"
        yield Row(name, x86.figures.get(name), ours.figures.get(name), native.figures.get(name), BOUND.get(name),
                  NATIVE_BOUND.get(name), trouble)


def markdown(lines):
    return ["| " + " | ".join(cells) + " |" for cells in [HEAD, ["---"] * len(HEAD), *lines]]


def aligned(lines):
    table = [HEAD, *lines]
    width = [max(len(cells[i]) for cells in table) for i in range(len(HEAD))]
    for cells in table:
        yield "  ".join(cell.ljust(w) if i == 0 else cell.rjust(w) for i, (cell, w) in enumerate(zip(cells, width)))


def update(lines):
    """Puts the lines into the page's table; those of workloads not measured now stay."""
    text = PAGE.read_text()
    start, end = text.index(BEGIN) + len(BEGIN), text.index(END)
    old = [[cell.strip() for cell in line.strip("|").split("|")] for line in text[start:end].split("\n") if line.startswith("|")]
    kept = {cells[0]: cells for cells in old[2:]}
    kept.update({cells[0]: cells for cells in lines})
    order = ["boot", *programs.names()]
    table = markdown([kept[name] for name in order if name in kept])
    PAGE.write_text(text[:start] + "\n" + "\n".join(table) + "\n" + text[end:])


def main():
    parser = argparse.ArgumentParser(prog="./bmbt bench", description="Counts the host instructions that BMBT takes.")
    parser.add_argument("workload", nargs="*", help="only these; all without any, see bench/")
    parser.add_argument("--update", action="store_true", help="also write the figures into docs/performance.md")
    parser.add_argument("--limit", type=int, default=600, metavar="SECONDS", help="for one repetition, and for the boot")
    parser.add_argument("--each", action="store_true", help="count instruction by instruction, not by blocks: slower, and "
                        "exact where faults leave blocks")
    given = parser.parse_args()

    programs.build()
    order = programs.names()
    for name in given.workload:
        if name not in order:
            sys.exit(f"bmbt: {name}: no such workload; there are {' '.join(order)}")
    wanted = [name for name in order if name in given.workload or not given.workload]
    x86 = measure.measure_once("x86", given.limit, given.each)
    native = measure.measure_once("native", given.limit, given.each)
    table = list(rows(wanted, x86, measure.measure("bmbt", wanted, given.limit, given.each), native))
    lines = [row.cells() for row in table]
    print("\n".join(aligned(lines)))
    if given.update:
        update(lines)
    missed = [f"{row.name}: {miss}" for row in table for miss in row.misses()]
    for line in missed:
        measure.say(f"missed: {line}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
