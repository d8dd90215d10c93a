#!/usr/bin/env python3
"""What ./bmbt fuzz makes of an image that is wrong in a known way: fuzz_test.py ORACLE. Exits 0 when it finds the vector and makes it small."""

import os
import re
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))
os.environ["BMBT_ORACLE"] = sys.argv.pop()
import fuzz

WRONG = re.compile(r'64 "(?:.. )*?(?:48 )?0f af c3(?: ..)*"')  # IMUL of EBX or RBX
PLAIN = '64 "0f af c3"'


class WrongImage(fuzz.Image):
    """Differs in `what` at every vector that multiplies EAX or RAX by EBX or RBX; or comes to no end there."""

    def __init__(self, oracle, what):
        super().__init__(False)
        self.oracle, self.what, self.boots = oracle, what, 0

    def differing(self, file, limit=None):
        self.boots += 1
        lines = self.oracle.run("show", file).stdout.splitlines()
        wrong = [n for n, line in enumerate(lines) if WRONG.match(line)]
        if wrong and not self.what:
            return None, "panic"
        return {n: self.what for n in wrong}, ""


class Fuzz(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.oracle = fuzz.Oracle(self.folder.name)

    def tearDown(self):
        self.folder.cleanup()

    def test_a_line_is_the_vector(self):
        """Whatever the seed: memory that no vector patches is the same for a line."""
        file = Path(self.folder.name) / "seeded"
        self.oracle.run("generate", "-o", file, "--seed", 7, "--count", 200, "--only", "mov")
        shown = self.oracle.run("show", file).stdout.splitlines()
        again = self.oracle.record([line.partition(" -> ")[0] for line in shown], False)
        self.assertEqual(len(shown), 200)
        self.assertEqual(self.oracle.run("show", again).stdout.splitlines(), shown)

    def test_made_small(self):
        image = WrongImage(self.oracle, {"rax", "flags"})
        line = '64 "90 48 0f af c3 f7 d0 0f a2" seed=77 rbx=5 rcx=1 [4010]=0102'
        # CPUID at its end is no affair of this machine's, so the line is taken as it is and yet becomes small.
        self.assertEqual(fuzz.shrink(self.oracle, image, line), PLAIN)

    def test_other_differences_are_not_followed(self):
        class Fickle(WrongImage):
            def differing(self, file, limit=None):
                differ, text = super().differing(file)
                lines = self.oracle.run("show", file).stdout.splitlines()
                return {n: {"rax"} if "rcx=" in lines[n] else {"memory"} for n in differ}, text

        least = fuzz.shrink(self.oracle, Fickle(self.oracle, {"rax"}), '64 "90 0f af c3" rbx=5 rcx=1')
        self.assertEqual(least, '64 "0f af c3" rcx=1')

    def test_nothing_of_this_machine_s_own(self):
        """RDTSC hidden in an immediate is not what a vector is shrunk to."""
        class Counts(WrongImage):
            def differing(self, file, limit=None):
                lines = self.oracle.run("show", file).stdout.splitlines()
                return {n: {"rax"} for n, line in enumerate(lines) if "0f 31" in line}, ""

        least = fuzz.shrink(self.oracle, Counts(self.oracle, {"rax"}), '64 "b8 0f 31 00 00" rbx=5')
        self.assertEqual(least, '64 "b8 0f 31 00 00"')

    def test_a_hang_is_found_and_made_small(self):
        image = WrongImage(self.oracle, None)
        fuzz.ROUND = 64
        lines = [f'64 "01 d8" rax={n:x}' for n in range(fuzz.ROUND)]
        lines[41] = '64 "90 0f af c3" rbx=5'
        file = Path(self.folder.name) / "many"
        self.oracle.record(lines, False).rename(file)
        self.assertEqual(fuzz.culprit(self.oracle, image, file), 41)
        self.assertEqual(fuzz.shrink(self.oracle, image, self.oracle.line(file, 41)), PLAIN)

    def test_what_is_right_is_not_shrunk(self):
        self.assertIsNone(fuzz.shrink(self.oracle, WrongImage(self.oracle, {"rax"}), '64 "01 d8" rax=1'))

    def test_report(self):
        text = """bmbt: vector 3: 64 "0f af c3" seed=0
bmbt:     rax: expected 1, is 2
bmbt:     [4010]: expected 1, is 2
bmbt: 9 passed, 1 failed
bmbt: vector 4: 64 "0f af c3" seed=0: triple fault
bmbt: 9 passed, 1 failed
bmbt: instruction vectors failed"""
        self.assertEqual(fuzz.read_report(text)[0], {3: {"rax", "memory"}, 4: {"triple fault"}})
        self.assertIsNone(fuzz.read_report(text.rsplit("\n", 1)[0])[0])


if __name__ == "__main__":
    unittest.main()
