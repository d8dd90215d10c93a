"""Debian's SeaBIOS, unmodified, from the reset vector to its last word when there is no disk."""

from machine import Machine, main


def test():
    with Machine("--bios", "--memory", "128M") as machine:
        machine.expect(r"SeaBIOS \(version", 120)
        machine.expect(r"No bootable device", 300)
        machine.leave()
    with Machine("--bios", "--memory", "2G", "--trace", "bios") as machine:
        machine.expect(r"No bootable device", 300)
        machine.leave()


main(test)
