"""Builds dist/watchbot-VERSION-linux-CPU.tar.gz and its directory (`make standalone`).

The directory has the interpreter of this Python, all packages, and the C library and loader of this
machine. It runs on any Linux with this processor, whatever its image holds: another C library, an
older one, or none. Nothing is unpacked at its start and nothing is written, so its place may be
read-only. Each program in `bin` is a link to `launcher.c`.

It needs a C compiler with a static C library, and `ldd` and `strip`.
"""

import gzip
import os
import platform
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
from collections.abc import Iterator
from importlib.util import cache_from_source
from pathlib import Path

from release.pyz import ROOT, clean, install, make_alike
from watchbot import __version__
from watchbot.extras import MARK

EXTRAS = "otel,postgres,redis,schedule,template,tools"
SIGN_IN = {"signin", "sso", "sso-oidc", "sts"}  # what botocore calls for credentials
UNUSED = (  # of the standard library: tests, windows, builds, line editing, mail, sound
    "*test*", "config-*", "curses", "dbm", "distutils", "ensurepip", "idlelib", "lib2to3",
    "pydoc_data", "tkinter", "turtle*", "venv", "xmlrpc", "_codecs_*", "_curses*",
    "_dbm*", "_gdbm*", "_pydecimal*", "_pyio*", "_tkinter*", "nis.*", "readline.*", "xxlimited*",
    "aifc*", "ftplib*", "imaplib*", "mailbox*", "nntplib*", "pickletools*", "smtp*", "telnetlib*",
    "_crypt*", "audioop*", "crypt.py", "ossaudiodev*", "spwd*",
)  # fmt: skip
UNUSED_OF_PACKAGES = (
    "**/*.pyi", "**/*.pyx", "**/*.pxd", "**/*.[ch]", "boto3/data", "boto3/examples",
    "botocore/data/*/*/examples-1.json", "dateutil/zoneinfo/*.tar.gz", "pygments/lexers",
    "**/*.proto", "**/tests", "**/.agents", "*.dist-info/sboms",
    "google/[!_p]*",  # protocols of Google's own services, beside that of protobuf
    "pydantic/v1",  # FastAPI asks whether a model is of that kind, and does without
    "wcwidth/_wcwidth_c.*.so", "wcwidth/table_grapheme_overrides/_known_*",  # for single terminals
)  # fmt: skip
# anyio reads these sources, to import each of its parts when that is asked for; or else it imports
# them all.
READ_AT_IMPORT = ("anyio/__init__.py", "anyio/abc/__init__.py")
START = """\
import os
import sys

if "WATCHBOT_STANDALONE_PRELOAD" in os.environ:  # the launcher put it aside
    os.environ["LD_PRELOAD"] = os.environ.pop("WATCHBOT_STANDALONE_PRELOAD")
try:  # else `ps` and `top` show the loader's name
    with open("/proc/self/comm", "w") as name:
        name.write("{program}")
except OSError:
    pass
from {module} import {function}

sys.exit({function}())
"""


def build(target: Path) -> Path:
    """Builds the directory and the archive in `target`; returns the archive's path.

    Raises `CalledProcessError`.
    """
    name = f"watchbot-{__version__}-linux-{platform.machine()}"
    home = target / name
    shutil.rmtree(home, ignore_errors=True)
    for folder in ("bin", "lib", "programs"):
        (home / folder).mkdir(parents=True)
    library = _add_python(home)
    _add_packages(library / "site-packages")
    _add_programs(home)
    _add_shared_libraries(home)
    _strip(home)
    _compile(home)
    make_alike(home)
    return _archived(home)


def _add_python(home: Path) -> Path:
    """Copies the interpreter and its standard library; returns the latter's directory."""
    shutil.copy(_interpreter(), home / "bin/python")
    source = Path(sysconfig.get_path("stdlib"))
    library = home / "lib" / source.name
    unused = shutil.ignore_patterns("site-packages", "dist-packages", "__pycache__", *UNUSED)
    shutil.copytree(source, library, ignore=unused)
    return library


def _interpreter() -> str:
    return os.path.realpath(getattr(sys, "_base_executable", sys.executable))


def _add_packages(packages: Path) -> None:
    install(packages, f"{ROOT}[{EXTRAS}]")
    clean(packages)
    (packages / "watchbot" / MARK).write_text("standalone\n")
    unused = [found for pattern in UNUSED_OF_PACKAGES for found in packages.glob(pattern)]
    services = [each for each in (packages / "botocore/data").iterdir() if each.is_dir()]
    unused += [each for each in services if each.name not in services_called() | SIGN_IN]
    for found in [*unused, *_resources_no_stack_has(packages)]:
        shutil.rmtree(found) if found.is_dir() else found.unlink()
    for about in packages.glob("*.dist-info/METADATA"):  # name, version, licence; not the manual
        about.write_text(about.read_text().partition("\n\n")[0] + "\n")


def services_called() -> set[str]:
    """The services of AWS that the package calls; botocore describes each in a folder."""
    files = (file.read_text() for file in (ROOT / "watchbot").rglob("*.py"))
    called = re.compile(r'\b(?:open_client|near)\(\s*"([\w-]+)"')
    return {name for text in files for name in called.findall(text)}


def _resources_no_stack_has(packages: Path) -> Iterator[Path]:
    """Yields troposphere's modules for resources that `watchbot template` does not make, 6 MB."""
    ask = "import sys, watchbot.template.build; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", ask], check=True, capture_output=True, text=True, cwd=packages
    )
    loaded = set(done.stdout.split())
    for module in (packages / "troposphere").glob("[!_]*.py"):
        if f"troposphere.{module.stem}" not in loaded:
            yield module


def _add_programs(home: Path) -> None:
    compiler = os.environ.get("CC", "cc")
    words = f"{compiler} -Os -static -s -Wall -Wextra -Werror -D_GNU_SOURCE -o".split()
    launcher = home / "bin/watchbot"
    subprocess.run([*words, launcher, ROOT / "release/launcher.c"], check=True)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for program, place in project["scripts"].items():
        module, _, function = place.partition(":")
        text = START.format(program=program[:15], module=module, function=function)
        (home / "programs" / program).write_text(text)
        if program != launcher.name:
            (home / "bin" / program).symlink_to(launcher.name)


def _add_shared_libraries(home: Path) -> None:
    """Copies the libraries that the interpreter and the modules load, and the loader itself."""
    notes = home / "licences"
    notes.mkdir()
    for library in sorted(set(_loaded_by(home / "bin/python", *home.rglob("*.so")))):
        shutil.copy(library, home / "lib" / library.name)
        _add_licence(library, notes)
    (loader,) = (home / "lib").glob("ld-*.so*")
    loader.rename(home / "lib/ld.so")


def _loaded_by(*files: Path) -> Iterator[Path]:
    """Libraries of this machine, as `ldd` finds them; those of packages are there already."""
    done = subprocess.run(
        ["ldd", *files], check=True, capture_output=True, text=True,
        env={**os.environ, "LD_LIBRARY_PATH": sysconfig.get_config_var("LIBDIR")},
    )  # fmt: skip
    for line in done.stdout.splitlines():
        # "  NAME => /PATH (0x...)" of a library, "  /PATH (0x...)" of the loader
        path, _, address = line.strip().rpartition(" => ")[2].rpartition(" ")
        if path == "not":
            raise FileNotFoundError(f"ldd finds no {line.split()[0]}")
        if path.startswith("/") and address.startswith("(0x") and ".libs/" not in path:
            yield Path(path)


def _add_licence(library: Path, notes: Path) -> None:
    """Copies the licence of the package of Debian that has the library."""
    if shutil.which("dpkg-query") is None:
        return
    for name in (library, library.resolve()):
        done = subprocess.run(
            ["dpkg-query", "--search", name], check=False, capture_output=True, text=True
        )
        package = done.stdout.partition(":")[0]
        licence = Path("/usr/share/doc") / package / "copyright"
        if package and licence.is_file():
            shutil.copy(licence, notes / package)
            return


def _strip(home: Path) -> None:
    """Takes symbols for debuggers out; libraries that `auditwheel` has patched may not bear it."""
    files = [file for file in home.rglob("*.so*") if "/psycopg_binary" not in str(file)]
    subprocess.run(["strip", "--strip-unneeded", home / "bin/python", *files], check=True)


def _compile(home: Path) -> None:
    """Compiles all modules, and leaves sources out: a third of the size, and no checks.

    A traceback still names files and lines. A module beside its source is found in __pycache__.
    """
    words = "-m compileall -q -b -j 0 --invalidation-mode unchecked-hash".split()
    (library,) = (home / "lib").glob("python*")
    subprocess.run([sys.executable, *words, "-s", home, library], check=True)
    for folder in library.rglob("__pycache__"):
        shutil.rmtree(folder)
    kept = {library / "site-packages" / name for name in READ_AT_IMPORT}
    for source in library.rglob("*.py"):
        if source in kept:
            compiled = Path(cache_from_source(source))
            compiled.parent.mkdir()
            source.with_suffix(".pyc").rename(compiled)
        else:
            source.unlink()


def directory_of(archive: Path) -> Path:
    """The directory from which the archive was packed."""
    return archive.with_name(archive.name.removesuffix(".tar.gz"))


def _archived(home: Path) -> Path:
    """Packs the directory; equal content gives equal bytes."""
    archive = home.with_name(f"{home.name}.tar.gz")
    with (
        archive.open("wb") as file,
        gzip.GzipFile("", "wb", fileobj=file, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w") as tar,
    ):
        for path in sorted(home.rglob("*")):
            tar.add(path, f"watchbot/{path.relative_to(home)}", recursive=False, filter=_of_nobody)
    return archive


def _of_nobody(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = entry.mtime = 0
    entry.uname = entry.gname = ""
    return entry


if __name__ == "__main__":
    sys.stdout.write(f"{build(Path(sys.argv[1]) if sys.argv[1:] else ROOT / 'dist')}\n")
