"""The files that lints look at, and C++ without its comments and strings."""
import os
import re
import subprocess

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
CODE = ("bgp/", "nat/", "daemon/", "tests/")


def tracked(*endings):
    """Files of the project that end so: what git knows, and what is new and not ignored."""
    try:
        listing = subprocess.run(
            ["git", "-c", f"safe.directory={ROOT}", "-C", ROOT, "ls-files", "--cached", "--others",
             "--exclude-standard"], text=True, capture_output=True, check=True).stdout.splitlines()
    except (OSError, subprocess.CalledProcessError):  # a source archive
        listing = [os.path.relpath(os.path.join(folder, name), ROOT)
                   for folder, folders, names in os.walk(ROOT)
                   if not folders.sort() and "/build" not in folder for name in names]
    return sorted({name for name in listing
                   if name.endswith(endings) and os.path.isfile(os.path.join(ROOT, name))})


def cpp_files():
    return [name for name in tracked(".cc", ".h") if name.startswith(CODE)]


def read(name):
    with open(os.path.join(ROOT, name), encoding="utf-8") as source:
        return source.read()


_IGNORED = re.compile(
    r'//[^\n]*|/\*.*?\*/|R"([^()\\ ]{0,16})\(.*?\)\1"|"(?:\\.|[^"\\\n])*"'
    r"|(?<![0-9a-fA-F])'(?:\\.|[^'\\\n])+'", re.S)


def without_comments_and_strings(text):
    """The same text, line for line, with comments blank and strings empty."""
    def blank(found):
        word = found.group()
        lines = "\n" * word.count("\n")
        return lines if word.startswith(("//", "/*")) else '""' + lines
    return _IGNORED.sub(blank, text)
