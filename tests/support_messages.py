"""A messy table of support messages in five categories, generated: no row is anybody's.

python -m tests.support_messages             writes messages.csv, next-month.csv and gold.csv
python -m tests.support_messages review.csv  fills the column gold, as a person would
"""

from __future__ import annotations

import csv
import random
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path

CATEGORIES = {
    "billing": ("invoice", "refund", "charged twice", "credit card", "payment", "price"),
    "delivery": ("parcel", "courier", "late delivery", "tracking number", "package", "shipment"),
    "login": ("password", "sign in", "account locked", "reset link", "two-factor code", "username"),
    "damage": ("broken", "cracked screen", "scratched", "arrived in pieces", "defective", "torn"),
    "praise": ("thank you", "great service", "love it", "wonderful", "very happy", "excellent"),
}
OPENINGS = ("Hello,", "Hi team,", "URGENT!!", "Good morning;", "Dear support,", "hey 👋")
MIDDLES = (
    "about my {0}: the {1} again",
    'the word was "{0}", and then the {1}',
    "{0}; {1}; what now?",
    "my {0}\nand also the {1}",
    "please look at the {0} 🙏, also {1}",
)
ENDINGS = ("Regards, Kim", "thx", "— sent from my phone", "order 48{0:04d}", "😀", "")


def messages(seed: int = 5, count: int = 300) -> list[dict[str, str]]:
    """Rows of id, date, customer, message, and the category that each was made of."""
    draw = random.Random(seed)
    rows = []
    for number in range(count):
        category = draw.choice(list(CATEGORIES))
        one, other = draw.sample(CATEGORIES[category], 2)
        parts = (draw.choice(OPENINGS), draw.choice(MIDDLES).format(one, other))
        text = " ".join((*parts, draw.choice(ENDINGS).format(number)))
        if number % 40 == 7:
            text = " " * (number % 3)  # nothing was written
        elif number % 25 == 11:
            text = rows[-1]["message"]
            category = rows[-1]["category"]
        rows.append(
            {
                "id": f"T-{90000 - 7 * number}",
                "date": (date(2026, 1, 1) + timedelta(days=number)).isoformat(),
                "customer": f"Smith; {number}" if number % 9 else 'O\'Brien, "Bo"',
                "message": text,
                "category": category,
            }
        )
    return rows


def write_messages(
    file: Path, count: int = 300, *, known: int = 0, seed: int = 5
) -> list[dict[str, str]]:
    """Write them without category, but for the first ``known``; the rows."""
    rows = messages(seed, count)
    columns = ["id", "date", "customer", "message", *(["category"] if known else [])]
    shown = (row if n < known else row | {"category": ""} for n, row in enumerate(rows))
    write_table(file, columns, shown)
    return rows


def write_examples(folder: Path, count: int = 300, by_hand: int = 100) -> None:
    """The files of README: messages of two months, and some of the first labelled by hand."""
    rows = write_messages(folder / "messages.csv", count)
    write_messages(folder / "next-month.csv", count, seed=6)
    named = [row for row in rows if row["message"].strip()]
    drawn = random.Random(0).sample(named, by_hand)
    gold = ({"text": row["message"], "label": row["category"]} for row in drawn)
    write_table(folder / "gold.csv", ["text", "label"], gold)


def fill_review(file: Path, count: int = 300) -> None:
    """Write the right label next to each row that was drawn to be checked."""
    right = {row["message"].strip(): row["category"] for row in messages(count=count)}
    with file.open(encoding="utf-8", newline="") as handle:
        rows = list(csv.DictReader(handle))
    checked = (
        row | {"gold": right[row["text"].strip()] if row["why"] == "check" else ""} for row in rows
    )
    write_table(file, list(rows[0]), checked)


def write_table(file: Path, columns: Sequence[str], rows: Iterable[Mapping[str, str]]) -> None:
    """As csv."""
    with file.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.DictWriter(handle, columns, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    fill_review(Path(sys.argv[1])) if sys.argv[1:] else write_examples(Path())
