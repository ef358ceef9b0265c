"""The scripts that `watchbot chaos` runs around its rounds."""

import pytest

from watchbot.chaos.effect import output_of
from watchbot.errors import UsageError


async def test_output_is_what_a_script_prints() -> None:
    assert await output_of("--check", "echo a; echo b >&2; printf '\\377'") == "a\n\\xff"


async def test_script_that_fails_is_told_with_its_last_words() -> None:
    with pytest.raises(UsageError, match="--reset: the script ended with exit code 2; it said: no"):
        await output_of("--reset", "echo no >&2; exit 2")
