#!/usr/bin/env python3
"""Fails if clang-format would change any C++ file. `--fix` changes them."""
import argparse
import subprocess
import sys

from project_files import ROOT, run_parallel, tracked


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fix", action="store_true", help="rewrite the files instead of reporting them")
    args = parser.parse_args()
    mode = ["-i"] if args.fix else ["--dry-run", "-Werror"]

    def check(path):
        done = subprocess.run(["clang-format-14", *mode, path], cwd=ROOT, capture_output=True, text=True, check=False)
        first = done.stderr.split("\n", 1)[0].replace("code should be clang-formatted", "differs first here")
        return f"{path}: not formatted; run scripts/check_format.py --fix ({first})" if done.returncode else ""

    files = tracked(".h", ".cc", ".inc")
    failed = run_parallel(2, check, files)
    print(f"check_format: {len(files)} files, {failed} not formatted")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
