"""The image's own lines: its version, what it says when it cannot run, and exit code 1 with it."""

import re

from machine import ROOT, Machine, check, main

VERSION = re.search(r'version\[\] = "(.*)"', (ROOT / "src/base/version.hpp").read_text()).group(1)


def ends_with(line, *options):
    with Machine(*options) as machine:
        machine.expect(rf"^bmbt: .*{re.escape(VERSION)}", 60)
        machine.expect(line, 60)
        machine.ends(1, 60)
        for other in machine.text.splitlines():
            check(not other or other.startswith("bmbt:"), f"a line that is not ours: {other}")


def test():
    ends_with(r"^bmbt: no guest was given; ", "--bios", "--qemu", "-append ''")
    ends_with(r"^bmbt: .*LSX", "--bios", "--qemu", "-cpu la464,lsx=off")
    ends_with(r"^bmbt: unknown trace event; ", "--bios", "--trace", "everything")
    ends_with(r"^bmbt: .*memory", "--bios", "--qemu", "-m 512M")


main(test)
