"""Tests the check of a command's first bytes, before the first receive."""

import struct
import sys
from pathlib import Path

import pytest

from watchbot.errors import CommandError
from watchbot.listen import executable, spawn

OWN = Path(sys.executable).read_bytes()[:4096]


def a_file(folder: Path, content: bytes, name: str = "work") -> str:
    path = folder / name
    path.write_bytes(content)
    path.chmod(0o755)
    return str(path)


def an_elf(*, cpu: int | None = None, loader: bytes = b"") -> bytes:
    """The start of a 64-bit binary with one program header."""
    head = bytearray(64)
    head[:7] = OWN[:7]
    head[4] = 2
    order = ">" if OWN[5] == 2 else "<"
    own = struct.unpack_from(f"{order}H", OWN, 18)[0]
    struct.pack_into(f"{order}H", head, 18, own if cpu is None else cpu)
    struct.pack_into(f"{order}Q", head, 32, 64)
    struct.pack_into(f"{order}HH", head, 54, 56, 1)
    header = struct.pack(f"{order}IIQQQQQQ", 3, 4, 120, 0, 0, len(loader) + 1, 0, 1)
    return bytes(head) + header + loader + b"\0" if loader else bytes(head)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"#!/bin/sh\r\necho x\r\n", "end as on Windows (CR LF); mend it with: sed -i"),
        (b"#!/bin/sh -e\r\necho x\r\n", "end as on Windows"),
        (b"#!/usr/bin/env python3\r\nprint()\r\n", "end as on Windows"),
        (b"echo x\r\necho y\r\n", "end as on Windows"),
        (b"#!/no/such/python3\nprint()\n", "interpreter '/no/such/python3', which is not there"),
        (b"#!   /no/such/sh -e\n", "interpreter '/no/such/sh'"),
        (b"#!no/such\n", "interpreter 'no/such'"),
        (b"#!/usr/bin/env no-such-python\n", "interpreter 'no-such-python'"),
        (b"#!/usr/bin/env -S no-such-python -u\n", "interpreter 'no-such-python'"),
        (b"#!/usr/bin/env python3 -u\n", "takes that for one word, without env -S"),
        (b"#!/etc/passwd\n", "'/etc/passwd' is not executable"),
        (b"#!/tmp\n", "'/tmp' is not executable"),
        (b"\xef\xbb\xbf#!/bin/sh\necho x\n", "byte-order mark"),
        ("echo x\n".encode("utf-16"), "byte-order mark"),
        (b"", "it is empty"),
        (an_elf(loader=b"/lib/ld-of-nobody.so.1"), "loader '/lib/ld-of-nobody.so.1' is not there"),
    ],
)
def test_what_the_kernel_cannot_start_is_refused(tmp_path: Path, content: bytes, said: str) -> None:
    with pytest.raises(CommandError) as refused:
        spawn.resolve([a_file(tmp_path, content), "x"], shell=False)

    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    "content",
    [
        b"#!/bin/sh\necho x\r\n",
        b"#! /bin/sh -e\n",
        b"#!/usr/bin/env sh\n",
        b"#!/usr/bin/env -S sh -e\n",
        b"#!/usr/bin/env -i -u PATH A=b sh\n",
        b"#!/bin/sh",
        b"#!/bin/sh\nPK\x03\x04\0\0",
        an_elf(),
        an_elf(loader=b"/bin/sh"),
        OWN,
        OWN[:40],
    ],
)
def test_what_it_can_start_is_run_as_it_is(tmp_path: Path, content: bytes) -> None:
    file = a_file(tmp_path, content)

    command = spawn.resolve([file, "x"], shell=False)

    assert (command.file, command.words, command.doubt) == (file, (file, "x"), None)


@pytest.mark.parametrize(
    "content", [b"echo $1\n", b"# a comment\necho\n", b"#!\necho\n", b"caf\xe9"]
)
def test_text_without_interpreter_is_run_by_the_shell(tmp_path: Path, content: bytes) -> None:
    file = a_file(tmp_path, content)

    command = spawn.resolve([file, "x"], shell=False)

    assert (command.file, command.words) == ("/bin/sh", ("/bin/sh", file, "x"))


def test_interpreter_that_is_a_script_has_one_itself(tmp_path: Path) -> None:
    inner = a_file(tmp_path, b"#!/no/such/sh\n", "inner")

    with pytest.raises(CommandError, match="'/no/such/sh'"):
        spawn.resolve([a_file(tmp_path, f"#!{inner}\n".encode())], shell=False)


def test_interpreter_of_itself_ends_the_search(tmp_path: Path) -> None:
    file = str(tmp_path / "work")

    assert spawn.resolve([a_file(tmp_path, f"#!{file}\n".encode())], shell=False).file == file


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (an_elf(cpu=243), "it is built for RISC-V, and this is "),
        (an_elf(cpu=243, loader=b"/lib/ld-of-nobody.so.1"), "it is built for RISC-V"),
        (an_elf(cpu=4711), "it is built for CPU 4711"),
        (b"MZ\x90\0\x03", "its format is none of Linux"),
    ],
)
def test_binary_of_another_machine_is_doubted(tmp_path: Path, content: bytes, said: str) -> None:
    command = spawn.resolve([a_file(tmp_path, content)], shell=False)

    assert command.doubt is not None
    assert said in command.doubt


def test_file_that_cannot_be_read_is_left_to_the_kernel(tmp_path: Path) -> None:
    assert executable.runner(str(tmp_path / "gone"), "gone") is None
