#!/usr/bin/env python3
"""Checks what compilers do not: lengths, dead files, names of tests, README files, links, leftovers.

Each finding is one line: path:line: what is wrong. Exit status 1 if there is any.
"""
import os
import re
import sys

from project_files import ROOT, read, tracked
from function_lengths import long_functions

MAX_COLUMNS = 120
MAX_FUNCTION_LINES = 70
MAX_FILE_LINES = 400
CODE = (".h", ".cc", ".inc", ".py", ".sh", ".cmake", ".c")
TEXT = (*CODE, ".md", ".txt", ".json", ".toml", ".yaml", ".yml")
FOLDERS_WITH_README = ("cache", "cluster", "eviction", "transport", "client", "bench", "tests", "deploy")
MAX_README_LINES = 60
# Long lines are allowed where a line cannot be broken: tables and links of pages, golden data, recorded workloads.
LONG_LINES_ALLOWED = re.compile(r"\.(md|json|jsonl)$|^LICENSE$|^tests/golden/|^tests/fuzz/corpus/")
# Spelled so that this file does not find itself.
LEFTOVERS = re.compile(r"\b(" + "|".join(("TO" + "DO", "FIX" + "ME", "X" + "XX")) + r")\b")
MACHINE_PATHS = re.compile(r"(?<![\w.$}/-])/(work|farm|home/\w+|root|tmp/bash_jobs)/")
# Folders (up to any depth) whose sources the build globs; a source elsewhere is in no target.
BUILT = re.compile(
    r"^(cache|cluster|transport|eviction|bench|client/(src|hasher|layouts|cli|python/src))/.+\.cc$"
    r"|^client/main\.cc$|^client/examples/.+\.(cc|c)$"
    r"|^tests/(cache|cluster|transport|eviction|client|bench|sim|golden|conformance|campaigns|processes|rdma)/.+\.cc$"
    r"|^tests/(canary|support/cluster_sim)/.+\.cc$"
    r"|^tests/client/.+\.c$"
    r"|^tests/fuzz/[^/]+_fuzz\.cc$")
TEST_LINE = re.compile(r"^\s*(?:TYPED_)?TEST(?:_[FP])?\(\s*(\w+)\s*,\s*(\w+)\s*\)", re.MULTILINE)
GOOD_TEST_NAME = re.compile(r"^[A-Z][A-Za-z0-9]{5,}$")
LINK = re.compile(r"(?<!\!)\[[^\]\n]*\]\(([^)\s]+)\)")


def line_of(text, position):
    return text.count("\n", 0, position) + 1


def check_lines(path, text):
    golden = path.startswith(("tests/golden/", "tests/fuzz/corpus/"))
    for number, line in enumerate(text.split("\n"), 1):
        where = f"{path}:{number}:"
        if len(line) > MAX_COLUMNS and not LONG_LINES_ALLOWED.search(path):
            yield f"{where} {len(line)} columns, at most {MAX_COLUMNS}"
        if "\t" in line and not golden:
            yield f"{where} tab"
        if line != line.rstrip() and not golden:
            yield f"{where} blanks at the end of the line"
        if LEFTOVERS.search(line):
            yield f"{where} leftover mark: do it, or state it as a limitation"
        if MACHINE_PATHS.search(line):
            yield f"{where} path of one machine"
    if text and not text.endswith("\n") and not golden:
        yield f"{path}: no line feed at the end"


def check_code(path, text):
    lines = text.count("\n")
    first_lines = "\n".join(text.split("\n")[:5])
    if lines > MAX_FILE_LINES and "Long file:" not in first_lines:
        yield f"{path}: {lines} lines, at most {MAX_FILE_LINES}; split it, or begin with 'Long file:' and the reason"
    if path.endswith((".h", ".cc", ".inc")):
        for name, start, length in long_functions(text, MAX_FUNCTION_LINES):
            yield f"{path}:{start}: function '{name}' has {length} lines, at most {MAX_FUNCTION_LINES}"
    if path.endswith(".h") and "#pragma once" not in text:
        yield f"{path}: no '#pragma once'"
    if path.endswith((".h", ".sh", ".py")) and not re.match(r"(#!.*\n)?\s*(//|#|/\*|\"\"\")", text):
        yield f"{path}: does not begin with a comment that says what it is for"


def check_test_names(path, text):
    for match in TEST_LINE.finditer(text):
        name = match.group(2)
        where = f"{path}:{line_of(text, match.start())}:"
        if not GOOD_TEST_NAME.match(name) or name.startswith(("Test", "DISABLED")):
            yield f"{where} test '{name}' should state situation and result in CamelCase"


def check_links(path, text):
    text = re.sub(r"```.*?```", lambda m: re.sub(r"[^\n]", " ", m.group()), text, flags=re.DOTALL)
    for match in LINK.finditer(text):
        target = match.group(1)
        if target.startswith(("http://", "https://", "mailto:", "#")):
            continue
        full = os.path.normpath(os.path.join(ROOT, os.path.dirname(path), target.split("#")[0]))
        if not os.path.exists(full):
            yield f"{path}:{line_of(text, match.start())}: link to '{target}', which does not exist"


def check_dead_files(files):
    sources = [f for f in files if f.endswith((".cc", ".c"))]
    headers = [f for f in files if f.endswith((".h", ".inc"))]
    for path in sources:
        if not BUILT.match(path):
            yield f"{path}: no target builds it (see cmake/)"
    users = "\n".join(read(f) for f in sources + headers)
    for path in headers:
        names = {path, path.removeprefix("client/include/"), os.path.basename(path)}
        if not any(f'"{name}"' in users or f"<{name}>" in users for name in names):
            yield f"{path}: nothing includes it"
    programs = "\n".join(read(f) for f in files if f.endswith((".sh", ".py", ".cmake", ".md", ".txt", ".json")))
    for path in files:
        if path.startswith("scripts/") and path.endswith((".py", ".sh")):
            name = os.path.basename(path)
            if name not in programs and f"import {name.removesuffix('.py')}" not in programs \
                    and f"from {name.removesuffix('.py')} import" not in programs:
                yield f"{path}: nothing uses or mentions it"


def check_folders():
    for folder in FOLDERS_WITH_README:
        path = f"{folder}/README.md"
        if not os.path.exists(os.path.join(ROOT, path)):
            yield f"{folder}: no README.md"
        elif read(path).count("\n") > MAX_README_LINES:
            yield f"{path}: over {MAX_README_LINES} lines; detail belongs in docs/"


def main():
    files = tracked()
    findings = [*check_folders(), *check_dead_files(files)]
    texts = [f for f in files if f.endswith(TEXT) or os.path.basename(f) in (".clang-tidy", "run", "LICENSE")]
    for path in texts:
        text = read(path)
        findings.extend(check_lines(path, text))
        if path.endswith(CODE):
            findings.extend(check_code(path, text))
        if path.endswith("_test.cc"):
            findings.extend(check_test_names(path, text))
        if path.endswith(".md"):
            findings.extend(check_links(path, text))
    for finding in findings:
        print(finding)
    print(f"tidy: {len(texts)} files, {len(findings)} findings")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
