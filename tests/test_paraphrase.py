"""Paraphrases by a language model, over the real engine and client."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from harness.errors import CommandError, PartError, ServiceError
from harness.plugin_manager import Plugins
from harness.protocols import Account, AugmenterRequest, no_progress
from harness.specs import parse_spec
from harness.testing.answers import completion
from harness.testing.service import ChatServer, running
from tests.factories import sequence_card, text_pool, token_card
from tests.tiny_models import write_model

TEXTS = ("a quiet wonder", "dull and noisy", "cut off here", '"quoted," she said', "too much")


class Rewriter:
    """A server that rewrites texts, each in a way of its own."""

    def __init__(self) -> None:
        self.bodies: list[dict[str, Any]] = []
        self.routes = [web.post("/rewrite/chat/completions", self._answer)]

    async def _answer(self, request: web.Request) -> web.Response:
        body = await request.json()
        self.bodies.append(body)
        text = body["messages"][-1]["content"].split("\n")[0]
        said = {
            TEXTS[0]: '"A silent marvel"',
            TEXTS[1]: "```\nboring and\nloud\n```",
            TEXTS[4]: "words " * 100,
        }.get(text, text.upper())
        answer = completion(body, said)
        if text == TEXTS[2]:
            answer["choices"][0]["finish_reason"] = "length"
        return web.json_response(answer)


def augmenter(spec: str) -> Any:
    parsed = parse_spec(spec)
    part = Plugins(third_party=False).part("augmenter", parsed.name)
    return part.factory(AugmenterRequest(parsed, sequence_card("good", "bad")))


def test_texts_are_said_in_other_words_and_paid_once(tmp_path: Path) -> None:
    rewriter, notes = Rewriter(), list[str]()
    account = Account("run", tmp_path / "replies.sqlite", None, notes.append)
    with running(ChatServer(routes=rewriter.routes)) as server:
        url = server.url.replace("/v1", "/rewrite")
        pool = text_pool(TEXTS)
        part = augmenter(f"paraphrase:openai:m,base_url={url}")
        with part.open(account):
            found = part.augment(pool, None, 0, no_progress).pool
            again = part.augment(pool, None, 0, no_progress).pool
            assert len(rewriter.bodies) == len(TEXTS)
            part.augment(pool, None, 1, no_progress)
            assert len(rewriter.bodies) == 2 * len(TEXTS)
    wanted = ("A silent marvel", "boring and loud", TEXTS[2], TEXTS[3].upper(), TEXTS[4])
    assert tuple(found.texts) == tuple(again.texts) == wanted
    assert (found.ids, found.split) == (pool.ids, pool.split)
    assert any("2 of 5 texts stay as they are" in note for note in notes)
    told = rewriter.bodies[0]
    assert "- good: It is about good." in told["messages"][0]["content"]
    assert told["temperature"] > 0
    assert json.dumps(told["messages"]).count("Rewrite this text") == 1


def test_a_local_model_paraphrases_too(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "model")
    part = augmenter(f"paraphrase:transformers:{folder}")
    account = Account("run", tmp_path / "replies.sqlite", None, lambda line: None)
    pool = text_pool(TEXTS[:2])
    with part.open(account):
        first = part.augment(pool, None, 3, no_progress).pool
        assert tuple(part.augment(pool, None, 3, no_progress).pool.texts) == tuple(first.texts)
    assert part.fingerprint == augmenter(f"paraphrase:transformers:{folder}").fingerprint


@pytest.mark.parametrize("spec", ["paraphrase", "paraphrase:oracle", "paraphrase:openai:m,bas=1"])
def test_a_wrong_spec_is_said_in_one_line(spec: str) -> None:
    with pytest.raises(CommandError) as caught:
        augmenter(spec)
    assert "\n" not in str(caught.value)


def test_a_token_task_is_refused_in_one_line() -> None:
    parsed = parse_spec("paraphrase:openai:m,base_url=http://127.0.0.1:9/v1")
    part = Plugins(third_party=False).part("augmenter", "paraphrase")
    with pytest.raises(CommandError, match="tags of tokens") as caught:
        part.factory(AugmenterRequest(parsed, token_card("PER", "LOC")))
    assert "\n" not in str(caught.value)


def test_it_is_opened_before_it_is_asked() -> None:
    part = augmenter("paraphrase:openai:m,base_url=http://127.0.0.1:9/v1")
    with pytest.raises(PartError, match="open it for an account"):
        part.augment(text_pool(TEXTS), None, 0, no_progress)


def test_an_unknown_model_stops_it(tmp_path: Path) -> None:
    account = Account("run", tmp_path / "replies.sqlite", None, lambda line: None)
    with running(ChatServer(known_models=["other"])) as server:
        part = augmenter(f"paraphrase:openai:m,base_url={server.url}")
        with part.open(account), pytest.raises(ServiceError, match="does not know model 'm'"):
            part.augment(text_pool(TEXTS), None, 0, no_progress)
