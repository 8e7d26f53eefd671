#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Makes models/tiny-stories: a small Llama that tells stories for children.

    tools/make_tiny_stories.py --out models/tiny-stories
    tools/make_tiny_stories.py --out models/tiny-stories --vectors tests/vectors/tiny_stories_greedy.json

The first command tells itself a corpus (story_grammar.py), trains a tokenizer
on it (byte_bpe.py), trains the model and writes a Hugging Face directory. The
second changes nothing in that directory: it reads the files back, generates
greedily in float64 with a forward pass of its own (NumPy, no code shared with
the training) and writes down what an engine has to reproduce.

Debian packages: python3-numpy, python3-torch (1.13), libopenblas0-pthread.
The same seed, library versions and kind of processor give the
same files; RUN_NOTE below says how long the shipped ones took and on what.
"""

import argparse
import json
import math
import os
import random
import time

THREADS = 2    # part of the result: sums are split by it
os.environ["OPENBLAS_NUM_THREADS"] = str(THREADS)

import numpy as np

import byte_bpe
import safetensors_file
import story_grammar

RUN_NOTE = ("It ran for 19 minutes on two threads of an AMD EPYC (Zen 3)"
            " with four cores that were busy with other work, Debian 12, torch 1.13.1, NumPy 1.24.2, OpenBLAS 0.3.21.")

SHAPE = {"vocab_size": 768, "hidden_size": 128, "intermediate_size": 352, "num_hidden_layers": 4,
         "num_attention_heads": 8, "num_key_value_heads": 4, "max_position_embeddings": 256}
NORM_EPS, ROPE_THETA = 1e-5, 10000.0
PROMPTS = ["Once upon a time", "Lily had a red ball.", ""]


def config():
    return {
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", **SHAPE,
        "hidden_act": "silu", "rms_norm_eps": NORM_EPS, "rope_theta": ROPE_THETA, "rope_scaling": None,
        "attention_bias": False, "tie_word_embeddings": True, "initializer_range": 0.02,
        "bos_token_id": 0, "eos_token_id": 1, "torch_dtype": "float16", "use_cache": True,
    }


def tensor_names():
    """Name -> shape of every tensor, in the order of the file."""
    d, ff = SHAPE["hidden_size"], SHAPE["intermediate_size"]
    kv = d // SHAPE["num_attention_heads"] * SHAPE["num_key_value_heads"]
    names = {"model.embed_tokens.weight": (SHAPE["vocab_size"], d)}
    for i in range(SHAPE["num_hidden_layers"]):
        layer = f"model.layers.{i}."
        names |= {layer + "input_layernorm.weight": (d,),
                  layer + "self_attn.q_proj.weight": (d, d),
                  layer + "self_attn.k_proj.weight": (kv, d),
                  layer + "self_attn.v_proj.weight": (kv, d),
                  layer + "self_attn.o_proj.weight": (d, d),
                  layer + "post_attention_layernorm.weight": (d,),
                  layer + "mlp.gate_proj.weight": (ff, d),
                  layer + "mlp.up_proj.weight": (ff, d),
                  layer + "mlp.down_proj.weight": (d, ff)}
    return names | {"model.norm.weight": (d,)}


# -- training (torch) -------------------------------------------------------

def initial_weights(torch):
    """Normal with deviation 0.02; the two matrices of each layer that add to
    the residual stream are smaller, by the root of their number (GPT-2)."""
    residual = 0.02 / math.sqrt(2 * SHAPE["num_hidden_layers"])
    weights = {}
    for name, shape in tensor_names().items():
        if len(shape) == 1:
            value = torch.ones(shape)
        else:
            value = torch.randn(shape) * (residual if "o_proj" in name or "down_proj" in name else 0.02)
        weights[name] = value.requires_grad_(True)
    return weights


def logits_torch(torch, w, ids):
    """[batch][seq] ids -> [batch][seq][vocabulary]."""
    heads, kv_heads = SHAPE["num_attention_heads"], SHAPE["num_key_value_heads"]
    hs, (batch, seq) = SHAPE["hidden_size"] // heads, ids.shape
    angle = torch.outer(torch.arange(seq).float(), ROPE_THETA ** (-torch.arange(0, hs, 2).float() / hs))
    cos, sin = torch.cat([angle.cos()] * 2, -1), torch.cat([angle.sin()] * 2, -1)
    mask = torch.full((seq, seq), -1e9).triu(1)

    def norm(x, name):
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + NORM_EPS) * w[name]

    def rope(x):
        return x * cos + torch.cat([-x[..., hs // 2:], x[..., :hs // 2]], -1) * sin

    def split(x, n):
        return x.view(batch, seq, n, hs).transpose(1, 2)

    x = w["model.embed_tokens.weight"][ids]
    for i in range(SHAPE["num_hidden_layers"]):
        layer = f"model.layers.{i}."
        h = norm(x, layer + "input_layernorm.weight")
        q = rope(split(h @ w[layer + "self_attn.q_proj.weight"].T, heads))
        k = rope(split(h @ w[layer + "self_attn.k_proj.weight"].T, kv_heads))
        v = split(h @ w[layer + "self_attn.v_proj.weight"].T, kv_heads)
        k, v = (t.repeat_interleave(heads // kv_heads, 1) for t in (k, v))
        p = torch.softmax(q @ k.transpose(-1, -2) / math.sqrt(hs) + mask, -1)
        x = x + (p @ v).transpose(1, 2).reshape(batch, seq, -1) @ w[layer + "self_attn.o_proj.weight"].T
        h = norm(x, layer + "post_attention_layernorm.weight")
        gate = torch.nn.functional.silu(h @ w[layer + "mlp.gate_proj.weight"].T)
        x = x + (gate * (h @ w[layer + "mlp.up_proj.weight"].T)) @ w[layer + "mlp.down_proj.weight"].T
    return norm(x, "model.norm.weight") @ w["model.embed_tokens.weight"].T


def batches(torch, texts, size, rng):
    """For ever: (ids, targets), one story per row, -100 where a row is padded.
    Stories of like length go together, so that little is padding."""
    while True:
        order = texts[:]
        rng.shuffle(order)
        epoch = []
        for i in range(0, len(order), 16 * size):
            group = sorted(order[i:i + 16 * size], key=len)
            epoch += [group[j:j + size] for j in range(0, len(group), size)]
        rng.shuffle(epoch)
        for rows in epoch:
            longest = max(map(len, rows))
            ids = torch.tensor([r + [1] * (longest - len(r)) for r in rows])
            targets = torch.tensor([r[1:] + [-100] * (longest - len(r)) for r in rows])
            yield ids[:, :-1], targets


def train(texts, held_out, args):
    """Returns the trained weights and the loss per token on stories not trained on."""
    import torch
    torch.set_num_threads(THREADS)
    torch.use_deterministic_algorithms(True)
    torch.manual_seed(args.seed)
    weights = initial_weights(torch)
    decayed = [t for t in weights.values() if t.dim() > 1]
    plain = [t for t in weights.values() if t.dim() == 1]
    optimizer = torch.optim.AdamW([{"params": decayed, "weight_decay": 0.1},
                                   {"params": plain, "weight_decay": 0.0}], betas=(0.9, 0.98))
    source = batches(torch, texts, args.batch, random.Random(args.seed))

    def loss_of(ids, targets):
        logits = logits_torch(torch, weights, ids)
        return torch.nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index=-100)

    start = time.time()
    for step in range(args.steps):
        warm, done = min(1, (step + 1) / 100), step / args.steps
        for group in optimizer.param_groups:
            group["lr"] = args.rate * warm * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * done)))
        loss = loss_of(*next(source))
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(weights.values(), 1.0)
        optimizer.step()
        if step % 50 == 0:
            print(f"step {step:5d}  loss {loss.item():.4f}  {time.time() - start:6.0f} s", flush=True)
    with torch.no_grad():
        check = batches(torch, held_out, args.batch, random.Random(0))
        losses = [loss_of(*next(check)).item() for _ in range(len(held_out) // args.batch)]
    return {n: t.detach().numpy() for n, t in weights.items()}, sum(losses) / len(losses)


# -- the reference: float64, NumPy, one token at a time ----------------------

class Reference:
    """Reads the finished directory and computes logits with a KV cache."""

    def __init__(self, folder):
        stored = safetensors_file.read(os.path.join(folder, "model.safetensors"))
        self.w = {name.removeprefix("model."): t.astype(np.float64) for name, t in stored.items()}
        self.cache = [([], []) for _ in range(SHAPE["num_hidden_layers"])]
        self.position = 0

    @staticmethod
    def _norm(x, weight):
        return x / np.sqrt(np.mean(x * x) + NORM_EPS) * weight

    def _turn(self, heads):
        """RoPE: rotates the pairs (i, i + hs/2) of each head by position * frequency."""
        half = heads.shape[1] // 2
        angle = self.position * ROPE_THETA ** (-np.arange(half) / half)
        a, b = heads[:, :half], heads[:, half:]
        return np.hstack([a * np.cos(angle) - b * np.sin(angle), b * np.cos(angle) + a * np.sin(angle)])

    def _attend(self, i, h):
        heads, kv_heads = SHAPE["num_attention_heads"], SHAPE["num_key_value_heads"]
        q, k, v = (self.w[f"layers.{i}.self_attn.{n}_proj.weight"] @ h for n in "qkv")
        q, k, v = self._turn(q.reshape(heads, -1)), self._turn(k.reshape(kv_heads, -1)), v.reshape(kv_heads, -1)
        keys, values = self.cache[i]
        keys.append(k)
        values.append(v)
        out = []
        for head in range(heads):
            group = head * kv_heads // heads
            scores = np.array([q[head] @ key[group] for key in keys]) / math.sqrt(q.shape[1])
            p = np.exp(scores - scores.max())
            out.append(sum(a * value[group] for a, value in zip(p / p.sum(), values)))
        return self.w[f"layers.{i}.self_attn.o_proj.weight"] @ np.concatenate(out)

    def step(self, token):
        """Logits after `token`."""
        w, x = self.w, self.w["embed_tokens.weight"][token]
        for i in range(SHAPE["num_hidden_layers"]):
            x = x + self._attend(i, self._norm(x, w[f"layers.{i}.input_layernorm.weight"]))
            h = self._norm(x, w[f"layers.{i}.post_attention_layernorm.weight"])
            gate, up = (w[f"layers.{i}.mlp.{n}_proj.weight"] @ h for n in ("gate", "up"))
            x = x + w[f"layers.{i}.mlp.down_proj.weight"] @ (gate / (1 + np.exp(-gate)) * up)
        self.position += 1
        return w["embed_tokens.weight"] @ self._norm(x, w["norm.weight"])


def generate(folder, prompt, choose):
    """(prompt ids, generated ids with the end token, logits of every choice)."""
    tokenizer = byte_bpe.Tokenizer.load(os.path.join(folder, "tokenizer.json"))
    model, prompt_ids = Reference(folder), tokenizer.encode(prompt)
    for token in prompt_ids:
        logits = model.step(token)
    ids, rows = [], []
    while len(prompt_ids) + len(ids) < SHAPE["max_position_embeddings"]:
        ids.append(choose(logits))
        rows.append(logits)
        if ids[-1] == 1:
            break
        logits = model.step(ids[-1])
    return tokenizer, prompt_ids, ids, rows


def greedy_case(folder, prompt):
    tokenizer, prompt_ids, ids, rows = generate(folder, prompt, lambda row: int(row.argmax()))
    best = [np.sort(row)[-2:] for row in rows]
    return {"prompt": prompt, "prompt_ids": prompt_ids, "ids": ids, "ends": ids[-1] == 1,
            "margins": [round(float(b[1] - b[0]), 6) for b in best],
            "first_logits": [float(f"{x:.9g}") for x in rows[0]],
            "text": tokenizer.decode(prompt_ids + ids)}


def write_vectors(folder, path):
    cases = [greedy_case(folder, prompt) for prompt in PROMPTS]
    document = {"model_sha256": safetensors_file.sha256(os.path.join(folder, "model.safetensors")), "cases": cases}
    with open(path, "w", encoding="utf-8") as file:
        json.dump(document, file)
        file.write("\n")
    for case in cases:
        print(f"{len(case['ids'])} tokens, smallest margin {min(case['margins']):.4f}, ends: {case['ends']}\n{case['text']}\n")


def show_samples(folder, count, temperature):
    rng = np.random.default_rng(1)

    def draw(logits):
        p = np.exp((logits - logits.max()) / temperature)
        return int(rng.choice(len(p), p=p / p.sum()))
    for n in range(count):
        tokenizer, prompt_ids, ids, _ = generate(folder, PROMPTS[n % len(PROMPTS)], draw)
        print(f"[{len(ids)} tokens]", tokenizer.decode(prompt_ids + ids), "\n")


# -- the card ---------------------------------------------------------------

CARD = """<!-- SPDX-License-Identifier: Apache-2.0 -->
# tiny-stories

A Llama of {parameters:,} parameters that tells short stories for small children. It knows {words} words and nothing else;
it exists so that a private generation can be tried and tested without a download.

| | |
|---|---|
| Shape | dim {hidden_size}, {num_hidden_layers} layers, {num_attention_heads} heads ({num_key_value_heads} for keys and values), SwiGLU {intermediate_size}, context {max_position_embeddings}, tied head |
| Tokenizer | byte-level BPE, {vocab_size} ids: `<s>` 0, `</s>` 1, 256 bytes, {merges} merges; `<s>` is put in front |
| Weights | float16, `model.safetensors`, sha256 `{sha}` |
| Corpus | {stories:,} stories, {corpus_words:,} words, told by the grammar in `tools/story_grammar.py`, which was written for this project; no other text was used |
| Loss | {loss:.4f} nats per token on {held_out} stories of the grammar kept aside |
| Licence | Apache-2.0, weights and tokenizer included |

Made by

    {command}

{run_note}
The same command gives the same bytes on the same kind of processor with the same library versions.

It answers every prompt with a story of its own kind. It has been taught no facts and is not fit for any use but showing how an engine works.
"""


def write_card(folder, corpus, loss, args):
    words = {w for text in corpus for w in byte_bpe.re.findall(r"\w+", text.lower())}
    path = os.path.join(folder, "model.safetensors")
    card = CARD.format(
        **SHAPE, parameters=sum(math.prod(s) for s in tensor_names().values()), words=len(words),
        merges=SHAPE["vocab_size"] - 258, sha=safetensors_file.sha256(path), stories=len(corpus),
        corpus_words=sum(len(t.split()) for t in corpus), loss=loss, held_out=args.held_out,
        command=f"tools/make_tiny_stories.py --out models/tiny-stories --seed {args.seed} --steps {args.steps}",
        run_note=RUN_NOTE)
    with open(os.path.join(folder, "README.md"), "w", encoding="utf-8") as file:
        file.write(card)


def make(args):
    told = story_grammar.stories(args.stories + args.held_out, args.seed)
    corpus, held_out = told[:args.stories], told[args.stories:]
    tokenizer = byte_bpe.Tokenizer(byte_bpe.train(corpus, SHAPE["vocab_size"]))

    def encode(texts):
        return [tokenizer.encode(t) + [1] for t in texts]
    weights, loss = train(encode(corpus), encode(held_out), args)
    os.makedirs(args.out, exist_ok=True)
    tokenizer.save(os.path.join(args.out, "tokenizer.json"))
    with open(os.path.join(args.out, "config.json"), "w", encoding="utf-8") as file:
        json.dump(config(), file, indent=2)
        file.write("\n")
    safetensors_file.write(os.path.join(args.out, "model.safetensors"),
                           {name: t.astype("<f2") for name, t in weights.items()}, {"format": "pt"})
    write_card(args.out, corpus, loss, args)
    print(f"loss on stories kept aside: {loss:.4f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", required=True, help="the model directory")
    parser.add_argument("--vectors", metavar="FILE", help="write test vectors of the finished model and stop")
    parser.add_argument("--samples", type=int, metavar="N", help="print N sampled stories of the finished model and stop")
    parser.add_argument("--temperature", type=float, default=0.8)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--rate", type=float, default=3e-3)
    parser.add_argument("--stories", type=int, default=9000)
    parser.add_argument("--held-out", type=int, default=256)
    args = parser.parse_args()
    if args.vectors:
        write_vectors(args.out, args.vectors)
    elif args.samples:
        show_samples(args.out, args.samples, args.temperature)
    else:
        make(args)


if __name__ == "__main__":
    main()
