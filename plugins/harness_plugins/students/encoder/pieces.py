"""Texts and tokens as word pieces, made once for a pool, and batches of them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.data import IntArray, Pool, offsets_of, take_units


@dataclass(frozen=True, slots=True, eq=False)
class Pieces:
    """One row a text, or a window of a sentence; flat arrays with offsets.

    Attributes:
        ids: int64, word-piece ids of all rows, special tokens included.
        starts: int64 ``[rows + 1]``, where the pieces of each row begin in ``ids``.
        units: int64, the units (indices into the pool's flat arrays) of the rows; a text has one.
        places: int64, for each of ``units`` its position in its row (the first piece of a token;
            0, the sentence token, of a text).
        unit_starts: int64 ``[rows + 1]``, where the units of each row begin.
        example: int64 ``[rows]``, the pool's example.
    """

    ids: IntArray
    starts: IntArray
    units: IntArray
    places: IntArray
    unit_starts: IntArray
    example: IntArray

    def __len__(self) -> int:
        return len(self.example)

    @property
    def lengths(self) -> IntArray:
        """int64 ``[rows]``: word pieces of each row."""
        return np.diff(self.starts)

    def units_of(self, rows: IntArray) -> IntArray:
        """int64: the units of some rows, in the order of their logits."""
        return take_units(self.units, self.unit_starts, rows)[0]

    def at(self, rows: IntArray) -> tuple[IntArray, IntArray]:
        """For each unit of some rows its row in the batch and its place in that row."""
        places, offsets = take_units(self.places, self.unit_starts, rows)
        return np.repeat(np.arange(len(rows)), np.diff(offsets)), places


def make_pieces(pool: Pool, tokenizer: Any, max_length: int, *variants: Pool) -> list[Pieces]:
    """Tokenise a pool and its variants: corresponding rows have the same units.

    Args:
        pool: of texts, which are cut at ``max_length``, or of sentences, which are split
            into windows of whole tokens.
        tokenizer: of the encoder; for a byte-level one with ``add_prefix_space``.
        max_length: word pieces of a row, special tokens included.
        variants: with the same offsets as the pool.
    """
    if pool.kind == "sequence":
        return [_text_pieces(one, tokenizer, max_length) for one in (pool, *variants)]
    split = [_split_tokens(one, tokenizer, max_length - 2) for one in (pool, *variants)]
    sizes = np.max([np.fromiter(map(len, one), np.int64, len(one)) for one in split], axis=0)
    windows = list(_windows(sizes, pool.offsets, max_length - 2))
    return [_token_pieces(one, windows, tokenizer) for one in split]


def cut_texts(pool: Pool, tokenizer: Any, max_length: int) -> dict[int, int]:
    """The rows of a sequence pool with more than ``max_length`` word pieces, and how many."""
    if pool.kind == "token":
        return {}
    # A piece of ASCII text stands for a character at least.
    texts = {
        row: text
        for row, text in enumerate(pool.texts)
        if len(text) + 2 > max_length or not text.isascii()
    }
    ids = tokenizer(list(texts.values()))["input_ids"] if texts else []
    sizes = zip(texts, map(len, ids), strict=True)
    return {row: size for row, size in sizes if size > max_length}


def said_of_cut(rows: Mapping[int, int], max_length: int) -> dict[int, str]:
    """The same, in words."""
    return {
        row: f"{size} word pieces, of which {max_length} are read" for row, size in rows.items()
    }


def _text_pieces(pool: Pool, tokenizer: Any, max_length: int) -> Pieces:
    texts = list(pool.texts)
    ids = tokenizer(texts, truncation=True, max_length=max_length)["input_ids"] if texts else []
    rows = np.arange(len(ids), dtype=np.int64)
    return Pieces(
        ids=_flat(ids),
        starts=offsets_of([len(one) for one in ids]),
        units=rows,
        places=np.zeros(len(ids), dtype=np.int64),
        unit_starts=np.arange(len(ids) + 1, dtype=np.int64),
        example=rows,
    )


def _split_tokens(pool: Pool, tokenizer: Any, room: int) -> list[list[int]]:
    """Word pieces of every token; a token of more than ``room`` pieces keeps the first ones."""
    flat = [token for tokens in pool.tokens for token in tokens]
    split = tokenizer(flat, add_special_tokens=False)["input_ids"] if flat else []
    # A token that the tokenizer drops (a control character) still needs a place.
    return [pieces[:room] or [tokenizer.unk_token_id] for pieces in split]


def _windows(sizes: IntArray, offsets: IntArray, room: int) -> Iterator[tuple[int, int, int]]:
    """Example, first and last unit (exclusive) of runs of whole tokens that fit."""
    for example, (first, last) in enumerate(itertools.pairwise(offsets.tolist())):
        begin, used = first, 0
        for unit in range(first, last):
            size = int(sizes[unit])
            if unit > begin and used + size > room:
                yield example, begin, unit
                begin, used = unit, 0
            used += size
        yield example, begin, last


def _token_pieces(
    split: Sequence[list[int]], windows: Sequence[tuple[int, int, int]], tokenizer: Any
) -> Pieces:
    first, last = tokenizer.cls_token_id, tokenizer.sep_token_id
    rows: list[list[int]] = []
    places: list[int] = []
    for _, begin, end in windows:
        ids = [first]
        for unit in range(begin, end):
            places.append(len(ids))
            ids.extend(split[unit])
        rows.append([*ids, last])
    return Pieces(
        ids=_flat(rows),
        starts=offsets_of([len(ids) for ids in rows]),
        units=np.arange(len(places), dtype=np.int64),
        places=np.asarray(places, dtype=np.int64),
        unit_starts=offsets_of([end - begin for _, begin, end in windows]),
        example=np.asarray([example for example, _, _ in windows], dtype=np.int64),
    )


def _flat(ids: Sequence[Sequence[int]]) -> IntArray:
    return np.fromiter((one for row in ids for one in row), dtype=np.int64)


def epoch_batches(
    lengths: IntArray, size: int, together: int, rng: np.random.Generator
) -> Iterator[IntArray]:
    """Rows in random batches; the rows of ``together`` of them are sorted by length, for less
    padding."""
    order = rng.permutation(len(lengths))
    batches = []
    for start in range(0, len(order), size * together):
        chunk = order[start : start + size * together]
        chunk = chunk[np.argsort(lengths[chunk], kind="stable")]
        batches += [chunk[i : i + size] for i in range(0, len(chunk), size)]
    for index in rng.permutation(len(batches)):
        yield batches[index]
