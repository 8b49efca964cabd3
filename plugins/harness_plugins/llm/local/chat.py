"""From messages to token ids and back: the tokenizer's chat template, or a plain form."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from harness_plugins.llm.calls import Message

PLAIN = {"user": "User: ", "assistant": "Assistant: "}
TAIL = 32
"""Characters before an answer to tokenise with it: enough for any merge at the border."""
SENTINEL = "Qzx"


class Chat:
    """Renders chats as a model was trained to read them.

    This is the tokenizer's chat template, with thinking switched off if it has such a switch; if
    it refuses system messages, the first user message includes the system message. A model
    without a template reads plain text: the system message, then turns that begin with
    ``User:`` and ``Assistant:``.
    """

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self._templated = bool(getattr(tokenizer, "chat_template", None))
        self._special = _special_tokens(tokenizer)
        self._begin = self._begin_ids()
        self._lead, self._after = self._answer_form()
        self._answer = lru_cache(maxsize=4096)(self._tokenise_answer)

    @property
    def stops(self) -> tuple[str, ...]:
        """Texts that end an answer, in addition to the model's end token."""
        return () if self._templated else ("\n" + PLAIN["user"].strip(),)

    @property
    def end(self) -> int | None:
        """The token that ends a turn of the assistant, if the template has one."""
        ids = self._ids(self._after) if self._templated else []
        return ids[0] if ids else None

    def render(self, messages: Sequence[Message], options: Mapping[str, Any]) -> str:
        """The chat as text up to the answer; ``options`` are further variables of the template."""
        turns = [{"role": one.role, "content": self._as_text(one.content)} for one in messages]
        return self._template(turns, options) if self._templated else _plain(turns)

    def _as_text(self, content: str) -> str:
        """A message in which nothing is a special token: a text that ends a turn ends none."""
        return self._special.sub(lambda found: f"{found[0][0]} {found[0][1:]}", content)

    def prompts(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of rendered chats; fast tokenizers read many texts on all cores."""
        if not texts:
            return []
        found = self._tokenizer(list(texts), add_special_tokens=False)["input_ids"]
        return [self._begin + list(ids) for ids in found]

    def answer(self, text: str, choice: str) -> tuple[int, ...]:
        """Token ids of a choice after a rendered chat, including the end of the turn.

        With its end, a choice is a whole answer: "art" does not get the probability of all
        answers that begin with "art", and all choices together have at most probability 1.
        """
        return self._answer(text[-TAIL:], choice)

    def text(self, ids: Sequence[int], stops: Sequence[str]) -> tuple[str, bool]:
        """The text of generated ids up to the first stop, and whether there is one."""
        text = str(self._tokenizer.decode(list(ids), skip_special_tokens=True))
        found = [text.index(stop) for stop in stops if stop and stop in text]
        return (text[: min(found)] if found else text).strip(), bool(found)

    def _template(self, turns: list[dict[str, str]], options: Mapping[str, Any]) -> str:
        from jinja2.exceptions import TemplateError

        wanted = {"add_generation_prompt": True, "enable_thinking": False, **options}
        try:
            text = self._tokenizer.apply_chat_template(turns, tokenize=False, **wanted)
        except TemplateError:
            if len(turns) < 2 or turns[0]["role"] != "system":
                raise
            merged = turns[0]["content"] + "\n\n" + turns[1]["content"]
            turns = [{"role": turns[1]["role"], "content": merged}, *turns[2:]]
            text = self._tokenizer.apply_chat_template(turns, tokenize=False, **wanted)
        return str(text)

    def _answer_form(self) -> tuple[str, str]:
        """What the template puts before and after an answer."""
        if not self._templated:
            return " ", "\n" + PLAIN["user"]
        asked = [{"role": "user", "content": SENTINEL[::-1]}]
        answered = [*asked, {"role": "assistant", "content": SENTINEL}]
        prompt = self._template(asked, {})
        whole = self._template(answered, {"add_generation_prompt": False})
        before, _, after = whole.rpartition(SENTINEL)
        return before.removeprefix(prompt) if before.startswith(prompt) else "", after

    def _tokenise_answer(self, tail: str, choice: str) -> tuple[int, ...]:
        """Token ids of a choice in its context, since tokenizers merge across borders."""
        words = self._lead + choice
        asked, answered = self._ids(tail), self._ids(tail + words)
        ended = self._ids(tail + words + self._after)
        if answered[: len(asked)] == asked and ended[: len(answered)] == answered:
            inside, after = answered[len(asked) :], ended[len(answered) :]
        else:
            inside, after = self._ids(words), self._ids(self._after)
        eos = self._tokenizer.eos_token_id
        return (*inside, *(after[:1] or ([] if eos is None else [eos])))

    def _begin_ids(self) -> list[int]:
        """The beginning-of-text token, if the tokenizer adds one; templates write their own."""
        bos = self._tokenizer.bos_token_id
        first = self._tokenizer("a")["input_ids"][:1]
        return first if not self._templated and bos is not None and first == [bos] else []

    def _ids(self, text: str) -> list[int]:
        found = self._tokenizer(text, add_special_tokens=False)["input_ids"]
        return [int(one) for one in found]


def _special_tokens(tokenizer: Any) -> re.Pattern[str]:
    """What the tokenizer reads as a special token wherever it stands, the longest first."""
    added = getattr(tokenizer, "added_tokens_decoder", {}).values()
    tokens = {*tokenizer.all_special_tokens, *(str(one.content) for one in added if one.special)}
    longest_first = sorted((one for one in tokens if len(one) > 1), key=len, reverse=True)
    return re.compile("|".join(map(re.escape, longest_first)) or r"(?!)")


def _plain(turns: Sequence[Mapping[str, str]]) -> str:
    parts = [PLAIN.get(turn["role"], "") + turn["content"] for turn in turns]
    return "\n".join([*parts, PLAIN["assistant"].rstrip()])
