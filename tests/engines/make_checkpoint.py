#!/usr/bin/env python3
"""Writes a small random MLA checkpoint in Hugging Face format (DeepSeek-V2 architecture, dense MLP, no tokenizer).

The latent keeps its real width (kv_lora_rank 512, qk_rope_head_dim 64): it is what a KV tier stores, and CPU kernels
accept no other. Everything else is small.

The weights are scaled so that greedy output depends on tokens far back, which dummy weights do not give: attention
scores have a standard deviation near 2.5 (a few dozen of 8,192 positions carry the weight, spread over the prompt),
and attention adds about as much to the residual stream as the token itself.
"""

import argparse
import json
import math
import pathlib

import torch
from safetensors.torch import save_file

SCORE_GAIN = 1.6  # queries and keys: the score's standard deviation is its square
VALUE_GAIN = 1.0
OUTPUT_GAIN = 4.0  # makes up for averaging values over the few dozen positions that count


def model_config(args):
    return {
        "architectures": ["DeepseekV2ForCausalLM"],
        "model_type": "deepseek_v2",
        "vocab_size": args.vocabulary,
        "hidden_size": args.hidden_size,
        "intermediate_size": 2 * args.hidden_size,
        "moe_intermediate_size": args.hidden_size,
        "num_hidden_layers": args.layers,
        "num_attention_heads": args.heads,
        "num_key_value_heads": args.heads,
        "kv_lora_rank": 512,
        "q_lora_rank": None,
        "qk_nope_head_dim": 64,
        "qk_rope_head_dim": 64,
        "v_head_dim": 64,
        "first_k_dense_replace": args.layers,
        "moe_layer_freq": 1,
        "hidden_act": "silu",
        "max_position_embeddings": args.max_positions,
        "rms_norm_eps": 1e-6,
        "rope_theta": 10000.0,
        "attention_bias": False,
        "tie_word_embeddings": False,
        "bos_token_id": 0,
        "eos_token_id": 1,
        "torch_dtype": "bfloat16",
        "use_cache": True,
    }


def matrix(generator, rows, columns, gain):
    """[rows, columns]: maps inputs of unit variance to outputs of standard deviation `gain`."""
    return torch.randn(rows, columns, generator=generator) * (gain / math.sqrt(columns))


def layer_weights(generator, config, prefix):
    hidden, heads = config["hidden_size"], config["num_attention_heads"]
    rank, rope = config["kv_lora_rank"], config["qk_rope_head_dim"]
    nope, value = config["qk_nope_head_dim"], config["v_head_dim"]
    # Rows of kv_b_proj are, per head, first the keys and then the values.
    keys_and_values = torch.cat(
        [
            torch.cat([matrix(generator, nope, rank, SCORE_GAIN), matrix(generator, value, rank, VALUE_GAIN)])
            for _ in range(heads)
        ]
    )
    inner = config["intermediate_size"]
    return {
        f"{prefix}.input_layernorm.weight": torch.ones(hidden),
        f"{prefix}.post_attention_layernorm.weight": torch.ones(hidden),
        f"{prefix}.self_attn.q_proj.weight": matrix(generator, heads * (nope + rope), hidden, SCORE_GAIN),
        f"{prefix}.self_attn.kv_a_proj_with_mqa.weight": matrix(generator, rank + rope, hidden, SCORE_GAIN),
        f"{prefix}.self_attn.kv_a_layernorm.weight": torch.ones(rank),
        f"{prefix}.self_attn.kv_b_proj.weight": keys_and_values,
        f"{prefix}.self_attn.o_proj.weight": matrix(generator, hidden, heads * value, OUTPUT_GAIN),
        f"{prefix}.mlp.gate_proj.weight": matrix(generator, inner, hidden, 1.0),
        f"{prefix}.mlp.up_proj.weight": matrix(generator, inner, hidden, 1.0),
        f"{prefix}.mlp.down_proj.weight": matrix(generator, hidden, inner, 1.0),
    }


def all_weights(config, seed):
    generator = torch.Generator().manual_seed(seed)
    hidden, vocabulary = config["hidden_size"], config["vocab_size"]
    weights = {
        "model.embed_tokens.weight": torch.randn(vocabulary, hidden, generator=generator),
        "model.norm.weight": torch.ones(hidden),
        "lm_head.weight": matrix(generator, vocabulary, hidden, 4.0),
    }
    for layer in range(config["num_hidden_layers"]):
        weights.update(layer_weights(generator, config, f"model.layers.{layer}"))
    return {name: tensor.to(torch.bfloat16).contiguous() for name, tensor in weights.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory", type=pathlib.Path, help="where to write it; made if missing")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--layers", type=int, default=2)
    parser.add_argument("--heads", type=int, default=2)
    parser.add_argument("--hidden-size", type=int, default=256)
    parser.add_argument("--vocabulary", type=int, default=1024)
    parser.add_argument("--max-positions", type=int, default=16384)
    args = parser.parse_args()

    config = model_config(args)
    args.directory.mkdir(parents=True, exist_ok=True)
    (args.directory / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    (args.directory / "generation_config.json").write_text(json.dumps({"bos_token_id": 0, "eos_token_id": 1}) + "\n")
    weights = all_weights(config, args.seed)
    save_file(weights, args.directory / "model.safetensors", metadata={"format": "pt"})
    parameters = sum(tensor.numel() for tensor in weights.values())
    print(f"{args.directory}: {len(weights)} tensors, {parameters} parameters, seed {args.seed}")


if __name__ == "__main__":
    main()
