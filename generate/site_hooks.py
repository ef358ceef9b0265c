"""Hooks of mkdocs: the site shows a page as GitHub does.

Pages link to files beside docs/ (an example, the Dockerfile, a template). On the site each of
these becomes a page below files/; a folder becomes one page with all its files.
"""

import html
import os
import re
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]
LINK = re.compile(r"(\]\()((?!https?:|mailto:|#)[^)#\s]+)")
SHORT_CODE = re.compile(r"(?<!<pre>)<code>([^<\n]{1,34})</code>")
PICTURE = re.compile(r'(\b(?:src|srcset)=")((?!https?:|data:)[^"]+)')
LANGUAGES = {".py": "python", ".sh": "sh", ".yaml": "yaml", ".yml": "yaml", ".json": "json"}
TABLE_CODE = re.compile(r"`([^`]*\\\|[^`]*)`")
# How the search ranks pages that hold many words and answer few questions; others have 1.
RANKS = {
    "files/README.md": 0.5,
    "files/examples/README.md": 0.5,
    "files/": 0.05,
    "index.md": 0.3,
    "benchmarks.md": 0.2,
    "explanation/architecture.md": 0.2,
    "explanation/performance.md": 0.2,
    "explanation/testing.md": 0.2,
    "explanation/scale.md": 0.3,
}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds a page for each file or folder beside docs/ that a page links to."""
    waiting = [(f"docs/{page.src_uri}", _text(page)) for page in files.documentation_pages()]
    found: set[str] = set()
    while waiting:
        source, text = waiting.pop()
        for target in _targets_outside(source, text) - found:
            found.add(target)
            content = _page_of(target)
            files.append(File.generated(config, _site_path(target), content=content))
            if target.endswith(".md"):
                waiting.append((target, content))
    return files


def on_page_markdown(markdown: str, page: Page, **_: object) -> str:
    """Leads links and pictures to their places on the site; keeps `a|b` in a table unchanged."""
    source = _source_of(page.file.src_uri)
    page.meta["search"] = {"boost": _rank(page.file.src_uri)}

    def lead(link: re.Match[str]) -> str:
        path = _site_path(_target(source, link[2]))
        folder = PurePosixPath(page.file.src_uri).parent
        return link[1] + os.path.relpath(path, folder)

    lines = (_with_code_cells(line) for line in _outside_fences(markdown, lead))
    return "\n".join(lines)


def on_page_content(content: str, **_: object) -> str:
    """Marks names that a line must not end within: options, variables, modules."""
    return SHORT_CODE.sub(r'<code class="whole">\1</code>', content)


def _rank(src_uri: str) -> float:
    return next((rank for start, rank in RANKS.items() if src_uri.startswith(start)), 1)


def _outside_fences(markdown: str, lead: Callable[[re.Match[str]], str]) -> list[str]:
    lines, fence = [], None
    for line in markdown.split("\n"):
        mark = re.match(r" *(`{3,}|~{3,})", line)
        if mark and fence is None:
            fence = mark[1]
        elif mark and fence == mark[1]:
            fence = None
        lines.append(line if fence else PICTURE.sub(lead, LINK.sub(lead, line)))
    return lines


def _with_code_cells(line: str) -> str:
    # GitHub needs a backslash before a bar in a table, but Python-Markdown would show it.
    if not line.lstrip().startswith("|"):
        return line
    return TABLE_CODE.sub(_code_with_bars, line)


def _code_with_bars(code: re.Match[str]) -> str:
    text = html.escape(code[1].replace("\\|", "|"))
    return f"<code>{text.replace('|', '&#124;')}</code>"


def _targets_outside(source: str, text: str) -> set[str]:
    targets = {_target(source, link[2]) for link in LINK.finditer(text)}
    return {target for target in targets if not target.startswith("docs/")}


def _target(source: str, link: str) -> str:
    path = os.path.normpath(PurePosixPath(source).parent / link)
    if (ROOT / path).is_dir() and not path.startswith("docs"):
        readme = f"{path}/README.md"
        return readme if (ROOT / readme).is_file() else path
    return path


def _site_path(target: str) -> str:
    if target.startswith("docs/"):
        return target.removeprefix("docs/")
    return f"files/{target.removesuffix('.md')}.md"


def _source_of(src_uri: str) -> str:
    if not src_uri.startswith("files/"):
        return f"docs/{src_uri}"
    path = src_uri.removeprefix("files/")
    return path if (ROOT / path).is_file() else path.removesuffix(".md")


def _page_of(target: str) -> str:
    path = ROOT / target
    if path.is_dir():
        parts = [f"## {file.name}\n\n{_fenced(file)}" for file in sorted(path.iterdir())]
        return f"# {target}\n\n" + "\n".join(parts)
    if path.suffix == ".md":
        return path.read_text(encoding="utf-8")
    return f"# {target}\n\n{_fenced(path)}"


def _fenced(path: Path) -> str:
    if path.name == "__pycache__":  # left by a run of an example
        return ""
    if path.is_dir():
        return "\n".join(_fenced(file) for file in sorted(path.iterdir()))
    text = path.read_text(encoding="utf-8")
    return f"~~~~{LANGUAGES.get(path.suffix, 'text')}\n{text}\n~~~~\n"


def _text(page: File) -> str:
    return Path(page.abs_src_path).read_text(encoding="utf-8") if page.abs_src_path else ""
