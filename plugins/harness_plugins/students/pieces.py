"""Texts and tokens as word pieces, made once a pool, and batches of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.data import IntArray, Pool

__all__ = ["Pieces", "collate", "epoch_batches", "make_pieces"]

SORTED_BATCHES = 50
"""Batches that are sorted by length together: little padding, and still a random order."""


@dataclass(frozen=True, slots=True, eq=False)
class Pieces:
    """One row a text, or a window of a sentence.

    Attributes:
        ids: word-piece ids of each row, special tokens included.
        units: for each row the units (indices into the pool's flat arrays) that it
            carries; a sequence row carries one.
        places: for each row the position in ``ids`` that stands for each of its units
            (the first piece of a token; 0, the sentence token, in a sequence task).
        example: for each row the pool's example.
    """

    ids: list[list[int]]
    units: list[IntArray]
    places: list[IntArray]
    example: IntArray

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def lengths(self) -> IntArray:
        """int64 ``[rows]``: word pieces of each row."""
        return np.asarray([len(ids) for ids in self.ids], dtype=np.int64)


def make_pieces(pool: Pool, tokenizer: Any, max_length: int) -> Pieces:
    """Tokenise a pool."""
    if pool.kind == "sequence":
        ids = tokenizer(list(pool.texts), truncation=True, max_length=max_length)["input_ids"]
        rows = np.arange(len(ids), dtype=np.int64)
        zero = np.zeros(1, dtype=np.int64)
        return Pieces(ids, [rows[i : i + 1] for i in rows], [zero] * len(ids), rows)
    return _token_pieces(pool, tokenizer, max_length)


def _token_pieces(pool: Pool, tokenizer: Any, max_length: int) -> Pieces:
    sentences = [list(tokens) for tokens in pool.tokens]
    flat = [token for tokens in sentences for token in tokens]
    split = tokenizer(flat, add_special_tokens=False)["input_ids"] if flat else []
    # A token that the tokenizer drops (a stray control character) still needs a place.
    split = [pieces or [tokenizer.unk_token_id] for pieces in split]
    begin, end = tokenizer.cls_token_id, tokenizer.sep_token_id
    result = Pieces([], [], [], np.zeros(0, dtype=np.int64))
    example: list[int] = []
    for row, (first, last) in enumerate(zip(pool.offsets[:-1], pool.offsets[1:], strict=True)):
        for units in _windows(split, int(first), int(last), max_length - 2):
            ids = [begin]
            places = []
            for unit in units:
                places.append(len(ids))
                ids.extend(split[unit][: max_length - 2])
            result.ids.append([*ids, end])
            result.units.append(np.asarray(units, dtype=np.int64))
            result.places.append(np.asarray(places, dtype=np.int64))
            example.append(row)
    return Pieces(result.ids, result.units, result.places, np.asarray(example, dtype=np.int64))


def _windows(
    split: Sequence[Sequence[int]], first: int, last: int, room: int
) -> Iterator[list[int]]:
    """Runs of whole tokens that fit into the encoder."""
    window: list[int] = []
    used = 0
    for unit in range(first, last):
        size = min(len(split[unit]), room)
        if window and used + size > room:
            yield window
            window, used = [], 0
        window.append(unit)
        used += size
    yield window


def epoch_batches(lengths: IntArray, size: int, rng: np.random.Generator) -> Iterator[IntArray]:
    """Rows in random batches of similar length."""
    order = rng.permutation(len(lengths))
    batches = []
    for start in range(0, len(order), size * SORTED_BATCHES):
        chunk = order[start : start + size * SORTED_BATCHES]
        chunk = chunk[np.argsort(lengths[chunk], kind="stable")]
        batches += [chunk[i : i + size] for i in range(0, len(chunk), size)]
    for index in rng.permutation(len(batches)):
        yield batches[index]


def collate(pieces: Pieces, rows: IntArray, pad: int) -> tuple[Any, Any]:
    """Input ids and attention mask, int64 ``[batch, longest]``."""
    import torch

    longest = max(len(pieces.ids[row]) for row in rows)
    ids = np.full((len(rows), longest), pad, dtype=np.int64)
    mask = np.zeros((len(rows), longest), dtype=np.int64)
    for position, row in enumerate(rows):
        own = pieces.ids[row]
        ids[position, : len(own)] = own
        mask[position, : len(own)] = 1
    return torch.from_numpy(ids), torch.from_numpy(mask)
