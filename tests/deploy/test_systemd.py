"""deploy/systemd: the unit is valid and tight, the node takes its configuration and works under its filter."""
import os
import re
import signal
import subprocess
import sys

import pytest

from live_node import BINARY, SMALL, SMALL_NVME, LiveNode, new_tenant
from seccomp_filter import unit_calls

# systemd-analyze's exposure, times ten: 0 is a unit that may do nothing, 100 one without any limit.
MAX_EXPOSURE = 20


@pytest.fixture
def unit(deploy, tmp_path):
    """A copy that starts the node under test, since /usr/bin/incipit need not exist here."""
    copy = tmp_path / "incipit.service"
    copy.write_text((deploy / "systemd/incipit.service").read_text().replace("/usr/bin/incipit", str(BINARY)))
    return copy


def verify(tool, unit):
    status, output = tool("systemd-analyze", "verify", "--man=no", unit)
    # Warnings leave the status at 0, and other units of this machine are not ours to judge.
    return [line for line in output.splitlines() if unit.name in line] or ([output] if status else [])


def test_unit_is_valid(tool, unit):
    assert verify(tool, unit) == []


def test_misspelt_setting_is_noticed(tool, unit):
    unit.write_text(unit.read_text().replace("ProtectSystem=", "ProtectSystems="))
    assert "ProtectSystems" in verify(tool, unit)[0]


def test_unit_is_tight(tool, unit):
    status, output = tool("systemd-analyze", "security", "--offline=yes", f"--threshold={MAX_EXPOSURE}", unit)
    print(output.splitlines()[-1])
    assert status == 0, output


def test_unit_without_limits_is_too_open(tool, tmp_path):
    bare = tmp_path / "bare.service"
    bare.write_text(f"[Service]\nExecStart={BINARY} serve\n")
    assert tool("systemd-analyze", "security", "--offline=yes", f"--threshold={MAX_EXPOSURE}", bare)[0] != 0


def test_filter_has_io_uring_and_no_privileges(deploy):
    calls = unit_calls(str(deploy / "systemd/incipit.service"))
    assert {"io_uring_setup", "io_uring_enter", "io_uring_register"} <= calls
    # unshare and setns stay in, but RestrictNamespaces= refuses them all namespaces.
    forbidden = {"mount", "ptrace", "bpf", "init_module", "capset", "setuid", "chown", "keyctl",
                 "userfaultfd"}
    assert calls & forbidden == set()


def start(tmp_path, config, *more, **options):
    tenants = new_tenant(tmp_path)
    arguments = ("--config", config, *SMALL, "--nvme", tmp_path / "nvme", *SMALL_NVME, "--tenants", tenants,
                 "--listen-unix", tmp_path / "node.sock", *more)
    return LiveNode(tmp_path, arguments, **options)


def test_configuration_starts_a_node_that_stops_in_order(deploy, tmp_path):
    with start(tmp_path, deploy / "systemd/incipit.toml") as node:
        node.store_and_load(node.facts["address"], "--tenant", "search", "--secret-file", tmp_path / "search.secret")
        node.process.send_signal(signal.SIGHUP)  # ExecReload
        assert node.stop() == 0
        assert '"event":"tenants_reloaded"' in node.log.read_text()
        assert '"event":"node_stopped"' in node.log.read_text()


def test_misspelt_key_of_the_configuration_is_refused(deploy, tmp_path):
    broken = tmp_path / "broken.toml"
    broken.write_text((deploy / "systemd/incipit.toml").read_text().replace("nvme-bytes", "nvme-byte"))
    with pytest.raises(RuntimeError, match=r"broken\.toml:\d+.*nvme-byte"):
        with start(tmp_path, broken):
            pass


def under_filter(deploy, *options):
    here = os.path.dirname(os.path.abspath(__file__))
    return (sys.executable, f"{here}/seccomp_filter.py", deploy / "systemd/incipit.service", *options, "--")


def test_node_works_under_the_units_filter(deploy, tmp_path):
    with start(tmp_path, deploy / "systemd/incipit.toml", wrapper=under_filter(deploy)) as node:
        for lane in ("address", "unix"):
            node.store_and_load(node.facts[lane], "--tenant", "search", "--secret-file", tmp_path / "search.secret")
        assert "incipit_shard_up" in node.page("/metrics")
        assert node.stop() == 0


def test_filter_without_io_uring_stops_the_start(deploy, tmp_path):
    with pytest.raises(RuntimeError, match="io_uring"):
        with start(tmp_path, deploy / "systemd/incipit.toml",
                   wrapper=under_filter(deploy, "--without", "io_uring_setup")):
            pass


def wait_for_ready(deploy, tmp_path, pid):
    text = (deploy / "systemd/incipit.service").read_text()
    script = re.search(r"^ExecStartPost=/bin/sh -c '(.*)'$", text, re.MULTILINE).group(1)
    script = script.replace("$$", "$").replace("/run/incipit", str(tmp_path))
    return subprocess.run(["/bin/sh", "-c", script], env={**os.environ, "MAINPID": str(pid)}, timeout=60, check=False,
                          stderr=subprocess.DEVNULL).returncode


def test_start_waits_for_the_ready_file_and_gives_up_on_a_dead_node(deploy, tmp_path):
    ended = subprocess.Popen(["true"])
    ended.wait()
    assert wait_for_ready(deploy, tmp_path, ended.pid) != 0
    (tmp_path / "ready").write_text("tcp://127.0.0.1:9400\n")
    assert wait_for_ready(deploy, tmp_path, os.getpid()) == 0


def test_account_can_be_made(deploy, tool, tmp_path):
    (tmp_path / "etc").mkdir()
    status, output = tool("systemd-sysusers", f"--root={tmp_path}", deploy / "systemd/incipit.sysusers.conf")
    assert status == 0, output
    assert (tmp_path / "etc/passwd").read_text().startswith("incipit:")
