"""A translation model run here: Marian (opus-mt) or any other of transformers."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.errors import CommandError, ServiceError
from harness_plugins.encoders import bf16_pays, device, length_batches, quiet_transformers
from harness_plugins.llm.local.files import LocalFiles, locate

BATCH = {"cuda": 128, "cpu": 16}
"""Texts translated together, of similar length."""
LONGEST_PART = 160
"""Word pieces of one input: opus-mt is trained on sentences, and drops the end of a long text.
Longer texts are translated sentence by sentence."""
SPECIAL = 2
"""Special pieces of a text."""
GROWTH, ROOM = 2.0, 24
"""Most pieces of a translation: GROWTH times those of its source, plus ROOM."""
SENTENCE_END = re.compile(r"(?<=[.!?])\s+")


@dataclass(frozen=True, slots=True)
class Decoding:
    """The width of the beam search, or a temperature above 0 at which translations are sampled."""

    beams: int
    temperature: float

    @property
    def arguments(self) -> dict[str, object]:
        """For ``generate`` of transformers."""
        if not self.temperature:
            return {"do_sample": False, "num_beams": self.beams}
        return {"do_sample": True, "temperature": self.temperature, "num_beams": 1, "top_k": 0}


class Translator:
    """A model and its tokenizer in memory."""

    def __init__(self, files: LocalFiles, decoding: Decoding) -> None:
        import torch
        from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

        quiet_transformers()
        self._decoding, self._device = decoding, device()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # recommends sacremoses, which Marian never uses
                self._tokenizer = AutoTokenizer.from_pretrained(files.folder)
            dtype = getattr(torch, arithmetic())
            model = AutoModelForSeq2SeqLM.from_pretrained(files.folder, dtype=dtype)
        except (OSError, ValueError, KeyError, TypeError, AttributeError, ImportError) as error:
            first = (str(error).strip() or repr(error)).splitlines()[0]
            raise CommandError(
                f"back-translation: {files.folder}: no translation model that transformers can "
                f"load: {first}"
            ) from None
        self._model = model.to(self._device).eval()

    def translate(
        self, texts: Sequence[str], seed: int, progress: Callable[[int], None]
    ) -> list[str]:
        """A translation of each text, of any length; "" where the model gives none.

        ``progress`` is called with the number of texts done.
        """
        import torch

        parts = [parts_of(text, self._count, LONGEST_PART) for text in texts]
        flat = [part for own in parts for part in own]
        ids: list[list[int]] = [self._tokenizer(part)["input_ids"] for part in flat]
        translated = [""] * len(flat)
        done = 0
        cuda = [self._device] if self._device.type == "cuda" else []
        with torch.inference_mode(), torch.random.fork_rng(devices=cuda):
            torch.manual_seed(seed)
            for rows in length_batches([len(one) for one in ids], BATCH[self._device.type]):
                fitting = [row for row in rows if len(ids[row]) <= LONGEST_PART + SPECIAL]
                batch = self._batch([ids[row] for row in fitting]) if fitting else []
                for row, text in zip(fitting, batch, strict=True):
                    translated[row] = text
                done += len(rows)
                progress(done * len(texts) // len(flat))
        each = iter(translated)
        joined = [[next(each) for _ in own] for own in parts]
        return [" ".join(own) if all(own) else "" for own in joined]

    def _count(self, text: str) -> int:
        return len(self._tokenizer(text, add_special_tokens=False)["input_ids"])

    def _batch(self, ids: list[list[int]]) -> list[str]:
        """Translations of some texts; in halves where the GPU's memory does not suffice."""
        import torch

        try:
            return self._generated(ids)
        except torch.cuda.OutOfMemoryError:
            if len(ids) == 1:
                raise
        torch.cuda.empty_cache()
        half = len(ids) // 2
        return self._batch(ids[:half]) + self._batch(ids[half:])

    def _generated(self, ids: list[list[int]]) -> list[str]:
        import torch

        longest = max(len(one) for one in ids)
        pieces = torch.full((len(ids), longest), self._tokenizer.pad_token_id)
        mask = torch.zeros((len(ids), longest), dtype=torch.long)
        for row, own in enumerate(ids):
            pieces[row, : len(own)] = torch.tensor(own)
            mask[row, : len(own)] = 1
        limit = getattr(self._model.config, "max_position_embeddings", None) or 512
        found = self._model.generate(
            input_ids=pieces.to(self._device),
            attention_mask=mask.to(self._device),
            max_new_tokens=min(int(GROWTH * longest) + ROOM, limit - 1),
            **self._decoding.arguments,
        )
        texts = self._tokenizer.batch_decode(found, skip_special_tokens=True)
        return [" ".join(text.split()) for text in texts]


def parts_of(text: str, count: Callable[[str], int], longest: int) -> list[str]:
    """The text, or its sentences where it is too long; a sentence too long is halved.

    ``longest`` is in word pieces, as ``count`` counts them; a single word is never split.
    """
    if count(text) <= longest:
        return [text]
    sentences = SENTENCE_END.split(text)
    if len(sentences) == 1:
        words = text.split()
        half = len(words) // 2
        if half == 0:
            return [text]
        sentences = [" ".join(words[:half]), " ".join(words[half:])]
    return [part for one in sentences for part in parts_of(one, count, longest)]


def found(model: str) -> LocalFiles:
    """The folder of a translation model: a folder, or an id of the hub."""
    folder = Path(model).expanduser()
    if folder.is_dir() and not (folder / "config.json").exists():
        raise CommandError(
            f"back-translation: {model}: no config.json there; pass a model's folder"
        )
    try:
        return locate(model)
    except ServiceError:
        raise ServiceError(
            f"back-translation: {model} is not in the hub's cache, and the hub cannot be reached; "
            f"where it can be: hf download {model}, or pass folders: back-translation,"
            "forward=DIR,back=DIR; without any model: recorded:FILE or word-edits"
        ) from None
    except CommandError as error:
        why = str(error).removeprefix(f"transformers:{model}: ")
        raise CommandError(
            f"back-translation: {model}: {why.replace('transformers:FOLDER', 'forward=DIR')}"
        ) from None


def arithmetic() -> str:
    """bfloat16 where the hardware multiplies in it, float16 on older GPUs, else float32."""
    if bf16_pays():
        return "bfloat16"
    return "float16" if device().type == "cuda" else "float32"
