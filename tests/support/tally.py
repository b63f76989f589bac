#!/usr/bin/python3
"""tally.py FOLDER: sums what run.sh's steps have left there; the last line is "N passed, N failed".

*.xml are JUnit reports (ctest, pytest), NAME.failed a step that failed as a whole (a build, a crash,
a report that was never written), NAME.passed one that counts as one passed test. Exit 1 unless
something passed and nothing failed.
"""
import pathlib
import sys
import xml.etree.ElementTree as ElementTree


def count(report):
    """(passed, [names of failed], skipped) of one JUnit file."""
    passed, failed, skipped = 0, [], 0
    for case in ElementTree.parse(report).iter("testcase"):
        name = f"{report.stem}: {case.get('classname', '')}.{case.get('name', '')}"
        if case.find("failure") is not None or case.find("error") is not None \
                or case.get("status") == "fail":
            failed.append(name)
        elif case.find("skipped") is not None or case.get("status") in ("notrun", "disabled"):
            skipped += 1
        else:
            passed += 1
    return passed, failed, skipped


def main(folder):
    passed, failed, skipped = 0, [], 0
    for report in sorted(folder.glob("*.xml")):
        try:
            more = count(report)
        except (ElementTree.ParseError, OSError) as error:
            more = 0, [f"{report.name}: {error}"], 0
        passed, failed, skipped = passed + more[0], failed + more[1], skipped + more[2]
    failed += [f"{step.stem}: {step.read_text().strip()}" for step in sorted(folder.glob("*.failed"))]
    passed += len(list(folder.glob("*.passed")))
    for name in failed:
        print(f"FAILED {name}")
    if skipped:
        print(f"({skipped} skipped)")
    print(f"{passed} passed, {len(failed)} failed")
    return 0 if passed and not failed else 1


if __name__ == "__main__":
    sys.exit(main(pathlib.Path(sys.argv[1])))
