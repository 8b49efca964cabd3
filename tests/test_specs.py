"""Specs: which part, which argument, which options."""

from __future__ import annotations

from dataclasses import FrozenInstanceError

import pytest

from harness.errors import CommandError
from harness.specs import Spec, parse_spec

SPECS = {
    "embedding": Spec("embedding"),
    "  rules  ": Spec("rules"),
    "noisy:0.2": Spec("noisy", "0.2"),
    "replay:": Spec("replay", ""),
    "replay:C:/runs/a.jsonl": Spec("replay", "C:/runs/a.jsonl"),
    "replay:runs/a,b.jsonl": Spec("replay", "runs/a,b.jsonl"),
    "replay:runs/lr=3/a.jsonl": Spec("replay", "runs/lr=3/a.jsonl"),
    "replay:a,b/lr=3.jsonl,round=1": Spec("replay", "a,b/lr=3.jsonl", {"round": "1"}),
    "replay:a, b=c.jsonl": Spec("replay", "a, b=c.jsonl"),
    "replay:a,1=2.jsonl": Spec("replay", "a,1=2.jsonl"),
    "embedding,threshold=0.1": Spec("embedding", None, {"threshold": "0.1"}),
    "openai:gpt,a=1,b_c.d-e=x,y": Spec("openai", "gpt", {"a": "1", "b_c.d-e": "x,y"}),
    "openai:gpt,url=http://h:1/?q=1": Spec("openai", "gpt", {"url": "http://h:1/?q=1"}),
    "openai:gpt,empty=": Spec("openai", "gpt", {"empty": ""}),
}


@pytest.mark.parametrize("text", SPECS)
def test_a_spec_is_read(text: str) -> None:
    assert parse_spec(text) == SPECS[text]


@pytest.mark.parametrize("spec", SPECS.values(), ids=str)
def test_a_spec_prints_as_what_reads_back(spec: Spec) -> None:
    assert parse_spec(str(spec)) == spec


@pytest.mark.parametrize("text", ["", "   ", ":0.2", ",threshold=1"])
def test_a_spec_without_a_name_is_refused(text: str) -> None:
    with pytest.raises(CommandError, match="names no part; write name"):
        parse_spec(text)


def test_options_are_converted() -> None:
    spec = parse_spec("x,whole=3,share=0.5")
    assert spec.option("whole", 1, int) == 3
    assert spec.option("share", 0.1, float) == 0.5
    assert spec.option("absent", 7, int) == 7


def test_an_option_that_cannot_be_converted_is_named() -> None:
    with pytest.raises(CommandError, match=r"x:a,round=two: option round='two' is not a valid int"):
        parse_spec("x:a,round=two").option("round", 0, int)


def test_a_part_refuses_options_that_it_does_not_have() -> None:
    spec = parse_spec("embedding,treshold=1")
    with pytest.raises(CommandError, match=r"no option 'treshold'; did you mean 'threshold'\?"):
        spec.check_options("threshold", "encoder")
    with pytest.raises(CommandError, match="no option 'treshold'; embedding has none"):
        spec.check_options()
    parse_spec("embedding,threshold=1").check_options("threshold")


def test_a_part_refuses_an_argument_that_it_does_not_take() -> None:
    with pytest.raises(CommandError, match="oracle takes no argument after the colon"):
        parse_spec("oracle:x").no_argument()
    with pytest.raises(CommandError, match="oracle takes no argument"):
        parse_spec("oracle:").no_argument()
    parse_spec("oracle,k=v").no_argument()


def test_a_spec_is_frozen() -> None:
    with pytest.raises(FrozenInstanceError):
        parse_spec("rules").name = "oracle"  # type: ignore[misc]
