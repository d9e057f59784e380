"""Layouts say what C++ says of them."""
import hashlib

import incipit


def test_named_layout_has_the_published_sizes():
    layout = incipit.Layout.named("deepseek-v3-bf16")
    (group,) = layout.groups
    assert (group.rule, group.block_tokens, group.layers, group.bytes_per_entry) == ("all", 64, 61, 1152)
    assert group.block_bytes == group.segment_count * group.segment_bytes == 64 * 61 * 1152
    assert layout.restore_step_tokens == 64 and layout.bytes_per_token == 61 * 1152
    assert incipit.Layout.named("deepseek-v3-bf16", 128).groups[0].block_tokens == 128
    assert "kimi-k3" in incipit.Layout.names()


def test_custom_layout_computes_padding_and_segments():
    group = incipit.Group("g", block_tokens=8, layers=3, tokens_per_entry=2, bytes_per_entry=10, layer_align_bytes=64,
                          segments=6)
    assert (group.block_bytes, group.segment_count, group.segment_bytes) == (192, 6, 32)
    layout = incipit.Layout.custom("mine", [group])
    assert layout.groups == [group] and layout.fingerprint() == hashlib.sha256(layout.encode()).digest()
    assert layout == incipit.Layout.custom("mine", [group]) != incipit.Layout.custom("other", [group])
