"""A guest that does what no guest should gets what a PC gives it, or ends with a report. Usage: hostile.py DIRECTORY of
hostile.bin and its variants."""

import sys
from pathlib import Path

from machine import Machine, main, same

HERE = Path(sys.argv[1])

# The exception that answers each attempt; "-": none.
ANSWERS = """\
ports -
MSRs -
jump nowhere #6
jump into the video hole #6
jump to where a ROM would be #6
jump to the end of the last page #13
jump into the I/O APIC #6
jump into the local APIC #6
run off the end of memory #6
read nowhere -
write nowhere -
a word across the end of memory -
LOCK nowhere -
vectors nowhere -
FXSAVE nowhere -
FXRSTOR of ones #13
64 KiB out of the I/O APIC -
64 KiB into nowhere -
bytes of the APICs' registers -
an odd port of 4 bytes at the end -
a selector beyond the table #13
a segment that is not present #11
LTR of data #13
LLDT of a TSS #13
LTR of a TSS nowhere -
CR0 with PG and no PE #13
CR0 with NW and no CD #13
CR4 of all ones #13
a stack nowhere #3
an undefined instruction #6
end
"""


def guest(name, *options):
    return Machine("--raw", f"{HERE / name}.bin@0x10000", "--memory", "16M", "--icount", *options)


def test():
    with guest("hostile") as machine:
        machine.expect(r"^end$", 120)
        same(machine.text[:machine.mark].lstrip(), ANSWERS, "the answers")
        machine.expect(r"^bmbt: .*halted", 60)
        machine.ends(0, 60)
    # No interrupt table; one in a device; a segment table, page tables there; page tables, a task where nothing is.
    for end in range(1, 7):
        with guest(f"hostile{end}", "--no-reboot") as machine:
            machine.expect(r"^end\n(.*\n)*bmbt: report: triple fault$", 60)
            machine.expect(r"^bmbt: rip=", 60)
            machine.expect(r"^bmbt: the guest shut down by a triple fault$", 60)
            machine.ends(1, 60)


main(test)
