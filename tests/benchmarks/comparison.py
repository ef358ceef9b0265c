"""Writes how workers that stay compare with processes and with rivals: a chart, and a table."""

import math
import re
import statistics
from collections.abc import Sequence

from tests.benchmarks.drawing import ground
from tests.benchmarks.findings import Findings

OURS, RIVALS = "#1f6feb", "#57606a"
START, END = "<!-- workers: written by make bench -->\n", "<!-- workers: end -->\n"
FIGURES = (" cpu_ms", " calls", " rss_mb")


def contenders(found: Findings) -> Sequence[str]:
    """The names of the consumers that were measured, in the order of their turns."""
    names = [name.removesuffix(" calls") for name in found.figures if name.endswith(" calls")]
    return [name for name in names if not name.startswith("watchbot ") and " plain " not in name]


def chart(found: Findings) -> str:
    """Bars of messages a second, as long as the logarithm of the figure."""
    rows = [(name, found.median(name) or 0.0) for name in contenders(found)]
    decades = (1, 10, 100, 1_000, 10_000)
    height = 60 + 22 * len(rows)
    parts = [
        ground(height),
        '<text x="10" y="20">messages a second, on a scale of powers of ten</text>',
    ]
    for place, decade in enumerate(decades):
        x = 230 + 110 * place
        parts.append(f'<path d="M{x} 32V{height - 24}" stroke="#d0d7de"/>')
        parts.append(f'<text x="{x}" y="{height - 8}" text-anchor="middle">{decade:,}</text>')
    for number, (name, rate) in enumerate(rows):
        y = 38 + 22 * number
        width = 110 * _powers_of_ten(rate)
        colour = OURS if _is_ours(name) else RIVALS
        parts.append(f'<text x="222" y="{y + 12}" text-anchor="end">{name}</text>')
        parts.append(f'<rect x="230" y="{y}" width="{width:.0f}" height="16" fill="{colour}"/>')
        parts.append(f'<text x="{236 + width:.0f}" y="{y + 12}">{rate:,.0f}</text>')
    return "\n".join([*parts, "</svg>", ""])


def table(found: Findings) -> str:
    """The medians of all consumers, and how their rates compare with a process of `true`."""
    rows = [
        "| case | messages a second | of `spawn true` | CPU a message, ms | calls a message | MB |",
        "|---|---|---|---|---|---|",
    ]
    for name in contenders(found):
        rate, rates = found.median(name) or 0.0, found.figures[name]
        cpu_ms, calls, rss_mb = (found.median(name + figure) or 0.0 for figure in FIGURES)
        span = f"{rate:,.0f} ({min(rates):,.0f} - {max(rates):,.0f})"
        rest = f"{cpu_ms:.2f} | {calls:.2f} | {rss_mb:.0f}"
        rows.append(f"| {name} | {span} | {_share(found, name)} | {rest} |")
    return "\n".join([*rows, ""])


def rewritten(page: str, found: Findings) -> str:
    """The page with this table in the place of the one before."""
    return re.sub(
        f"(?<={re.escape(START)}).*(?={re.escape(END)})",
        lambda _: f"\n{table(found)}\n",
        page,
        flags=re.DOTALL,
    )


def _share(found: Findings, name: str) -> str:
    """The median of the ratios of each round; its two rates had the same machine."""
    pairs = zip(found.figures[name], found.figures["spawn true"], strict=True)
    return f"{statistics.median(one / true for one, true in pairs):.2g}"


def _is_ours(name: str) -> bool:
    return name.startswith(("spawn ", "warm "))


def _powers_of_ten(rate: float) -> float:
    return max(0.0, math.log10(rate)) if rate else 0.0
