"""Reads the first bytes of a command's file: whether the kernel can start it, and how.

Without this check, each message would lose a receive to a command that cannot start.
"""

import contextlib
import os
import shutil
import struct
import sys
from collections.abc import Sequence

from watchbot.errors import CommandError

SHELL = "/bin/sh"
_FIRST_BYTES = 4_096  # the kernel reads 256 bytes, and then at most a page of program headers
_KERNEL_READS = 256
_MOST_INTERPRETERS = 5  # a script's interpreter may be a script; Linux gives up after five
_MARKS = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")  # byte-order marks of Windows editors
_CPUS = {
    3: "32-bit x86", 8: "MIPS", 20: "32-bit PowerPC", 21: "PowerPC", 22: "S/390", 40: "32-bit ARM",
    62: "x86-64", 183: "64-bit ARM", 243: "RISC-V", 258: "LoongArch",
}  # fmt: skip
_RUN_BOTH = {(62, 3), (183, 40)}  # 64-bit CPU, and the 32-bit binaries that its kernel may run
_PT_INTERP = 3


def runner(file: str, word: str) -> str | None:
    """The program that must run `file`: /bin/sh for a text without #!, None for any other file.

    `word` is the file's name in COMMAND. Raises `CommandError` when the first bytes of the file say
    that the kernel cannot start it.
    """
    head = _head(file)
    if not head and os.path.isfile(file) and not os.path.getsize(file):
        raise CommandError(word, "it is empty; check that the image holds all of it")
    if head.startswith(b"\x7fELF"):
        _check_loader(head, word)
        return None
    if head[:2] != b"#!":
        return SHELL if head and _is_text(head, word) else None
    _check_interpreter(file, word)
    return SHELL if not _interpreter(head) else None


def doubt(file: str) -> str | None:
    """The reason why a binary may not start here (another CPU, an unknown format), or None."""
    head, own = _head(file), _head(sys.executable)
    if not head or head[:2] == b"#!" or b"\0" not in head[:_KERNEL_READS]:
        return None
    if head[:4] != b"\x7fELF":
        same = head[:4] == own[:4]  # outside Linux: the format of this system's Python
        return None if same or sys.platform != "linux" else "its format is none of Linux"
    cpu, here = _cpu(head), _cpu(own)
    if cpu == here or (here, cpu) in _RUN_BOTH:
        return None
    return f"it is built for {_CPUS.get(cpu, f'CPU {cpu}')}, and this is {_CPUS.get(here, 'not')}"


def _head(file: str) -> bytes:
    with contextlib.suppress(OSError):  # a file may be executable but not readable
        if os.path.isfile(file):
            with open(file, "rb") as opened:
                return opened.read(_FIRST_BYTES)
    return b""


def _is_text(head: bytes, word: str) -> bool:
    """Whether a shell would run this file as a script."""
    if head.startswith(_MARKS):
        raise CommandError(word, "it begins with a byte-order mark; save it as UTF-8 without one")
    if b"\0" in head[:_KERNEL_READS]:
        return False
    if head.partition(b"\n")[0].endswith(b"\r"):
        raise _windows_lines(word)
    return True


def _windows_lines(word: str) -> CommandError:
    return CommandError(
        word, f"its lines end as on Windows (CR LF); mend it with: sed -i 's/\\r$//' {word}"
    )


def _interpreter(head: bytes) -> Sequence[str]:
    """The words after #!: the interpreter and, as one word, all its arguments."""
    line = head[2:_KERNEL_READS].partition(b"\n")[0].strip(b" \t")
    return [os.fsdecode(part) for part in line.split(None, 1)]


def _check_interpreter(file: str, word: str) -> None:
    """Raises `CommandError` if a script's interpreter, or the interpreter's own, cannot be run."""
    for _ in range(_MOST_INTERPRETERS):
        head = _head(file)
        if head[:2] != b"#!":
            return
        if head.partition(b"\n")[0].endswith(b"\r"):
            raise _windows_lines(word)
        line = _interpreter(head)
        if not line:
            return
        file = line[0]
        if not os.path.exists(file):
            raise _no_interpreter(word, file)
        if os.path.isdir(file) or not os.access(file, os.X_OK):
            raise CommandError(word, f"its interpreter {file!r} is not executable")
        if os.path.basename(file) == "env" and len(line) > 1:
            _check_env(line[1], word)


def _check_env(given: str, word: str) -> None:
    # Linux passes everything after `env` as one word; with -S, `env` splits that word.
    words = given.split() if given.startswith("-") or sys.platform != "linux" else [given]
    while words and words[0] in {"-", "-S", "-i", "-v", "-vS", "-iS"}:
        del words[0]
    if not words or words[0].startswith("-") or "=" in words[0]:  # options we do not parse
        return
    if shutil.which(words[0]) is None:
        split = "; Linux takes that for one word, without env -S" * (" " in words[0])
        raise _no_interpreter(word, words[0], split)


def _no_interpreter(word: str, interpreter: str, why: str = "") -> CommandError:
    return CommandError(
        word,
        f"its first line names the interpreter {interpreter!r}, which is not there{why}; "
        "install it in the image, or mend the line",
    )


def _cpu(head: bytes) -> int:
    order = ">" if head[5:6] == b"\x02" else "<"
    return int(struct.unpack_from(f"{order}H", head, 18)[0]) if len(head) >= 20 else 0


def _check_loader(head: bytes, word: str) -> None:
    """Raises `CommandError` if a binary for this CPU names a dynamic loader that is missing."""
    loader = _loader(head)
    if loader and _cpu(head) == _cpu(_head(sys.executable)) and not os.path.exists(loader):
        raise CommandError(
            word,
            f"its loader {loader!r} is not there: it is built for another C library (glibc, musl); "
            "build it for this image, or link it statically",
        )


def _loader(head: bytes) -> str:
    """The dynamic loader's path in the program headers, or an empty text."""
    order = ">" if head[5:6] == b"\x02" else "<"
    wide = head[4:5] == b"\x02"
    try:
        (start,) = struct.unpack_from(f"{order}{'Q' if wide else 'I'}", head, 32 if wide else 28)
        size, count = struct.unpack_from(f"{order}HH", head, 54 if wide else 42)
        for header in range(start, start + size * count, size or 1):
            (kind,) = struct.unpack_from(f"{order}I", head, header)
            if kind != _PT_INTERP:
                continue
            form, first = ("QQQQ", header + 8) if wide else ("IIII", header + 4)
            offset, _, _, length = struct.unpack_from(f"{order}{form}", head, first)
            end = offset + length
            return os.fsdecode(head[offset:end].rstrip(b"\0")) if end <= len(head) else ""
    except struct.error:  # the headers lie past the bytes that we read; the kernel checks them
        pass
    return ""
