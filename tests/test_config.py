"""The configuration: approved defaults, precedence, errors, TOML, identity."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from harness.config import Config, config_hash, load_config, to_toml
from harness.errors import CommandError, ConfigError
from harness.plugin_manager import Plugins
from harness.run.assembly import assemble, run_id

TRAINING = (
    "max_length",
    "head",
    "augmenter",
    "weighted",
    "clean",
    "clean_threshold",
    "clean_by",
    "clean_groups",
    "agreement",
    "warmup_epochs",
    "ramp_epochs",
    "mixup",
    "mixup_alpha",
    "augmented",
    "consistency",
    "consistency_over",
    "consistency_reduction",
    "temperature",
    "unlabelled",
    "transition",
    "ema",
    "processes",
)
"""Settings of an encoder's training: the preset's where they are unset."""
APPROVED_DEFAULTS: dict[str, Any] = {
    "task": "demo",
    "rounds": 2,
    "seed": 0,
    "setting": "inductive",
    "limit": None,
    "budget_usd": None,
    "validation": 0.0,
    "without_leaked": False,
    "annotator.spec": None,
    "annotator.model": None,
    "annotator.base_url": None,
    "annotator.temperature": None,
    "annotator.max_tokens": None,
    "annotator.samples": 1,
    "annotator.structured": None,
    "annotator.logprobs": False,
    "annotator.repeats": "all",
    "annotator.parameters": {},
    "annotator.concurrency": 32,
    "annotator.requests_per_minute": None,
    "annotator.tokens_per_minute": None,
    "annotator.timeout": 60.0,
    "annotator.retries": 8,
    "annotator.transport": "auto",
    "annotator.courier": True,
    "annotator.batch": False,
    "annotator.key_env": None,
    "annotator.key_file": None,
    "annotator.price_input": None,
    "annotator.price_output": None,
    "demonstrations.generated": True,
    "demonstrations.shots": None,
    "demonstrations.written": 100,
    "student.spec": "minilm",
    "student.preset": "default",
    "student.epochs": None,
    "student.batch_size": None,
    "student.learning_rate": None,
    "student.careful_rate": None,
    **dict.fromkeys(f"student.{key}" for key in TRAINING),
    "student.save": False,
    "selector.spec": "freeal",
    "selector.trust": None,
    "selector.demonstrations": None,
    "selector.query": None,
}

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
    "selector.spec": "all",
    "selector.trust": "all",
    "selector.demonstrations": "random",
    "selector.query": "none",
}

OTHER_MANNERS: dict[str, Any] = {
    "budget_usd": 3.5,
    "annotator.concurrency": 1,
    "annotator.requests_per_minute": 10,
    "annotator.tokens_per_minute": 10,
    "annotator.timeout": 1.5,
    "annotator.retries": 0,
    "annotator.transport": "client",
    "annotator.courier": False,
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


def flat(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested tables as dotted keys."""
    found: dict[str, Any] = {}
    for key, value in values.items():
        inner = flat(value, f"{prefix}{key}.") if isinstance(value, dict) and value else None
        found.update({f"{prefix}{key}": value} if inner is None else inner)
    return found


def changed(key: str) -> Config:
    """The defaults with another value of one field, also where only one is valid today."""
    config, (*tables, last) = Config(), key.split(".")
    value = {**OTHER_VALUES, **OTHER_MANNERS}[key]
    if not tables:
        return config.model_copy(update={last: value})
    inner: BaseModel = getattr(config, tables[0])
    copied = inner.model_copy(update={last: value})
    return config.model_copy(update={tables[0]: copied})


def written(folder: Path, text: str) -> Path:
    file = folder / "run.toml"
    file.write_text(text, encoding="utf-8")
    return file


def test_the_defaults_are_the_approved_ones() -> None:
    assert flat(load_config().model_dump()) == APPROVED_DEFAULTS


def test_a_file_changes_the_defaults(tmp_path: Path) -> None:
    file = written(tmp_path, 'rounds = 3\n[annotator]\nspec = "rules"\n')
    config = load_config(file)
    assert (config.rounds, config.annotator.spec, config.seed) == (3, "rules", 0)


def test_set_goes_before_the_file_and_options_before_both(tmp_path: Path) -> None:
    file = written(tmp_path, "rounds = 3\nseed = 3\nlimit = 3\n[student]\nepochs = 3\nsave = true")
    settings = ["seed=4", "limit=4", "student.epochs=4"]
    config = load_config(file, settings, {"limit": 5, "student.epochs": 5, "seed": None})
    assert (config.rounds, config.seed, config.limit) == (3, 4, 5)
    assert (config.student.epochs, config.student.save) == (5, True)


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
        ("student.epoch=3", "unknown key 'student.epoch'; did you mean 'student.epochs'"),
        ("rounds", "write KEY=VALUE"),
        ("rounds=0", "key 'rounds' = 0: input should be greater than or equal to 1"),
        ("rounds=many", "key 'rounds' = 'many'"),
        ("seed=-1", "key 'seed' = -1"),
        ("setting=both", "key 'setting' = 'both'"),
        ("student.learning_rate=0", "key 'student.learning_rate' = 0"),
        ("student.epochs=1.5", "key 'student.epochs' = 1.5"),
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


def test_a_setting_below_a_plain_value_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"--set task\.name=x: 'task' is not a table of keys"):
        load_config(None, ["task=demo", "task.name=x"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[student]\nepoch = 3\n", r"run\.toml: unknown key 'student\.epoch'; did you mean"),
        ("rounds = 0\n", r"run\.toml: key 'rounds' = 0"),
        ("rounds = \n", r"run\.toml: not a readable TOML file"),
    ],
)
def test_a_wrong_file_is_named(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_config(written(tmp_path, text))


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
        config.student.epochs = 3


@pytest.mark.parametrize("text", ["demo", 'a "b" \\ # c = d', "ä\n\tö", ""])
def test_toml_reads_back_as_the_same_configuration(tmp_path: Path, text: str) -> None:
    values = {key: value for key, value in OTHER_VALUES.items() if key != "student.preset"}
    for config in (load_config(), load_config(None, (), {**values, "task": text})):
        assert load_config(written(tmp_path, to_toml(config))) == config


def test_toml_shows_every_key_with_what_it_means() -> None:
    text = to_toml(load_config())
    lines = [line for line in text.splitlines() if line and not line.startswith("[")]
    names = [line.removeprefix("# ").partition(" ")[0] for line in lines]
    assert names == [key.rpartition(".")[2] for key in APPROVED_DEFAULTS]
    assert all(len(line.partition("  # ")[2]) > 10 for line in lines)
    set_by_default = {
        key: value
        for key, value in APPROVED_DEFAULTS.items()
        if value is not None and not key.startswith("annotator.")  # a preset may set those
    }
    assert flat(tomllib.loads(text)) == {**set_by_default, "annotator": {}}
    assert "\n# samples = 1  # " in text


@pytest.mark.parametrize("value", ["abc", "5"])
def test_a_wrong_temperature_is_told_all_that_is_right(value: str) -> None:
    with pytest.raises(ConfigError, match=r"temperature.* = .*input should be .*or .*'default'"):
        load_config(None, [f"annotator.temperature={value}"])


def test_what_was_set_is_known_when_the_file_is_read_back(tmp_path: Path) -> None:
    config = load_config(None, ["annotator.samples=1"])
    again = load_config(written(tmp_path, to_toml(config)))
    assert again.annotator.model_fields_set == {"samples"}


def test_other_values_names_every_field() -> None:
    others = {**OTHER_VALUES, **OTHER_MANNERS}
    assert set(others) == set(APPROVED_DEFAULTS)
    assert all(others[key] != value for key, value in APPROVED_DEFAULTS.items())


def test_the_hash_does_not_change_with_how_answers_are_fetched_and_paid_for() -> None:
    assert {config_hash(changed(key)) for key in OTHER_MANNERS} == {config_hash(Config())}


def test_the_hash_changes_with_every_field_and_with_what_is_read() -> None:
    hashes = [config_hash(changed(key)) for key in OTHER_VALUES]
    hashes += [config_hash(Config()), config_hash(Config(), "a"), config_hash(Config(), "a", "b")]
    hashes += [config_hash(Config(), "b", "a")]
    assert len(set(hashes)) == len(hashes)
    assert all(len(digits) == 8 and int(digits, 16) >= 0 for digits in hashes)


def resolved_id(config: Config, plugins: Plugins) -> str:
    config, parts = assemble(config, plugins, None)
    return run_id(config, parts)


def test_the_run_id_changes_with_every_field() -> None:
    plugins = Plugins(third_party=False)
    # An augmenter needs a student that uses it: test_variants. So do unlabelled examples.
    left_out = ("student.preset", "student.augmenter", "student.unlabelled", *LLM_ONLY)
    keys = [key for key in OTHER_VALUES if key not in left_out]
    ids = [resolved_id(changed(key), plugins) for key in keys]
    ids.append(resolved_id(Config(), plugins))
    assert len({name.rpartition("-")[2] for name in ids}) == len(ids)
    assert ids[-1].startswith("embedding-minilm-freeal-r2-s0-")


@pytest.mark.parametrize("key", LLM_ONLY)
def test_a_key_that_the_annotator_would_ignore_is_refused(key: str) -> None:
    with pytest.raises(CommandError, match=f"{key} has no effect.*'embedding'"):
        assemble(changed(key), Plugins(third_party=False), None)


def test_a_default_that_is_spelt_out_makes_no_other_run() -> None:
    plugins = Plugins(third_party=False)
    spelt = {
        "annotator.spec": "embedding",
        "demonstrations.shots": 10,
        "selector.trust": "small-loss",
        "selector.demonstrations": "k-medoids",
        "selector.query": "untrusted",
    }
    assert resolved_id(load_config(None, (), spelt), plugins) == resolved_id(Config(), plugins)
