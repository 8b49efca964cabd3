"""The annotator that asks a language model, over the real engine and its cache."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness import abilities
from harness.config import DemonstrationsConfig, load_config, to_toml, with_keys
from harness.data import ABSTAINED, Annotations, Demonstrations, Pool, TaskCard
from harness.errors import CommandError, ConfigError, PartError
from harness.plugin_manager import Plugins
from harness.protocols import (
    AnnotatorRequest,
    no_progress,
)
from harness.specs import parse_spec
from harness_plugins.annotators.llm.annotator import LlmAnnotator
from harness_plugins.llm.calls import Call, Reply
from harness_plugins.llm.failures import RejectedError, UnsupportedError
from harness_plugins.llm.presets import Preset, preset_named
from harness_plugins.llm.settings import LlmKeys, LlmSettings
from tests.asking import SERVICES, annotator_of, settings_of
from tests.factories import sequence_card, text_pool, token_card, token_pool
from tests.models_in_process import Model, account, opener

SENTIMENT = sequence_card("negative", "positive")
NAMES = token_card("PER", "ORG")
SENTENCES = token_pool(["Ada met Bob .", "It rained .", "Acme hired Ada"])


def request(task: TaskCard, spec: str = "openai:small", **config: Any) -> AnnotatorRequest:
    return AnnotatorRequest(
        parse_spec(spec), task, LlmKeys(**config), 0, DemonstrationsConfig(written=12)
    )


def settings(task: TaskCard, **config: Any) -> LlmSettings:
    return settings_of(request(task, **config))


def annotator(task: TaskCard, model: Model, **config: Any) -> LlmAnnotator:
    return LlmAnnotator(task, settings(task, **config), shots=3, written=12, opener=opener(model))


def annotate(
    asked: LlmAnnotator,
    pool: Pool,
    folder: Path,
    demonstrations: Demonstrations | None = None,
    notes: list[str] | None = None,
    run_id: str = "run",
) -> Annotations:
    with asked.open(account(folder, notes, run_id)):
        return asked.annotate(pool, demonstrations, no_progress)


def text_of(call: Call) -> str:
    """The text of the query."""
    return call.messages[-1].content.removeprefix("Text:\n```\n").split("\n```")[0]


def by_text(answers: dict[str, Any]) -> Model:
    return Model(lambda call: answers[text_of(call)])


def shown(texts: Sequence[str], labels: Sequence[int], nearest: Any = None) -> Demonstrations:
    pool = text_pool(texts, "generated")
    rows = None if nearest is None else np.asarray(nearest, dtype=np.int32)
    return Demonstrations(pool, np.asarray(labels, dtype=np.int32), rows, "generated")


def test_it_is_all_that_an_llm_annotator_is() -> None:
    asked = annotator(SENTIMENT, by_text({}))
    assert hasattr(asked, "open") and abilities.fingerprint(asked)
    assert abilities.writer(asked) and abilities.messages(asked) and abilities.describe(asked)
    assert abilities.estimate(asked, text_pool(["good"]), 0) is not None
    assert asked.needs_gold is False


def test_replies_become_columns(tmp_path: Path) -> None:
    model = by_text(
        {
            "good": "Positive.",
            "bad": Reply("negative", prompt_tokens=50, completion_tokens=2, logprob=math.log(0.9)),
            "odd": "positive or negative",
            "mute": RejectedError("the server refused: too long"),
            "cut": Reply("posi", "length"),
        }
    )
    pool = text_pool(["good", "bad", "odd", "mute", "cut"])
    said = annotate(annotator(SENTIMENT, model), pool, tmp_path)
    assert said.labels.tolist() == [1, 0, ABSTAINED, ABSTAINED, ABSTAINED]
    assert said.replies == ("Positive.", "negative", "positive or negative", "", "posi")
    assert said.reasons[:2] == ("", "")
    assert "several labels: negative, positive" in said.reasons[2]
    assert said.reasons[3] == "the server refused: too long"
    assert "cut off" in said.reasons[4]
    assert said.requests.tolist() == [1, 1, 1, 0, 1]
    assert said.tokens.tolist() == [101, 52, 103, 0, 0]
    assert said.cost_usd[1] == pytest.approx(50e-6 + 4e-6)
    assert np.isnan(said.confidence[[0, 2, 3, 4]]).all()
    assert said.confidence[1] == pytest.approx(0.9)
    assert said.confidence.dtype == np.float32


def test_labels_that_are_left_open_become_candidates(tmp_path: Path) -> None:
    moods = sequence_card("negative", "neutral", "positive")
    model = by_text({"a": "positive or neutral", "b": "neutral", "c": "negative/neutral/positive"})
    pool = text_pool(["a", "b", "c"])
    said = annotate(annotator(moods, model), pool, tmp_path)
    assert (said.labels.tolist(), said.candidates) == ([-1, 1, -1], ((2, 1), (), ()))
    assert "up to" not in model.calls[0].messages[0].content
    asked = annotate(annotator(moods, model, candidates=2), pool, tmp_path)
    assert (asked.labels.tolist()[:2], asked.candidates[:2]) == ([2, 1], ((2, 1), ()))
    assert "name up to 2 labels, the likeliest first" in model.calls[-1].messages[0].content
    for card in (NAMES, moods):
        service = {} if card is NAMES else {"spec": "transformers:any"}
        with pytest.raises(ConfigError, match=r"annotator\.candidates: "):
            annotator_of(request(card, candidates=2, **service))


def test_a_tied_vote_leaves_open_what_is_tied(tmp_path: Path) -> None:
    moods = sequence_card("negative", "neutral", "positive")
    replies = iter(["neutral", "positive"] * 2)
    model = Model(lambda call: next(replies))
    said = annotate(annotator(moods, model, samples=2), text_pool(["a"]), tmp_path)
    assert (said.labels.tolist(), set(said.candidates[0])) == ([-1], {1, 2})


def test_what_was_asked_is_neither_sent_nor_paid_again(tmp_path: Path) -> None:
    model = by_text({"a": "positive", "b": "negative"})
    pool = text_pool(["a", "b", "a"])
    first = annotate(annotator(SENTIMENT, model), pool, tmp_path)
    assert len(model.calls) == 2
    assert first.labels.tolist() == [1, 0, 1]
    assert first.requests.sum() == 2
    same_run = annotate(annotator(SENTIMENT, model), pool, tmp_path)
    other = annotate(annotator(SENTIMENT, model), pool, tmp_path, run_id="other")
    assert len(model.calls) == 2
    assert same_run.requests.sum() == 2
    assert (other.requests.sum(), other.cost_usd.sum()) == (0, 0)
    assert other.labels.tolist() == first.labels.tolist()


def test_it_must_be_opened_first() -> None:
    with pytest.raises(PartError, match="open the LLM annotator"):
        annotator(SENTIMENT, by_text({})).annotate(text_pool(["a"]), None, no_progress)


def test_the_query_stands_behind_the_demonstrations_in_their_order(tmp_path: Path) -> None:
    model = Model(lambda call: "positive")
    nearest = [[2, 0, -1], [1, 2, 0]]
    given = shown(["d0", "d1", "d2"], [0, 1, 0], nearest)
    annotate(annotator(SENTIMENT, model), text_pool(["a", "b"]), tmp_path, given)
    first, second = model.calls
    assert [m.role for m in first.messages] == ["system", *["user", "assistant"] * 2, "user"]
    assert [m.content for m in first.messages[2::2]] == ["negative", "negative"]
    texts = [m.content.split("\n")[2] for m in second.messages[1::2]]
    assert texts == ["d1", "d2", "d0", "b"]


def test_the_nearest_demonstrations_are_retrieved_and_never_the_example_itself() -> None:
    texts = ["a lovely warm film", "my dog ate the sofa", "a charming warm film", "the tax rose"]
    given = shown([*texts, "a warm and lovely movie"], [1, 0, 1, 0, 1])
    asked = annotator(SENTIMENT, by_text({}))
    chat = asked.messages(text_pool(["a lovely warm film"]), given)[0]
    answers = [content for role, content in chat if role == "assistant"]
    found = [content.split("\n")[2] for role, content in chat if role == "user"]
    assert answers[:2] == ["positive", "positive"]
    assert set(found[:2]) == {"a charming warm film", "a warm and lovely movie"}
    assert len(found) == 4
    assert found.count("a lovely warm film") == 1


def test_samples_vote(tmp_path: Path) -> None:
    votes = {
        "clear": ["positive", "positive", "negative", "positive"],
        "tied": ["positive", "negative", "positive", "negative"],
        "unsure": ["positive", "?", "?", "hm"],
        "lost": ["?", "?", "hm", "?"],
    }
    model = Model(lambda call: votes[text_of(call)][call.sample])
    said = annotate(annotator(SENTIMENT, model, samples=4), text_pool(list(votes)), tmp_path)
    assert said.labels.tolist() == [1, ABSTAINED, 1, ABSTAINED]
    assert said.confidence[[0, 2]].tolist() == [0.75, 0.25]
    assert np.isnan(said.confidence[[1, 3]]).all()
    assert "tied" in said.reasons[1]
    assert "names no label" in said.reasons[3]
    assert said.requests.tolist() == [4, 4, 4, 4]
    assert json.loads(said.replies[0]) == votes["clear"]
    assert {json.loads(call.parameters)["temperature"] for call in model.calls} == {0.7}


def test_scored_choices_always_answer(tmp_path: Path) -> None:
    model = Model(lambda call: Reply("", choice_logprobs=(math.log(0.2), math.log(0.8))))
    asked = LlmAnnotator(
        SENTIMENT, settings_of(request(SENTIMENT, "transformers:m")), opener=opener(model)
    )
    said = annotate(asked, text_pool(["a", "b"]), tmp_path)
    assert said.labels.tolist() == [1, 1]
    assert said.confidence.tolist() == pytest.approx([0.8, 0.8])
    assert {call.choices for call in model.calls} == {("negative", "positive")}


def mentions(*pairs: tuple[str, str]) -> str:
    return json.dumps([{"text": text, "type": kind} for text, kind in pairs])


def test_mentions_become_tags(tmp_path: Path) -> None:
    model = by_text(
        {
            "Ada met Bob .": mentions(("Ada", "PER"), ("Bob", "PER")),
            "It rained .": "[]",
            "Acme hired Ada": mentions(("Acme", "ORG"), ("Eve", "PER"), ("Ada", "DATE")),
        }
    )
    said = annotate(annotator(NAMES, model), SENTENCES, tmp_path)
    assert said.labels.tolist() == [1, 0, 1, 0, 0, 0, 0, 3, 0, 0]
    assert said.confidence.tolist() == pytest.approx([1.0, 1.0, 1 / 3])
    assert said.reasons == ("", "", "")


def test_a_sentence_is_answered_whole_or_not_at_all(tmp_path: Path) -> None:
    model = by_text(
        {
            "Ada met Bob .": '[{"text": "Ada", "type": "PER"}, {"text": "Bo',
            "It rained .": mentions(("Snow", "PER")),
            "Acme hired Ada": mentions(("Ada", "DATE")),
        }
    )
    said = annotate(annotator(NAMES, model), SENTENCES, tmp_path)
    assert set(said.labels.tolist()) == {ABSTAINED}
    assert "read whole" in said.reasons[0]
    assert "is in the sentence" in said.reasons[1]
    assert "has a type of the task" in said.reasons[2]


def test_mentions_are_voted_on(tmp_path: Path) -> None:
    samples = [
        mentions(("Ada", "PER"), ("Bob", "PER")),
        mentions(("Ada", "PER"), ("met Bob", "ORG")),
        mentions(("Ada", "PER"), ("Bob", "PER")),
        "I do not know",
    ]
    model = Model(lambda call: samples[call.sample])
    said = annotate(annotator(NAMES, model, samples=4), SENTENCES.take(np.asarray([0])), tmp_path)
    assert said.labels.tolist() == [1, 0, 0, 0]  # Bob has two votes of four, not more than half
    assert said.confidence[0] == pytest.approx((0.75 + 0.5 + 0.75) / 3)


def test_structured_output_and_a_server_without_it(tmp_path: Path) -> None:
    def answering(call: Call) -> Any:
        if call.response_format:
            return UnsupportedError("response_format", "unknown field response_format")
        return '{"mentions": []}'

    model, notes = Model(answering), []
    asked = LlmAnnotator(NAMES, settings(NAMES), opener=opener(model))
    said = annotate(asked, SENTENCES, tmp_path, notes=notes)
    assert said.labels.tolist() == [0] * len(said.labels)
    assert len(notes) == 1
    assert "response_format" in notes[0]
    assert [bool(call.response_format) for call in model.calls] == [True, False, False, False]
    schema = json.loads(model.calls[0].response_format)["json_schema"]["schema"]
    item = schema["properties"]["mentions"]["items"]
    assert item["properties"]["type"]["enum"] == ["PER", "ORG"]


@pytest.mark.parametrize(
    ("spec", "config", "known"),
    [
        ("openai:gpt-6-luna", {}, True),
        ("openai:gpt-4o-mini", {}, True),
        ("openai:gpt-3.5-turbo", {}, False),
        ("openai:gpt-4-turbo", {}, False),
        ("openai:gpt-4o-mini", {"base_url": "http://127.0.0.1:1/v1"}, False),
        ("litellm:anthropic/claude-x", {}, True),
        ("litellm:ollama/llama3", {}, False),
        ("transformers:folder", {}, False),
    ],
)
def test_who_is_known_to_keep_to_a_schema(spec: str, config: dict[str, Any], known: bool) -> None:
    asked = settings_of(request(NAMES, spec, **config))
    assert asked.service.structured(asked) is known


@pytest.mark.parametrize("structured", [True, False])
def test_the_configuration_decides_on_structured_output(structured: bool) -> None:
    asked = annotator_of(request(NAMES, structured=structured))
    assert bool(asked.describe()["response_format"]) is structured
    assert not annotator_of(request(SENTIMENT, structured=True)).describe()["response_format"]


def test_the_fingerprint_covers_what_is_asked(tmp_path: Path) -> None:
    def of(task: TaskCard = NAMES, spec: str = "openai:m", **config: Any) -> str:
        return annotator_of(request(task, spec, **config)).fingerprint

    prints = [
        of(), of(spec="openai:n"), of(structured=False), of(temperature=0.5), of(samples=3),
        of(task=token_card("PER")), of(base_url="http://127.0.0.1:1/v1"), of(max_tokens=9),
        of(spec=f"openai:m,encoder={tmp_path}"), of(parameters={"top_p": 0.5}),
    ]  # fmt: skip
    assert len(set(prints)) == len(prints)
    assert of() == of(concurrency=3) == of(key_env="OTHER") == of(timeout=5.0)


def test_presets_and_services_are_registered(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "config.toml"
    file.write_text(
        '[presets.mine]\nspec = "openai:my-model"\nsummary = "mine"\ntemperature = 0.3\n'
    )
    monkeypatch.setenv("HARNESS_CONFIG", str(file))
    plugins = Plugins(third_party=False)
    parts = plugins.parts("annotator")
    assert {"openai", "litellm", "transformers", "gpt35", "gpt-small", "mine"} <= set(parts)
    assert plugins.problems == []
    mine = parts["mine"].factory(request(SENTIMENT, "mine"))
    assert mine.describe()["model"] == "my-model"
    assert json.loads(mine.describe()["parameters"])["temperature"] == 0.3
    assert parts["gpt35"].factory(request(NAMES, "gpt35")).describe()["model"] == "gpt-3.5-turbo"


def test_a_preset_with_a_built_in_name_is_refused_where_it_is_used(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "config.toml"
    file.write_text(
        '[presets.gpt35]\nspec = "openai:mine"\n[presets.openai]\nspec = "openai:mine"\n'
    )
    monkeypatch.setenv("HARNESS_CONFIG", str(file))
    parts = Plugins(third_party=False).parts("annotator")
    for name, spec in (("gpt35", "gpt35"), ("openai", "openai:m")):
        with pytest.raises(ConfigError, match=rf"config.toml: \[presets.{name}\].* built in"):
            parts[name].factory(request(SENTIMENT, spec))
        with pytest.raises(ConfigError, match="built in"):
            preset_named(name, SERVICES)
    assert parts["gpt-small"].factory(request(SENTIMENT, "gpt-small"))


@pytest.mark.parametrize("read_back", [False, True])
def test_what_the_user_sets_wins_over_a_preset_even_where_it_is_the_default(
    tmp_path: Path, read_back: bool
) -> None:
    preset = Preset("mine", "openai:m", "", {"samples": 3, "timeout": 5.0})

    def asked(*said: str) -> LlmSettings:
        config = load_config(None, ("annotator.spec=mine", *said))
        if read_back:
            file = tmp_path / "config.toml"
            file.write_text(to_toml(with_keys(config, "annotator", "mine", LlmKeys)))
            config = load_config(file)
        keys = config.annotator.keys(LlmKeys)
        return settings_of(AnnotatorRequest(parse_spec("mine"), NAMES, keys, 0), preset)

    assert (asked().keys.samples, asked().pace.timeout) == (3, 5.0)
    assert asked("annotator.samples=1").keys.samples == 1
    assert asked("annotator.timeout=60").pace.timeout == 60.0


def test_a_wrong_preset_costs_no_other_annotator(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "config.toml"
    file.write_text("[presets.mine]\nmodel = 3\n")
    monkeypatch.setenv("HARNESS_CONFIG", str(file))
    plugins = Plugins(third_party=False)
    assert {"gpt35", "embedding"} <= set(plugins.parts("annotator"))
    assert [problem.plugin for problem in plugins.problems] == [
        "harness_plugins.annotators.llm.plugin"
    ]
    assert "[presets.mine]" in str(plugins.problems[0])


@pytest.mark.parametrize(
    ("spec", "error", "said"),
    [
        ("openai", ConfigError, "name a model"),
        ("openai:m,colour=red", CommandError, "colour"),
        ("gpt35:other", CommandError, "argument"),
    ],
)
def test_wrong_specs(spec: str, error: type[Exception], said: str) -> None:
    part = Plugins(third_party=False).part("annotator", parse_spec(spec).name)
    with pytest.raises(error, match=said):
        part.factory(request(SENTIMENT, spec))


def test_an_estimate_scales_the_real_prompts(tmp_path: Path) -> None:
    pool = text_pool([f"sentence number {i} of a few" for i in range(1000)])
    asked = annotator_of(request(SENTIMENT, "openai:gpt-4o-mini"))
    zero, three = asked.estimate(pool, 0), asked.estimate(pool, 3)
    assert zero.requests == three.requests == 1000
    assert three.prompt_tokens > 1.5 * zero.prompt_tokens
    assert zero.cost_usd is not None
    assert zero.cost_usd == pytest.approx(
        zero.prompt_tokens * 0.15e-6 + zero.completion_tokens * 0.6e-6
    )
    assert zero.seconds == pytest.approx(1000 / 32)
    paced = annotator_of(request(SENTIMENT, requests_per_minute=100))
    assert paced.estimate(pool, 0).seconds == pytest.approx(600)
    assert paced.estimate(pool, 0).cost_usd is None  # nobody knows the price of "small"
    local = annotator_of(request(SENTIMENT, "transformers:m")).estimate(pool, 0)
    assert (local.cost_usd, local.seconds, local.completion_tokens) == (0.0, None, 0)
    voting = annotator_of(request(SENTIMENT, samples=5)).estimate(pool, 0)
    assert voting.requests == 5000


@pytest.mark.parametrize(
    ("parameters", "tokens"),
    [
        ({"reasoning_effort": "low"}, 4096),
        ({"thinking": {"type": "enabled", "budget_tokens": 2000}}, 4096),
        ({"reasoning_effort": "none"}, 0),
        ({"top_p": 0.5}, 0),
    ],
)
def test_an_estimate_counts_the_thoughts_of_any_vendors_model(
    parameters: dict[str, Any], tokens: int
) -> None:
    asked = request(SENTIMENT, "litellm:gemini/gemini-3.5-flash-lite", parameters=parameters)
    assert settings_of(asked).thinking == tokens
    estimate = annotator_of(asked).estimate(text_pool(["one", "two"]), 0)
    assert 2 * tokens < estimate.completion_tokens < 2 * tokens + 50


@pytest.mark.parametrize(
    "url",
    [
        *("http://127.0.0.1:99999/v1", "http://127.0.0.1:80 80/v1", "http://[::1/v1"),
        *("http://127.0.0.1:0/v1", "http://a host/v1", "http://127.0.0.1:x/v1"),
    ],
)
def test_an_impossible_address_is_refused_before_anything_is_sent(url: str) -> None:
    with pytest.raises(ConfigError, match=r"^annotator\.base_url: "):
        settings(SENTIMENT, base_url=url)


def test_an_estimate_of_the_prompt_meets_what_is_counted_when_it_is_sent(tmp_path: Path) -> None:
    from harness_plugins.llm.cost.tokens import prompt_tokens

    pool = text_pool([f"sentence number {i} of a few" for i in range(100)])
    model = Model(lambda call: "positive")
    asked = annotator(SENTIMENT, model)
    estimate = asked.estimate(pool, 0)
    annotate(asked, pool, tmp_path)
    assert estimate.prompt_tokens == sum(prompt_tokens(call) for call in model.calls)


@pytest.mark.parametrize(("task", "pool"), [
    (SENTIMENT, text_pool(["only one"])), (NAMES, SENTENCES), (NAMES, token_pool(["One"])),
])  # fmt: skip
def test_small_pools_are_estimated(task: TaskCard, pool: Pool) -> None:
    asked = annotator_of(request(task))
    for shots in (0, 1, 10):
        assert asked.estimate(pool, shots).requests == len(pool)
    assert asked.estimate_writing(pool).requests > 0


def test_a_hundred_thousand_answers_are_understood_quickly(tmp_path: Path) -> None:
    # The measurement with the cache is tests/benchmarks/understanding.py; this guards the order.
    import time

    from harness_plugins.annotators.llm.reading.answers import LabelAnswers

    replies = [
        Reply(f"The label is {'positive' if i % 2 else 'negative'}. {i}") for i in range(2000)
    ]
    read: Callable[..., Any] = LabelAnswers(["negative", "positive"]).read
    began = time.perf_counter()
    labels = [read(reply, "").units[0] for reply in replies]
    assert labels == [i % 2 for i in range(2000)]
    assert time.perf_counter() - began < 5
