"""The model card of an exported student: what it is, how good, how to load and make it."""

from __future__ import annotations

import json
from collections.abc import Iterator

from harness.data import TaskCard
from harness.export.reproducing import portable
from harness.files.escaping import code_span, fence_of, markdown, markdown_row
from harness.metrics import Score
from harness.results import RunResult

CARD = """---
library_name: transformers
pipeline_tag: {pipeline}
tags:
- freeal-harness
- {tag}
---

# {task}: {student}

Trained on {pool:,} texts{title} with labels by the annotator {annotator}, in {rounds} {unit} \
(seed {seed}).

{supervised}

| {what} | meaning |
|---|---|
{labels}

| {metric}, % | {stage} |
|---|---|
{scores}

## Use

```python
from transformers import AutoModelFor{head}, AutoTokenizer, pipeline

model = AutoModelFor{head}.from_pretrained("DIR")
tokenizer = AutoTokenizer.from_pretrained("DIR")
{loading}
```

{reading} The model is for prediction: to train further, begin from the original encoder.

## Origin

{fence}
{command}
harness export {run} --model DIR
{fence}

Run `{run}`; freeal-harness {version}, Python {python}, {packages}.

## Licence

The weights come from {encoder} and fall under its licence. Before you pass the model on, state \
that licence here, and the terms of the data and of the annotator.
"""
OF_KIND = {
    "sequence": {
        "pipeline": "text-classification",
        "what": "label",
        "head": "SequenceClassification",
        "loading": """\
classify = pipeline("text-classification", model=model, tokenizer=tokenizer, truncation=True)
classify("a text")""",
        "reading": "Training truncated texts at the model's length; `truncation=True` does the "
        "same.",
    },
    "token": {
        "pipeline": "token-classification",
        "what": "entity type (tags in IOB2)",
        "head": "TokenClassification",
        "loading": """\
find = pipeline(
    "token-classification", model=model, tokenizer=tokenizer, aggregation_strategy="first"
)
find("a sentence")""",
        "reading": "The first word piece of a token carries its tag. For the scores above, the "
        "tags were decoded to valid IOB2 sequences, and sentences longer than the model's length "
        "were read in several windows; the pipeline does neither.",
    },
}
METRICS = {"accuracy": "accuracy", "entity_f1": "entity F1 (IOB2, exact spans)"}
SUPERVISED = {
    True: "**Supervised: these labels depend on gold labels. The scores say nothing about "
    "learning without human labels.**",
    False: "No human label was used in training; gold labels, if any, serve scores only.",
}


def model_card(result: RunResult, card: TaskCard, command: str) -> str:
    """Markdown with a YAML head, as model hubs read it, without any path of this machine.

    ``command`` makes the run again.
    """
    config, last, provenance = result.config, result.stages[-1], result.provenance
    packages = provenance.get("packages", {})
    used = [name for name in sorted(packages) if packages[name]]
    encoder = str(provenance.get("resolved", {}).get("student", {}).get("encoder", "another model"))
    packaged = encoder == "packaged"
    return CARD.format(
        **OF_KIND[card.kind],
        tag=json.dumps(result.task),
        task=card.name,
        student=markdown(portable(config["student"]["spec"])),
        annotator=code_span(portable(config["annotator"]["spec"])),
        pool=last.n,
        title=f" ({markdown(card.title)})" if card.title else "",
        rounds=config["rounds"],
        unit="round" if config["rounds"] == 1 else "rounds",
        seed=config["seed"],
        supervised=SUPERVISED[result.supervised],
        labels="\n".join(markdown_row((one.name, one.description)) for one in card.labels),
        metric=METRICS[card.metric],
        stage=last.stage,
        scores="\n".join(_scores(result)),
        command=command,
        fence=fence_of(command),
        run=result.run_id,
        version=provenance.get("harness"),
        python=provenance.get("python"),
        packages=", ".join(f"{name} {packages[name]}" for name in used),
        encoder="the packaged all-MiniLM-L6-v2" if packaged else code_span(portable(encoder)),
    )


def _scores(result: RunResult) -> Iterator[str]:
    last = result.stages[-1]
    found = {
        f"pool ({last.n:,} texts, the training texts)": last.transductive,
        "test set": last.inductive,
        "test set without texts of the pool": last.inductive_without_leaked,
        "validation set": last.validation,
    }
    known = {name: score for name, score in found.items() if score is not None}
    for name, score in known.items():
        yield markdown_row((name + _of_some(score), f"{100 * score.score:.1f}"))
    if not known:
        yield markdown_row(("no gold labels: how good it is, is not known", "–"))


def _of_some(score: Score) -> str:
    """The number of rows of a score, with its interval, where only some have gold."""
    if score.interval is None:
        return ""
    low, high = (100 * bound for bound in score.interval)
    return f"; of the {score.n} of them with gold, 95 % interval {low:.1f} to {high:.1f}"
