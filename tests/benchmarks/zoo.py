"""What comes of every response shape of every dialect, through each backend, as a table.

    python -m tests.benchmarks.zoo                 writes results/provider_zoo.md
    python -m tests.benchmarks.zoo groq deepseek   prints these dialects alone

About three minutes on two CPU cores; everything runs on this machine, without a key.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import harness_plugins.llm.send.retries
from harness.testing.cases import Case, dialect, dialect_names
from harness.testing.service import ChatServer, running
from tests.zoo import BACKENDS, KEYS, backends_of, mistake, play

TABLE = Path("results/provider_zoo.md")
HEAD = f"""# The provider zoo

What this program makes of {{shapes}} response shapes in {{dialects}} dialects, by
`python -m tests.benchmarks.zoo`; the shapes with their bodies are in `harness/testing/dialects/`.
{{found}} were seen in a public report or documentation page (the source), the others are
constructed. `✓`: what came of it is right through this backend ({", ".join(BACKENDS)}); `–`: it
never gets there. {{right}} of {{all}} are right.
"""


def main() -> None:
    """Print the dialects that are named, or write the table of all."""
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    os.environ.update(dict.fromkeys(KEYS, "a-key-of-the-zoo"))
    harness_plugins.llm.send.retries.FIRST_SECONDS = 0.02
    names = sys.argv[1:] or list(dialect_names())
    shapes = [(name, case) for name in names for case in dialect(name).case]
    with running(ChatServer(keep_bodies=True)) as server:
        verdicts = [_verdicts(server, name, case) for name, case in shapes]
    told = [one for row in verdicts for one in row.values()]
    head = HEAD.format(
        shapes=len(shapes),
        dialects=len(names),
        found=sum(case.source != "constructed" for _, case in shapes),
        right=sum(not one for one in told),
        all=len(told),
    )
    text = "\n".join([head, *_tables(names, shapes, verdicts)])
    if sys.argv[1:]:
        print(text)
    else:
        TABLE.write_text(text, encoding="utf-8")


def _verdicts(server: ChatServer, name: str, case: Case) -> dict[str, str]:
    """By backend what is wrong, or ""."""
    found = {}
    for by in backends_of(case):
        with TemporaryDirectory() as folder:
            played = play(server, name, dialect(name), case, by, Path(folder))
        found[by] = mistake(case, played)
    return found


def _tables(
    names: list[str], shapes: list[tuple[str, Case]], verdicts: list[dict[str, str]]
) -> Iterator[str]:
    for name in names:
        yield f"\n## {name}: {dialect(name).summary}\n"
        yield f"| shape | status | right outcome | {' | '.join(BACKENDS)} | source |"
        yield "|---|---|---|---|---|---|---|"
        for (of, case), row in zip(shapes, verdicts, strict=True):
            if of == name:
                marks = [_mark(row.get(by)) for by in BACKENDS]
                wanted = f"{case.outcome} {case.seconds:g} s" if case.seconds else case.outcome
                cells = [f"`{case.name}`", str(case.status), wanted, *marks, _link(case.source)]
                yield f"| {' | '.join(cells)} |"


def _mark(wrong: str | None) -> str:
    return "–" if wrong is None else "✓" if not wrong else wrong.partition(":")[0].replace("|", "/")


def _link(source: str) -> str:
    if not source.startswith("https://"):
        return source
    return f"[{source.removeprefix('https://').removeprefix('github.com/')}]({source})"


if __name__ == "__main__":
    main()
