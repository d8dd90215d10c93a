"""The Debian installer to its first screen on the serial console. Usage: installer.py amd64|i386"""

import subprocess
import sys

from machine import DEPS, ROOT, Machine, main


def test():
    subprocess.run([ROOT / "tools/deps.sh", f"installer-{sys.argv[1]}"], check=True)
    files = DEPS / f"installer-{sys.argv[1]}"
    with Machine("--kernel", files / "linux", "--initrd", files / "initrd.gz", "--memory", "1G", "--icount",
                 "--append", "console=ttyS0 quiet loglevel=1") as machine:
        machine.expect(r"Select a language", 1800)
        machine.expect(r"Choose the language to be used for the installation process", 120)
        machine.leave()


main(test)
