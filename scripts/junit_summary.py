#!/usr/bin/env python3
"""Counts a JUnit report of ctest or pytest. The last line printed is "PASSED FAILED SKIPPED".

usage: junit_summary.py REPORT.xml ALLOWED_SKIPS.txt
Exit status 1 if a test failed, if the report is missing, or if a test was skipped that the list does not name: a test
that does not run guards nothing. Such a skip counts as failed.
"""
import fnmatch
import sys
import xml.etree.ElementTree as ElementTree


def allowed_skips(path):
    with open(path, encoding="utf-8") as file:
        lines = (line.split("#", 1)[0].strip() for line in file)
        return {line for line in lines if line}


def status_of(case):
    """run, skipped or failed. ctest says so in an attribute, pytest in a child element."""
    if case.get("status") is not None:
        return {"run": "run", "notrun": "skipped", "disabled": "skipped"}.get(case.get("status"), "failed")
    if case.find("failure") is not None or case.find("error") is not None:
        return "failed"
    return "run" if case.find("skipped") is None else "skipped"


def main():
    report, allowed_path = sys.argv[1:3]
    allowed = allowed_skips(allowed_path)
    try:
        cases = list(ElementTree.parse(report).getroot().iter("testcase"))
    except (OSError, ElementTree.ParseError) as error:
        print(f"junit_summary: no usable report at {report}: {error}")
        print("0 1 0")
        return 1
    passed = failed = skipped = 0
    for case in cases:
        name, status = case.get("name"), status_of(case)
        if status == "run":
            passed += 1
        elif status == "skipped" and any(fnmatch.fnmatchcase(name, pattern) for pattern in allowed):
            skipped += 1
        elif status == "skipped":
            failed += 1
            print(f"junit_summary: {name} was skipped and is not in {allowed_path}")
        else:
            failed += 1
            print(f"junit_summary: {name} failed")
    print(f"tests: {len(cases)} run, {failed} failed")
    print(passed, failed, skipped)
    return 1 if failed or not cases else 0


if __name__ == "__main__":
    sys.exit(main())
