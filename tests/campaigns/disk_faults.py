#!/usr/bin/env python3
"""Starts and fills nodes on disks that refuse, end or fill up, and checks what they say and that they go on.

usage: disk_faults.py BINARY [--may-mount]   (run_disk_faults gives it a mount namespace of its own where it may)
Each case prints one line; exit status 0 only if all that could run passed.
"""
import ctypes
import errno
import json
import os
import pathlib
import resource
import shutil
import signal
import struct
import subprocess
import sys
import time

IO_URING_SETUP = 425
OPENAT = {"x86_64": 257, "aarch64": 56}[os.uname().machine]
LIBC = ctypes.CDLL(None, use_errno=True)
LAYOUT = "custom:4x1024"
PATIENCE_S = 60


def refuse_system_call(number, error, argument=None, bits=0):
    """Makes this process's kernel refuse a system call, where given only if the argument has one of the bits."""
    def instruction(code, yes, no, value):
        return struct.pack("HBBI", code, yes, no, value)
    load, equal, test, answer = 0x20, 0x15, 0x45, 0x06
    refuse, allow = instruction(answer, 0, 0, 0x00050000 | error), instruction(answer, 0, 0, 0x7FFF0000)
    if argument is None:
        program = [instruction(load, 0, 0, 0), instruction(equal, 0, 1, number), refuse, allow]
    else:
        program = [instruction(load, 0, 0, 0), instruction(equal, 0, 3, number),
                   instruction(load, 0, 0, 16 + 8 * argument), instruction(test, 0, 1, bits), refuse, allow]
    code = ctypes.create_string_buffer(b"".join(program))
    filter_struct = ctypes.create_string_buffer(struct.pack("HxxxxxxQ", len(program), ctypes.addressof(code)))
    if LIBC.prctl(38, 1, 0, 0, 0) != 0 or LIBC.prctl(22, 2, filter_struct, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "seccomp")


class Node:
    """One running node; used with `with`."""

    def __init__(self, binary, log, flags):
        self.binary = binary
        self.log = log
        self.ready = log.with_suffix(".ready")
        with open(log, "wb") as out:
            self.process = subprocess.Popen(serve_command(binary, flags) + ["--ready-file", str(self.ready)],
                                            stdout=out, stderr=out)

    def __enter__(self):
        wait_for("the node to serve", lambda: self.ready.exists() or self.process.poll() is not None)
        if not self.ready.exists():
            raise AssertionError("the node did not start:\n" + self.log.read_text())
        self.address = self.ready.read_text().strip()
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

    def call(self, *words):
        """Runs a command against the node; its exit status and JSON."""
        done = subprocess.run([self.binary, *words, "--connect", self.address, "--json"], capture_output=True,
                              text=True)
        try:
            return done.returncode, json.loads(done.stdout)
        except json.JSONDecodeError:
            raise AssertionError(f"{words}: {done.stdout}{done.stderr}") from None

    def total(self):
        return self.call("status")[1]["total"]


def serve_command(binary, flags):
    return [binary, "serve", "--listen", "127.0.0.1:0", "--http", "none", "--shards", "1", "--ram", "16MiB",
            "--region-bytes", "1MiB", *flags]


def wait_for(what, condition):
    end = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > end:
            raise AssertionError("waited in vain for " + what)
        time.sleep(0.02)


def refused(binary, flags, words, **popen):
    """The node must end on its own, with an error that has all these words."""
    done = subprocess.run(serve_command(binary, flags), capture_output=True, text=True, timeout=PATIENCE_S, **popen)
    missing = [word for word in words if word not in done.stderr]
    if done.returncode != 1 or missing:
        raise AssertionError(f"ended with {done.returncode}, without {missing}:\n{done.stderr}")
    return [line for line in done.stderr.splitlines() if words[0] in line][-1].strip()


def ring_refused(binary, folder):
    return refused(binary, ["--nvme", folder / "nvme", "--nvme-bytes", "16MiB"],
                   ["kernel.io_uring_disabled", "seccomp"],
                   preexec_fn=lambda: refuse_system_call(IO_URING_SETUP, errno.EPERM))


def direct_io_refused_at_open(binary, folder):
    return refused(binary, ["--nvme", folder / "nvme", "--nvme-bytes", "16MiB"], ["O_DIRECT", "NVMe path"],
                   preexec_fn=lambda: refuse_system_call(OPENAT, errno.EINVAL, 2, os.O_DIRECT))


def file_system_without_direct_io(binary, folder):
    subprocess.run(["mount", "-t", "ramfs", "none", folder], check=True)
    try:
        return refused(binary, ["--nvme", folder / "nvme", "--nvme-bytes", "16MiB"], ["O_DIRECT", "ramfs"])
    finally:
        subprocess.run(["umount", folder], check=True)


def no_room_at_start(binary, folder):
    def limit():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (8 << 20, 8 << 20))
    said = refused(binary, ["--nvme", folder / "nvme", "--nvme-bytes", "16MiB"], ["cannot preallocate", "NVMe bytes"],
                   preexec_fn=limit, restore_signals=False)
    left = sum(file.stat().st_blocks * 512 for file in (folder / "nvme").iterdir())
    assert left < 1 << 20, f"{left} bytes are left behind"
    return said


def full_file_system_at_start(binary, folder):
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "none", folder], check=True)
    try:
        return refused(binary, ["--nvme", folder / "nvme", "--nvme-bytes", "16MiB"], ["No space left", "NVMe bytes"])
    finally:
        subprocess.run(["umount", folder], check=True)


def put(node, seed, tokens):
    text = "".join(f"{seed:04}{i:012}" for i in range(tokens // 4))
    chain = pathlib.Path(node.log).with_suffix(f".prompt{seed}")
    chain.write_text(text)
    words = ["--layout", LAYOUT, "--file", str(chain), "--random", str(seed)]
    return node.call("put", *words)[1], words


def get(node, words):
    status, answer = node.call("get", *words)
    assert status in (0, 3) and answer["wrong_bytes"] == 0, f"get: exit status {status}: {answer}"
    return answer


def disk_fills_up_while_serving(binary, folder):
    """A sparse file on a file system that others fill: RAM goes on, the cause is named, and all ends well."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "none", folder], check=True)
    try:
        flags = ["--nvme", folder / "nvme", "--nvme-bytes", "56MiB", "--sparse", "--nvme-probe-interval-ms", "50"]
        with Node(binary, folder.parent / "full.log", flags) as node:
            filler = folder / "filler"
            with open(filler, "wb") as file:
                os.posix_fallocate(file.fileno(), 0, 60 << 20)
            for seed in range(6):  # 24 MiB: more than RAM holds, so that it must be written
                last, newest = put(node, seed, 1024)
            assert get(node, newest)["hits"] > 0, "nothing of what was stored last is a hit"
            wait_for("write errors", lambda: node.total()["nvme_write_errors_total"] > 0)
            wait_for("the device to be out of service", lambda: node.total()["nvme_suspensions_total"] > 0)
            said = node.log.read_text()
            assert "No space left on device" in said, "the log does not name the cause:\n" + said
            errors = node.total()["nvme_write_errors_total"]
            filler.unlink()
            wait_for("the device to serve again",
                     lambda: all(shard["nvme_state"] == "serving" for shard in node.call("status")[1]["shards"]))
            for seed in range(10, 14):
                last, newest = put(node, seed, 1024)
                assert last["ok"], last
                assert get(node, newest)["hit"], "not all of what was stored after the disk had room is a hit"
            node.process.send_signal(signal.SIGTERM)
            assert node.process.wait(PATIENCE_S) == 0
        return f"{errors} write errors, then in service again"
    finally:
        subprocess.run(["umount", folder], check=True)


def main():
    binary = os.path.abspath(sys.argv[1])
    scratch = pathlib.Path(os.environ.get("INCIPIT_CAMPAIGN_DIR", "/tmp")) / f"disk-faults-{os.getpid()}"
    scratch.mkdir()
    failed = left_out = passed = 0
    try:
        mounts = "--may-mount" in sys.argv[2:]
        for case, needs_mount in [(ring_refused, False), (direct_io_refused_at_open, False), (no_room_at_start, False),
                                  (file_system_without_direct_io, True), (full_file_system_at_start, True),
                                  (disk_fills_up_while_serving, True)]:
            folder = scratch / case.__name__
            folder.mkdir()
            if needs_mount and not mounts:
                left_out += 1
                print(f"  {case.__name__}: left out, it needs root to mount a file system of its own")
                continue
            try:
                print(f"  {case.__name__}: {case(binary, folder)}")
                passed += 1
            except (AssertionError, subprocess.SubprocessError, OSError) as error:
                failed += 1
                print(f"  {case.__name__}: FAILED: {error}")
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    print(f"disk_faults: {passed} cases passed, {failed} failed, {left_out} left out: {'FAILED' if failed else 'ok'}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
