"""Replies as language models write them, each with the label it names or why it names none."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["REPLIES", "LabelReply"]


class LabelReply(NamedTuple):
    """A reply of a task, and what it means: a label, or None and the reason."""

    labels: tuple[str, ...]
    text: str
    label: str | None
    reason: str = ""
    finish: str = "stop"


SENTIMENT = ("negative", "positive")
TREC = ("abbreviation", "entity", "description", "human", "location", "number")
SUBJ = ("subjective", "objective")
MA = (
    *("neoplasms", "digestive system diseases", "nervous system diseases"),
    *("cardiovascular diseases", "general pathological conditions"),
)
DENIED = ("subjective", "not subjective")
NESTED = ("general", "general pathology", "pathology")
SIMILAR = ("entity", "identity", "non-entity")
STARS = ("1", "2", "3", "4", "5")
SIGNED = ("-1", "0", "1")
LETTERS = ("A", "B", "C", "D")
YES = ("yes", "no")
HYPHENS = ("how-to", "bug report", "feature_request", "other")
CODES = ("C", "C++", "C#", "rec.sport.hockey", "n/a")
CASES = ("Apple", "apple", "pear")

NONE, SEVERAL = "names no label", "names several labels"
DENIES, BOTH = "only denies", "both affirms and denies"
CUT, EMPTY, REFUSED, FILTERED = "cut off", "is empty", "refused", "filtered"

_SURE = {
    SENTIMENT: {
        "positive": [
            *("positive", "Positive", "POSITIVE", "positive.", "Positive.", " positive\n"),
            *('"positive"', "'positive'", "“positive”", "‘Positive.’", "`positive`", "«positive»"),
            *("**positive**", "*Positive*", "__positive__", "_positive_", "***Positive***."),
            *(
                "### Positive",
                "> positive",
                "- positive",
                "* positive",
                "1. positive",
                "• positive",
            ),
            *("(positive)", "[positive]", "{positive}", "<positive>", "positive!", "positive?"),
            *("😊 Positive", "Positive 👍", "✅ **Positive**", "→ positive", "=> positive"),
            *("Label: positive", "label:positive", "Label - positive", "Label = positive"),
            *(
                "Answer: Positive",
                "ANSWER: POSITIVE",
                "**Answer:** positive",
                "**Answer: positive**",
            ),
            *("Sentiment: positive", "Category: Positive.", "Classification: **positive**"),
            *("Final answer: positive", "Final Answer:\n\npositive", "### Answer\npositive"),
            *("The answer is positive.", "The label is 'positive'.", "The sentiment is positive"),
            *("The correct label for this text is **positive**.", "My prediction: positive"),
            *(
                "\\boxed{positive}",
                "$\\boxed{\\text{positive}}$",
                "The answer is \\boxed{positive}.",
            ),
            *("<answer>positive</answer>", "<label> positive </label>", "<b>positive</b>"),
            *("Its sentiment is not negative, but positive.", "Nothing but positive"),
            *('{"label": "positive"}', '{"answer":"Positive"}', '{"sentiment": "positive."}'),
            *("{'label': 'positive'}", '{"label": "positive",}', '["positive"]', '"Positive."'),
            '{"label": "positive", "confidence": 0.93}',
            '{"reasoning": "Nothing negative is said.", "label": "positive"}',
            '{"result": {"label": "positive", "score": 1}}',
            '{"labels": ["positive"]}',
            '```json\n{"label": "positive"}\n```',
            '```\n{"label": "positive"}\n```\nI hope this helps!',
            'Here is the JSON:\n```json\n{\n  "label": "positive"\n}\n```',
            'Sure! {"label": "positive"}',
            "```\npositive\n```",
            "```text\nPositive\n```",
            "The sentence is positive.",
            "This review is clearly positive.",
            "The sentence expresses a positive opinion of the film.",
            "I would classify this sentence as positive.",
            "I'd say positive.",
            "It's a positive review, with warm words for the actors.",
            "Based on the text, the sentiment would be positive",
            "Sure! The sentiment of this sentence is **positive**.",
            "positive - the reviewer praises the acting",
            "Positive: the reviewer enjoyed it.",
            "Positive (the reviewer enjoyed it)",
            "Positive. The reviewer says that the film is charming.",
            "positive, because the critic calls it a triumph",
            "positive, not negative",
            "Positive\n\nThe reviewer has nothing negative to say.",
            "The film is called charming and funny.\n\nPositive",
            "The film is called charming and funny. So the answer is: positive.",
            "It is not negative but positive.",
            "The sentence is not negative. It is positive.",
            "Although it is short, the review is positive.",
            "Reasoning: it mentions negative aspects first. Answer: positive",
            "Reasoning: the words seem negative, but the irony is kind.\nLabel: positive",
            "Let me think. It could be negative. Final answer: positive",
            "Answer: negative?\nNo, on second thought:\nFinal answer: positive",
            "<think>Is it negative? Hmm, no.</think>\n\npositive",
            "<think>\nIs it negative? No: positive.\n</think>\n**Positive**",
            "It may be negative.</think>positive",
            "<reasoning>negative words</reasoning>Positive",
            "<|channel|>analysis<|message|>negative?<|end|><|start|>assistant<|channel|>final"
            "<|message|>positive<|return|>",
            "positive</s>",
            "positive<|im_end|>",
            "positive\n\nText: a dull film\n\nIs it negative or positive?\nnegative",
            "positive\nUser: and this one?\nnegative",
            "The sentiment is positive.\nConfidence: high",
            "Label: positive\nExplanation: no negative word is in it",
            "ｐｏｓｉｔｉｖｅ",
            "Is it negative? The answer is positive.",
            "I apologise for the delay. The label is positive.",
            "Positive: yes. Negative: no.",
            "I'm sorry to say so, but it is positive.",
        ],
        "negative": [
            "negative\n",
            "It is not positive but negative.",
            "This isn't positive; it's negative.",
            "Rather than positive, the tone is negative",
            "The critic didn't like it: negative",
            "There is nothing to like here.\n\nNegative",
            '{"label": "negative", "why": "the critic says nothing positive"}',
        ],
    },
    TREC: {
        "human": [
            "human",
            "Human.",
            "The question asks for a human.",
            "Category: human (a person)",
        ],
        "location": [
            "location",
            "The answer type is location.",
            "This question belongs to the category: **location**",
            "location, since it asks where a thing is",
        ],
        "number": [
            "number",
            "It asks for a number",
            "Number (a date)",
            "number: the year is meant",
        ],
        "description": [
            "description",
            "This falls under 'description'.",
        ],
        "abbreviation": ["Abbreviation", "ABBREVIATION."],
        "entity": ["entity", "Entity (an animal)", "It is an entity, such as a food."],
    },
    SUBJ: {
        "objective": ["objective", "Objective: it reports the plot.", "The sentence is objective."],
        "subjective": [
            "subjective",
            "**Subjective** – it judges.",
            "This is a subjective sentence.",
        ],
    },
    MA: {
        "digestive system diseases": [
            *(
                "digestive system diseases",
                "Digestive System Diseases.",
                "digestive-system diseases",
            ),
            *("digestive_system_diseases", "**Digestive system diseases**"),
            "The abstract is about digestive system diseases.",
            "Category: digestive  system  diseases",
        ],
        "general pathological conditions": [
            "General pathological conditions",
            '{"category": "general pathological conditions"}',
        ],
        "neoplasms": [
            "neoplasms",
            "Condition: Neoplasms",
            "The answer is: Neoplasms (a carcinoma).",
        ],
    },
    DENIED: {
        "not subjective": [
            "not subjective",
            "Not subjective.",
            "It is not subjective.",
            "Label: not subjective",
            "not_subjective",
        ],
        "subjective": ["subjective", "The text is subjective.", "Answer: subjective"],
    },
    NESTED: {
        "general": ["general", "General.", "Label: general"],
        "general pathology": [
            "general pathology",
            "It is about general pathology.",
            "general-pathology",
        ],
        "pathology": ["pathology", "I choose pathology."],
    },
    SIMILAR: {
        "entity": ["entity", "The thing is an entity.", "entity, whatever its name"],
        "identity": ["identity", "It asks about identity."],
        "non-entity": ["non-entity", "This is a non-entity.", "Non entity"],
    },
    STARS: {
        "4": [
            "4",
            "4.",
            "**4**",
            "Label: 4",
            "Rating (answer): 4",
            "I'd give it 4 stars.",
            '{"label": 4}',
            '{"label": "4"}',
            "Answer: 4 (confidence 0.9)",
            "4 - very good",
        ],
        "1": ["1", "The answer is 1.", "1: awful", '{"answer": 1, "score": 0.5}'],
    },
    SIGNED: {
        "-1": ["-1", "Label: -1", "The answer is -1.", '{"label": -1}'],
        "1": ["1", "Label: 1"],
        "0": ["0", "0 (neutral)"],
    },
    LETTERS: {
        "B": [
            "B",
            "B.",
            "(B)",
            "B)",
            "Answer: B",
            "The answer is B.",
            "**B**",
            "B: because it is",
            "B. A review of a film",
            "Final answer: B, A is wrong",
        ],
        "A": ["A", "A.", "a", "Answer: A"],
    },
    YES: {
        "no": ["no", "No.", "No, there is no complaint in it.", "Answer: no", "**No**"],
        "yes": ["yes", "Yes!", "Yes, it does.", '{"answer": "yes"}'],
    },
    HYPHENS: {
        "how-to": [
            "how-to",
            "How to",
            "howto",
            "how_to",
            "Label: HowTo",
            "It is a how-to question.",
        ],
        "bug report": [
            "bug report",
            "bug-report",
            "bug_report",
            "BugReport",
            "This is a bug report.",
        ],
        "feature_request": [
            "feature request",
            "feature_request",
            "Feature-Request",
            "`feature_request`",
        ],
    },
    CODES: {
        "C++": ["C++", "**C++**", "Answer: C++", "c++."],
        "C#": ["C#", "Label: C#"],
        "C": ["C", "C.", "Label: C"],
        "rec.sport.hockey": [
            "rec.sport.hockey",
            "Category: rec.sport.hockey.",
            "It is rec.sport.hockey",
        ],
        "n/a": ["n/a", "N/A", "Label: n/a"],
    },
    CASES: {
        "apple": ["apple", "Answer: apple"],
        "Apple": ["Apple", "It is Apple."],
        "pear": ["PEAR"],
    },
}

_UNSURE = {
    SENTIMENT: {
        EMPTY: ["", " ", "\n\n", "<|im_end|>", "<think>positive</think>"],
        NONE: [
            *(
                "neutral",
                "mixed",
                "I don't know",
                "N/A",
                "unknown",
                "pos",
                "positively",
                "nonpositive",
            ),
            *(
                "The reviewer liked it.",
                "5",
                "{}",
                "[]",
                "null",
                "...",
                "👍",
                "```\n```",
                "1",
                "good",
            ),
            *('{"label": "neutral"}', '{"label": null}', '{"label": ""}', "Answer: unknown"),
            *("Answer: neither", "Label:", "The answer is", "Final answer: mixed feelings"),
            *("Is it positive?", "Would you call that positive?", "seropositivity", "The film!"),
            "Answer: unclear. Some would say positive.",
            "Is this sentence negative or positive?",
            "non-positive",
        ],
        SEVERAL: [
            *(
                "positive or negative",
                "positive/negative",
                "positive, negative",
                "Positive and negative",
            ),
            *(
                "negative\npositive",
                "negative; positive",
                "positive|negative",
                "[positive, negative]",
            ),
            *(
                "It is both positive and negative.",
                "Label: positive or negative",
                "positive-ish negative, positive",
            ),
            *('["positive", "negative"]', '{"label": ["positive", "negative"]}'),
            '{"a": "positive", "b": "negative"}',
            "Negative: 0.2, positive: 0.8",
            "The acting is positive, the script is negative.",
            "Answer: positive\nAnswer: negative",
            "Label: positive. Label: negative.",
            "The label is positive. But the label is negative for the script.",
            '{"label": "positive"} {"label": "negative"}',
            '{"label": "positive", "label": "negative"}',
            "{'label': 'positive', 'label': 'negative'}",
            '```json\n{"label": "positive"}\n```\nor\n```json\n{"label": "negative"}\n```',
            "<answer>positive</answer> <answer>negative</answer>",
            "The options are negative and positive.",
            "Somewhere between positive and negative",
            "I lean towards positive, although there are negative words in it",
            "More positive than negative",
        ],
        DENIES: [
            *(
                "not positive",
                "Not positive.",
                "It isn't positive.",
                "It is not a positive review.",
            ),
            *("This is hardly positive", "never positive", "The text is far from positive."),
            *("I do not think that this is positive", "There is nothing positive in it."),
            *(
                "positive is wrong",
                "Positive does not fit",
                "neither positive",
                "anything but positive",
            ),
            "The opposite of positive",
            "I wouldn't call this positive",
            "It lacks any positive word",
            "I don't think the label is positive.",
            "I am not sure whether the answer is positive.",
            "If the sentiment is positive, it is well hidden.",
        ],
        BOTH: [
            "It is positive. It is not positive.",
            "Some call it positive, but others say that it is not positive.",
        ],
        REFUSED: [
            *("I'm sorry, but I can't help with that.", "I cannot classify this text."),
            *(
                "As an AI language model, I do not have opinions.",
                "I'm unable to determine the sentiment.",
            ),
            "I'm sorry, I can't assist with that request.",
            "I cannot say whether this is positive.",
            "There is not enough information to call it positive.",
            "It is impossible to tell whether it is positive from this text",
            "I won't label this as positive",
            "Sorry, no.",
            "Answer: I'm sorry, I can't tell.",
            "This goes against my guidelines. Some might call the text positive.",
        ],
        CUT: ["<think>It is positive, I", "<think>", "<reasoning>The text is positive"],
    },
    TREC: {
        SEVERAL: [
            "human or entity",
            "It asks for the location of a human.",
            "entity (human)",
            "The question asks for a description of an entity",
        ],
        NONE: [
            "description of a reason",
            "person",
            "identity",
            "numeric",
            "place",
            "entities",
            "humans",
            "the person's humanity",
        ],
        DENIES: ["This is not a location.", "no number"],
    },
    DENIED: {
        SEVERAL: ["subjective, not subjective", "subjective or not subjective"],
        NONE: ["objective", "subjectively"],
    },
    SIMILAR: {
        NONE: ["nonentity's", "identities", "entity-relationship"],
        SEVERAL: ["entity, identity"],
    },
    STARS: {
        NONE: [
            "0.4",
            "4.5",
            "10",
            "14",
            "4/5",
            "0",
            "-1",
            "four",
            "45",
            "4%",
            "3.2 stars",
            "4,5",
            "0/-1",
        ],
        SEVERAL: ["4 or 5", "between 3 and 4", "4 out of 5", "1, 2, 3", "[1, 2]"],
    },
    LETTERS: {
        NONE: [
            "A review of a film",
            "I think a lot of it",
            "E",
            "none",
            "A or B",
            "A and B",
            "Answer: A or C",
        ],
        SEVERAL: ["A, B", "[A][B]", "A. B.", "Answer: A, B"],
    },
    MA: {
        NONE: [
            "digestive system",
            "system diseases",
            "diseases",
            "cardiology",
            "general conditions",
        ],
        SEVERAL: ["neoplasms and digestive system diseases", "Neoplasms; cardiovascular diseases"],
    },
    CASES: {NONE: ["APPLE"], SEVERAL: ["apple Apple"]},
    YES: {SEVERAL: ["yes and no", "yes/no", "Yes. No.", "yes, no"], NONE: ["maybe", "nope", "now"]},
}

_ENDED = [
    LabelReply(SENTIMENT, "", None, CUT, "length"),
    LabelReply(SENTIMENT, "posi", None, CUT, "length"),
    LabelReply(SENTIMENT, "The sentence could be positive, but it also", None, CUT, "length"),
    LabelReply(SENTIMENT, '{"label": "posi', None, CUT, "length"),
    LabelReply(SENTIMENT, "<think>positive? Let me see", None, CUT, "length"),
    LabelReply(SENTIMENT, "Positive. The critic says that", "positive", "", "length"),
    LabelReply(SENTIMENT, "Answer: positive\nExplanation: the", "positive", "", "length"),
    LabelReply(SENTIMENT, "positive", "positive", "", "length"),
    LabelReply(NESTED, "general", None, CUT, "length"),
    LabelReply(NESTED, "Label: general", None, CUT, "length"),
    LabelReply(NESTED, "general pathology", "general pathology", "", "length"),
    LabelReply(MA, "digestive system", None, CUT, "length"),
    LabelReply(SENTIMENT, "positive", None, FILTERED, "content_filter"),
    LabelReply(SENTIMENT, "", None, FILTERED, "content_filter"),
    LabelReply(SENTIMENT, "positive", None, REFUSED, "refusal"),
    LabelReply(SENTIMENT, "", None, REFUSED, "refusal"),
    LabelReply(SENTIMENT, "positive", "positive", "", "eos"),
]

REPLIES = (
    *(
        LabelReply(labels, text, label)
        for labels, by_label in _SURE.items()
        for label, texts in by_label.items()
        for text in texts
    ),
    *(
        LabelReply(labels, text, None, reason)
        for labels, by_reason in _UNSURE.items()
        for reason, texts in by_reason.items()
        for text in texts
    ),
    *_ENDED,
)
