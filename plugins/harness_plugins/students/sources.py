"""Where an encoder comes from: packaged, a folder, or the hub."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.data import Kind
from harness.errors import CommandError, ServiceError
from harness.protocols import StudentRequest
from harness_plugins.encoders import BERT, PACKAGED, ROBERTA, packaged_folder
from harness_plugins.packaged import read_tokenizer
from harness_plugins.students.settings import Head

RATES: Mapping[Kind, float] = {"sequence": 3e-5, "token": 5e-5}
"""Of encoders of the usual size: FreeAL's; for tokens what BERT's authors recommend at most."""
SMALL_RATES: Mapping[Kind, float] = {"sequence": 1e-4, "token": 3e-4}
"""Of the packaged encoder, half as wide (results/LOG.md)."""
SMALL_CAREFUL = 3e-5
"""Of the packaged encoder where wrong labels must not be memorised (results/LOG.md)."""


@dataclass(frozen=True, slots=True)
class Source:
    """An encoder's files.

    Attributes:
        folder: as ``from_pretrained`` takes it.
        identity: name and version.
        tuned_for_mean: it was trained to put a text's meaning into the mean over word pieces.
        model_type: as its configuration calls the architecture.
        rates: peak learning rates by kind of task, unless the configuration says otherwise.
        careful_rate: of sequence tasks, see ``Settings``.
    """

    folder: Path
    identity: str
    tuned_for_mean: bool = False
    model_type: str = "bert"
    rates: Mapping[Kind, float] = field(default_factory=lambda: RATES)
    careful_rate: float | None = None

    def head(self, preset: str) -> Head:
        """Of sequence tasks: FreeAL's preset ``paper`` takes the sentence token where it can."""
        other = preset != "paper" and self.model_type in (*BERT, *ROBERTA)
        return "mean" if self.tuned_for_mean or other else "cls"

    def tokenizer(self, folder: Path, kind: Kind) -> Any:
        """The tokenizer of a folder, in token tasks for single tokens.

        A byte-level tokenizer (RoBERTa) splits a word differently at the start of a text than
        after a space; the tokens of a sentence are split as after a space.
        """
        if kind == "sequence" or folder == packaged_folder():
            return read_tokenizer(folder)
        return _behind_space(read_tokenizer(folder, add_prefix_space=True))


def _behind_space(tokenizer: Any) -> Any:
    """Sets the option again: RoBERTa's tokenizer class reads it, a general one (ModernBERT) not."""
    pieces = tokenizer.backend_tokenizer.pre_tokenizer if tokenizer.is_fast else None
    if pieces is not None:
        state = json.loads(pieces.__getstate__())
        for part in (state, *state.get("pretokenizers", ())):
            if part["type"] == "ByteLevel":
                part["add_prefix_space"] = True
        pieces.__setstate__(json.dumps(state).encode())
        tokenizer.backend_tokenizer.pre_tokenizer = pieces
    return tokenizer


HUB = {
    "roberta": ("FacebookAI/roberta-base", None),
    "biomed-roberta": ("allenai/biomed_roberta_base", "refs/pr/2"),
    "bert": ("google-bert/bert-base-cased", None),
}
"""Repository and revision of students on the hub. The main branch of biomed_roberta_base has its
weights as pickle only, the pull request as safetensors."""


def packaged() -> Source:
    """The packaged sentence encoder, trained to put a text's meaning into the mean."""
    return Source(
        packaged_folder(),
        PACKAGED,
        tuned_for_mean=True,
        rates=SMALL_RATES,
        careful_rate=SMALL_CAREFUL,
    )


def packaged_source(request: StudentRequest) -> Source:
    """``packaged``, which takes no argument and no option."""
    request.spec.no_argument()
    request.spec.check_options()
    return packaged()


def hub_source(request: StudentRequest) -> Source:
    """An encoder of ``HUB``.

    Raises:
        ServiceError, CommandError: saying how to get it.
    """
    request.spec.no_argument()
    request.spec.check_options()
    name = request.spec.name
    repository, revision = HUB[name]
    try:
        return _located(repository, revision)
    except ServiceError:
        at = f" --revision {revision}" if revision else ""
        raise ServiceError(
            f"student {name!r}: {repository} is not in the hub's cache, and the hub cannot "
            f"be reached; where there is a network: hf download {repository}{at}; or use "
            "--student transformers:FOLDER, or --student minilm, which needs no hub"
        ) from None


def named_source(request: StudentRequest) -> Source:
    """``transformers:MODEL``, a folder or an id of the hub; option ``revision``.

    Raises:
        CommandError: if there is no such folder.
        ServiceError: if the hub cannot be reached.
    """
    request.spec.check_options("revision")
    if not request.spec.argument:
        raise CommandError(
            "transformers: name an encoder, for instance transformers:FacebookAI/roberta-base, "
            "or its folder"
        )
    return _located(request.spec.argument, request.spec.options.get("revision"))


def _located(model: str, revision: str | None) -> Source:
    from harness_plugins.llm.local.files import locate

    files = locate(model, revision)
    return Source(files.folder, files.identity(), model_type=_model_type(files.folder))


def _model_type(folder: Path) -> str:
    """Empty if the configuration is damaged, of which ``checking`` says more."""
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return ""
    return str(config.get("model_type", "")) if isinstance(config, dict) else ""
