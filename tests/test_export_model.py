"""``harness export --model``: folders that transformers loads, and their model cards."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness_tasks.task import DeclaredTask
from tests.commands import call, succeeded
from tests.exporting import SHIPPED, exported, recorded_run, run

pytestmark = pytest.mark.usefixtures("alone")


LOADS = """
import json, sys
import numpy as np, torch
from transformers import AutoTokenizer, pipeline
from transformers import AutoModelForSequenceClassification, AutoModelForTokenClassification


def said(kind, folder, rows):
    tokenizer = AutoTokenizer.from_pretrained(folder)
    if kind == "sequence":
        model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
        words = tokenizer(rows, padding=True, truncation=True, return_tensors="pt")
        say = pipeline("text-classification", model=model, tokenizer=tokenizer, truncation=True)
        piped = [one["label"] for one in say([*rows, "word " * 5000])]
    else:
        model = AutoModelForTokenClassification.from_pretrained(folder).eval()
        words = tokenizer(rows, is_split_into_words=True, padding=True, truncation=True,
                          return_tensors="pt")
        say = pipeline("token-classification", model=model, tokenizer=tokenizer,
                       aggregation_strategy="first")
        piped = [[one["entity_group"] for one in row] for row in say([" ".join(r) for r in rows])]
    with torch.inference_mode():
        logits = model(**words).logits.log_softmax(-1)
    if kind == "token":
        firsts = []
        for row in range(len(rows)):
            ids, seen = words.word_ids(row), set()
            for place, word in enumerate(ids):
                if word is not None and word not in seen:
                    seen.add(word)
                    firsts.append(logits[row, place])
        logits = torch.stack(firsts)
    return logits.tolist(), piped, model.config.id2label, tokenizer.model_max_length


answers = [said(*asked) for asked in json.load(open(sys.argv[1]))]
assert not {"harness", "harness_plugins"} & set(sys.modules)
print(json.dumps(answers))
"""


def loaded(*asked: tuple[str, Path, list[Any]]) -> list[Any]:
    """What transformers says in a process that has nothing of this project."""
    Path("asked.json").write_text(json.dumps(asked, default=str), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-c", LOADS, "asked.json"],
        env={"PATH": "", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return list(json.loads(done.stdout))


TASKS = {"demo": ("sequence", "text"), "demo-ner": ("token", "tokens")}


@pytest.mark.slow
def test_transformers_loads_the_models_and_says_what_the_runs_recorded() -> None:
    noisy = ("--annotator", "noisy:0.2", "--rounds", "1", "--set", "student.save=true")
    few = ("--limit", "40", "--set", "student.epochs=1", "--set", "student.preset=plain")
    results, asked = {}, []
    for task, (kind, key) in TASKS.items():
        result = results[task] = run("--task", task, "--student", "minilm", *noisy, *few)
        target = Path("models") / task
        assert str(target) in succeeded(call("export", result["run_id"], "--model", target))
        rows = exported(result["run_id"], f"{task}.jsonl")
        asked.append((kind, target, [row[key] for row in rows]))
    for (task, result), (_, target, _), answer in zip(
        results.items(), asked, loaded(*asked), strict=True
    ):
        check_files(Path(f"results/runs/{task}/{result['run_id']}"), target)
        check_answers(task, result, *answer)
        check_card((target / "README.md").read_text(encoding="utf-8"), result)
    assert {*Path("models").iterdir()} == {target for _, target, _ in asked}


def check_files(folder: Path, target: Path) -> None:
    """They may be read by whoever may read the run, and name no folder of this machine."""
    written = [*folder.glob("rounds/00/*"), *folder.glob("student/*"), *target.iterdir()]
    assert {file.stat().st_mode & 0o666 for file in written} == {folder.stat().st_mode & 0o666}
    files = [path for path in target.iterdir() if path.suffix != ".safetensors"]
    assert not [p for p in files if str(Path.home()) in p.read_text() or "/site-" in p.read_text()]
    assert {path.stat().st_mode for path in target.iterdir()} == {
        (target / "README.md").stat().st_mode
    }


def check_answers(
    task: str, result: Mapping[str, Any], logits: Any, piped: Any, names: Any, length: int
) -> None:
    from safetensors.numpy import load_file

    from harness_plugins.encoders import bf16_pays

    view = load_file(Path(f"results/runs/{task}/{result['run_id']}/rounds/00/view.safetensors"))
    said, recorded = np.asarray(logits), view["train.log_probabilities"]
    assert said.shape == recorded.shape
    near = 0.05 if bf16_pays() else 1e-3  # the run may have viewed its pool in bfloat16
    assert np.abs(np.exp(said) - np.exp(recorded)).max() < near
    clear = np.diff(np.sort(np.exp(recorded))[:, -2:])[:, 0] > 2 * near
    assert (said.argmax(1) == recorded.argmax(1))[clear].all()
    assert clear.sum() > len(clear) / 3
    classes = DeclaredTask(SHIPPED / f"{task}.toml").card.classes
    assert names == {str(number): name for number, name in enumerate(classes)}
    assert length == 128
    if task == "demo":
        assert piped[:-1] == [classes[one] for one in said.argmax(1)]
    else:
        assert {group for row in piped for group in row} <= {name[2:] for name in classes[1:]}


def check_card(card: str, result: Mapping[str, Any]) -> None:
    last = result["stages"][-1]
    assert card.startswith("---\nlibrary_name: transformers\npipeline_tag: ")
    assert "**Supervised" in card and "`noisy:0.2`" in card and result["run_id"] in card
    for scored in (last["transductive"], last["inductive"]):
        assert f"| {100 * scored['score']:.1f} |" in card
    command = next(line for line in card.splitlines() if line.startswith("harness run "))
    outcome = call(*command.split()[1:], "--json")
    assert outcome.code == 0 and json.loads(outcome.stdout) == result  # it names this very run


def test_a_card_names_no_folder_of_the_machine() -> None:
    from harness.export.model_card import model_card
    from harness.results import load_result

    result = recorded_run()
    found = load_result(Path(f"results/runs/demo/{result['run_id']}/result.json"))
    card = model_card(found, DeclaredTask(SHIPPED / "demo.toml").card, "harness run")
    assert "`replay:recorded.jsonl`" in card and "No human label was used" in card
    assert str(Path.cwd()) not in card


def test_the_command_of_a_run_holds_every_key_that_was_set() -> None:
    from harness.config import load_config
    from harness.export.reproducing import command_of
    from harness.plugin_manager import Plugins

    card = DeclaredTask(SHIPPED / "demo.toml").card
    settings = [
        "annotator.spec=openai:some model", "annotator.base_url=http://10.0.0.7:8000/v1",
        'annotator.parameters={top_p = 0.5, stop = ["a b"]}', "selector.trust=small-loss:0.3",
        "annotator.price_input=0.5", "annotator.price_output=2", "annotator.concurrency=3",
        "annotator.key_file=/home/me/keys", "demonstrations.shots=4",
    ]  # fmt: skip
    config = load_config(None, [*settings, "task=/home/me/mine.toml"])
    command = command_of(config, card, Plugins(third_party=False))
    assert "/home/me" not in command and "10.0.0.7" not in command and "concurrency" not in command
    for part in ("--task mine.toml", "'openai:some model'", "base_url=URL",
                 "selector.trust=small-loss:0.3", "demonstrations.shots=4"):  # fmt: skip
        assert part in command
    words = shlex.split(command)
    given = [words[place + 1] for place, word in enumerate(words) if word == "--set"]
    again = load_config(None, given)
    assert again.annotator.parameters == {"top_p": 0.5, "stop": ["a b"]}
    assert (again.annotator.price_input, again.annotator.price_output) == (0.5, 2)
    assert again.demonstrations.shots == 4 and not again.student.save
    kept = load_config(None, [*settings, "student.save=true"])
    assert "--set student.save=true" in command_of(kept, card, Plugins(third_party=False))


TYPES = ["BertConfig", "RobertaConfig", "XLMRobertaConfig", "CamembertConfig"]
SIZES = {"hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 3,
         "intermediate_size": 16, "vocab_size": 200, "max_position_embeddings": 64}  # fmt: skip


def mean_model(encoder: Any, classes: int = 3) -> Any:
    """A ``mean`` head with large weights, drawn at random."""
    import torch

    from harness_plugins.students.encoder.heads import MeanPooled

    with torch.random.fork_rng():
        torch.manual_seed(3)
        model = MeanPooled(encoder, classes).eval()
        torch.nn.init.normal_(model.classifier.weight)
        torch.nn.init.normal_(model.classifier.bias)
    return model


@pytest.mark.parametrize("name", TYPES)
def test_a_mean_head_has_the_same_logits_in_its_standard_form(name: str) -> None:
    import torch
    import transformers

    from harness_plugins.students.encoder.exporting import standard_form

    config = getattr(transformers, name)(**SIZES, num_labels=3)
    encoder = transformers.AutoModel.from_config(config)
    for key, parameter in encoder.named_parameters():
        if "LayerNorm" in key:  # as after training: no longer 1 and 0
            torch.nn.init.normal_(parameter, mean=float("weight" in key), std=0.3)
    model = mean_model(encoder)
    rng = np.random.default_rng(0)
    model.scale_by(*rng.uniform(0.1, 2.0, (2, config.hidden_size)))
    made = standard_form(model)
    ids = torch.randint(5, 200, (5, 30))
    mask = (torch.arange(30) < torch.tensor([30, 17, 9, 4, 2])[:, None]).long()
    ids[mask == 0] = config.pad_token_id
    with torch.inference_mode():
        wanted = model(input_ids=ids, attention_mask=mask).logits
        for implementation in ("eager", "sdpa"):
            made.set_attn_implementation(implementation)
            found = made(input_ids=ids, attention_mask=mask).logits
            assert float((found - wanted).abs().max() / wanted.abs().max()) < 1e-3


def test_an_encoder_that_is_built_otherwise_is_refused() -> None:
    import transformers

    from harness.errors import CommandError
    from harness_plugins.students.encoder.exporting import standard_form

    config = transformers.DistilBertConfig(dim=24, n_layers=1, n_heads=2, hidden_dim=16)
    model = mean_model(transformers.AutoModel.from_config(config))
    with pytest.raises(CommandError, match=r"'distilbert' cannot be exported.*head=cls"):
        standard_form(model)


@pytest.mark.slow
@pytest.mark.parametrize("half", ["float32", "bfloat16", "float16"])
def test_the_packaged_encoder_keeps_its_predictions(half: str) -> None:
    import torch
    from transformers import AutoModel, AutoTokenizer

    from harness_plugins.encoders import packaged_folder
    from harness_plugins.students.encoder.exporting import standard_form

    encoder = AutoModel.from_pretrained(packaged_folder(), dtype=torch.float32, num_labels=6)
    pool = DeclaredTask(SHIPPED / "demo.toml").load("test")
    assert pool is not None
    texts = list(pool.texts)[:6]
    texts += ["Hi.", " ".join(texts)]
    model = mean_model(encoder, classes=6)
    tokenizer = AutoTokenizer.from_pretrained(packaged_folder())
    words = tokenizer(texts, padding=True, truncation=True, max_length=128, return_tensors="pt")
    words.pop("token_type_ids")
    made = standard_form(model)
    with torch.inference_mode():
        wanted = model(**words).logits
        found = made.to(getattr(torch, half))(**words).logits.float()
    differs = float((found - wanted).abs().max() / wanted.abs().max())
    assert differs < {"float32": 1e-4, "bfloat16": 5e-2, "float16": 5e-3}[half]
    if half != "bfloat16":
        assert torch.equal(found.argmax(1), wanted.argmax(1))
