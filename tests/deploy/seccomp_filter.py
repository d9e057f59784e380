"""Runs a command under a system call filter: a container profile's, or a systemd unit's.

usage: seccomp_filter.py (PROFILE.json | UNIT.service) [--without CALL,CALL...] -- COMMAND...
Needs libseccomp, which every Debian has because apt does. Names that this processor lacks are left out, as engines do.
"""
import json
import os
import platform
import subprocess
import sys

import pyseccomp

ARCHITECTURES = {"x86_64": "SCMP_ARCH_X86_64", "aarch64": "SCMP_ARCH_AARCH64"}
OPERATORS = {"SCMP_CMP_EQ": pyseccomp.EQ, "SCMP_CMP_NE": pyseccomp.NE, "SCMP_CMP_MASKED_EQ": pyseccomp.MASKED_EQ}


def profile_filter(path, without):
    """Of a profile as container engines take it."""
    with open(path, encoding="utf-8") as file:
        profile = json.load(file)
    known = {entry["architecture"] for entry in profile["archMap"]}
    if ARCHITECTURES[platform.machine()] not in known:
        sys.exit(f"seccomp_filter: {path} does not name this processor")
    rules = pyseccomp.SyscallFilter(_action(profile["defaultAction"], profile["defaultErrnoRet"]))
    for entry in profile["syscalls"]:
        arguments = [_argument(one) for one in entry.get("args", [])]
        for name in entry["names"]:
            if name not in without:
                _add(rules, _action(entry["action"], entry.get("errnoRet", 1)), name, arguments)
    return rules


def _action(name, errno):
    if name == "SCMP_ACT_ALLOW":
        return pyseccomp.ALLOW
    if name == "SCMP_ACT_ERRNO":
        return pyseccomp.ERRNO(errno)
    sys.exit(f"seccomp_filter: action {name} is not known")


def _argument(one):
    # Of a masked comparison engines call the mask `value`, libseccomp takes it first as well.
    return pyseccomp.Arg(one["index"], OPERATORS[one["op"]], one["value"], one.get("valueTwo", 0))


def _add(rules, action, name, arguments):
    if pyseccomp.resolve_syscall(pyseccomp.Arch.NATIVE, name) >= 0:
        rules.add_rule(action, name, *arguments)


def unit_calls(path):
    """Calls that SystemCallFilter= of a unit allows: the first line is a list of what may be, `~` takes away."""
    with open(path, encoding="utf-8") as file:
        lines = [line.split("=", 1)[1].strip() for line in file if line.startswith("SystemCallFilter=")]
    allowed = set(_expand("@default"))  # systemd adds it to every list
    for line in lines:
        names = {call for word in line.lstrip("~").split() for call in _expand(word)}
        allowed = allowed - names if line.startswith("~") else allowed | names
    return allowed


def _expand(word):
    if not word.startswith("@"):
        return [word]
    listed = subprocess.run(["systemd-analyze", "syscall-filter", "--no-pager", word], capture_output=True, text=True,
                            check=True).stdout
    words = [line.split("#")[0].strip() for line in listed.splitlines()[1:]]
    return [call for inner in words if inner for call in _expand(inner)]


def unit_filter(path, without):
    rules = pyseccomp.SyscallFilter(pyseccomp.ERRNO(1))
    # The filter is loaded here before `execve`; systemd always lets that pass too.
    for name in sorted((unit_calls(path) | {"execve"}) - without):
        _add(rules, pyseccomp.ALLOW, name, [])
    return rules


def main():
    end = sys.argv.index("--")
    path, *options = sys.argv[1:end]
    without = set(options[1].split(",")) if options[:1] == ["--without"] else set()
    rules = unit_filter(path, without) if path.endswith(".service") else profile_filter(path, without)
    rules.load()
    os.execvp(sys.argv[end + 1], sys.argv[end + 1:])


if __name__ == "__main__":
    main()
