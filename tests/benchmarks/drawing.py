"""The ground of a chart, which suits pages in light and in dark."""

_DARK = "@media (prefers-color-scheme: dark) { .ground { fill: #1f2129 } text { fill: #e2e4e9 } }"


def ground(height: int) -> str:
    """The begin of an SVG of 760 by `height`: its root, how it looks in dark, its ground."""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 760 {height}" '
        'font-family="sans-serif" font-size="12">\n'
        f"<style>{_DARK}</style>\n"
        f'<rect class="ground" width="760" height="{height}" fill="white"/>'
    )
