"""Training in several processes: the same gradients, one line when one fails, kills."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from harness.config import StudentConfig
from harness.errors import CommandError, PartError
from harness.protocols import Aids, no_progress
from harness_plugins.students import checkpoints
from harness_plugins.students.checking import check_used
from harness_plugins.students.course import Plan, train_together
from harness_plugins.students.settings import Settings
from tests.test_training import EVERYTHING, labels_of, student, texts
from tests.tiny_encoders import write_bert

TOGETHER = replace(EVERYTHING, mixup=0.0, processes=2, batch_size=7)
"""Which units mixup pairs depends on the parts of a batch; all other terms do not."""


@pytest.fixture(scope="module")
def steady(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An encoder without dropout."""
    folder = write_bert(tmp_path_factory.mktemp("steady") / "bert")
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    config |= {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    return folder


def test_two_processes_learn_what_one_learns(steady: Path) -> None:
    """Batches of seven: one process has a text more than the other; the last has a text only."""
    pool = texts(29)
    said = labels_of(pool)
    seen: list[tuple[int, int]] = []
    views = []
    for settings in (replace(TOGETHER, processes=1), TOGETHER):
        fitted = student(steady, settings).fit(
            pool, said, 7, lambda done, total: seen.append((done, total))
        )
        views.append(fitted.view(pool, no_progress))
    assert seen[: len(seen) // 2] == seen[len(seen) // 2 :] and seen[-1] == (58, 58)
    np.testing.assert_allclose(views[0].log_probabilities, views[1].log_probabilities, atol=2e-3)


def test_killed_processes_go_on_at_their_last_epoch(
    steady: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoints, "SECONDS", 0.0)
    settings = replace(TOGETHER, epochs=4)
    pool = texts(28)
    said = labels_of(pool)
    learner = student(steady, settings)
    alone = student(steady, replace(settings, processes=1))
    whole = alone.fit(pool, said, 7, no_progress).view(pool, no_progress)

    class KilledError(Exception):
        pass

    def kill(done: int, total: int) -> None:
        if done > total // 2 and (tmp_path / checkpoints.FILE).exists():
            raise KilledError

    with pytest.raises(KilledError):
        learner.fit_with(pool, said, 7, kill, Aids(checkpoints=tmp_path))
    seen: list[int] = []
    again = learner.fit_with(
        pool, said, 7, lambda done, _: seen.append(done), Aids(checkpoints=tmp_path)
    )
    assert min(seen) > 28
    np.testing.assert_allclose(
        whole.log_probabilities, again.view(pool, no_progress).log_probabilities, atol=2e-3
    )


def test_what_a_process_says_when_it_fails_is_one_line(steady: Path) -> None:
    pool = texts(8)
    learner = student(steady, TOGETHER)
    fitted = learner.load(steady)
    lesson = learner._lesson(fitted, pool, labels_of(pool, classes=5), Aids())
    plan = Plan(lesson, TOGETHER, fitted.pad, 0, None, None, "")
    with pytest.raises(PartError, match=r"^training in 2 processes: .*[Cc]lass.*$"):
        train_together(fitted.model, learner._making(steady), plan, no_progress)


@pytest.mark.parametrize(
    ("processes", "gpus", "said"),
    [(9, 0, "more than a batch has texts"), (3, 2, "there are 2 GPUs")],
)
def test_more_processes_than_can_work_are_refused(
    monkeypatch: pytest.MonkeyPatch, processes: int, gpus: int, said: str
) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
    settings = Settings(processes=processes, batch_size=8)
    with pytest.raises(CommandError, match=said):
        check_used(StudentConfig(), settings, "sequence")
