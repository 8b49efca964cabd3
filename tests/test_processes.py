"""Training in several processes: the same gradients, one line when one fails, kills."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from harness.errors import CommandError, PartError
from harness.protocols import Aids, no_progress
from harness_plugins.students.checking import check_used
from harness_plugins.students.settings import Settings
from harness_plugins.students.training import checkpoints
from harness_plugins.students.training.trainer import train_together
from harness_plugins.students.training.training_data import Plan
from tests.killing import group_lives, until
from tests.test_training import EVERYTHING, labels_of, student, texts
from tests.tiny_encoders import write_bert

TOGETHER = replace(EVERYTHING, mixup=0.0, processes=2, batch_size=7)
"""Which units mixup pairs depends on the parts of a batch; all other terms do not."""


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_bert(tmp_path_factory.mktemp("together") / "bert")


@pytest.fixture(scope="module")
def steady(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An encoder without dropout."""
    folder = write_bert(tmp_path_factory.mktemp("steady") / "bert")
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    config |= {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    return folder


def test_two_processes_learn_what_one_learns(steady: Path) -> None:
    """Batches of seven: one process has a text more; of the last, a single text, one has none."""
    pool = texts(29)
    said = labels_of(pool)
    seen: dict[int, list[tuple[int, int]]] = {1: [], 2: []}
    views = []
    for processes, told in seen.items():
        fitted = student(steady, replace(TOGETHER, processes=processes)).fit(
            pool, said, 7, lambda *done, told=told: told.append(done), Aids()
        )
        views.append(fitted.view(pool, no_progress))
    assert seen[1] == seen[2] and seen[2][-1] == (58, 58)
    np.testing.assert_allclose(views[0].log_probabilities, views[1].log_probabilities, atol=2e-3)


def test_killed_processes_go_on_at_their_last_epoch(
    bert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With dropout and mixup, too, a training that was killed ends as an undisturbed one."""
    monkeypatch.setattr(checkpoints, "SECONDS", 0.0)
    pool = texts(28)
    said = labels_of(pool)
    learner = student(bert, replace(TOGETHER, epochs=5, mixup=1.0))
    going, killed = tmp_path / "going", tmp_path / "killed"
    for folder in (going, killed):
        folder.mkdir()

    def keep(done: int, total: int) -> None:
        """What a kill after the first epochs would leave."""
        if (going / checkpoints.FILE).exists() and not any(killed.iterdir()):
            shutil.copy(going / checkpoints.FILE, killed)

    whole = learner.fit(pool, said, 7, keep, Aids(checkpoints=going)).view(pool, no_progress)
    assert any(killed.iterdir())
    seen: list[int] = []
    aids = Aids(checkpoints=killed)
    again = learner.fit(pool, said, 7, lambda done, _: seen.append(done), aids)
    assert seen and 28 < min(seen) <= max(seen) == 5 * 28
    view = again.view(pool, no_progress)
    np.testing.assert_allclose(whole.log_probabilities, view.log_probabilities, atol=1e-4)
    assert [file.name for file in killed.iterdir()] == [checkpoints.FILE]


def test_what_a_process_says_when_it_fails_is_one_line(steady: Path) -> None:
    pool = texts(8)
    learner = student(steady, TOGETHER)
    fitted = learner.load(steady)
    data = learner.training_data(fitted, pool, labels_of(pool, classes=5), Aids())
    plan = Plan(data, TOGETHER, fitted.pad, seed=0)
    with pytest.raises(PartError, match=r"^training in 2 processes: RuntimeError: .*[Cc]lass.*$"):
        train_together(fitted.model, learner.model_maker(steady, TOGETHER.head), plan, no_progress)


def test_processes_end_with_a_parent_that_is_killed(bert: Path, tmp_path: Path) -> None:
    """Also where the parent ignores interrupts, as a job in the background does."""
    script = tmp_path / "forever.py"
    script.write_text(
        "import os, signal\n"
        "from dataclasses import replace\n"
        "from pathlib import Path\n"
        "from tests.test_processes import Aids, TOGETHER, labels_of, no_progress, student, texts\n"
        "if __name__ == '__main__':\n"
        "    signal.signal(signal.SIGINT, signal.SIG_IGN)\n"
        "    pool = texts(28)\n"
        "    told = lambda *_: print('trains', flush=True)\n"
        f"    learner = student(Path({str(bert)!r}), replace(TOGETHER, epochs=10**6))\n"
        "    learner.fit(pool, labels_of(pool), 0, told, Aids())\n",
        encoding="utf-8",
    )
    with subprocess.Popen(
        [sys.executable, str(script)], stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as parent:
        assert parent.stdout is not None and parent.stdout.readline().strip() == "trains"
        parent.send_signal(signal.SIGKILL)
        parent.wait()
        end = time.monotonic() + 20
        while group_lives(parent.pid) and time.monotonic() < end:
            time.sleep(0.1)
        lives = group_lives(parent.pid)
        if lives:
            os.killpg(parent.pid, signal.SIGKILL)
    assert not lives


@pytest.mark.slow
@pytest.mark.parametrize("whole_group", [False, True])
def test_a_signal_ends_a_run_with_its_processes(
    bert: Path, whole_group: bool, tmp_path: Path
) -> None:
    """A signal to the command alone (``docker stop``), or to all processes (a batch queue)."""
    script = tmp_path / "often.py"
    script.write_text(
        "from harness.cli.app import main\n"
        "from harness_plugins.students.training import checkpoints\n"
        "checkpoints.SECONDS = 0.0\n"
        "if __name__ == '__main__':\n"
        "    main()\n",
        encoding="utf-8",
    )
    command = (
        *(sys.executable, str(script), "run", "--annotator", "noisy:0.2", "--rounds", "1"),
        *("--limit", "30", "--student", f"transformers:{bert}", "--set", "student.preset=plain"),
        *("--set", "student.processes=2", "--set", "student.epochs=100000", "--out", str(tmp_path)),
    )
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as run:
        kept = f"demo/*/*/**/{checkpoints.FILE}"
        until(lambda: any(tmp_path.glob(kept)) or run.poll() is not None, 120)
        if whole_group:
            os.killpg(run.pid, signal.SIGTERM)
        else:
            run.send_signal(signal.SIGTERM)
        out, err = run.communicate(timeout=30)
    assert (run.returncode, out) == (143, "")
    assert err.endswith("harness: terminated; the same command goes on from what is recorded\n")
    assert err.count("terminated") == 1 and "Traceback" not in err
    assert any(tmp_path.glob(kept))
    until(lambda: not group_lives(run.pid), 20)


@pytest.mark.parametrize(
    ("processes", "gpus", "said"),
    [(9, 16, "more than a batch has rows"), (3, 2, "GPUs on this machine: 2")],
)
def test_more_processes_than_can_work_are_refused(
    monkeypatch: pytest.MonkeyPatch, processes: int, gpus: int, said: str
) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
    settings = Settings(processes=processes, batch_size=8)
    with pytest.raises(CommandError, match=said):
        check_used(settings, "sequence")


def test_tokens_have_no_estimate_of_wrong_labels() -> None:
    with pytest.raises(CommandError, match="set mixture or all"):
        check_used(Settings(clean="auto"), "token")
