"""memtest86+ through a full pass over a small memory without an error. Usage: memtest.py x64|ia32"""

import sys

from machine import DEPS, Machine, check, main


def test():
    kernel = DEPS / f"memtest/memtest86+{sys.argv[1]}.bin"
    # Not counted in instructions: its last test waits, looking at the clock all the while.
    with Machine("--kernel", kernel, "--memory", "16M", "--append", "console=ttyS0,115200") as machine:
        machine.expect(r"Memtest86\+ v6", 120)
        machine.expect(r"6\.10\.unknown\.x" + {"x64": "64", "ia32": "32"}[sys.argv[1]], 120)
        machine.expect(r"\[Bit fade test, 2 patterns\]", 1500)
        errors = machine.expect(r"Pass: +1 +Errors: (\d+)", 900).group(1)
        check(errors == "0" and "FAIL" not in machine.text, f"memtest86+ found {errors} errors:\n{machine.text[-4000:]}")
        machine.leave()


main(test)
