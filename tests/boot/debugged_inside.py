"""Runs inside gdb, as debugged.py starts it: sends the guest of tests/guests/debugged.S to its cases and looks where it is.

What to do is in the environment: PART names a function below, PORT is the guest's. A failed check ends gdb with code 1."""

import os
import re
import signal
import sys
import threading
import time
import traceback

import gdb

sys.path.insert(0, os.path.dirname(__file__))  # gdb has only its own modules
sys.dont_write_bytecode = True
import debugged_state

PORT = os.environ["PORT"]


class Wrong(Exception):
    pass


def check(condition, why):
    if not condition:
        raise Wrong(f"{why}\n" + gdb.execute("monitor cpu", to_string=True))


def run(command):
    return gdb.execute(command, to_string=True)


def value(expression):
    return int(gdb.parse_and_eval(f"(unsigned long long)({expression})"))


def word(symbol):
    """Of the assembler's part, which has no types."""
    return value(f"*(unsigned *)&{symbol}")


def at(symbol, why):
    want = value(f"&{symbol}") if isinstance(symbol, str) else symbol
    check(value("$pc") == want, f"{why}: at {value('$pc'):#x} instead of {symbol} = {want:#x}")


def go(case):
    """At the case's first instruction, with nothing of another case left."""
    run("delete")
    run("tbreak leaf")
    run("continue")
    run("delete")
    run(f"set $pc = &{case}")


def stop_at(symbol):
    """Runs to it, by a breakpoint that stays."""
    run(f"break *&{symbol}")
    run("continue")
    at(symbol, "a breakpoint")


stops = []
gdb.events.stop.connect(stops.append)


def watch(command, kind):
    """Runs to where the watchpoint is hit; what gdb prints at a stop cannot be had, so this is what it knows."""
    run(command)
    run("continue")
    hit = getattr(stops[-1], "breakpoints", [])
    check(any(point.type == kind for point in hit), f"{command}: stopped by {hit} at {value('$pc'):#x}")


def packet(text):
    """What is answered to a packet of our own."""
    return re.search(r'received: "(.*)"', run("maint packet " + text)).group(1)


def steps(number=1):
    run(f"stepi {number}")


def languages():
    """What needs the description of a 32-bit processor: frames, lines, code."""
    check("i386" in run("show architecture"), run("show architecture"))
    run("break leaf")
    run("continue")
    frames = run("backtrace")
    for number, name in enumerate(("leaf", "middle", "outer", "count_for_ever")):
        check(f"#{number} " in frames and name in frames.splitlines()[number], f"the frames:\n{frames}")
    argument = value("number")
    code = run("disassemble leaf")
    check("push   %ebp" in code and "imul" in code and "ret" in code and "(bad)" not in code, f"the code:\n{code}")
    run("delete")
    run("finish")
    check(value("$") == argument * 3, f"finish of leaf({argument}): {value('$')}")
    check("middle" in run("frame"), "finish did not return to middle")
    run("next")
    run("next")
    check(value("tripled") == argument * 3, f"tripled is {value('tripled')}")
    run("tbreak outer")
    run("continue")
    run("step")
    check("middle" in run("frame"), "step did not enter middle:\n" + run("frame"))
    run("up")
    check("outer" in run("frame"), "up")
    run("set var pair.second = -1")
    watch("watch pair.second", gdb.BP_HARDWARE_WATCHPOINT)
    check(value("pair.second") == value("tripled") and "middle" in run("frame"), "watch: " + run("frame"))
    run("delete")
    watch("rwatch progress", gdb.BP_READ_WATCHPOINT)
    check("count_for_ever" in run("frame"), "rwatch: " + run("frame"))
    run("delete")
    watch("awatch progress", gdb.BP_ACCESS_WATCHPOINT)
    run("delete")
    run("tbreak leaf if number == 5")
    run("continue")
    check(value("number") == 5, "a breakpoint with a condition")
    run("return 100")
    check("middle" in run("frame"), "return")
    run("until")
    run("set var progress = 0x1234")
    check(value("progress") == 0x1234, "a variable that was set")
    check(value("outer(2)") == 2 * 3 + 1 + 3 * 3 + 1, "a function that the debugger calls")


def interrupts():
    """An interrupt that waits all the time, around breakpoints and steps."""
    go("case_pending")
    stop_at("in_shadow")
    before = value("$ebx")
    check(word("ticks") == before, "an interrupt came in the shadow of STI")
    stop_at("behind_shadow")
    check(value("$esi") == before, "an interrupt came behind STI, before the instruction in its shadow")
    run("break *&on_timer")
    run("continue")
    at("on_timer", "the interrupt that waited")
    check(value("*(int *)$esp") == value("&behind_shadow") + 6, f"it came from {value('*(int *)$esp'):#x}")

    go("case_pending")
    run("tbreak *&in_shadow - 1")
    run("continue")
    steps()
    at("in_shadow", "a step over STI")
    steps()
    at("behind_shadow", "a step of the instruction in its shadow")
    steps()
    check(value("$edi") == value("$ebx"), "an interrupt came between two steps")

    go("case_pending")  # the shadow alone, without any step
    run("tbreak *&back")
    run("continue")
    check(value("$esi") == value("$ebx"), "an interrupt came in the shadow of STI")
    check(value("$edi") != value("$ebx"), "no interrupt came behind the shadow")


def halts():
    go("case_halt")
    steps(2)
    at("behind_halt", "a step over HLT")
    check("halted" in run("monitor cpu"), "not halted behind HLT")
    steps()
    at("on_timer", "a step of a halted guest")
    check(value("*(int *)$esp") == value("&behind_halt"), "the interrupt that ended the halt")
    steps(6)
    at("behind_halt", "steps through the handler and over its IRET")

    go("case_halt")
    before = word("ticks")
    stop_at("behind_halt")
    check(word("ticks") > before, "at the instruction behind HLT before the interrupt that ended the halt")

    go("case_halt")
    run("set breakpoint always-inserted on")
    run("break *&behind_halt")
    packet(f"vCont;r{value('&case_halt'):x},{value('&behind_halt') + 1:x}")
    run("maint flush register-cache")
    at("on_timer", "steps through a range over HLT, behind which a breakpoint is")
    run("set breakpoint always-inserted off")


def instructions():
    go("case_iret")
    steps(3)
    steps()
    at("behind_iret", "a step over IRET")

    go("case_repeat")
    stop_at("at_repeat")
    for _ in range(64):
        if value("$pc") == value("&behind_repeat"):
            break
        steps()
    at("behind_repeat", "steps over REP MOVSB")
    check(value("$ecx") == 0 and word("copy") & 0xff == 0x5a, "what REP MOVSB left")

    go("case_repeat")
    watch("watch *((char *)&copy + 32)", gdb.BP_HARDWARE_WATCHPOINT)
    check(value("*((char *)&copy + 32)") == 0x5a, "a watchpoint in the middle of REP MOVSB")
    check(value("$pc") in (value("&at_repeat"), value("&behind_repeat")), f"a watchpoint in the middle of REP MOVSB: at {value('$pc'):#x}")

    go("case_fault")
    steps(2)
    at("on_protection", "a step over an instruction that faults")
    check(value("*(int *)$esp") == 0x58, f"the error code: {value('*(int *)$esp'):#x}")
    check(value("*(int *)($esp + 4)") == value("&at_fault"), "where it faulted")
    steps(3)
    at("behind_fault", "steps out of the handler")

    go("case_trap")
    stop_at("at_trap")
    check(value("$ebx") & 0x100 == 0, "the debugger's step is seen in pushed flags")
    before = word("traps")
    steps()
    at("on_trap", "a step with TF set")
    check(value("*(int *)$esp") == value("&behind_trap"), "where the trap came from")
    check(value("$ecx") == 1, "a trap before its instruction")
    run("tbreak *&behind_trap")
    run("continue")
    check(word("traps") == before + 1, "one trap")

    go("case_trap")
    steps(6)
    at("at_trap", "steps over PUSHF and POPF")
    check(value("$ebx") & 0x100 == 0, "the debugger's step is seen in pushed flags")


def points():
    """More of them than there is room for, but not at one time."""
    go("back")
    for number in range(20):
        run(f"watch *(int *)({0x2000 + 8 * number})")
        steps()
        run("delete")
    for number in range(260):
        packet(f"Z0,{0x2000 + number:x},1")
        packet(f"z0,{0x2000 + number:x},1")
    check(packet("Z0,3000,1") == "OK", "a breakpoint after 260 that were removed")
    watch("watch progress", gdb.BP_HARDWARE_WATCHPOINT)
    run("delete")
    check(value("$pc") != value("&back"), "a watchpoint after 20 that were removed")


def virtual_8086_mode():
    """A breakpoint is a linear address, and the program counter an offset: gdb does not know it again, but stops."""
    go("case_old")
    run(f"break *{0x10003:#x}")
    for number in (3, 4, 5):
        run("continue")
        check(value("$pc") == 3 and value("$linear_pc") == 0x10003, "a breakpoint in virtual-8086 mode")
        check(value("$eax & 0xffff") == number, "turns of the loop")
        check("virtual 8086" in run("monitor cpu"), run("monitor cpu"))
    run("delete")
    run("tbreak *&back")
    run("continue")
    check(word("from_user") & 0xffff == 6, "what virtual-8086 code gave")


def clock_stands_still():
    go("back")
    before = int(run("monitor msr 10"), 16)
    time.sleep(1)
    check(0 <= int(run("monitor msr 10"), 16) - before < 1000, "the guest's time went on while it was stopped")


def frames_of_interrupts():
    go("case_halt")
    watch("watch -l *(int *)($esp - 4)", gdb.BP_HARDWARE_WATCHPOINT)
    at("on_timer", "a watchpoint on an interrupt's frame")


def spaces():
    """User code at one address of two address spaces, which have it from two pages."""
    for case, directory, result in (("case_first_space", "first_directory", 1), ("case_second_space", "second_directory", 2)):
        go(case)
        run("tbreak *0x400005")
        run("continue")
        at(0x400005, "a breakpoint in user code")
        check(value("$cr3") == value(f"&{directory}"), f"CR3 is {value('$cr3'):#x}")
        check(value("$cs") & 3 == 3, "not a user's CS")
        check(value("$eax") == result, f"the other space's code: {value('$eax')}")
        check("inc    %eax" in run("x/i $pc"), run("x/i $pc"))
        walk = run("monitor walk 400005")
        check(f"physical {result * 4 + 4:x}00005" in walk and "4 MiB" in walk and "user" in walk, walk)
        check("80000033 PG" not in walk and "PG" in run("monitor cpu"), run("monitor cpu"))
        steps()
        check(value("$eax") == result + 1, "a step in user code")
        run("tbreak *&back")
        run("continue")
        check(word("from_user") == result + 1, "what user code gave")


def system_registers():
    go("back")

    def refused(assignment, text):
        try:
            run(f"set {assignment}")
        except gdb.error as error:
            check(text in str(error), str(error))
        else:
            raise Wrong(f"{assignment} was not refused")

    refused("$ds = 0x58", "GP")
    refused("$ss = 0", "GP")
    refused("$cs = 0x10", "GP")
    refused("$cr0 = 0x80000010", "GP")
    refused("$ds_base = 5", "selector")
    refused("$eflags = $eflags | 0x20000", "VM")
    refused("$efer = 0x4000", "GP")
    at("back", "what was refused")
    run("set $gs = 0x3b")
    check(value("$gs") == 0x3b, "GS")
    run("set $cr4 = 0x10")
    check("PSE" in run("monitor cpu"), "CR4")
    run("set $cr3 = &first_directory")
    run("set $cr0 = $cr0 | 0x80000000")
    check("paging 32-bit" in run("monitor cpu"), "paging on")
    check(value("*(unsigned char *)0x400000") == 0xb8, "memory through the new tables")
    run("set $cr0 = $cr0 & 0x7fffffff")
    run("set $dr0 = 0x1234")
    check(value("$dr0") == 0x1234, "DR0")
    run("set $cs = 0x8")
    for word in ("code 32-bit", "TSS busy", "paging off", "interrupts "):
        check(word in run("monitor cpu"), f"no {word}: " + run("monitor cpu"))
    table = run("monitor gdt")
    check("0018 base 0000000000000000" in table or "0018 base 00000000 limit ffffffff code 64-bit" in table, table)
    check(f"0008:{value('&on_timer'):08x}" in run("monitor idt 20"), run("monitor idt 20"))
    check("5a 5a 5a 5a" in run(f"monitor phys {value('&source'):x} 16"), "monitor phys")
    check("usage" in run("monitor phys nowhere"), "a malformed monitor command")
    for size in (8, 16):
        check(run(f"monitor phys fffffffffffffff0 {size}").count("--") == size, "memory at the end of addresses")
    check("no such command" in run("monitor fly"), "an unknown monitor command")
    check("interpreted" in run("monitor stats"), "monitor stats")


def ends_of_guests():
    """Where the guest would end or begin anew, the debugger sees it first."""
    go("case_dead")
    run("break *&behind_dead")  # is not reached
    threading.Timer(1, os.kill, (os.getpid(), signal.SIGINT)).start()
    run("continue")
    check(getattr(stops[-1], "stop_signal", "") == "SIGINT", f"a halt with interrupts off: {stops[-1]}")
    at("behind_dead", "a halt with interrupts off")
    check("interrupts off" in run("monitor cpu") and "halted" in run("monitor cpu"), "not halted")
    run("delete")
    run("set $pc = &back")

    go("case_shutdown")
    run("continue")
    check(getattr(stops[-1], "stop_signal", "") == "SIGSEGV", f"a triple fault: {stops[-1]}")
    at("at_shutdown", "a triple fault")
    run("tbreak *&_start")
    run("continue")
    at("_start", "a reset")


def goes_on_fast():
    """Leaves points of all kinds behind: without a debugger they mean nothing."""
    run("break leaf")
    run("watch pair.first")
    run("continue")
    run("set var progress = 0")


def went_on_fast():
    counters = dict(line.split() for line in run("monitor stats").splitlines())
    progress = value("progress")
    check(progress > 1_000_000, f"only {progress} turns since the debugger left")
    check(int(counters["interpreted"]) < progress / 10, f"{progress} turns took the interpreter for {counters['interpreted']} instructions")


def leaves_and_comes_back():
    goes_on_fast()
    run("detach")
    time.sleep(4)
    run(f"target remote 127.0.0.1:{PORT}")
    went_on_fast()
    run("disconnect")  # without a word: it stays as it is
    run(f"target remote 127.0.0.1:{PORT}")
    went_on_fast()


def symbols_given():
    """For a debugger of 64-bit code, which has none for this file."""
    lines = (line.split() for line in os.environ["SYMBOLS"].splitlines())
    return {name: int(address, 16) for address, _, name in lines}


def interrupt():
    threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT)).start()
    run("continue")
    check(getattr(stops[-1], "stop_signal", "") == "SIGINT", f"Ctrl-C: {stops[-1]}")


def all_registers(user, odd):
    """Read where translated code has just loaded them, behind steps and by Ctrl-C, then written; `odd`: control words with which the interpreter computes."""
    symbols = symbols_given()
    what = f"{'user' if user else 'kernel'} mode, {'odd' if odd else 'usual'} control words"

    def same(got, want, where):
        wrong = debugged_state.different(got, want)
        check(not wrong, f"{what}, {where}:\n{wrong}")

    def goes_to(name):
        run(f"tbreak *{symbols[name]}")
        run("continue")
        at(symbols[name], f"{what}: a breakpoint")

    goes_to("leaf")
    model = debugged_state.Model(symbols, user, odd)
    run(f"set {{unsigned short}}{symbols['state_fcw']} = {model.fctrl}")
    run(f"set {{unsigned int}}{symbols['state_mxcsr']} = {model.mxcsr}")
    run(f"set {{unsigned char}}{symbols['state_level']} = {int(user)}")
    run(f"set $rsp = {symbols['stack']}")
    run(f"set $rip = {symbols['case_state']}")
    goes_to("state_loaded")
    same(debugged_state.read(), model.state(), "at a breakpoint")
    for place, change in (("at_exchange", model.add_halves),
                          ("at_add", model.exchange), ("spin", lambda: model.add("rax", model.general["rbx"]))):
        steps()
        change()
        at(symbols[place], f"{what}: a step")
        same(debugged_state.read(), model.state(), f"a step to {place}")
    places = {symbols[name]: name for name in ("spin", "spin1", "spin2", "spin3", "spin4")}
    turns = []
    for _ in range(4):
        interrupt()
        place = places.get(value("$rip"))
        check(place, f"{what}: Ctrl-C in the loop")
        got = debugged_state.read()
        turns.append(got["r15"])
        same(got, model.spinning(place, got["r15"]).state(), f"Ctrl-C at {place}")
    check(len(set(turns)) == len(turns), f"the loop stands still: {turns}")
    want = debugged_state.write() | {"rsp": symbols["user_stack"] - 256, "fs_base": symbols["other_fs"], "gs_base": symbols["other_gs"]}
    for name in ("rsp", "fs_base", "gs_base"):
        run(f"set ${name} = {want[name]}")
    run(f"set $rip = {symbols['store_state']}")
    same(debugged_state.read(), want, "what was written, read again")
    goes_to("state_stored")
    stored_as_written(symbols, want, same, what)


def stored_as_written(symbols, want, same, what):
    stored = debugged_state.Stored(symbols)
    same(stored.state() | {"fs_base": want["fs_base"], "gs_base": want["gs_base"]}, want, "what the guest has of what was written")
    flags = bytes(want["eflags"] >> bit & 1 for bit in (0, 2, 6, 7, 11))
    check(stored.bytes("stored_conditions", 5) == flags, f"{what}: conditions {stored.bytes('stored_conditions', 5)}")
    check(stored.number("stored_fs", 8) == 0xf5f5f5f5f5, f"{what}: FS has another base")
    check(stored.number("stored_gs", 8) == 0x6565656565, f"{what}: GS has another base")
    check(stored.number("stored_quotient", 4) == 0x3eaaaaaa, f"{what}: SSE rounds {stored.number('stored_quotient', 4):#x}")
    check(stored.number("stored_mxcsr", 4, 4) == want["mxcsr"] | 0x20, f"{what}: MXCSR behind it")
    check(stored.number("stored_st", 10) == 0x3ffdaaaaaaaaaaaaaaaa, f"{what}: x87 rounds {stored.number('stored_st', 10):#x}")
    for n in range(3):
        check(stored.number("stored_st", 10, 16 * (n + 1)) == want[f"st{n}"], f"{what}: FSTP of what was ST({n})")


def registers():
    for user in (False, True):
        for odd in (False, True):
            print(f"registers, user {user}, odd {odd}", flush=True)
            all_registers(user, odd)


def registers_of_32_bits():
    go("case_state32")
    stop_at("state32_loaded")
    symbols = {name: value(f"&{name}") for name in ("stored_vectors", "stored_st", "stored_mxcsr")}
    for n in range(8):
        check(debugged_state.vector(n) == (0x0123456789abcdef + n) << 64 | 0x1111111111111111 * n + 1, f"XMM{n}")
    check(debugged_state.stack(0) == debugged_state.INFINITY and debugged_state.stack(1) == debugged_state.PI, "ST(0), ST(1)")
    check(value("$fstat") == 6 << 11 and value("$ftag") == 0x2fff, "FSW, FTW")
    want = debugged_state.write_vectors(8)
    run("set $mxcsr = 0x3f90")
    run("set $st0 = -2.5")
    run("set $st1 = $st0 * 3")
    run("tbreak *&state32_stored")
    run("continue")
    stored = debugged_state.Stored(symbols)
    for n in range(8):
        check(stored.number("stored_vectors", 16, 16 * n) == want[f"xmm{n}"], f"XMM{n} that was written")
    check(stored.number("stored_mxcsr", 4) == 0x3f90, "MXCSR that was written")
    for n, number in enumerate((-2.5, -7.5)):
        check(stored.number("stored_st", 10, 16 * n) == debugged_state.extended(number), f"ST({n}) that was written")


def end_of_addresses():
    """At code that pushes, with a stack in the last page."""
    last = 0xfffffffffffffff0
    check(len(packet(f"m{last:x},20")) == 32, "more memory than there is")
    check(packet(f"M{last:x},20:" + "00" * 32) == "E0e", "memory was written beyond the end")
    begin, stack = value("$rip"), value("$rsp")
    for slot in (last, last + 8):
        run(f"set $rsp = {(slot + 8) % 2 ** 64:#x}")
        watch(f"watch *(unsigned long *){slot:#x}", gdb.BP_HARDWARE_WATCHPOINT)
        check(value(f"*(unsigned long *){slot:#x}") == 0x3b, "a push to the last page")
        run("delete")
        run(f"set {{long}}{slot:#x} = 0")
        run(f"set $rip = {begin}")
    run(f"set $rsp = {stack}")


def long_mode():
    """SYSCALL and SYSRET, seen as by a debugger of 64-bit code."""
    symbols = symbols_given()
    run(f"tbreak *{symbols['leaf']}")
    run("continue")
    run(f"set $rip = {symbols['case_long']}")
    run(f"tbreak *{symbols['with_system_calls']}")
    run("continue")
    end_of_addresses()
    run(f"tbreak *{symbols['before_syscall']}")
    run("continue")
    at(symbols["before_syscall"], "a breakpoint in 64-bit user code")
    check(value("$cs") == 0x43, f"CS is {value('$cs'):#x}")
    check("64-bit, CPL 3, paging 4-level" in run("monitor cpu"), run("monitor cpu"))
    check("syscall" in run("x/i $pc"), run("x/i $pc"))
    steps()
    at(symbols["on_syscall"], "a step over SYSCALL")
    check(value("$rcx") == symbols["behind_syscall"] and value("$cs") == 0x18, "what SYSCALL left")
    steps(2)
    at(symbols["before_sysret"], "steps to SYSRET")
    steps()
    at(symbols["behind_syscall"], "a step over SYSRET")
    check(value("$cs") == 0x43, "CS behind SYSRET")
    check("2 MiB" in run(f"monitor walk {symbols['on_syscall']:x}"), "monitor walk")
    run(f"tbreak *{symbols['back']}")
    run("continue")
    at(symbols["back"], "back in 32-bit code")
    check("protected, 32-bit code" in run("monitor cpu"), run("monitor cpu"))
    check("next: x86-64" in run("monitor arch"), run("monitor arch"))
    check("next: i386 (auto)" in run("monitor arch auto"), run("monitor arch"))


def real_mode():
    """The description of a 16-bit processor, whose pc is a linear address. gdb takes a file's i386 for the better word, if not told."""
    run("set architecture i8086")
    check("i8086" in run("show architecture"), run("show architecture"))
    at("_start", "the first instruction")
    check(value("$ip") == 0 and value("$cs") == 0x7c0, "CS:IP")
    check("mov    $0x7c0,%ax" in run("x/i $pc"), run("x/i $pc"))
    check("07c0:0000, linear 7c00" in run("monitor cpu"), "monitor cpu")
    stop_at("near_function")
    check("ret" in run("x/i $pc") and value("$ip") == value("&near_function - (char *)0x7c00"), run("x/i $pc"))
    steps()
    at("behind_near", "a step over RET")
    steps()
    at("far_function", "a step over a far call")
    check(value("$cs") == 0x800 and value("$ip") == 0, "CS:IP behind a far call")
    steps()
    at("behind_far", "a step over a far return")
    steps()
    at("on_call", "a step over INT")
    steps()
    at("behind_call", "a step over IRET")
    run("delete")
    for name in ("far_function", "on_call", "again", "far_function"):
        run(f"tbreak *&{name}")
        run("continue")
        at(name, "a breakpoint")
    before = value("*(unsigned short *)&counter")
    watch("watch *(unsigned short *)&counter", gdb.BP_HARDWARE_WATCHPOINT)
    check(value("*(unsigned short *)&counter") == before + 1, "a watchpoint")
    run("delete")
    run("set $es = 0x1234")
    check(value("$es_base") == 0x12340, "a selector of real mode")
    run("set $pc = &behind_near")
    check(value("$ip") == value("&behind_near - (char *)0x7c00"), "IP follows PC")
    run("set $cs = 0x7b0")
    run("set $ip = 0x100 + (&behind_near - (char *)0x7c00)")
    at("behind_near", "another CS")
    check(f"{value('$cs') & 0xffff:04x}:" in run("monitor cpu"), "CS")
    run("set $cs = 0x7c0")
    run("set $pc = &again")
    run("tbreak *&behind_far")
    run("continue")
    at("behind_far", "after all that")
    check("07c0:" in run("monitor idt 40"), run("monitor idt 40"))
    # An invalid opcode whose handler is itself: from block to block without a timer, and without any block.
    run("delete")
    for name in ("undefined", "unknown"):
        run(f"set {{unsigned short}}0x18 = (char *)&{name} - (char *)0x7c00")
        run("set {unsigned short}0x1a = 0x7c0")
        run(f"set $pc = &{name}")
        threading.Timer(1, os.kill, (os.getpid(), signal.SIGINT)).start()
        run("continue")
        check(getattr(stops[-1], "stop_signal", None) == "SIGINT", stops[-1])
        at(name, "Ctrl-C")


def firmware():
    check("i8086" in run("show architecture"), run("show architecture"))
    at(0xfffffff0, "the reset vector")
    check("ljmp   $0xf000,$0xe05b" in run("x/i $pc"), run("x/i $pc"))
    steps()
    at(0xfe05b, "a step from the reset vector")
    check(value("$cs_base") == 0xf0000, "CS")
    run("tbreak *0xfe05b")
    run("monitor arch x86-64")
    run("disconnect")
    run(f"target remote 127.0.0.1:{PORT}")
    check(value("$rip") == 0xe05b and value("$linear_pc") == 0xfe05b, "another description")
    run("delete")


def runs_for_ever():
    """Until the debugger is killed."""
    run("break leaf if 0")
    print("runs", flush=True)
    run("continue")


def comes_after_another():
    """The one before ended without a word."""
    run("delete")
    run("tbreak leaf")
    run("continue")
    check("leaf" in run("frame"), run("frame"))
    run("kill")


def first():
    check("protected, 32-bit code" in run("monitor cpu"), "not the guest's first instruction")
    at("_start", "the first instruction")
    for part in (languages, interrupts, halts, instructions, points, virtual_8086_mode, clock_stands_still, frames_of_interrupts, spaces,
                 registers_of_32_bits, system_registers, ends_of_guests):
        print(part.__name__, flush=True)
        part()
    print("leaves_and_comes_back", flush=True)
    go("back")
    leaves_and_comes_back()
    run("monitor arch x86-64")


try:
    for setting in ("pagination off", "confirm off", "remotetimeout 60"):
        run(f"set {setting}")
    run(f"target remote 127.0.0.1:{PORT}")
    globals()[os.environ["PART"]]()
    if gdb.selected_inferior().pid:
        run("delete")
        run("detach")
    print("all is well", flush=True)
    code = 0
except (Wrong, gdb.error, ValueError) as error:
    traceback.print_exc()
    code = 1
gdb.execute(f"quit {code}")
