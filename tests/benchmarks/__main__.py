"""`make bench`: python -m tests.benchmarks [--quick] [--only CASE]... [--write]"""

import argparse
import sys
from pathlib import Path

from tests.benchmarks import comparison
from tests.benchmarks.cases import CASES
from tests.benchmarks.findings import QUICK, Findings, Scale
from tests.benchmarks.report import charts, page, verdicts

DOCS = Path(__file__).parents[2] / "docs"


def write(found: Findings, scale: Scale) -> None:
    """Writes the pages and charts whose figures were measured."""
    if "watchbot plain 16" in found.figures:
        (DOCS / "benchmarks.md").write_text(page(found))
        for file, lines in charts(found, scale).items():
            (DOCS / file).write_text(lines)
    if "spawn true" in found.figures:
        (DOCS / "benchmarks-workers.svg").write_text(comparison.chart(found))
        performance = DOCS / "explanation/performance.md"
        performance.write_text(comparison.rewritten(performance.read_text(), found))


def main() -> int:
    """Measures, and prints what was found; with `--write`, into docs/."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one round, of little")
    parser.add_argument("--only", action="append", choices=list(CASES), help="may be given often")
    parser.add_argument("--write", action="store_true", help="into docs/")
    options = parser.parse_args()
    found, scale = Findings(), QUICK if options.quick else Scale()
    said = set[str]()
    for name in options.only or CASES:
        sys.stdout.write(f"{name}: {CASES[name].__doc__}\n")
        sys.stdout.flush()
        CASES[name](found, scale)
        for verdict in verdicts(found):
            if verdict not in said:
                sys.stdout.write(f"  {verdict}\n")
                said.add(verdict)
    if options.write:
        write(found, scale)
    return 0


if __name__ == "__main__":
    sys.exit(main())
