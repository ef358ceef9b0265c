"""Runs `watchbot`, as a command and as `python -m watchbot`."""

import sys


def main() -> int:
    """Runs the command line of this process; returns the exit code.

    `ctl` goes by itself: a worker may ask often, and all other commands import more.
    """
    if sys.argv[1:2] == ["ctl"]:
        from watchbot import ctl

        return ctl.main(sys.argv[2:])
    from watchbot import cli

    return cli.main()


if __name__ == "__main__":
    sys.exit(main())
