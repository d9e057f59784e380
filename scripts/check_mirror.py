#!/usr/bin/env python3
"""Fails if a source of the product has no test beside its name: X/y.h or X/y.cc needs tests/X/y_test.cc.

Exceptions are listed here: what has no code to test, and parts that only make sense inside a larger whole and are
tested through it, by the test named. An entry that is not needed any more is a finding too.
"""
import os
import sys

from project_files import tracked

FOLDERS = ("cache/", "cluster/", "transport/", "eviction/", "client/")
# Path without suffix -> reason.
INTERFACE = "an interface or plain data, without code of its own"
EXEMPT = {
    "cache/base/types": INTERFACE,
    "cache/node/cluster_gauges": INTERFACE,
    "cache/node/node_options": INTERFACE,
    "cache/ram/extent": INTERFACE,
    "cache/seams/clock": INTERFACE,
    "cache/seams/disk": INTERFACE,
    "cache/seams/membership": INTERFACE,
    "cache/runtime/loop_poller": INTERFACE,
    "cache/shard/namespace_usage": INTERFACE,
    "cache/shard/node_control": INTERFACE,
    "cache/shard/recovery_state": INTERFACE,
    "cache/shard/shard_options": INTERFACE,
    "cache/shard/shard_peers": INTERFACE,
    "cache/shard/store_counters": INTERFACE,
    "client/cli/doctor/doctor_check": INTERFACE,
    "client/cli/top/node_sample": INTERFACE,
    "client/src/core/links": INTERFACE,
    "cluster/membership/map_calls": INTERFACE,
    "cluster/warming/peer_environment": INTERFACE,
    "client/main": "one call of RunCli",
    "eviction/policy": INTERFACE,
    "eviction/reuse_counts": INTERFACE,
    "transport/peer_credentials": INTERFACE,
    "transport/stream": INTERFACE,
    "transport/ucx/guard/ucx_frames": INTERFACE,
}
# What is tested in another language, as a whole: folder -> tests.
BINDINGS = {"client/python/src/": "tests/client/python/"}
# Test -> what it tests besides its namesake.
COVERED = {
    "tests/cache/base/xxh3_test.cc": [  # compares the builds for all instruction sets
        "cache/base/xxh3_avx2", "cache/base/xxh3_avx512", "cache/base/xxh3_kernel", "cache/base/xxh3_portable"],
    "tests/cache/codec/coded_segment_test.cc": [
        "cache/codec/bf16_lossless", "cache/codec/fp8_lossless", "cache/codec/plane_coder", "cache/codec/scratch"],
    "tests/cache/codec/kernel_test.cc": [  # compares the kernels
        "cache/codec/kernel_avx2", "cache/codec/kernel_avx512", "cache/codec/kernel_portable",
        "cache/codec/plane_words"],
    "tests/client/src/codec/coding_threads_test.cc": ["client/src/codec/coding_workers"],
    "tests/cache/format/record_test.cc": ["cache/format/fields"],
    "tests/cache/runtime/sim_loop_test.cc": ["cache/runtime/loop", "cache/runtime/run_task"],
    "tests/cache/seams/mem_disk_test.cc": ["cache/seams/mem_disk_contents"],
    "tests/cache/ram/arena_memory_test.cc": ["cache/ram/poison"],
    "tests/cache/nvme/nvme_tier_test.cc": [
        "cache/nvme/aligned_buffer", "cache/nvme/condition", "cache/nvme/nvme_tier_impl", "cache/nvme/pinned_buffer",
        "cache/nvme/region_log", "cache/nvme/region_reader", "cache/nvme/region_sealer", "cache/nvme/region_table",
        "cache/nvme/region_writer", "cache/nvme/slot_pool", "cache/nvme/staged_read", "cache/nvme/write_buffers"],
    "tests/cache/nvme/recovery_test.cc": [
        "cache/nvme/region_scanner", "cache/nvme/region_stamper", "cache/nvme/store_superblock",
        "cache/nvme/toc_reader"],
    "tests/cache/shard/session_test.cc": [
        "cache/shard/block_store_nvme", "cache/shard/block_store_ram",
        "cache/shard/checked_request",
        "cache/shard/load_job",
        "cache/shard/shard_counters"],
    "tests/cache/shard/map_watch_test.cc": ["cache/shard/published_map", "cache/shard/session_map"],
    "tests/cache/shard/store_receiver_test.cc": ["cache/shard/fits_layout"],
    "tests/cache/shard/wait_job_test.cc": ["cache/shard/session_claims"],
    "tests/eviction/run_policy_test.cc": ["eviction/gil_runs"],
    "tests/client/cli/drain_command_test.cc": ["client/cli/drain_client"],
    "tests/cluster/node/cluster_agent_test.cc": ["cluster/node/node_peers"],  # real nodes and a real Redis
    "tests/cluster/warming/block_mover_test.cc": ["cluster/warming/move_board"],
    "tests/cluster/warming/placement_history_test.cc": ["cluster/warming/peer_plan"],
    "tests/cluster/warming/shard_warmer_test.cc": [  # nodes in virtual time
        "cluster/warming/block_fetcher", "cluster/warming/load_taker", "cluster/warming/peer_link",
        "cluster/warming/peer_table"],
    "tests/client/src/seed_membership_test.cc": ["client/include/incipit/seed_membership"],
    "tests/transport/wire/activity_messages_test.cc": ["transport/wire/stats_values"],
    "tests/client/cli/top/top_observer_test.cc": ["client/cli/top/node_probe"],  # real nodes
    "tests/client/cli/top/top_command_test.cc": ["client/cli/top/top_source"],
    "tests/transport/wire/lookup_messages_test.cc": ["transport/wire/answers"],
    "tests/cluster/membership/file_membership_test.cc": ["cluster/membership/cluster_membership"],
    "tests/sim/node_crash_test.cc": ["cache/shard/block_store_recovery"],
    "tests/client/src/client_test.cc": [  # a real node over TCP
        "client/include/incipit/client", "cache/node/acceptor"],
    "tests/client/src/client_cluster_test.cc": ["client/src/cluster_route"],  # several real nodes
    "tests/client/src/copies/hot_copies_test.cc": [  # the same
        "client/src/copies/copied_load", "client/src/copies/copy_maker", "client/src/copies/copy_search",
        "client/src/copies/rank_chooser"],
    "tests/client/src/core/cluster_links_test.cc": ["client/src/core/shard_set"],
    "tests/canary/canary_test.cc": ["cache/base/defence"],
    "tests/cache/node/node_test.cc": ["cache/node/shard_thread"],
    "tests/client/src/sealing_key_test.cc": ["client/include/incipit/sealing_key"],
    "tests/transport/ucx/ucx_api_test.cc": ["transport/ucx/ucx_config"],
    "tests/transport/ucx/ucx_stream_test.cc": [  # two ends of a real link
        "transport/ucx/ucx_inbox", "transport/ucx/ucx_link", "transport/ucx/ucx_outbox"],
    "tests/conformance/faults_test.cc": ["cache/shard/load_target", "client/src/core/shard_connection_memory"],
    "tests/conformance/unix_peers_test.cc": ["cache/shard/session_regions"],
    "tests/transport/tcp/tcp_endpoint_test.cc": ["transport/cancel_at"],
    "tests/client/src/shared_region_test.cc": ["client/include/incipit/shared_region"],
    "tests/client/src/core/client_core_test.cc": ["client/src/core/call_context"],
    "tests/client/src/core/handshake_test.cc": ["client/src/core/ask"],
    "tests/cache/tenants/tenant_table_test.cc": ["cache/tenants/roles"],
    "tests/client/src/core/load_receiver_test.cc": ["client/src/core/counted_reply"],
    "tests/client/src/core/shard_connection_test.cc": [
        "client/src/core/pending_reply", "client/src/core/shard_connection_health"],
    "tests/client/src/c_api_test.cc": ["client/examples/example", "client/include/incipit/incipit"],
}
# Tests of a situation rather than of one source.
SITUATIONS = {"tests/cache/nvme/crash_test.cc": "loss of power at each disk operation",
              "tests/cache/shard/metadata_test.cc": "memory that knowing a block takes",
              "tests/cache/shard/tenants_test.cc": "sessions of tenants: handshake, roles, grants, reload",
              "tests/client/src/client_cluster_test.cc": "clients of several real nodes",
              "tests/client/src/copies/hot_copies_test.cc": "hot blocks on several real nodes",
              "tests/cluster/redis/failover_test.cc": "members whose Redis fails over, by real sentinels",
              "tests/eviction/conv_trace_test.cc": "policies against a recorded trace"}


def main():
    files = set(tracked())
    sources = {os.path.splitext(f)[0] for f in files if f.startswith(FOLDERS) and f.endswith((".h", ".cc", ".inc"))
               and not f.startswith(tuple(BINDINGS))}
    through = {stem: test for test, stems in COVERED.items() for stem in stems}
    findings = [f"{folder}: no tests in {tests}" for folder, tests in BINDINGS.items()
                if not any(f.startswith(tests + "test_") for f in files)]
    for stem in sorted(sources):
        tested = f"tests/{stem}_test.cc" in files
        excused = stem in EXEMPT or through.get(stem) in files
        if not tested and not excused:
            findings.append(f"{stem}: no tests/{stem}_test.cc, and no reason in scripts/check_mirror.py")
        if tested and (stem in EXEMPT or stem in through):
            findings.append(f"{stem}: has a test now; take it off the lists in scripts/check_mirror.py")
    gone = sorted((EXEMPT.keys() | through.keys()) - sources)
    findings.extend(f"{stem}: is gone; take it off the lists in scripts/check_mirror.py" for stem in gone)
    for path in sorted(f for f in files if f.startswith("tests/") and f.endswith("_test.cc")):
        stem = path.removeprefix("tests/").removesuffix("_test.cc")
        if stem.startswith(FOLDERS) and stem not in sources and path not in SITUATIONS:
            findings.append(f"{path}: tests no source of that name")
    for finding in findings:
        print(finding)
    print(f"check_mirror: {len(sources)} sources, {len(EXEMPT)} without code, {len(through)} tested through others, "
          f"{len(findings)} findings")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
