"""A guest that does what no guest should gets what a PC gives it, or ends with a report. Usage: hostile.py DIRECTORY of
hostile.bin and its variants."""

import sys
import tempfile
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

# In 64-bit mode; a page fault's error code in hexadecimal. A table that is not in RAM reads as ones.
ANSWERS64 = """\
a PDPT in a device #14:09
a PDPT nowhere #14:09
a PDPT beyond all addresses #14:09
a PD in a device #14:09
a crooked page of 1 GiB #14:09
a page table nowhere #14:09
a page of 2 MiB nowhere -
a crooked page of 2 MiB #14:09
a page in a device -
a page that is not to be run -
a page beyond all memory -
a page with reserved bits #14:09
no page #14:00
across the end of a page into none #14:09
the page tables through themselves -
run a page nowhere #6
run a page in a device #6
run a page that is not to be run #14:11
run no page #14:10
run the video hole #6
run where no address is canonical #13
run the end of the lower half #14:10
write a page that is read only #14:03
read where no address is canonical #13
write where no address is canonical #13
a stack frame where no address is canonical #12
IRET to where no address is canonical #13
CR3 with reserved bits #13
CR4 without PAE #13
CR0 without PG #13
CR8 of all ones #13
CR1 #6
DR7 with high bits #13
LGDT of no canonical address #13
FS.base of no canonical address #13
INVLPG of anything -
MOVAPS across its boundary #13
CMPXCHG16B across its boundary #13
LOCK across a line, a page, and nowhere -
LTR of data #13
SYSRET to a strange address #13
VMCALL #6
RDPMC #13
XSETBV of all ones #6
a divide error #0
end
"""


def guest(name, *options):
    return Machine("--raw", f"{HERE / name}.bin@0x10000", "--memory", "16M", "--icount", *options)


def test():
    for name, answers in (("hostile", ANSWERS), ("hostile64", ANSWERS64)):
        with guest(name) as machine:
            machine.expect(r"^end$", 120)
            same(machine.text[:machine.mark].lstrip(), answers, f"the answers of {name}")
            machine.expect(r"^bmbt: .*halted", 60)
            machine.ends(0, 60)
    # More ways out of a block than a compiler would make: JO to the next instruction, 96 times; then 'A' and HLT.
    with tempfile.NamedTemporaryFile() as file:
        file.write(bytes([0xeb, 0x00]) + bytes([0x70, 0x00]) * 96 + bytes([0xb0, 0x41, 0xe6, 0xe9, 0xfa, 0xf4]))
        file.flush()
        with Machine("--raw", file.name, "--memory", "16M") as machine:
            machine.expect(r"^A$", 60)
            machine.ends(0, 60)
    # No interrupt table; one in a device; a segment table, page tables there; page tables, a task where nothing is.
    for end in range(1, 7):
        with guest(f"hostile{end}", "--no-reboot") as machine:
            machine.expect(r"^end$", 60)
            machine.expect(r"^bmbt: report: triple fault$", 60)
            machine.expect(r"^bmbt: rip=", 60)
            machine.expect(r"^bmbt: the guest shut down by a triple fault$", 60)
            machine.ends(1, 60)


main(test)
