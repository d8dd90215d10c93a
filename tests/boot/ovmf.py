"""Debian's OVMF, UEFI in place of a BIOS, from the reset vector to its shell on the serial port, and power-off from there."""

from machine import DEPS, Machine, main


def ask(machine, command, pattern):
    machine.send(command + "\r")
    match = machine.expect(pattern, 300)
    machine.expect(r"Shell> ", 300)
    return match


def test():
    with Machine("--bios", DEPS / "ovmf/OVMF.fd", "--memory", "256M", "--icount") as machine:
        machine.expect(r"UEFI Interactive Shell v\d", 900)
        machine.expect(r"Shell> ", 300)
        ask(machine, "ver", r"UEFI v2\.70 \(EDK II")
        ask(machine, "memmap", r"BS_Code +: +[\d,]+ Pages")
        ask(machine, "pci", r"00 +01 +00 +==> Bridge Device - PCI/ISA bridge")
        machine.send("reset -s\r")
        machine.ends(0, 120)


main(test)
