"""A local model as the annotator of a run: it always answers, with probabilities."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from harness.data import Annotations
from harness.plugin_manager import Plugins
from harness.protocols import Account, AnnotatorRequest, no_progress
from harness.specs import parse_spec
from harness_plugins.llm.settings import LlmKeys
from tests.commands import call
from tests.factories import sequence_card, text_pool
from tests.tiny_models import SENTENCES, write_model

CARD = sequence_card("art", "artful", "dull")
TEXTS = [" ".join(sentence.split()[:n]) for sentence in SENTENCES for n in (3, 5, 7)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("local") / "tiny", context=4096)


def annotations(folder: Path, replies: Path, **config: object) -> Annotations:
    spec = parse_spec(f"transformers:{folder}")
    request = AnnotatorRequest(spec, CARD, LlmKeys.model_validate(config), 0)
    part = Plugins(third_party=False).part("annotator", spec.name).factory(request)
    with part.open(Account("run", replies, None, lambda line: None)):
        found = part.annotate(text_pool(TEXTS), None, no_progress)
    assert isinstance(found, Annotations)
    return found


def test_it_always_answers_with_a_probability(folder: Path, tmp_path: Path) -> None:
    found = annotations(folder, tmp_path / "replies.sqlite")
    assert set(found.labels.tolist()) <= {0, 1, 2}
    assert np.all((found.confidence >= 1 / 3) & (found.confidence <= 1))
    assert found.cost_usd.sum() == 0
    assert np.all(found.tokens > 0)


def test_calibration_is_an_option_and_asks_anew(folder: Path, tmp_path: Path) -> None:
    replies = tmp_path / "replies.sqlite"
    plain = annotations(folder, replies)
    found = annotations(folder, replies, parameters={"calibrate": True})
    assert found.requests.sum() == len(TEXTS)
    assert not np.allclose(found.confidence, plain.confidence)


@pytest.mark.slow
def test_a_run_with_a_local_model(folder: Path, tmp_path: Path) -> None:
    run = [
        *("run", "--task", "demo", "--annotator", f"transformers:{folder}", "--student", "tfidf"),
        *("--rounds", 1, "--limit", 20, "--set", "demonstrations.generated=false"),
        *("--out", tmp_path),
    ]
    outcome = call(*run)
    assert outcome.code == 0, outcome.stderr
    missing = call(*run[:4], "transformers:./nowhere", *run[5:])
    assert missing.code == 2
    assert "no such folder" in missing.stderr
    assert missing.stderr.count("\n") == 1
