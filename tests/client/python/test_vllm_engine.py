"""The connector inside vLLM's own scheduler, against a real node; only the model is played."""
from __future__ import annotations

import os
import random
import threading

import pytest
import vllm_stand_in

if not vllm_stand_in.install():
    pytest.skip("needs vLLM", allow_module_level=True)

from vllm.v1.request import RequestStatus  # noqa: E402
from vllm_engine import BLOCK_TOKENS, Engine  # noqa: E402

from incipit.vllm import lookups  # noqa: E402
from incipit.vllm.tier import Tier  # noqa: E402

FIRST_SEED, SEEDS = int(os.environ.get("INCIPIT_SEED", 0)), int(os.environ.get("INCIPIT_CAMPAIGN_COUNT", 3))
SEEDS_THAT_FAILED = (6, 8, 10, 17, 21, 33)  # of mixtures, before they were understood


@pytest.fixture
def start(node):
    started = []

    def make(**options):
        started.append(Engine(options.pop("address", node.address), **options))
        return started[-1]

    yield make
    for each in started:
        each.close()


@pytest.fixture
def prompt(request):
    """prompt(tokens): a prompt that no other test has."""
    generator = random.Random(request.node.nodeid)
    return lambda tokens: [generator.randrange(512) for _ in range(tokens)]


KINDS = pytest.mark.parametrize("options", [
    {}, {"layerwise": True}, {"windowed": True}, {"in_flight": 2}, {"in_flight": 2, "windowed": True},
], ids=["between_steps", "within_a_step", "two_groups", "steps_in_flight", "two_groups_in_flight"])


@KINDS
def test_second_engine_computes_only_what_the_first_did_not(start, prompt, options):
    tokens = prompt(500)
    first, second = start(**options), start(**options)
    ran = first.add(tokens, generate=30)
    first.run()
    assert first.computed_tokens == 529  # of the last token nothing is needed
    assert {place.depth_tokens for place in first.stored if place.group == 0} == set(range(0, 528, BLOCK_TOKENS))
    again = second.add(tokens, generate=30)
    second.run()
    assert list(again.output_token_ids) == list(ran.output_token_ids)
    assert second.computed_tokens == 529 - 496
    # A next turn begins with what was generated.
    turn = second.add([*tokens, *ran.output_token_ids[:-1], *prompt(20)])
    third = start(**options)
    third.add(list(turn.prompt_token_ids))
    third.run()
    assert third.computed_tokens == 549 - 528
    second.run()
    for engine in (first, second, third):
        engine.check_idle()


@pytest.mark.parametrize("options", [
    {}, {"in_flight": 2}, {"windowed": True}, {"windowed": True, "in_flight": 2}, {"layerwise": True},
], ids=["between_steps", "steps_in_flight", "two_groups", "two_groups_in_flight", "within_a_step"])
def test_rejected_drafts_are_never_stored(start, prompt, options):
    prompts = [prompt(150) for _ in range(3)]
    plain, drafting, reader = start(), start(drafts=3, blocks=50, **options), start(drafts=3, **options)
    expected = [plain.add(tokens, generate=100) for tokens in prompts]
    plain.run()
    for engine in (drafting, reader):
        requests = [engine.add(tokens, generate=100) for tokens in prompts]
        engine.run()
        assert [list(each.output_token_ids) for each in requests] == [list(each.output_token_ids) for each in expected]
        engine.check_idle()
    assert reader.computed_tokens < drafting.computed_tokens
    # Whole prompts and most of what was generated; which block is the last depends on the drafts.
    depths = {place.depth_tokens for place in drafting.stored if place.group == 0}
    assert depths >= set(range(0, 224, BLOCK_TOKENS))


def test_request_waits_for_its_load_and_others_go_on(start, prompt):
    tokens = prompt(200)
    writer = start()
    writer.add(tokens)
    writer.run()
    engine = start()
    engine.hold_loads = True
    waiting, other = engine.add(tokens), engine.add(prompt(100), generate=5)
    engine.run(other)
    assert waiting.status == RequestStatus.WAITING_FOR_REMOTE_KVS and engine.computed_tokens == 104
    engine.hold_loads = False
    engine.run()
    assert engine.computed_tokens == 104 + 8
    engine.check_idle()


@KINDS
@pytest.mark.parametrize("lost_block", [0, 5])
def test_lost_blocks_are_computed_and_stored_again(start, prompt, options, lost_block):
    tokens = prompt(200)
    writer, engine = start(**options), start(**options)
    expected = writer.add(tokens, generate=4)
    writer.run()
    lost = len(engine.groups) - 1, (10 if options.get("windowed") else lost_block) * BLOCK_TOKENS
    engine.fail = lambda place: (place.group, place.depth_tokens) == lost
    asked = engine.add(tokens, generate=4)
    engine.run()
    assert list(asked.output_token_ids) == list(expected.output_token_ids)
    assert {place.depth_tokens for place in engine.stored if place.group == 0} == set(range(0, 192, BLOCK_TOKENS))
    engine.check_idle()


def test_nodes_loss_between_match_and_load_is_computed(start, prompt):
    tokens = prompt(200)
    writer, engine = start(), start()
    writer.add(tokens)
    writer.run()
    engine.hold_loads = True
    engine.add(tokens)
    engine.step()
    (job,) = engine.loads
    engine.client.remove([(place.group, place.depth_tokens, place.key) for place in job.blocks[4:]])
    engine.hold_loads = False
    engine.run()
    # Pinned blocks may or may not be removed; what is gone is computed.
    assert engine.computed_tokens in (8, 200 - 64)
    engine.check_idle()


@KINDS
def test_preempted_requests_end_as_they_should(start, prompt, options):
    prompts = [prompt(150) for _ in range(4)]
    plenty = start(**options)
    expected = [plenty.add(tokens, generate=60) for tokens in prompts]
    plenty.run()
    scarce = start(blocks=60 if options.get("windowed") else 40, **options)
    requests = [scarce.add(tokens, generate=60) for tokens in prompts]
    scarce.run()
    assert not scarce.scheduler.requires_kv_delivery  # or their output would be computed twice
    assert sum(request.num_preemptions for request in requests) > 0
    assert [list(each.output_token_ids) for each in requests] == [list(each.output_token_ids) for each in expected]
    for engine in (plenty, scarce):
        engine.check_idle()


@pytest.mark.parametrize("windowed", [False, True], ids=["one_group", "two_groups"])
def test_abort_during_a_load_keeps_blocks_until_it_ends(start, prompt, windowed):
    tokens = prompt(200)
    writer, engine = start(windowed=windowed), start(windowed=windowed)
    writer.add(tokens)
    writer.run()
    engine.hold_loads = True
    asked = engine.add(tokens)
    engine.step()
    assert asked.status == RequestStatus.WAITING_FOR_REMOTE_KVS and engine.leases() > 0
    engine.abort(asked)
    engine.step()
    pool = engine.scheduler.kv_cache_manager.block_pool
    assert pool.get_num_free_blocks() < engine.free_blocks and engine.leases() > 0
    engine.fail = lambda place: True  # and nobody minds
    engine.finish_loads()
    engine.step()
    engine.check_idle()


def test_abort_of_a_request_whose_match_takes_its_time(start, prompt, monkeypatch):
    gate = threading.Event()

    class GatedTier(Tier):
        def match(self, keys, claim_ms=0):
            match = super().match(keys, claim_ms)
            assert gate.wait(60)
            return match

    monkeypatch.setattr(lookups, "Tier", GatedTier)
    engine = start(match_wait_ms=1)
    asked = engine.add(prompt(100))
    assert engine.step() == {} and engine.step() == {}
    assert asked.status == RequestStatus.WAITING
    engine.abort(asked)
    gate.set()
    engine.check_idle()
    after = engine.add(prompt(100))
    engine.run(after)
    engine.check_idle()


def test_no_room_for_an_offer_keeps_it_until_there_is(start, prompt):
    tokens = prompt(400)
    writer = start()
    writer.add(tokens)
    writer.run()
    engine = start(blocks=40)
    long = engine.add(prompt(300), generate=100)
    engine.step()
    engine.step()
    asked = engine.add(tokens)
    for _ in range(5):
        engine.step()
    assert asked.status == RequestStatus.WAITING and engine.leases() > 0
    engine.run()
    assert long.is_finished() and engine.computed_tokens == 399 + 400 - 384
    engine.check_idle()


def test_engine_without_a_node_works(start, prompt):
    engine = start(address="tcp://127.0.0.1:1", match_deadline_ms=50)
    engine._store = lambda jobs: None
    request = engine.add(prompt(300), generate=3)
    engine.run(request)
    assert engine.computed_tokens == 302


def test_unsound_parameters_of_a_request_do_no_harm(start, prompt):
    tokens = prompt(200)
    writer, engine = start(), start()
    writer.add(tokens)
    writer.run()
    for deadline in ("soon", -5, None, [1], 1e400):
        engine.scheduler.reset_prefix_cache()
        engine.add(tokens, incipit_deadline_ms=deadline)
        engine.run()
    assert engine.computed_tokens == 5 * 8
    engine.check_idle()


@KINDS
@pytest.mark.parametrize("seed", [*range(FIRST_SEED, FIRST_SEED + SEEDS), *(SEEDS_THAT_FAILED if SEEDS <= 3 else ())])
def test_any_mixture_ends_well(start, prompt, options, seed):
    """Shared openings, chats, aborts, lost blocks and too little memory, in any order."""
    generator = random.Random(seed)
    openings = [prompt(generator.randrange(40, 300)) for _ in range(4)]
    engines = [start(blocks=60, **options) for _ in range(2)]
    for engine in engines:
        engine.fail = lambda place: generator.random() < 0.02
    added = []
    for _ in range(120):
        engine = generator.choice(engines)
        engine.hold_loads = generator.random() < 0.5
        if generator.random() < 0.5:
            tokens = generator.choice(openings) + prompt(generator.randrange(1, 60))
            added.append((engine, engine.add(tokens, generate=generator.randrange(1, 40))))
        if added and generator.random() < 0.1:
            chosen, request = generator.choice(added)
            chosen.abort(request)
        if generator.random() < 0.05:
            engine.scheduler.reset_prefix_cache()
        engine.step()
    for engine in engines:
        engine.hold_loads = False
        engine.run()
    for engine in engines:
        engine.check_idle()
