#!/usr/bin/env python3
"""Captures what the ucx lane sends over UCX's tcp and searches it for addresses of the node's memory.

    check_no_rkey.py INCIPIT          as root; needs tcpdump

A key of RDMA memory is of use only together with an address in that memory, and UCX puts both into the same messages
(ucp_rndv_rts_pack, ucp_rndv_rtr_pack), whatever the transport. So: every eight bytes that the node sends, at every
offset, are compared with every mapping of the node's process. As a control that the search would find one, the
same is done with
what the client sends and the client's mappings: a client does name its memory, that is how replies get there.
Prints the counts; exit status 0 if the node's is 0 and the control's is not.
"""
import bisect
import os
import re
import signal
import struct
import subprocess
import sys
import tempfile
import time

LAYOUT = ["--layout", "custom:16x2048", "--block-tokens", "32"]
BLOCKS = 16  # of 1 MiB


def mappings(pid):
    """Address ranges of a process, sorted; without the kernel's own and without what is not readable."""
    ranges = []
    with open(f"/proc/{pid}/maps") as file:
        for line in file:
            match = re.match(r"([0-9a-f]+)-([0-9a-f]+) (r\S*)", line)
            if match and "[v" not in line:
                ranges.append((int(match[1], 16), int(match[2], 16)))
    return sorted(ranges)


def ports_of(pid):
    """Local TCP ports of a process, by its open sockets."""
    inodes = set()
    for entry in os.listdir(f"/proc/{pid}/fd"):
        try:
            link = os.readlink(f"/proc/{pid}/fd/{entry}")
        except OSError:
            continue
        if link.startswith("socket:["):
            inodes.add(link[8:-1])
    with open("/proc/net/tcp") as file:
        rows = [line.split() for line in file.readlines()[1:]]
    return {int(row[1].split(":")[1], 16) for row in rows if row[9] in inodes}


def streams(path):
    """Payload by (source port, destination port), in order of sequence numbers; what was captured twice counts once."""
    data = open(path, "rb").read()
    at, segments = 24, {}
    while at + 16 <= len(data):
        captured, = struct.unpack_from("<I", data, at + 8)
        frame = data[at + 16:at + 16 + captured]
        at += 16 + captured
        ip = frame[14:]
        if len(ip) < 40 or ip[0] >> 4 != 4 or ip[9] != 6:
            continue
        header = (ip[0] & 15) * 4
        total, = struct.unpack_from(">H", ip, 2)
        tcp = ip[header:total if total else len(ip)]
        source, target, sequence = struct.unpack_from(">HHI", tcp, 0)
        payload = tcp[(tcp[12] >> 4) * 4:]
        if payload:
            segments.setdefault((source, target), {})[sequence] = payload
    return {flow: b"".join(parts[key] for key in sorted(parts)) for flow, parts in segments.items()}


def count_addresses(payload, ranges):
    starts = [start for start, _ in ranges]
    found = 0
    # Addresses of a process end in two zero bytes; those before them are looked for first, since that is quick.
    for match in re.finditer(rb"(?=[\x00-\xff]{5}[\x01-\x7f]\x00\x00)", payload):
        value, = struct.unpack_from("<Q", payload, match.start())
        index = bisect.bisect_right(starts, value) - 1
        found += index >= 0 and value < ranges[index][1]
    return found


def main():
    incipit = sys.argv[1]
    folder = tempfile.mkdtemp()
    ready, prompt, capture = (os.path.join(folder, name) for name in ("ready", "prompt", "capture"))
    with open(prompt, "wb") as file:
        file.write(os.urandom(128 * BLOCKS))
    node = subprocess.Popen([incipit, "serve", "--listen", "127.0.0.1:0", "--http", "none", "--listen-ucx",
                             "127.0.0.1:0", "--shards", "1", "--ram", "64MiB", "--ready-file", ready,
                             "--log-level", "off"], stdout=subprocess.DEVNULL)
    while not os.path.exists(ready):
        time.sleep(0.05)
    address = open(ready).read().split()[1]
    dump = subprocess.Popen(["tcpdump", "-i", "lo", "-U", "-B", "262144", "-s", "0", "-w", capture, "tcp"],
                            stderr=subprocess.PIPE)
    while b"listening" not in dump.stderr.readline():
        pass
    node_ports, client_ports, client_ranges = set(), set(), []
    for command in ("put", "get"):
        client = subprocess.Popen([incipit, command, "--connect", address, "--file", prompt, *LAYOUT, "--random", "1"],
                                  stdout=subprocess.DEVNULL)
        while client.poll() is None:
            try:
                node_ports |= ports_of(node.pid)
                client_ports |= ports_of(client.pid)
                client_ranges += mappings(client.pid)
            except (OSError, ProcessLookupError):
                pass
            time.sleep(0.001)
        assert client.returncode == 0, f"{command} ended with {client.returncode}"
    node_ranges = mappings(node.pid)
    time.sleep(1)  # what tcpdump still has to write
    dump.send_signal(signal.SIGINT)
    dump.wait()
    node.send_signal(signal.SIGTERM)
    node.wait()
    sent = streams(capture)
    from_node = [payload for (source, target), payload in sent.items()
                 if source in node_ports and target not in node_ports]
    from_client = [payload for (source, target), payload in sent.items() if target in node_ports]
    merged = []
    for start, end in sorted(client_ranges):
        if merged and start <= merged[-1][1]:
            merged[-1][1] = max(merged[-1][1], end)
        else:
            merged.append([start, end])
    leaks = sum(count_addresses(payload, node_ranges) for payload in from_node)
    control = sum(count_addresses(payload, merged) for payload in from_client)
    print(f"check_no_rkey: node sent {sum(map(len, from_node))} bytes on {len(from_node)} connections, "
          f"{leaks} addresses of its memory among them; "
          f"control: client sent {sum(map(len, from_client))} bytes with {control} of its own")
    moved = sum(map(len, from_node)) > BLOCKS << 20 and sum(map(len, from_client)) > BLOCKS << 20
    sys.exit(0 if leaks == 0 and control > 0 and moved else 1)


if __name__ == "__main__":
    main()
