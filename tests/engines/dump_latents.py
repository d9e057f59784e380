#!/usr/bin/env python3
"""Writes the MLA latents of a prompt as bf16 rows, one file for each layer, for incipit bench --op codec --data FILE.

    tests/engines/make_checkpoint.py CHECKPOINT
    tests/engines/dump_latents.py CHECKPOINT OUT --text docs/*.md README.md
    for file in OUT/*.bf16; do incipit bench --op codec --codec bf16-lossless --data $file --json; done

They come from the model's own forward pass in Transformers. A row is what an MLA engine keeps of a token in a layer:
the normalized latent (kv_lora_rank values), then the rotated key (qk_rope_head_dim). Tokens are the bytes of the
texts, cut to the vocabulary: the checkpoint has no tokenizer, and real text repeats itself as prompts do.
"""
import argparse
import pathlib

import torch
import transformers.models.deepseek_v2.modeling_deepseek_v2 as deepseek
from transformers import AutoModelForCausalLM


def prompt_of(texts, tokens, vocabulary):
    data = b"".join(path.read_bytes() for path in texts)
    if len(data) < tokens:
        raise SystemExit(f"dump_latents: the texts have {len(data)} bytes, {tokens} tokens are wanted: more --text")
    return torch.tensor([[byte % vocabulary for byte in data[:tokens]]])


class Capture:
    """Takes latents and rotated keys as the layers make them, one layer after the other."""

    def __init__(self, model):
        self.latents, self.keys = [], []
        for layer in model.model.layers:
            layer.self_attn.kv_a_layernorm.register_forward_hook(self._take_latent)
        self._rotate = deepseek.apply_rotary_emb
        deepseek.apply_rotary_emb = self._take_keys

    def _take_latent(self, _module, _arguments, output):
        self.latents.append(output[0].detach())  # [tokens, kv_lora_rank]

    def _take_keys(self, queries, keys, *rest, **named):
        rotated = self._rotate(queries, keys, *rest, **named)
        self.keys.append(rotated[1][0, 0].detach())  # of the one head that all share: [tokens, qk_rope_head_dim]
        return rotated

    def rows(self):
        assert len(self.latents) == len(self.keys), "a layer made latents without keys"
        for latent, key in zip(self.latents, self.keys, strict=True):
            yield torch.cat([latent, key.to(latent.dtype)], dim=-1).to(torch.bfloat16).contiguous()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", type=pathlib.Path, help="in Hugging Face format, of the DeepSeek-V2 architecture")
    parser.add_argument("out", type=pathlib.Path, help="directory for layer-N.bf16; made if missing")
    parser.add_argument("--text", type=pathlib.Path, nargs="+", required=True, help="files of the prompt's text")
    parser.add_argument("--tokens", type=int, default=8192)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()

    torch.set_num_threads(args.threads)
    model = AutoModelForCausalLM.from_pretrained(args.checkpoint, dtype=torch.bfloat16).eval()
    prompt = prompt_of(args.text, args.tokens, model.config.vocab_size)
    capture = Capture(model)
    with torch.no_grad():
        model.model(prompt, use_cache=False)
    args.out.mkdir(parents=True, exist_ok=True)
    for layer, rows in enumerate(capture.rows()):
        path = args.out / f"layer-{layer}.bf16"
        path.write_bytes(rows.view(torch.int16).numpy().tobytes())
        print(f"{path}: {rows.shape[0]} rows of {rows.shape[1]} values, standard deviation {rows.float().std():.3f}")


if __name__ == "__main__":
    main()
