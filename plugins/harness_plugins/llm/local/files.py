"""A local model's files: finds, identifies and loads them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from harness.errors import CommandError, ServiceError
from harness_plugins.encoders import bf16_pays, device, quiet_transformers

PLAIN = ("*.json", "*.jinja", "*.model", "*.spm", "*.txt")
DECIDING = (*PLAIN, "*.safetensors", "*.bin")
"""Files that can change an answer: configuration, tokenizer, chat template, weights."""
IDENTITY_DIGITS = 12


@dataclass(frozen=True, slots=True)
class LocalFiles:
    """The folder of a model.

    Attributes:
        name: the hub's id, or the folder's own name: a moved folder keeps its replies.
        folder: with ``config.json``, weights and tokenizer.
    """

    name: str
    folder: Path

    def identity(self) -> str:
        """``name@version/dtype``: equal for equal files and arithmetic, and only then.

        The version is the commit for a snapshot in the hub's cache (its files never change), else
        a SHA-256 over the content of all files that can change an answer: sizes and times would
        miss further training, or change with a copy. This takes as long as loading the weights.
        """
        folder = self.folder
        commit = re.fullmatch("[0-9a-f]{40}", folder.name) and folder.parent.name == "snapshots"
        version = folder.name if commit else self._content()
        return f"{self.name}@{version[:IDENTITY_DIGITS]}/{dtype_name()}"

    def _content(self) -> str:
        stats = ((file, file.stat()) for file in self._deciding())
        return _content_of(tuple((file, stat.st_size, stat.st_mtime_ns) for file, stat in stats))

    def _deciding(self) -> Iterator[Path]:
        """Files by name; without ``.bin`` files if the weights are safetensors."""
        safe = any(self.folder.glob("*.safetensors"))
        for file in sorted({file for pattern in DECIDING for file in self.folder.glob(pattern)}):
            if file.is_file() and not (safe and file.suffix == ".bin"):
                yield file

    def load(self) -> tuple[Any, Any]:
        """Model (on the GPU if there is one, in bfloat16 where that pays) and tokenizer.

        Raises:
            CommandError: if the folder holds no causal language model.
        """
        from transformers import AutoModelForCausalLM, AutoTokenizer

        quiet_transformers()
        try:
            tokenizer = AutoTokenizer.from_pretrained(self.folder)
            model = AutoModelForCausalLM.from_pretrained(self.folder, dtype=dtype_name())
        except (OSError, ValueError, KeyError, ImportError) as error:
            reason = str(error).strip().splitlines()[0] if str(error).strip() else repr(error)
            raise CommandError(
                f"{self.folder}: no causal language model that transformers can load: {reason}"
            ) from None
        return model.to(device()).eval(), tokenizer


def locate(model: str, revision: str | None = None) -> LocalFiles:
    """Find a model's folder; ask the hub only if no folder has that name.

    Args:
        model: a folder, or an id of the Hugging Face hub.
        revision: branch, tag or commit of the hub; None: its default branch.

    Raises:
        CommandError: if it is neither.
        ServiceError: if the hub cannot be reached and the model is not in its cache.
    """
    folder = Path(model).expanduser()
    if folder.is_dir():
        if not (folder / "config.json").is_file():
            raise CommandError(f"transformers:{model}: no config.json there; pass a model's folder")
        return LocalFiles(folder.resolve().name, folder.resolve())
    if not re.fullmatch(r"[\w.-]+(/[\w.-]+)?", model) or model.startswith("."):
        raise CommandError(f"transformers:{model}: no such folder, and no id of the hub")
    return LocalFiles(model, _snapshot(model, revision))


@cache
def _content_of(files: tuple[tuple[Path, int, int], ...]) -> str:
    """A hash of the files' content, kept in the process while sizes and times are the same."""
    digest = hashlib.sha256()
    for file, *_ in files:
        with file.open("rb") as stream:
            own = hashlib.file_digest(stream, "sha256").hexdigest()
        digest.update(f"{file.name} {own}\n".encode())
    return digest.hexdigest()


def _snapshot(model: str, revision: str | None) -> Path:
    """The model's folder in the hub's cache, downloaded if necessary."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        for weights in ("*.safetensors", "*.bin"):
            folder = snapshot_download(
                model,
                revision=revision,
                allow_patterns=[*PLAIN, weights],
                ignore_patterns=["*/*"],
                max_workers=4,
            )
            if any(Path(folder).glob(weights)):
                return Path(folder)
    except (LocalEntryNotFoundError, OSError) as error:
        if isinstance(error, HfHubHTTPError) and error.response is not None:
            raise CommandError(f"transformers:{model}: {_hub_said(error)}") from None
        raise ServiceError(
            f"transformers:{model}: not in the hub's cache, and the hub cannot be reached; "
            "pass a folder with the model: transformers:FOLDER"
        ) from None
    except HFValidationError:
        raise CommandError(f"transformers:{model}: no such folder, and no id of the hub") from None
    raise CommandError(f"transformers:{model}: the hub has no weights of that name")


def _hub_said(error: Any) -> str:
    status = error.response.status_code
    if status in (401, 403, 404):
        return (
            f"the hub refuses it ({status}): no such model, or one that needs a login "
            "(hf auth login); a folder works, too: transformers:FOLDER"
        )
    return f"the hub answers {status}; try later, or pass a folder: transformers:FOLDER"


def dtype_name() -> str:
    """The arithmetic of models here, part of their identity since it changes the last digits."""
    return "bfloat16" if bf16_pays() else "float32"
