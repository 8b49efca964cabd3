"""The configuration: precedence, errors, TOML, the keys of parts, identity."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from harness.config import Config, config_hash, load_config, to_toml
from harness.errors import CommandError, ConfigError
from harness.plugin_manager import Plugins
from harness.run.assembly import assemble, checked, run_id

OTHER_VALUES: dict[str, Any] = {
    "task": "demo-ner",
    "rounds": 3,
    "seed": 1,
    "setting": "transductive",
    "without_leaked": True,
    "limit": 17,
    "validation": 0.25,
    "annotator.spec": "oracle",
    "annotator.model": "another",
    "annotator.base_url": "http://127.0.0.1:1/v1",
    "annotator.temperature": 0.5,
    "annotator.max_tokens": 7,
    "annotator.samples": 3,
    "annotator.candidates": 2,
    "annotator.structured": True,
    "annotator.logprobs": True,
    "annotator.repeats": "first",
    "annotator.parameters": {"top_p": 0.5},
    "demonstrations.generated": False,
    "demonstrations.shots": 4,
    "demonstrations.written": 5,
    "student.spec": "tfidf",
    "student.preset": "paper",
    "student.epochs": 5,
    "student.batch_size": 8,
    "student.learning_rate": 0.001,
    "student.careful_rate": 0.0005,
    "student.max_length": 64,
    "student.head": "cls",
    "student.augmenter": "word-edits",
    "student.weighted": False,
    "student.clean": "all",
    "student.clean_threshold": 0.5,
    "student.clean_by": "example",
    "student.clean_groups": "all",
    "student.agreement": False,
    "student.warmup_epochs": 2,
    "student.ramp_epochs": 3.0,
    "student.mixup": 0.5,
    "student.mixup_alpha": 1.0,
    "student.augmented": 0.5,
    "student.consistency": 0.5,
    "student.consistency_over": "all",
    "student.consistency_reduction": "mean",
    "student.temperature": 1.0,
    "student.unlabelled": True,
    "student.transition": False,
    "student.ema": 0.5,
    "student.processes": 2,
    "student.graphs": False,
    "student.feedback_epoch": 1,
    "selector.spec": "all",
    "selector.trust": "all",
    "selector.demonstrations": "random",
    "selector.query": "none",
    "selector.initial": "random:0.5",
    "selector.budget": 7,
    "selector.asks": 2,
}

OTHER_MANNERS: dict[str, Any] = {
    "budget_usd": 3.5,
    "annotator.concurrency": 1,
    "annotator.requests_per_minute": 10,
    "annotator.tokens_per_minute": 10,
    "annotator.timeout": 1.5,
    "annotator.retries": 0,
    "annotator.transport": "client",
    "annotator.batch": True,
    "annotator.key_env": "MY_KEY",
    "annotator.key_file": "keys.txt",
    "annotator.price_input": 1.0,
    "annotator.price_output": 1.0,
    "student.save": True,
}

LLM_ONLY = [
    key
    for key in (*OTHER_VALUES, *OTHER_MANNERS)
    if key.startswith("annotator.") and key != "annotator.spec"
]
PLUGINS = Plugins(third_party=False)


def flat(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested tables as dotted keys."""
    found: dict[str, Any] = {}
    for key, value in values.items():
        inner = flat(value, f"{prefix}{key}.") if isinstance(value, dict) and value else None
        found.update({f"{prefix}{key}": value} if inner is None else inner)
    return found


def settled(*settings: str, values: Mapping[str, Any] | None = None) -> Config:
    """A configuration of parts that take every key, unless others are named."""
    named = {} if values and values.get("annotator.spec") else {"annotator.spec": "openai:m"}
    return checked(load_config(None, settings, {**named, **(values or {})}), PLUGINS)


def defaults() -> dict[str, Any]:
    return flat(settled().model_dump())


def other(key: str) -> Config:
    """The defaults with another value of one key."""
    values = {**OTHER_VALUES, **OTHER_MANNERS}
    if key == "student.spec":
        return settled(values={key: "roberta"})
    return settled(values={key: values[key]})


def written(folder: Path, text: str) -> Path:
    file = folder / "run.toml"
    file.write_text(text, encoding="utf-8")
    return file


def test_a_file_changes_the_defaults(tmp_path: Path) -> None:
    file = written(tmp_path, 'rounds = 3\n[annotator]\nspec = "rules"\n')
    config = load_config(file)
    assert (config.rounds, config.annotator.spec, config.seed) == (3, "rules", 0)


def test_set_goes_before_the_file_and_options_before_both(tmp_path: Path) -> None:
    file = written(tmp_path, "rounds = 3\nseed = 3\nlimit = 3\n[student]\nepochs = 3\nsave = true")
    settings = ["seed=4", "limit=4", "student.epochs=4"]
    config = load_config(file, settings, {"limit": 5, "student.epochs": 5, "seed": None})
    assert (config.rounds, config.seed, config.limit) == (3, 4, 5)
    assert (config.student.model_dump()["epochs"], config.student.save) == (5, True)


def test_the_last_of_two_settings_counts() -> None:
    assert load_config(None, ["seed=1", "seed=2"]).seed == 2


@pytest.mark.parametrize(
    ("setting", "key", "value"),
    [
        ("student.save=true", "student.save", True),
        ("student.learning_rate = 3e-5", "student.learning_rate", 3e-5),
        ("annotator.spec=noisy:0.3", "annotator.spec", "noisy:0.3"),
        ('annotator.spec="rules"', "annotator.spec", "rules"),
        ("annotator.spec=replay:a=b,c.jsonl", "annotator.spec", "replay:a=b,c.jsonl"),
        ("task=my task.toml", "task", "my task.toml"),
    ],
)
def test_a_setting_is_toml_or_else_text(setting: str, key: str, value: object) -> None:
    assert flat(load_config(None, [setting]).model_dump())[key] == value


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("roundz=3", r"unknown key 'roundz'; did you mean 'rounds'\?"),
        ("rounds", "write KEY=VALUE"),
        ("rounds=0", "key 'rounds' = 0: input should be greater than or equal to 1"),
        ("rounds=many", "key 'rounds' = 'many'"),
        ("seed=-1", "key 'seed' = -1"),
        ("setting=both", "key 'setting' = 'both'"),
        ("demonstrations.shots=0", "key 'demonstrations.shots' = 0"),
        (
            "student=minilm",
            "'student' is a table of keys; set one of them, such as 'student.spec'",
        ),
    ],
)
def test_a_wrong_setting_is_named(setting: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        load_config(None, [setting])
    assert caught.value.exit_code == 2
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("student.epoch=3", "unknown key 'student.epoch'; did you mean 'student.epochs'.*minilm"),
        ("student.learning_rate=0", "key 'student.learning_rate' = 0: input should be greater"),
        ("student.epochs=1.5", "key 'student.epochs' = 1.5: input should be a valid integer"),
        ("annotator.temprature=1", "'annotator.temprature'; did you mean 'annotator.temperature'"),
        ("annotator.temperature=abc", "= 'abc': input should be .*, or input should be 'default'"),
        ("annotator.temperature=5", "temperature' = 5: input should be less .* or .*'default'"),
        ("annotator.parameters=5", "key 'annotator.parameters' = 5: input should be a valid dict"),
    ],
)
def test_a_wrong_key_of_a_part_is_named(setting: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        settled(setting)
    assert caught.value.exit_code == 2
    assert "\n" not in str(caught.value)


def test_a_setting_below_a_plain_value_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"--set task\.name=x: 'task' is not a table of keys"):
        load_config(None, ["task=demo", "task.name=x"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[student]\nepoch = 3\n", r"run\.toml: unknown key 'student\.epoch'; did you mean"),
        ("[student]\nepochs = 0\n", r"run\.toml: key 'student\.epochs' = 0"),
        ("rounds = 0\n", r"run\.toml: key 'rounds' = 0"),
        ("rounds = \n", r"run\.toml: not a readable TOML file"),
    ],
)
def test_a_wrong_file_is_named(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        checked(load_config(written(tmp_path, text)), PLUGINS)


def test_a_key_that_the_command_line_sets_is_not_the_files(tmp_path: Path) -> None:
    file = written(tmp_path, "[student]\nepochs = 2\n")
    with pytest.raises(ConfigError, match=r"^key 'student\.epochs' = 0"):
        checked(load_config(file, ["student.epochs=0"]), PLUGINS)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"absent\.toml: no such configuration file"):
        load_config(tmp_path / "absent.toml")


def test_a_file_that_is_not_utf8_is_named(tmp_path: Path) -> None:
    file = tmp_path / "run.toml"
    file.write_bytes(b'task = "caf\xe9"\n')
    with pytest.raises(ConfigError, match=r"run\.toml: not a readable TOML file"):
        load_config(file)


def test_a_configuration_is_frozen() -> None:
    config = load_config()
    with pytest.raises(ValidationError, match="frozen"):
        config.rounds = 3
    with pytest.raises(ValidationError, match="frozen"):
        config.student.save = True


@pytest.mark.parametrize("text", ["demo", 'a "b" \\ # c = d', "ä\n\tö", ""])
def test_toml_reads_back_as_the_same_configuration(tmp_path: Path, text: str) -> None:
    values = {**OTHER_VALUES, "annotator.spec": "gpt35", "student.spec": "bert", "task": text}
    for config in (settled(), settled(values=values)):
        again = checked(load_config(written(tmp_path, to_toml(config))), PLUGINS)
        assert again.model_dump() == config.model_dump()
        assert config_hash(again) == config_hash(config)


def test_toml_shows_every_key_with_what_it_means() -> None:
    text = to_toml(settled())
    lines = [line for line in text.splitlines() if line and not line.startswith("[")]
    names = [line.removeprefix("# ").partition(" ")[0] for line in lines]
    assert names == [key.rpartition(".")[2] for key in defaults()]
    assert all(len(line.partition("  # ")[2]) > 10 for line in lines)
    # A preset may set the keys of parts: what nobody set is no value in the file.
    assert "\n# samples = 1  # " in text and "annotator.samples" not in flat(tomllib.loads(text))


def test_what_was_set_is_known_when_the_file_is_read_back(tmp_path: Path) -> None:
    config = settled("annotator.samples=1")
    again = load_config(written(tmp_path, to_toml(config)))
    assert again.annotator.model_fields_set == {"spec", "samples"}


def test_other_values_names_every_field() -> None:
    others = {**OTHER_VALUES, **OTHER_MANNERS}
    assert set(others) == set(defaults())
    assert all(others[key] != value for key, value in defaults().items())


def test_the_hash_does_not_change_with_how_answers_are_fetched_and_paid_for() -> None:
    assert {config_hash(other(key)) for key in OTHER_MANNERS} == {config_hash(settled())}


def test_the_hash_changes_with_every_field_and_with_what_is_read() -> None:
    usual = settled()
    hashes = [config_hash(other(key)) for key in OTHER_VALUES]
    hashes += [config_hash(usual), config_hash(usual, "a"), config_hash(usual, "a", "b")]
    hashes += [config_hash(usual, "b", "a")]
    assert len(set(hashes)) == len(hashes)
    assert all(len(digits) == 8 and int(digits, 16) >= 0 for digits in hashes)


def resolved_id(config: Config) -> str:
    config, parts = assemble(config, PLUGINS, None)
    return run_id(config, parts)


def test_the_run_id_changes_with_every_field() -> None:
    # An augmenter needs a student that uses it: test_variants. So do unlabelled examples.
    left_out = ("student.augmenter", "student.unlabelled", *LLM_ONLY)
    keys = [key for key in OTHER_VALUES if key not in left_out]
    ids = [resolved_id(load_config(None, (), {key: OTHER_VALUES[key]})) for key in keys]
    ids.append(resolved_id(Config()))
    assert len({name.rpartition("-")[2] for name in ids}) == len(ids)
    assert ids[-1].startswith("embedding-minilm-freeal-r2-s0-")


@pytest.mark.parametrize("key", LLM_ONLY)
def test_a_key_that_the_annotator_would_ignore_is_refused(key: str) -> None:
    config = load_config(None, (), {key: {**OTHER_VALUES, **OTHER_MANNERS}[key]})
    with pytest.raises(CommandError, match=f"{key} has no effect: annotator 'embedding' takes no"):
        assemble(config, PLUGINS, None)


@pytest.mark.parametrize("settings", [["student.mixup=1"], ["student.preset=plain"]])
def test_a_key_that_the_student_would_ignore_is_refused(settings: list[str]) -> None:
    with pytest.raises(CommandError, match="has no effect: student 'tfidf' takes no such key"):
        assemble(load_config(None, ["student.spec=tfidf", *settings]), PLUGINS, None)


def test_a_default_that_is_spelt_out_makes_no_other_run() -> None:
    spelt = {
        "annotator.spec": "embedding",
        "demonstrations.shots": 10,
        "selector.trust": "agreeing-small-loss",
        "selector.demonstrations": "k-medoids",
        "selector.query": "untrusted",
    }
    assert resolved_id(load_config(None, (), spelt)) == resolved_id(Config())
