"""Debian's SeaBIOS, unmodified, from the reset vector to its last word when there is no disk."""

from machine import Machine, main


def test():
    with Machine("--bios", "--memory", "128M", "--icount") as machine:
        machine.expect(r"SeaBIOS \(version", 120)
        machine.expect(r"No bootable device", 300)
        machine.leave()
    # Its messages and its screen come mixed, so only what it says before the screen is looked for.
    with Machine("--bios", "--memory", "2G", "--trace", "bios", "--icount") as machine:
        machine.expect(r"addr 0x0000000000000000 len 0x0000000080000000 \[RAM\]", 120)
        machine.expect(r"enter handle_18", 300)
        machine.leave()


main(test)
