"""The suites' guest and its archive, with tests of our own: registers of both modes, pages that come when touched, an
exception, a test that never ends; then the guest's exit code through ./bmbt run --test-devices. Usage: selftest.py"""

import subprocess
import sys
import tempfile
from pathlib import Path

import archive

ROOT = Path(__file__).resolve().parents[2]
CODE, STACK, REGION = 0x10000, 0xC0001000, 0x500000000
TIMER, GENERAL_PROTECTION, PAGE_FAULT, HLT = 32, 13, 14, 0xF4


def test(bits, code, *regions):
    return archive.entry(bits, CODE, STACK, [(CODE, len(code), code), (STACK - 4096, 4096, b""), *regions])


TESTS = [
    test(64, bytes.fromhex("48b8efcdab8967452301 660f6ec0 50 5b f4")),            # mov rax; movd xmm0, eax; push; pop rbx
    test(32, bytes.fromhex("b8ffffffff 40 0f94c1 d9e8 60 61 f4")),                # mov eax, -1; inc; sete cl; fld1; pusha
    test(64, bytes.fromhex("48b80010000005000000 488b18 488b4808 f4"),            # mov rax, 500001000h; loads
         (REGION, 1 << 32, b""), (REGION + 0x1000, 8, bytes(range(1, 9)))),
    test(64, bytes.fromhex("8b042500000040")),                                    # mov eax, [40000000h]
    test(64, bytes.fromhex("ebfe")),                                              # jmp to itself
]


def check(condition, why):
    if not condition:
        print(f"FAILED: {why}")
        sys.exit(1)


def main():
    with tempfile.TemporaryDirectory() as here:
        here = Path(here)
        guest = archive.build_guest(here)
        (here / "archive").write_bytes(b"".join(TESTS))
        run = subprocess.run([ROOT / "bmbt", "run", "--kernel", guest, "--initrd", here / "archive", "--memory", "256M",
                              "--test-devices", "--no-reboot"], stdin=subprocess.DEVNULL, capture_output=True)
        broken = subprocess.run([ROOT / "bmbt", "run", "--kernel", guest, "--memory", "256M", "--test-devices"],
                                stdin=subprocess.DEVNULL, capture_output=True)
    text = run.stdout.decode("latin-1")
    states = archive.results(text)
    check(sorted(states) == list(range(len(TESTS))), f"results of {sorted(states)}\n{text}")
    for n in range(3):
        check(states[n]["vector"] == GENERAL_PROTECTION and states[n]["code"] == HLT, f"test {n}: {states[n]}")
    check(states[0]["RBX"] == [0x0123456789ABCDEF] and states[0]["XMM0"] == [0x89ABCDEF, 0], f"{states[0]}")
    check(states[1]["RAX"] == [0] and states[1]["RCX"] == [1] and states[1]["MM7"] == [1 << 63, 0x3FFF], f"{states[1]}")
    check(states[2]["RBX"] == [0x0807060504030201] and states[2]["RCX"] == [0], f"{states[2]}")
    check(states[3]["vector"] == PAGE_FAULT and states[3]["cr2"] == 0x40000000, f"{states[3]}")
    check(states[4]["vector"] == TIMER and states[4]["RIP"] == [CODE], f"{states[4]}")
    check(run.returncode == 1, f"exit code {run.returncode} instead of 1")
    check(broken.returncode == 3 and b"no archive" in broken.stdout, f"without an archive: exit code {broken.returncode}")


main()
