"""clang-format, the size of files, and scripts that a shell can read."""
import os
import subprocess

from sources import ROOT, cpp_files, read, tracked

LONGEST = 500


def test_cpp_is_formatted_by_clang_format_14():
    done = subprocess.run(["clang-format-14", "--dry-run", "-Werror", "--", *cpp_files()], cwd=ROOT,
                          text=True, capture_output=True)
    assert done.returncode == 0, done.stderr[:5000]


def test_no_file_is_longer_than_500_lines():
    long = [f"{name}: {lines} lines; {LONGEST} is asking to be two files"
            for name in tracked(".cc", ".h", ".py", ".sh")
            if (lines := read(name).count("\n")) > LONGEST]
    assert not long, "\n" + "\n".join(long)


def test_every_shell_script_can_be_read_by_its_shell():
    for name in [*tracked(".sh"), ".ci/run"]:
        first = read(name).split("\n", 1)[0]
        assert first.startswith("#!/"), f"{name}: no #! line"
        done = subprocess.run([*first[2:].split()[:1], "-n", os.path.join(ROOT, name)], text=True,
                              capture_output=True)
        assert done.returncode == 0, done.stderr


def test_python_compiles_without_a_warning():
    for name in tracked(".py"):
        compile(read(name), name, "exec")


def test_no_file_holds_tabs_or_trailing_blanks_where_they_do_not_belong():
    wrong = [f"{name}:{number}" for name in [*cpp_files(), *tracked(".py", ".sh", ".md", ".toml")]
             for number, line in enumerate(read(name).split("\n"), 1)
             if line != line.rstrip() or "\t" in line.split("//")[0] and name.endswith(".py")]
    assert not wrong, wrong
