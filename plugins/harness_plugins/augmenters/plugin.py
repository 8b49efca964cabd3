"""Registers the built-in augmenters."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from harness import hookimpl

if TYPE_CHECKING:
    from harness.hookspecs import Register
    from harness.protocols import Augmenter, AugmenterRequest
    from harness_plugins.llm.service import Service

ONCE, EACH_ROUND = "once a run, from the texts alone", "each round, from that round's labels"


@dataclass(frozen=True, slots=True)
class Offer:
    """A factory, and what ``harness show augmenter`` prints of it."""

    make: Callable[[AugmenterRequest], Augmenter]
    shown: Mapping[str, str]

    def __call__(self, request: AugmenterRequest) -> Augmenter:
        """The augmenter."""
        return self.make(request)

    def describe(self) -> Mapping[str, object]:
        """How to name it, when it makes variants, its source."""
        return self.shown


BACK_TRANSLATION = {
    "use": "--set student.augmenter=back-translation, or back-translation:de",
    "made": ONCE,
    "pivot": "a language, default fr (Helsinki-NLP/opus-mt-tc-big-en-fr and -fr-en)",
    "forward, back": "hub ids or folders of two other models, for instance forward=DIR,back=DIR",
    "beams": "width of the beam search, default 4",
    "temperature": "above 0: translations are sampled, which varies more; default 0",
    "needs": "the models: from the hub, its cache (hf download MODEL) or folders",
    "source": "FreeAL's augmented texts; Xie et al. 2020 (UDA)",
}
MENTIONS = {
    "use": "--set student.augmenter=mentions, or mentions:0.3,words=0.1",
    "made": EACH_ROUND,
    "rate": "share of the mentions that is replaced, default 0.5",
    "words": "share of the other words that is replaced, as by word-edits, default 0",
    "source": "Dai & Adel 2020, mention replacement; ours: of the same number of tokens",
}
PARAPHRASE = {
    "use": "--set student.augmenter=paraphrase:openai:MODEL, or paraphrase:PRESET",
    "made": ONCE,
    "base_url, key_env, key_file": "as in annotator.*",
    "price_input, price_output": "$ per million tokens, where the price is not known",
    "costs": "one request a text; harness plan says how much; --budget-usd holds for both",
}
RECORDED = {
    "use": "--set student.augmenter=recorded:FILE",
    "made": ONCE,
    "file": "rows with 'text' and 'augmented' (.jsonl, .csv with a header), or without a header "
    "label,text,augmented; a text without a variant stays as it is",
}
WORD_EDITS = {
    "use": "--set student.augmenter=word-edits, or word-edits:0.2",
    "made": f"texts: {ONCE}; tokens: {EACH_ROUND}",
    "rate": "share of the words that is edited, default 0.1",
    "edits": "texts: any of delete+swap+typo, default all; negations are never deleted",
    "tokens": "lower-case words outside of mentions, by words of the same ending",
    "source": "Wei & Zou 2019 (EDA); Dai & Adel 2020, label-wise token replacement",
}


@hookimpl
def harness_register_augmenters(register: Register, services: Mapping[str, Service]) -> None:
    """All built-in ones."""
    register(
        "back-translation",
        Offer(_back_translation, BACK_TRANSLATION),
        summary="into another language and back, by opus-mt: back-translation:PIVOT (fr)",
        kinds=["sequence"],
    )
    register(
        "mentions",
        Offer(_mentions, MENTIONS),
        summary="replaces mentions by others of their type and length: mentions:0.5",
        kinds=["token"],
    )
    register(
        "paraphrase",
        Offer(partial(_paraphrase, services), PARAPHRASE),
        summary="a language model writes each text in other words: paraphrase:openai:MODEL",
        kinds=["sequence"],
    )
    register(
        "recorded",
        Offer(_recorded, RECORDED),
        summary="variants from a file: recorded:FILE.jsonl or .csv with the key 'augmented'",
        kinds=["sequence"],
    )
    register(
        "word-edits",
        Offer(_word_edits, WORD_EDITS),
        summary="words deleted, swapped, misspelt (texts) or replaced (tokens): word-edits:0.1",
    )


def _back_translation(request: AugmenterRequest) -> Augmenter:
    from harness_plugins.augmenters.back_translation import BackTranslation

    return BackTranslation.from_request(request)


def _mentions(request: AugmenterRequest) -> Augmenter:
    from harness_plugins.augmenters.token_edits import TokenEdits

    return TokenEdits.of_mentions(request)


def _paraphrase(services: Mapping[str, Service], request: AugmenterRequest) -> Augmenter:
    from harness_plugins.augmenters.paraphrase import ParaphraseAugmenter

    return ParaphraseAugmenter.from_request(request, services)


def _recorded(request: AugmenterRequest) -> Augmenter:
    from harness_plugins.augmenters.recorded import RecordedAugmenter

    return RecordedAugmenter.from_request(request)


def _word_edits(request: AugmenterRequest) -> Augmenter:
    from harness_plugins.augmenters.token_edits import TokenEdits
    from harness_plugins.augmenters.word_edits import WordEdits

    tokens = request.task.kind == "token"
    return TokenEdits.of_words(request) if tokens else WordEdits.from_request(request)
