"""Peak memory and speed of ``harness predict`` on many short texts, in a process of its own.

    python -m tests.benchmarks.predict [--rows 1000000] [--encoder tiny|minilm] [--suffix .csv]

tiny: two layers of width 32, random weights, so that what is measured is mostly reading, cutting
into word pieces and writing. minilm: the packaged encoder with a random head, exported as
``harness export --model`` does.
"""

from __future__ import annotations

import argparse
import random
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter

from harness.export.rows import write_rows
from harness_plugins.encoders import packaged_folder, quiet_transformers
from harness_plugins.students.encoder.exporting import export_model
from harness_plugins.students.encoder.heads import load_classifier
from harness_plugins.students.sources import Source
from tests.commands import PROGRAM
from tests.tiny_encoders import WORDS, write_bert

CLASSES = ("billing", "delivery", "login", "damage", "praise")
LENGTH = 128


def rows(count: int) -> Iterator[dict[str, object]]:
    """Ids, and texts of three to fifteen words."""
    draw = random.Random(0)
    for number in range(count):
        yield {"id": number, "text": " ".join(draw.choices(WORDS, k=draw.randint(3, 15)))}


def write_model(folder: Path, encoder: str) -> Path:
    """An exported model with a new head."""
    tiny = encoder == "tiny"
    source = write_bert(folder / "encoder") if tiny else packaged_folder()
    model = load_classifier(
        source,
        "sequence",
        "cls" if tiny else "mean",
        CLASSES,
        attention_dropout=True,
        frozen_embeddings=False,
    )
    (folder / "model").mkdir()
    tokenizer = Source(source, encoder).tokenizer(source, "sequence")
    export_model(model, tokenizer, folder / "model", LENGTH)
    return folder / "model"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--encoder", choices=("tiny", "minilm"), default="tiny")
    parser.add_argument("--suffix", default=".csv")
    options = parser.parse_args()
    quiet_transformers()
    with tempfile.TemporaryDirectory() as named:
        folder = Path(named)
        model = write_model(folder, options.encoder)
        file, out = (folder / f"{name}{options.suffix}" for name in ("texts", "labels"))
        write_rows(file, rows(options.rows))
        began = perf_counter()
        command = [str(PROGRAM), "predict", str(model), str(file), "-o", str(out)]
        subprocess.run(command, check=True, stdout=sys.stderr)
        seconds = perf_counter() - began
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20
        size = file.stat().st_size / 2**20
        print(
            f"{options.encoder}, {options.suffix}, {options.rows:,} rows ({size:.0f} MiB): "
            f"{seconds:.0f} s, {options.rows / seconds:,.0f} rows/s, peak {peak:.2f} GiB"
        )


if __name__ == "__main__":
    main()
