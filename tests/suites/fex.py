"""Runs the instruction tests of FEX's unittests/ASM or unittests/32Bit_ASM as user programs under BMBT.

Usage: fex.py [--bits 32] [--command "WORDS"] [--only TEXT] [--verbose] DIRECTORY

DIRECTORY holds NAME.asm, whose head says in JSON what is expected, and beside it NAME.bin, the assembled flat binary for
address 10000h; its files Disabled_Tests and Known_Failures, also with _host behind, name tests that the suite itself does
not pass on an x86 processor. WORDS run the guest instead of ./bmbt, with {kernel} and {initrd} in them. Prints a line for each test
that fails, and counts; the exit code is 0 when none fails."""

import argparse
import json
import re
import shlex
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

import archive

ROOT = Path(__file__).resolve().parents[2]
OFFERED = {"SSSE3", "SSE4.1", "SSE4.2", "XSAVE", "FSGSBASE"}  # of the features that tests name, what CPUID offers
CODE, STACK, PAGE = 0x10000, 0xC0000000, 4096
SCRATCH = ((0xE0000000, 10 * PAGE), (0xE8000000 - PAGE, 2 * PAGE))  # every test has it
GENERAL_PROTECTION, HLT = 13, 0xF4


class Skipped(Exception):
    pass


def integer(text):
    return int(text.replace("_", ""), 0)


def wanted(source, bits):
    """The test's JSON; Skipped says why it cannot run here."""
    text = source.read_text()
    match = re.search(r"%ifdef CONFIG\s*(\{.*?\})\s*%endif", text, re.S)
    if not match:
        raise Skipped("says nothing of what is expected")
    config = {key.upper(): value for key, value in json.loads(match.group(1)).items()}
    missing = sorted({f.upper() for f in config.get("HOSTFEATURES", [])} - OFFERED)
    if missing:
        raise Skipped("needs " + ", ".join(missing))
    if "FEX_X87REDUCEDPRECISION" in config.get("ENV", {}):
        raise Skipped("expects x87 results of 64 bits")
    if (config.get("MODE", "64BIT").upper() == "32BIT") != (bits == 32):
        raise Skipped("is for the other mode")
    return config


def left_out(directory):
    """The tests that the suite leaves out or sees fail on x86 processors."""
    names = set()
    for kind in ("Disabled_Tests", "Disabled_Tests_host", "Known_Failures", "Known_Failures_host"):
        if (directory / kind).exists():
            names |= {line.removeprefix("Test_").removeprefix("32Bit_") for line in (directory / kind).read_text().split("\n")}
    return names


def memory_data(text):
    """Bytes separated by blanks, or one number, which is stored from its low end; each word likewise."""
    data = b""
    for word in text.split():
        digits = word.removeprefix("0x")
        digits = "0" * (len(digits) % 2) + digits
        data += bytes.fromhex(digits)[::-1]
    return data


def prepare(config, code, bits):
    regions = [(CODE, len(code), code), (STACK, PAGE, b""), *((base, size, b"") for base, size in SCRATCH)]
    regions += [(integer(base), integer(size), b"") for base, size in config.get("MEMORYREGIONS", {}).items()]
    for base, text in config.get("MEMORYDATA", {}).items():
        data = memory_data(text)
        regions.append((integer(base), len(data), data))
    return archive.entry(bits, CODE, STACK + PAGE, regions)


def differences(config, state):
    if state is None:
        yield "no result: the guest ended before or during it"
        return
    if state["vector"] != GENERAL_PROTECTION or state["code"] != HLT:
        yield f"ended by vector {state['vector']} at {state['RIP'][0]:x}, error {state['error']:x}, CR2 {state['cr2']:x}"
        return
    for register, values in config.get("REGDATA", {}).items():
        values = [values] if isinstance(values, str) else values
        for n, (want, got) in enumerate(zip(values, state[register.upper()])):
            want = integer(want) & (2**64 - 1)
            if want != got:
                yield f"{register}{f'[{n}]' if len(values) > 1 else ''} {got:x}, expected {want:x}"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("directory", type=Path)
    parser.add_argument("--bits", type=int, choices=(32, 64), default=64)
    parser.add_argument("--command", default=f"{ROOT}/bmbt run --kernel {{kernel}} --initrd {{initrd}} --memory 512M "
                                             "--test-devices --no-reboot")
    parser.add_argument("--only", default="")
    parser.add_argument("--verbose", action="store_true")
    options = parser.parse_args()

    tests, skipped, never = [], Counter(), left_out(options.directory)
    for source in sorted(options.directory.rglob("*.asm")):
        name = str(source.relative_to(options.directory))
        if options.only not in name:
            continue
        try:
            if name in never:
                raise Skipped("left out on x86 by the suite itself")
            config = wanted(source, options.bits)
            binary = source.with_suffix(".bin")
            if not binary.exists():
                raise Skipped("is not assembled")
            code = binary.read_bytes()
            tests.append((name, config, code))
        except Skipped as why:
            skipped[str(why)] += 1
            if options.verbose:
                print(f"skip {name}: {why}")

    with tempfile.TemporaryDirectory() as here:
        here = Path(here)
        guest = archive.build_guest(here)
        (here / "archive").write_bytes(b"".join(prepare(config, code, options.bits) for _, config, code in tests))
        words = [word.format(kernel=guest, initrd=here / "archive") for word in shlex.split(options.command)]
        run = subprocess.run(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        text = run.stdout.decode("latin-1")
    states = archive.results(text)
    if len(states) != len(tests):
        print("\n".join(line for line in text.splitlines() if not line.startswith("T ")))

    failed = 0
    for index, (name, config, _) in enumerate(tests):
        why = list(differences(config, states.get(index)))
        if why:
            failed += 1
            print(f"FAIL {name}: {'; '.join(why)}")
    for reason, count in skipped.most_common():
        print(f"skipped: {count:4} {reason}")
    print(f"{len(tests) - failed} passed, {failed} failed, {skipped.total()} skipped")
    return failed != 0


sys.exit(main())
