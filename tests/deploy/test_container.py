"""deploy/container: the image's recipe, the seccomp profile on a real node, the health check, the compose file."""
import errno
import json
import os
import pathlib
import re
import subprocess
import sys

import pyseccomp
import pytest
import yaml

from live_node import BINARY, SMALL, SMALL_NVME, LiveNode, new_tenant


@pytest.fixture
def container(deploy):
    return deploy / "container"


@pytest.fixture
def dockerfile(container):
    return (container / "Dockerfile").read_text()


def test_dockerfile_has_no_findings(tool, container):
    assert tool("hadolint", "--no-color", container / "Dockerfile") == (0, "")


def test_careless_dockerfile_has_findings(tool, tmp_path, dockerfile):
    broken = tmp_path / "Dockerfile"
    broken.write_text(dockerfile.replace("debian:12-slim", "debian:latest").replace("USER 10001:10001", "USER root"))
    status, output = tool("hadolint", "--no-color", broken)
    assert status != 0 and "DL3007" in output and "DL3002" in output


def test_what_the_dockerfile_copies_exists(deploy, dockerfile):
    for line in re.findall(r"^COPY (?!--from)(.+)$", dockerfile, re.MULTILINE):
        for source in line.split()[:-1]:
            assert (deploy.parent / source).exists(), source


def linked_packages():
    """Debian packages of the libraries that the binary names, as this machine has them."""
    dynamic = subprocess.run(["readelf", "-d", BINARY], capture_output=True, text=True, check=True).stdout
    needed = set(re.findall(r"\(NEEDED\).*\[(.+)\]", dynamic))
    owners = {}
    for listing in pathlib.Path("/var/lib/dpkg/info").glob("lib*.list"):
        for path in listing.read_text().splitlines():
            if "-linux-gnu/" not in path:  # those of other processors lie elsewhere
                continue
            owners.setdefault(path.rsplit("/", 1)[-1], listing.name.removesuffix(".list").split(":")[0])
    assert needed - set(owners) == set()
    return {owners[library] for library in needed}


def test_image_has_every_library_that_the_node_needs(dockerfile):
    always_there = {"libc6", "libgcc-s1"}
    assert linked_packages() - always_there <= set(re.findall(r"\blib[a-z0-9.+-]+", dockerfile))


def test_compose_file_follows_the_specification(tool, container):
    status, output = tool("check-jsonschema", "--builtin-schema", "vendor.compose-spec",
                          container / "docker-compose.yml")
    assert status == 0, output


def test_misspelt_key_of_the_compose_file_is_noticed(tool, container, tmp_path):
    broken = tmp_path / "docker-compose.yml"
    broken.write_text((container / "docker-compose.yml").read_text().replace("ulimits:", "ulimit:"))
    status, output = tool("check-jsonschema", "--builtin-schema", "vendor.compose-spec", broken)
    assert status != 0 and "ulimit" in output


def test_compose_file_names_what_exists_and_leaves_time_to_stop(container):
    node = yaml.safe_load((container / "docker-compose.yml").read_text())["services"]["node"]
    profile = [one.removeprefix("seccomp=") for one in node["security_opt"] if one.startswith("seccomp=")]
    context = container / node["build"]["context"]
    named = [container / profile[0], context / node["build"]["dockerfile"], container / "incipit.toml"]
    assert [path for path in named if not path.exists()] == []
    assert int(node["stop_grace_period"].rstrip("s")) > 30  # --stop-timeout-ms
    assert node["ulimits"]["memlock"] == -1


def start(container, tmp_path, *more, **options):
    tenants = new_tenant(tmp_path)
    arguments = ("--config", container / "incipit.toml", *SMALL, "--nvme", tmp_path / "nvme", *SMALL_NVME, "--tenants",
                 tenants, "--listen-unix", tmp_path / "node.sock", *more)
    return LiveNode(tmp_path, arguments, **options)


def under_profile(container, *options):
    filtered = pathlib.Path(__file__).resolve().with_name("seccomp_filter.py")
    return (sys.executable, filtered, container / "seccomp.json", *options, "--")


def test_node_works_under_the_profile(container, tmp_path):
    with start(container, tmp_path, wrapper=under_profile(container)) as node:
        for lane in ("address", "unix"):
            node.store_and_load(node.facts[lane], "--tenant", "search", "--secret-file", tmp_path / "search.secret")
        assert "incipit_shard_up" in node.page("/metrics")
        check = subprocess.run([*under_profile(container), container / "healthcheck.sh", node.facts["http"]],
                               check=False)
        assert check.returncode == 0
        assert node.stop() == 0


def test_profile_without_io_uring_stops_the_start(container, tmp_path):
    # What the default profiles of container engines do.
    with pytest.raises(RuntimeError, match="io_uring"):
        with start(container, tmp_path, wrapper=under_profile(container, "--without", "io_uring_setup")):
            pass


@pytest.mark.parametrize("call", ["ptrace, 0, 0, 0, 0", "unshare, 0x20000", "clone, 0x10000011, 0, 0, 0, 0"])
def test_profile_refuses_what_leads_out_of_a_container(container, call):
    name, arguments = call.split(", ", 1)
    number = pyseccomp.resolve_syscall(pyseccomp.Arch.NATIVE, name)
    script = ("import ctypes; library = ctypes.CDLL(None, use_errno=True)\n"
              f"print(library.syscall({number}, {arguments}), ctypes.get_errno())")
    refused = subprocess.run([*under_profile(container), sys.executable, "-c", script], capture_output=True, text=True,
                             check=True)
    assert refused.stdout == f"-1 {errno.EPERM}\n"


def test_profile_names_each_call_once(container):
    profile = json.loads((container / "seccomp.json").read_text())
    assert profile["defaultAction"] == "SCMP_ACT_ERRNO"
    names = [name for entry in profile["syscalls"] if "args" not in entry for name in entry["names"]]
    assert len(names) == len(set(names))
    forbidden = {"mount", "umount2", "ptrace", "bpf", "unshare", "setns", "keyctl", "add_key", "init_module",
                 "kexec_load", "perf_event_open", "userfaultfd", "open_by_handle_at", "process_vm_writev",
                 "pidfd_getfd", "reboot"}
    assert not forbidden & set(names)


def health(container, *arguments):
    return subprocess.run([container / "healthcheck.sh", *arguments], check=False, timeout=60,
                          stderr=subprocess.DEVNULL).returncode


def test_health_check_tells_a_node_from_none(container, node):
    address = node.facts["http"]
    assert health(container, address) == 0
    assert health(container, address.replace("127.0.0.1", "0.0.0.0")) == 0
    assert health(container, address, "/readyz") == 0
    assert health(container, address, "/no-such-page") != 0
    assert health(container, "127.0.0.1:1") != 0
