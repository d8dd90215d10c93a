"""GRUB for PCs, a multiboot kernel that goes back to real mode: to its prompt on the serial port, its idea of the memory,
and power-off by ACPI. Usage: grub.py"""

import os
import subprocess
import tempfile
from pathlib import Path

from machine import DEPS, Machine, check, main

CONFIG = """serial --unit=0 --speed=115200
terminal_input serial
terminal_output serial
"""


def grub(folder):
    """An image with the modules in it that the test needs, since there is no disk to load more from."""
    config, image = folder / "grub.cfg", folder / "grub.img"
    config.write_text(CONFIG)
    grub = DEPS / "grub"
    subprocess.run([grub / "bin/grub-mkimage", "-O", "i386-pc", "-d", grub / "modules/i386-pc", "-p", "/boot/grub",
                    "-c", config, "-o", image, *"serial terminal normal echo lsmmap cpuid test halt".split()], check=True,
                   env=dict(os.environ, LD_LIBRARY_PATH=str(grub / "lib")))
    return image


def ask(machine, command, pattern):
    machine.send(command + "\n")
    match = machine.expect(pattern, 120)
    machine.expect(r"grub> ", 120)
    return match


def test():
    with tempfile.TemporaryDirectory() as folder, Machine("--kernel", grub(Path(folder)), "--memory", "64M",
                                                          "--icount") as machine:
        machine.expect(r"GNU GRUB  version", 300)
        machine.expect(r"grub> ", 120)
        ask(machine, "echo one${x}two", r"^onetwo$")
        ask(machine, "if cpuid -l; then echo sixty''four; fi", r"^sixtyfour$")
        ask(machine, "lsmmap", r"^base_addr = 0x100000, length = 0x3f00000, available RAM$")
        check("base_addr = 0x0, length = 0x9fc00, available RAM" in machine.text, f"no conventional memory:\n{machine.text}")
        machine.send("halt\n")
        machine.ends(0, 120)


main(test)
