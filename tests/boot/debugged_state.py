"""Every register of the guest of tests/guests/debugged.S: what gdb reads against what the guest has loaded, and what gdb writes against what the guest
stores. debugged_inside.py brings the guest there. Words that the guest has put at `state_general` and so on are known here by their rule."""

import copy
import re
import struct

import gdb

MASK = (1 << 64) - 1
GENERAL = "rax rcx rdx rbx rsp rbp rsi rdi r8 r9 r10 r11 r12 r13 r14 r15".split()
CONTROL = "eflags mxcsr fctrl fstat ftag fiseg fioff foseg fooff fop cs ss ds es fs gs fs_base gs_base".split()
CF, PF, AF, ZF, SF, DF, OF = 1, 4, 0x10, 0x40, 0x80, 0x400, 0x800
ARITHMETIC = CF | PF | AF | ZF | SF | OF
PI, ZERO, INFINITY = 0xC000C90FDAA22168C235, 0, 0x7FFF8000000000000000


def extended(number):
    """The 80 bits of a double that is normal."""
    bits = struct.unpack("<Q", struct.pack("<d", number))[0]
    return (bits >> 63) << 79 | ((bits >> 52 & 0x7FF) - 1023 + 16383) << 64 | 1 << 63 | (bits & (1 << 52) - 1) << 11


NUMBERS = {"1.5": extended(1.5), "-1e300": extended(-1e300), "1.0l/3": 0x3FFDAAAAAAAAAAAAAAAB, "-2.0l/3": 0xBFFEAAAAAAAAAAAAAAAB,
           "4.25": extended(4.25), "5.125": extended(5.125), "-6e-20": extended(-6e-20), "7e77": extended(7e77)}


def flags_of_sum(a, b):
    total = a + b & MASK
    flags = (CF if a + b > MASK else 0) | (ZF if not total else 0) | (SF if total >> 63 else 0)
    flags |= PF if bin(total & 0xFF).count("1") % 2 == 0 else 0
    flags |= AF if (a & 15) + (b & 15) > 15 else 0
    return flags | (OF if (~(a ^ b) & (a ^ total)) >> 63 & 1 else 0)


def value(expression):
    number = gdb.parse_and_eval(expression)
    return int(number) & (1 << 8 * number.type.sizeof) - 1


def vector(number):
    """By its halves: a number of 128 bits is more than gdb's Python takes."""
    low, high = (value(f"$xmm{number}.v2_int64[{half}]") for half in (0, 1))
    return high << 64 | low


def stack(number):
    text = gdb.execute(f"info registers st{number}", to_string=True)
    return int(re.search(r"raw 0x([0-9a-f]{20})", text).group(1), 16)


def read():
    """What gdb says of all registers, new from the guest."""
    gdb.execute("maintenance flush register-cache", to_string=True)
    state = {name: value(f"${name}") for name in (*GENERAL, *CONTROL)}
    return state | {f"xmm{n}": vector(n) for n in range(16)} | {f"st{n}": stack(n) for n in range(8)}


class Model:
    """What the registers must be, as the guest goes on. The x87 registers are by their places, not from TOP on."""

    def __init__(self, symbols, user, odd):
        self.symbols = symbols
        self.general = {name: 0x0101010101010101 * (n + 1) & MASK for n, name in enumerate(GENERAL)}
        self.general["r15"] = MASK - 2
        self.general["rsp"] = symbols["user_stack" if user else "stack"]
        self.vectors = [(0x0123456789ABCDEF + n) << 64 | (0x1111111111111111 * n + 1 & MASK) for n in range(16)]
        self.places = {7: PI, 6: ZERO, 5: INFINITY, 4: 0x3FFDAAAAAAAAAAAAA800 if odd else 0x3FFDAAAAAAAAAAAAAAAB}
        self.top = 4
        self.fctrl, self.mxcsr = (0x0E7F, 0xFFC0) if odd else (0x037F, 0x1F80)
        self.eflags = 2 | CF | PF | AF | ZF | SF | DF | OF
        self.cs, self.ss = (0x43, 0x3B) if user else (0x18, 0x10)
        self.last = "at_compare", 0x014
        self.spare = {}  # what a pop has left in an empty place

    def add(self, to, number):
        self.eflags = self.eflags & ~ARITHMETIC | flags_of_sum(self.general[to], number)
        self.general[to] = self.general[to] + number & MASK

    def state(self):
        symbols = self.symbols
        want = dict(self.general)
        want |= {f"xmm{n}": v for n, v in enumerate(self.vectors)}
        for n in range(8):
            place = (self.top + n) % 8
            if place in self.places or place in self.spare:
                want[f"st{n}"] = self.places.get(place, self.spare.get(place))
        tags = {PI: 0, ZERO: 1, INFINITY: 2}
        want["ftag"] = sum((tags.get(self.places[n], 0) if n in self.places else 3) << 2 * n for n in range(8))
        want |= {"eflags": self.eflags, "mxcsr": self.mxcsr, "fctrl": self.fctrl, "fstat": self.top << 11 | 0x120,  # C0, PE
                 "fiseg": self.cs, "fioff": symbols[self.last[0]], "fop": self.last[1], "foseg": 0x3B, "fooff": symbols["three"],
                 "cs": self.cs, "ss": self.ss, "ds": 0x3B, "es": 0x3B, "fs": 0x3B, "gs": 0x3B,
                 "fs_base": symbols["state_fs"], "gs_base": symbols["state_gs"]}
        return want

    def add_halves(self):
        self.vectors[0] = sum(((self.vectors[0] >> half) + (self.vectors[1] >> half) & MASK) << half for half in (0, 64))

    def exchange(self):
        self.places[4], self.places[6] = self.places[6], self.places[4]
        self.last = "at_exchange", 0x1CA

    def spinning(self, place, r15):
        """What becomes of this at `place` of the loop, in a turn that R15 tells."""
        now = copy.deepcopy(self)
        turn = r15 - self.general["r15"] & MASK
        if turn:
            now.general["r15"] = r15 - 1 & MASK
            now.add("r15", 1)
        moved = turn - (place == "spin1")
        if moved:
            now.vectors[15] = self.general["r15"] + moved & MASK
        if turn - (place in ("spin1", "spin2")):
            copied = now.places[7]
            if place == "spin3":
                now.places[3], now.top, now.last = copied, 3, ("spin2", 0x1C3)
            else:
                now.spare, now.last = {3: copied}, ("spin3", 0x5D8)
        return now


def write():
    """Other values, by gdb's own assignments; what read() must then give."""
    want = {name: 0xF0E0D0C0B0A09080 + n for n, name in enumerate(GENERAL) if name != "rsp"}
    want |= {"fctrl": 0x077F, "fstat": 0x5004, "ftag": 0x000F, "fiseg": 0x1234, "fioff": 0x1ABCDEF0, "foseg": 0x5678, "fooff": 0x76543210,
             "fop": 0x3A5, "mxcsr": 0x3F90, "eflags": 0x244C17}  # rounding down, TOP 2; carry, parity, overflow, direction, NT, AC, ID
    for name, number in want.items():
        gdb.execute(f"set ${name} = {number:#x}", to_string=True)
    for n, (text, bits) in enumerate(NUMBERS.items()):
        gdb.execute(f"set $st{n} = {text}", to_string=True)
        want[f"st{n}"] = bits
    return want | write_vectors(16)


def write_vectors(number):
    want = {}
    for n in range(number):
        low, high = 0x0F1E2D3C4B5A6978 + n, 0x7766554433221100 - n
        gdb.execute(f"set $xmm{n}.v2_int64 = {{{low:#x}, {high:#x}}}", to_string=True)
        want[f"xmm{n}"] = high << 64 | low
    return want


class Stored:
    """What the guest has stored."""

    def __init__(self, symbols):
        self.symbols = symbols

    def bytes(self, name, size, offset=0):
        return bytes(gdb.selected_inferior().read_memory(self.symbols[name] + offset, size))

    def number(self, name, size, offset=0):
        return int.from_bytes(self.bytes(name, size, offset), "little")

    def state(self):
        """In the words of read()."""
        state = {name: self.number("stored_general", 8, 8 * n) for n, name in enumerate(GENERAL)}
        state |= {f"xmm{n}": self.number("stored_vectors", 16, 16 * n) for n in range(16)}
        image = self.bytes("stored_fxsave", 512)
        part = lambda at, size: int.from_bytes(image[at:at + size], "little")
        state |= {f"st{n}": part(32 + 16 * n, 10) for n in range(8)}
        state |= {"fctrl": part(0, 2), "fstat": part(2, 2), "fop": part(6, 2), "fioff": part(8, 4), "fiseg": part(12, 2), "fooff": part(16, 4),
                  "foseg": part(20, 2), "mxcsr": self.number("stored_mxcsr", 4), "eflags": self.number("stored_flags", 8)}
        state["ftag"] = sum((0 if part(4, 1) >> n & 1 else 3) << 2 * n for n in range(8))
        return state


def different(got, want):
    """What is not as it must be, for people."""
    return "\n".join(f"{name} is {got[name]:#x}, not {want[name]:#x}" for name in want if got[name] != want[name])
