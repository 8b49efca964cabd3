"""How often a new file of replies cannot be opened by three processes in the same moment.

python -m tests.benchmarks.opening [--times 300]
"""

from __future__ import annotations

import argparse
import multiprocessing
import tempfile
import time
from pathlib import Path
from typing import Any

from harness.errors import HarnessError
from harness_plugins.llm.cache import ReplyCache

PROCESSES = 3


def open_at(path: Path, moment: float, said: Any) -> None:
    while time.time() < moment:
        pass
    try:
        ReplyCache(path).close()
        said.put("")
    except HarnessError as error:
        said.put(str(error))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=300)
    options = parser.parse_args()
    context = multiprocessing.get_context("fork")
    refused = 0
    for _ in range(options.times):
        with tempfile.TemporaryDirectory() as folder:
            said = context.SimpleQueue()
            arguments = (Path(folder) / "replies.sqlite", time.time() + 0.02, said)
            ours = [context.Process(target=open_at, args=arguments) for _ in range(PROCESSES)]
            for one in ours:
                one.start()
            for one in ours:
                one.join()
            refused += sum(bool(said.get()) for _ in ours)
    print(f"refused: {refused} of {options.times * PROCESSES}")


if __name__ == "__main__":
    main()
