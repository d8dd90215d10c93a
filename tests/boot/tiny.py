"""The tiny kernel says hello on port F1h; its HLT with interrupts off ends the run with exit code 0. Usage: tiny.py IMAGE."""

import sys

from machine import Machine, main


def test():
    for options in ([], ["--icount"], ["--icount", "--stats"]):
        with Machine("--raw", sys.argv[1], "--memory", "16M", *options) as machine:
            machine.expect(r"^Hello, world$", 60)
            machine.expect(r"^bmbt: .*halted", 60)
            if "--stats" in options:
                machine.expect(r"^(bmbt: )?blocks \d+$", 60)
            machine.ends(0, 60)


main(test)
