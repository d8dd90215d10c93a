"""Builds the measured programs: for x86 with Debian's C library, as the first program of an initramfs, and for bare
LoongArch, both from the same sources by the same compiler."""

import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
DEPS = ROOT / "build/deps"
OUT = ROOT / "build/bench"
PLUGIN = ROOT / "build/tools/count.so"
KERNEL = DEPS / "kernel-cloud/vmlinuz"
X86 = OUT / "bench-x86"
NATIVE = OUT / "bench-loongarch"
INITRAMFS = OUT / "bench.cpio"

FLAGS = ["-O2", "-fno-math-errno"]
ZLIB = [DEPS / f"zlib/{name}.c" for name in ("adler32", "crc32", "deflate", "inffast", "inflate", "inftrees", "trees", "zutil")]


def run(*command, **more):
    return subprocess.run(list(map(str, command)), check=True, **more)


def bench(*names):
    return [ROOT / "bench" / name for name in names]


def compile_all(sources, to, *flags):
    to.mkdir(parents=True, exist_ok=True)
    objects = []
    for source in sources:
        objects.append(to / f"{source.stem}.o")
        if "zlib" in source.parent.name:
            own = ["-w", "-DHAVE_UNISTD_H"]
        else:
            own = ["-Wall", "-Wextra", "-Werror", "-isystem", DEPS / "zlib"]
        run("clang-19", *FLAGS, *flags, *own, "-c", source, "-o", objects[-1])
    return objects


def build_x86():
    sources = bench("main.c", "integer.c", "zlib.c", "float.c", "memory.c", "system.c", "mark.S")
    objects = [*compile_all(sources, OUT / "x86"), *compile_all(ZLIB, OUT / "x86/zlib")]
    run("clang-19", "-static", *objects, "-o", X86)
    tree = OUT / "tree"
    (tree / "dev").mkdir(parents=True, exist_ok=True)
    (tree / "init").write_bytes(X86.read_bytes())
    (tree / "init").chmod(0o755)
    for place in (tree / "init", tree / "dev", tree):
        os.utime(place, (0, 0))    # the same archive each time
    run("sh", "-c", f"find . | LC_ALL=C sort | cpio --quiet -o -H newc -R 0:0 --reproducible > ../{INITRAMFS.name}", cwd=tree)


def build_native():
    """Alone on the machine, with the functions that the C library chooses on a CPU with LASX."""
    flags = ["--target=loongarch64-unknown-none", "-march=la464", "-fno-pic", "-nostdlibinc",
             "-isystem", DEPS / "sysroot/include"]
    to = OUT / "loongarch"
    sources = bench("native/start.S", "native/main.c", "integer.c", "zlib.c", "float.c", "memory.c", "mark.S")
    objects = [*compile_all(sources, to, *flags), *compile_all(ZLIB, to / "zlib", *flags)]
    library = [f"{name}-lasx.o" for name in ("memmove", "memset", "memcmp")]
    run("llvm-ar-19", "x", "--output", to, DEPS / "libc/libc.a", *library)
    chosen = [f"--defsym={name}=__{name}_lasx" for name in ("memcpy", "memmove", "memset", "memcmp")]
    run("ld.lld-19", "-static", "-T", ROOT / "bench/native/link.ld", *chosen, *objects, *(to / name for name in library),
        "-o", NATIVE)


def build():
    """All that a measurement needs but packages, which ./bmbt bench installs, and BMBT's image, which ./bmbt run builds."""
    run(ROOT / "tools/deps.sh", "kernel-cloud", "libc", "sysroot", "zlib")
    run(ROOT / "tools/plugin.sh")
    OUT.mkdir(parents=True, exist_ok=True)
    build_x86()
    build_native()


def names():
    """The workloads, in their order, which numbers their marks."""
    return subprocess.run([X86, "list"], check=True, capture_output=True, text=True).stdout.split()
