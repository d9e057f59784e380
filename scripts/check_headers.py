#!/usr/bin/env python3
"""Compiles each header alone, so that none depends on what its users happen to include first.

Headers under client/include that end in .h and declare a C interface (`extern "C"`) are also compiled as C.
What passed is remembered by content in the user's cache folder.
"""
import argparse
import subprocess
import sys

from project_files import INCLUDE_DIRS, ROOT, PassedCache, read, run_parallel, tool_version, tracked

INCLUDES = [f"-I{folder or '.'}" for folder in INCLUDE_DIRS]
CXX = ["g++", "-std=c++20", "-fcoroutines", "-Wall", "-Wextra", "-Wno-missing-field-initializers",
       "-Werror", "-fsyntax-only", "-x", "c++", *INCLUDES]
C = ["gcc", "-std=c11", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", "-x", "c", *INCLUDES]
# Pieces meant for one includer only, with the reason.
EXEMPT = {
    "cache/base/xxh3_kernel.inc": "the body of a hash kernel, included once per instruction set",
    "cache/codec/kernel_avx2.inc": "the body of the codecs' vector kernels, included once per instruction set",
    "cache/codec/plane_words.inc": "the part that every kernel of the codecs has, included once per instruction set",
}


def compile_alone(command, path):
    # The header comes from standard input: as a main file, #pragma once would be warned about.
    source = f'#include "{path}"\n'
    done = subprocess.run([*command, "-"], cwd=ROOT, input=source, capture_output=True, text=True, check=False)
    return f"{path} does not compile alone ({command[0]}):\n{done.stderr[:3000]}" if done.returncode else ""


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=2, help="compilers at a time (default 2)")
    args = parser.parse_args()
    cache = PassedCache("headers", tool_version("g++") + " ".join(CXX + C))
    # The Python extension's headers need those of nanobind, which comes with the wheel's own build.
    headers = [path for path in tracked(".h", ".inc")
               if path not in EXEMPT and not path.startswith("client/python/")]
    fresh = [path for path in headers if not cache.has(path)]

    def check(path):
        error = compile_alone(CXX, path)
        if not error and path.startswith("client/include/") and 'extern "C"' in read(path):
            error = compile_alone(C, path)
        if not error:
            cache.add(path)
        return error

    failed = run_parallel(args.jobs, check, fresh)
    print(f"check_headers: {len(headers)} headers, {len(fresh)} compiled, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
