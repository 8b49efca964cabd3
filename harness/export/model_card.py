"""The model card of an exported student: what it is, how good, how to load and to remake it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from harness.data import TaskCard
from harness.export.reproducing import portable
from harness.metrics import Score
from harness.results import RunResult

PIPELINES = {"sequence": "text-classification", "token": "token-classification"}
METRICS = {"accuracy": "accuracy", "entity_f1": "entity F1 (IOB2, exact spans)"}
LOADING = {
    "sequence": """
from transformers import AutoModelForSequenceClassification, AutoTokenizer, pipeline

model = AutoModelForSequenceClassification.from_pretrained("DIR")
tokenizer = AutoTokenizer.from_pretrained("DIR")
classify = pipeline("text-classification", model=model, tokenizer=tokenizer, truncation=True)
classify("a text")
""",
    "token": """
from transformers import AutoModelForTokenClassification, AutoTokenizer, pipeline

model = AutoModelForTokenClassification.from_pretrained("DIR")
tokenizer = AutoTokenizer.from_pretrained("DIR")
find = pipeline(
    "token-classification", model=model, tokenizer=tokenizer, aggregation_strategy="first"
)
find("a sentence")
""",
}
READING = {
    "sequence": "Texts are cut at the length that training cut them at; `truncation=True` does so.",
    "token": "The first word piece of a token carries its tag. The scores above are of valid IOB2 "
    "sequences, decoded from these probabilities, and of sentences longer than the model's "
    "length in several windows; the pipeline does neither.",
}


def model_card(result: RunResult, card: TaskCard, command: str) -> str:
    """Markdown with a YAML head, as model hubs read it; no path of this machine is in it.

    Args:
        result: of the run whose last student it is.
        card: the task's.
        command: that makes the run again.
    """
    return "\n".join(
        [
            *_head(result),
            f"# {card.name}: {portable(result.config['student']['spec'])}",
            "",
            *_about(result, card),
            "",
            *_labels(card),
            "",
            *_scores(result, card),
            "",
            "## Use",
            "",
            f"```python{LOADING[card.kind]}```",
            "",
            READING[card.kind] + " The model is for prediction: to train further, begin from the "
            "original encoder.",
            "",
            "## Origin",
            "",
            f"```\n{command}\nharness export {result.run_id} --model DIR\n```",
            "",
            *_origin(result),
            "",
            "## Licence",
            "",
            f"The weights come from {_encoder(result)} and fall under its licence, which is to be "
            "stated here before the model is passed on; so are the terms of the data and of the "
            "annotator.",
            "",
        ]
    )


def _head(result: RunResult) -> Iterator[str]:
    yield from ("---", "library_name: transformers", f"pipeline_tag: {PIPELINES[result.kind]}")
    yield from ("tags:", "- freeal-harness", f"- {json.dumps(result.task)}", "---", "")


def _about(result: RunResult, card: TaskCard) -> Iterator[str]:
    config = result.config
    pool = result.stages[-1].n
    yield (
        f"Trained on {pool:,} texts{' (' + card.title + ')' if card.title else ''} with labels "
        f"that the annotator `{portable(config['annotator']['spec'])}` gave in "
        f"{config['rounds']} {'round' if config['rounds'] == 1 else 'rounds'} (seed "
        f"{config['seed']})."
    )
    yield ""
    yield (
        "**Supervised: gold labels had a part in these labels. The scores say nothing about "
        "learning without human labels.**"
        if result.supervised
        else "No human label had a part in training; gold labels, if any, serve scores only."
    )


def _labels(card: TaskCard) -> Iterator[str]:
    what = "label" if card.kind == "sequence" else "entity type (tags in IOB2)"
    yield from (f"| {what} | meaning |", "|---|---|")
    for label in card.labels:
        yield f"| {_cell(label.name)} | {_cell(label.description)} |"


def _scores(result: RunResult, card: TaskCard) -> Iterator[str]:
    last = result.stages[-1]
    found: Mapping[str, Score | None] = {
        f"pool ({last.n:,} texts, those it was trained on)": last.transductive,
        "test set": last.inductive,
        "test set without texts of the pool": last.inductive_without_leaked,
        "validation set": last.validation,
    }
    known = {name: score for name, score in found.items() if score is not None}
    if not known:
        yield "No gold labels, so no scores: how good it is, is not known."
        return
    yield from (f"| {METRICS[card.metric]}, % | {last.stage} |", "|---|---|")
    for name, score in known.items():
        yield f"| {name}{_of_some(score)} | {100 * score.score:.1f} |"


def _of_some(score: Score) -> str:
    """How many rows a score is of, with its interval, where only some have gold."""
    if score.interval is None:
        return ""
    low, high = (100 * bound for bound in score.interval)
    return f"; of the {score.n} of them with gold, 95 % interval {low:.1f} to {high:.1f}"


def _origin(result: RunResult) -> Iterator[str]:
    provenance = result.provenance
    packages: Mapping[str, Any] = provenance.get("packages", {})
    used = [f"{name} {packages[name]}" for name in sorted(packages) if packages[name]]
    yield (
        f"Run `{result.run_id}`; freeal-harness {provenance.get('harness')}, Python "
        f"{provenance.get('python')}, {', '.join(used)}."
    )


def _encoder(result: RunResult) -> str:
    resolved: Mapping[str, Any] = result.provenance.get("resolved", {})
    name = str(resolved.get("student", {}).get("encoder", "another model"))
    return "the packaged all-MiniLM-L6-v2" if name == "packaged" else f"`{portable(name)}`"


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())
