"""Runs `python -m watchbot`."""

import sys

from watchbot.cli import main

sys.exit(main())
