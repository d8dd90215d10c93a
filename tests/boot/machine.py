"""Runs BMBT as a user does, in a terminal of its own, and waits for what it says."""

import atexit
import ctypes
import os
import pty
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import termios
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DEPS = ROOT / "build/deps"
GUESTS = ROOT / "tests/guests"


class Failure(Exception):
    pass


def _die_with_parent():
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG; kept over exec, so QEMU ends with the test


class Machine:
    """One ./bmbt run. What it prints is in self.text, with carriage returns and terminal escapes left out."""

    def __init__(self, *options, command=None):
        self.text = ""
        self.held = ""  # the begin of a terminal escape whose end has not come
        self.mark = 0  # where the next expect() begins
        self.started = time.monotonic()
        master, slave = pty.openpty()
        attributes = termios.tcgetattr(slave)
        attributes[1] &= ~termios.OPOST
        termios.tcsetattr(slave, termios.TCSANOW, attributes)
        self.process = subprocess.Popen(
            command or [ROOT / "bmbt", "run", *options],
            stdin=slave, stdout=slave, stderr=slave, preexec_fn=_die_with_parent)
        os.close(slave)
        self.master = master

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self.master)

    def _read(self, seconds):
        """Takes what has come; False when the machine has gone and nothing is left."""
        ready, _, _ = select.select([self.master], [], [], max(0, seconds))
        if not ready:
            return True
        try:
            data = os.read(self.master, 65536)
        except OSError:
            data = b""
        if os.environ.get("BMBT_TEST_ECHO"):
            sys.stderr.buffer.write(data)
            sys.stderr.flush()
        text = self.held + data.decode("utf-8", "replace").replace("\r", "")
        text = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]|\x1bc", "", text)
        whole = re.fullmatch(r"(.*?)(\x1b(?:\[[0-9;?]*)?)?", text, re.S)
        self.text += whole.group(1)
        self.held = whole.group(2) or ""
        return bool(data)

    def expect(self, pattern, seconds):
        """Waits for the pattern after the one expected before, and gives its match."""
        deadline = time.monotonic() + seconds
        while True:
            match = re.compile(pattern, re.M).search(self.text, self.mark)
            if match:
                self.mark = match.end()
                return match
            if time.monotonic() > deadline:
                self.fail(f"no {pattern!r} within {seconds} s")
            if not self._read(min(1, deadline - time.monotonic())):
                self.fail(f"ended with exit code {self.process.wait()} before {pattern!r}")

    def send(self, text):
        os.write(self.master, text.encode())

    def leave(self):
        """Ctrl-A x."""
        self.send("\x01x")
        self.ends(0, 30)

    def ends(self, code, seconds):
        """Waits for the end and checks the exit code."""
        deadline = time.monotonic() + seconds
        while self._read(min(1, deadline - time.monotonic())):
            if time.monotonic() > deadline:
                self.fail(f"still runs after {seconds} s")
        got = self.process.wait(timeout=30)
        if got != code:
            self.fail(f"ended with exit code {got} instead of {code}")

    def fail(self, why):
        lines = self.text.splitlines()[-60:]
        raise Failure(f"{why}\n--- its last lines:\n" + "\n".join(lines))


def check(condition, why):
    if not condition:
        raise Failure(why)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def same(got, wanted, what):
    """Compares two texts line by line and shows where they part."""
    got, wanted = got.splitlines(), wanted.splitlines()
    for number, (a, b) in enumerate(zip(got + [None] * len(wanted), wanted + [None] * len(got))):
        if a is None and b is None:
            break
        if a != b:
            context = "\n".join(f"      {line}" for line in wanted[max(0, number - 3):number])
            raise Failure(f"{what}: line {number + 1} differs\n{context}\n got: {a}\nwant: {b}")


def initramfs(name, before=None, **files):
    """An initramfs for this test with the files besides: etc__autorun=path puts path at etc/autorun. The archive before
    is unpacked before it."""
    out = Path(tempfile.gettempdir()) / f"bmbt-{os.getpid()}-{name}.cpio"
    atexit.register(out.unlink, missing_ok=True)
    entries = [f"{key.replace('__', '/')}={path}" for key, path in files.items()]
    subprocess.run([ROOT / "tools/initramfs.sh", out, *entries], check=True)
    if before:
        own = out.read_bytes()
        shutil.copy(before, out)
        with out.open("ab") as file:
            file.write(own)
    return out


def kernel(name):
    return DEPS / name / "vmlinuz"


def busybox_here(script):
    """What the script prints on this machine under the same busybox, in an empty directory."""
    work = Path(tempfile.mkdtemp())
    try:
        (work / "bin").mkdir()
        (work / "here").mkdir()
        shutil.copy(DEPS / "busybox/busybox", work / "bin/busybox")
        subprocess.run([work / "bin/busybox", "--install", "-s", work / "bin"], check=True)
        run = subprocess.run([work / "bin/sh", script], cwd=work / "here", stdin=subprocess.DEVNULL,
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                             env={"PATH": str(work / "bin"), "HOME": "/root"})
        return run.stdout.decode()
    finally:
        shutil.rmtree(work)


def chroot_here(root, script):
    """What the script prints on this machine with the programs of the file system in root, which has no devices: a
    plain file stands for /dev/null."""
    here = root / "tmp/here"
    here.mkdir(parents=True)
    shutil.copy(script, root / "tmp/script")
    (root / "dev/null").touch()
    try:
        chroot = [shutil.which("chroot", path="/usr/sbin:/sbin:/usr/bin")]
        if os.getuid() != 0:
            chroot = ["unshare", "-r", *chroot]
        run = subprocess.run([*chroot, root, "/bin/sh", "-c", "cd /tmp/here && exec /bin/sh /tmp/script"],
                             stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                             env={"PATH": "/usr/bin:/bin", "HOME": "/root", "LC_ALL": "C"})
        return run.stdout.decode()
    finally:
        shutil.rmtree(here)
        (root / "tmp/script").unlink()
        (root / "dev/null").unlink(missing_ok=True)


def main(test):
    """Runs one test function; its report is the process's output and exit code."""
    try:
        test()
    except Failure as failure:
        print(f"FAILED: {failure}")
        sys.exit(1)
    finally:
        for leftover in Path(tempfile.gettempdir()).glob(f"bmbt-{os.getpid()}-*"):
            leftover.unlink()
