"""Fixtures of the checks of deploy/: one node for all who only look at it, and the tools."""
import pathlib
import subprocess

import pytest
from prometheus_client.parser import text_string_to_metric_families

from live_node import SMALL, SMALL_NVME, LiveNode, new_tenant

ROOT = pathlib.Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def deploy():
    return ROOT / "deploy"


@pytest.fixture(scope="session")
def tools():
    return ROOT / "build" / "deploy"


@pytest.fixture(scope="session")
def tool():
    """Runs a tool and gives its exit status and all that it printed."""
    def call(*command, stdin=None, cwd=None):
        done = subprocess.run([str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, timeout=120, check=False, input=stdin, cwd=cwd)
        return done.returncode, done.stdout
    return call


@pytest.fixture(scope="session")
def node(tmp_path_factory):
    """A node with NVMe and a tenant, in which something was stored and from which it was loaded."""
    folder = tmp_path_factory.mktemp("node")
    tenants = new_tenant(folder)
    with LiveNode(folder, (*SMALL, "--nvme", folder / "nvme", *SMALL_NVME, "--tenants", tenants)) as started:
        started.store_and_load(started.facts["address"], "--tenant", "search", "--secret-file",
                               folder / "search.secret")
        yield started


@pytest.fixture(scope="session")
def exposed(node):
    """What the node's /metrics has: name of a series -> the label sets it comes with."""
    found = {}
    for family in text_string_to_metric_families(node.page("/metrics")):
        for sample in family.samples:
            found.setdefault(sample.name, []).append(sample.labels)
    return found
