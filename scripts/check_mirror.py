#!/usr/bin/env python3
"""Fails if a source of the product has no test beside its name: X/y.h or X/y.cc needs tests/X/y_test.cc.

What needs none of its own is listed here with the reason, and an entry that is not needed any more is a finding too.
"""
import os
import sys

from project_files import tracked

FOLDERS = ("cache/", "transport/", "eviction/", "client/")
INTERFACE = "an interface or plain data, without code of its own"
# Path without suffix -> reason.
KERNEL = "one build of the hash for one instruction set; tests/cache/base/xxh3_test.cc compares all of them"
EXEMPT = {
    "cache/base/types": INTERFACE,
    "cache/base/xxh3_avx2": KERNEL,
    "cache/base/xxh3_avx512": KERNEL,
    "cache/base/xxh3_kernel": KERNEL,
    "cache/base/xxh3_portable": KERNEL,
    "cache/format/fields": "three accessors of one line, used by every structure's test",
    "cache/nvme/nvme_tier": INTERFACE,
    "cache/ram/extent": INTERFACE,
    "cache/ram/poison": "empty but under AddressSanitizer, where buddy_pool_test.cc writes to freed memory",
    "cache/runtime/loop": "the common half of both loops; sim_loop_test.cc covers timers and posting",
    "cache/runtime/run_task": "every test that runs a task goes through it",
    "cache/seams/clock": INTERFACE,
    "cache/seams/disk": INTERFACE,
    "cache/seams/membership": INTERFACE,
    "client/cli/doctor/doctor_check": INTERFACE,
    "client/include/incipit/client": INTERFACE,
    "eviction/policy": INTERFACE,
    "transport/stream": INTERFACE,
}
# Tests of several sources together -> what they show.
WHOLE = {
    "eviction/conv_trace": "policy and simulator hit what was measured on recorded conversations",
}


def main():
    files = set(tracked())
    sources = {os.path.splitext(f)[0] for f in files if f.startswith(FOLDERS) and f.endswith((".h", ".cc", ".inc"))}
    findings = []
    for stem in sorted(sources):
        tested = f"tests/{stem}_test.cc" in files
        if not tested and stem not in EXEMPT:
            findings.append(f"{stem}: no tests/{stem}_test.cc, and no reason in scripts/check_mirror.py")
        if tested and stem in EXEMPT:
            findings.append(f"{stem}: has a test now; take it off the list in scripts/check_mirror.py")
    findings.extend(f"{stem}: is gone; take it off the list in scripts/check_mirror.py"
                    for stem in sorted(EXEMPT.keys() - sources))
    for stem in sorted(f.removeprefix("tests/").removesuffix("_test.cc") for f in files
                       if f.startswith("tests/") and f.endswith("_test.cc")):
        if stem.startswith(FOLDERS) and stem not in sources and stem not in WHOLE:
            findings.append(f"tests/{stem}_test.cc: tests no source of that name")
    for finding in findings:
        print(finding)
    print(f"check_mirror: {len(sources)} sources, {len(EXEMPT)} exempt, {len(findings)} findings")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
