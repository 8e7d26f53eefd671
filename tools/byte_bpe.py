# SPDX-License-Identifier: Apache-2.0
"""Byte-level BPE (Sennrich et al. 2016; byte alphabet as in GPT-2): training,
encoding, decoding and the Hugging Face `tokenizer.json`.

Ids: the special tokens first, then the 256 bytes, then one id per merge.
"""

import collections
import json
import re

BOS, EOS = "<s>", "</s>"

# The pattern of GPT-2 in the syntax of Python's `re`, which has no \p{L}: a
# letter is a word character that is neither digit nor underscore.
WORD = re.compile(r"'s|'t|'re|'ve|'m|'ll|'d| ?[^\W\d_]+| ?\d+| ?(?:[^\w\s]|_)+|\s+(?!\S)|\s+")


def byte_alphabet():
    """One printable character per byte value, GPT-2's choice: a byte that is
    a visible Latin-1 character stands for itself, the others follow at 256."""
    visible = [*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    letters, spare = {b: chr(b) for b in visible}, 256
    for byte in range(256):
        if byte not in letters:
            letters[byte] = chr(spare)
            spare += 1
    return [letters[b] for b in range(256)]


LETTERS = byte_alphabet()
BYTES = {letter: byte for byte, letter in enumerate(LETTERS)}


def _spell(word):
    return tuple(LETTERS[b] for b in word.encode())


def _join(symbols, pair):
    """The symbols with every occurrence of `pair`, from the left, made one."""
    out, i = [], 0
    while i < len(symbols):
        if symbols[i:i + 2] == pair:
            out.append(pair[0] + pair[1])
            i += 2
        else:
            out.append(symbols[i])
            i += 1
    return tuple(out)


def train(texts, vocabulary_size):
    """The merges, best first: always the commonest pair, ties to the first in
    alphabetical order."""
    counts = collections.Counter(w for text in texts for w in WORD.findall(text))
    words = [(_spell(w), n) for w, n in sorted(counts.items())]
    merges = []
    while len(merges) < vocabulary_size - 256 - 2:
        pairs = collections.Counter()
        for symbols, n in words:
            for pair in zip(symbols, symbols[1:]):
                pairs[pair] += n
        best = min(pairs, key=lambda p: (-pairs[p], p))
        merges.append(best)
        words = [(_join(symbols, best), n) for symbols, n in words]
    return merges


class Tokenizer:
    """Encodes and decodes; `encode` adds <s> in front, as the file says."""

    def __init__(self, merges):
        self.merges = merges
        self.rank = {pair: i for i, pair in enumerate(merges)}
        pieces = [BOS, EOS, *sorted(LETTERS), *(a + b for a, b in merges)]
        self.ids = {piece: i for i, piece in enumerate(pieces)}
        self.pieces = pieces
        self.cache = {}

    @classmethod
    def load(cls, path):
        with open(path, encoding="utf-8") as file:
            return cls([tuple(m.split(" ")) for m in json.load(file)["model"]["merges"]])

    def _word(self, word):
        if word not in self.cache:
            symbols = _spell(word)
            while len(symbols) > 1:
                pair = min(zip(symbols, symbols[1:]), key=lambda p: self.rank.get(p, len(self.rank)))
                if pair not in self.rank:
                    break
                symbols = _join(symbols, pair)
            self.cache[word] = [self.ids[s] for s in symbols]
        return self.cache[word]

    def encode(self, text):
        return [self.ids[BOS]] + [i for w in WORD.findall(text) for i in self._word(w)]

    def decode(self, ids):
        letters = "".join(self.pieces[i] for i in ids if i > 1)
        return bytes(BYTES[c] for c in letters).decode("utf-8", "replace")

    def save(self, path):
        def special(token):
            return {"id": self.ids[token], "content": token, "single_word": False, "lstrip": False,
                    "rstrip": False, "normalized": False, "special": True}
        byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
        bos, a, b = {"SpecialToken": {"id": BOS, "type_id": 0}}, \
            {"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 0}}
        document = {
            "version": "1.0", "truncation": None, "padding": None,
            "added_tokens": [special(BOS), special(EOS)],
            "normalizer": None,
            "pre_tokenizer": byte_level,
            "post_processor": {
                "type": "TemplateProcessing", "single": [bos, a], "pair": [bos, a, b],
                "special_tokens": {BOS: {"id": BOS, "ids": [self.ids[BOS]], "tokens": [BOS]}}},
            "decoder": byte_level,
            "model": {
                "type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None,
                "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False,
                "vocab": self.ids, "merges": [f"{x} {y}" for x, y in self.merges]},
        }
        with open(path, "w", encoding="utf-8") as file:
            json.dump(document, file, ensure_ascii=False, indent=1)
            file.write("\n")
