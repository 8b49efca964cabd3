"""The packaged encoder's configuration and tokenizer, read from its files.

``transformers`` reads the same from them, but takes 1.5 seconds and 30 MB to be imported. So it is
only asked for other encoders, and to save a student.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from harness_plugins.encoders import packaged_folder, quiet_transformers


class Config(SimpleNamespace):
    """What ``config.json`` says."""

    @property
    def num_labels(self) -> int:
        """Of the head."""
        return len(self.id2label)

    def of_transformers(self) -> Any:
        """The same as ``transformers`` has it."""
        from transformers import AutoConfig

        quiet_transformers()
        return AutoConfig.for_model(**vars(self))

    def save_pretrained(self, folder: Path) -> None:
        """Write ``config.json``."""
        self.of_transformers().save_pretrained(folder)


class Tokenizer:
    """Of texts and single words, as ``AutoTokenizer``'s; not for several threads at once."""

    def __init__(self, folder: Path) -> None:
        from tokenizers import Tokenizer as Pieces

        self._folder, self._pieces = folder, Pieces.from_file(str(folder / "tokenizer.json"))
        self._pieces.no_padding()
        self.model_max_length = 512
        special = (self._pieces.token_to_id(f"[{name}]") for name in ("PAD", "UNK", "CLS", "SEP"))
        self.pad_token_id, self.unk_token_id, self.cls_token_id, self.sep_token_id = special

    def __len__(self) -> int:
        return int(self._pieces.get_vocab_size())

    @property
    def all_special_ids(self) -> list[int]:
        """Those that stand for no text."""
        return [
            number for number, one in self._pieces.get_added_tokens_decoder().items() if one.special
        ]

    def __call__(
        self,
        texts: Sequence[str],
        *,
        truncation: bool = False,
        max_length: int = 0,
        add_special_tokens: bool = True,
    ) -> dict[str, list[list[int]]]:
        """``input_ids`` of each text."""
        if truncation:
            self._pieces.enable_truncation(max_length)
        else:
            self._pieces.no_truncation()
        found = self._pieces.encode_batch(list(texts), add_special_tokens=add_special_tokens)
        return {"input_ids": [one.ids for one in found]}

    def save_pretrained(self, folder: Path) -> None:
        """Write the files that ``transformers`` reads."""
        from transformers import AutoTokenizer

        quiet_transformers()
        made = AutoTokenizer.from_pretrained(self._folder)
        made.model_max_length = self.model_max_length
        made.save_pretrained(folder)


def read_config(folder: Path, classes: Sequence[str] = ()) -> Any:
    """The configuration of an encoder.

    Args:
        folder: as ``from_pretrained`` takes it.
        classes: of its head, in index order; empty: those that it was saved with.
    """
    named = {
        "id2label": dict(enumerate(classes)),
        "label2id": {name: index for index, name in enumerate(classes)},
    }
    if folder == packaged_folder():
        found = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        return Config(**found, **named)
    from transformers import AutoConfig

    quiet_transformers()
    return AutoConfig.from_pretrained(folder, **(named if classes else {}))


def standard_config(config: Any) -> Any:
    """A copy, as ``transformers`` has it."""
    return config.of_transformers() if isinstance(config, Config) else copy.deepcopy(config)


def read_tokenizer(folder: Path, **options: Any) -> Any:
    """The tokenizer of an encoder.

    Args:
        folder: as ``from_pretrained`` takes it.
        options: of ``from_pretrained``, for other encoders than the packaged one.
    """
    if folder == packaged_folder():
        return Tokenizer(folder)
    from transformers import AutoTokenizer

    quiet_transformers()
    return AutoTokenizer.from_pretrained(folder, **options)
