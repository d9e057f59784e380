#!/usr/bin/env python3
"""Runs clang-tidy with the checks of .clang-tidy over the product's C++ sources, or over the files named.

Version 16, since 14 does not compile coroutines with GCC's standard library. A file that passed is not analysed again
until it, a header of the project that it includes, or .clang-tidy changes (remembered in the user's cache folder).
"""
import argparse
import subprocess
import sys
import time

from project_files import INCLUDE_DIRS, ROOT, PassedCache, read, run_parallel, tool_version, tracked

TOOL = "clang-tidy-16"
FLAGS = ["-std=c++20", "-Wall", "-Wextra", "-Wno-missing-field-initializers", "-DINCIPIT_SOURCE_DIR=\"\"",
         "-DINCIPIT_BINARY_DIR=\"\"", *[f"-I{folder or '.'}" for folder in INCLUDE_DIRS]]
# As in cmake/Targets.cmake.
EXTRA_FLAGS = {
    "cache/base/version.cc": [f'-DINCIPIT_{name}=""' for name in ("VERSION", "COMPILER", "BUILD_TYPE")],
    "cache/base/xxh3_avx2.cc": ["-mavx2"],
    "cache/base/xxh3_avx512.cc": ["-mavx512f", "-mavx512bw"],
}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=2, help="files at a time (default 2)")
    parser.add_argument("--no-cache", action="store_true", help="analyse files that passed before as well")
    parser.add_argument("--tests", action="store_true", help="analyse tests as well: twice the time")
    parser.add_argument("files", nargs="*", help="default: every .cc file outside tests/")
    args = parser.parse_args()
    cache = PassedCache("clang-tidy", tool_version(TOOL) + read(".clang-tidy") + str((FLAGS, EXTRA_FLAGS)))
    sources = args.files or [path for path in tracked(".cc") if (args.tests or not path.startswith("tests/"))
                             and not path.startswith("client/python/")]  # needs nanobind's headers
    fresh = [path for path in sources if args.no_cache or not cache.has(path)]

    def check(path):
        started = time.monotonic()
        command = [TOOL, "--quiet", path, "--", *FLAGS, *EXTRA_FLAGS.get(path, [])]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            cache.add(path)
            print(f"{path}: {time.monotonic() - started:.1f} s", flush=True)
            return ""
        return f"{path}:\n{done.stdout}{done.stderr if not done.stdout else ''}"

    failed = run_parallel(args.jobs, check, fresh)
    print(f"run_clang_tidy: {len(sources)} files, {len(fresh)} analysed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
