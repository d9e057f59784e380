"""The examples run against a node and find every byte right."""
import pathlib
import subprocess
import sys

import pytest

EXAMPLES = pathlib.Path(__file__).resolve().parents[3] / "client" / "python" / "examples"


@pytest.mark.parametrize("name", ["store_and_load.py", "asyncio_load.py"])
def test_example_finds_all_bytes_right(node, name):
    ran = subprocess.run([sys.executable, EXAMPLES / name, node.address], capture_output=True, text=True, timeout=120)
    assert ran.returncode == 0 and "all bytes right" in ran.stdout, ran.stdout + ran.stderr
    assert subprocess.run([sys.executable, EXAMPLES / name], capture_output=True, timeout=120).returncode == 1
