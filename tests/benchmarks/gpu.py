"""Sections of ``gpu.sh``: each measures in a process of its own and adds lines to a file.

python -m tests.benchmarks.gpu SECTION --data DIR --out FILE.jsonl [--small]
python -m tests.benchmarks.gpu table --out FILE.jsonl
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from time import perf_counter

import numpy as np
import torch

from harness.cli.inspect.device import device_found, matrix_rate
from harness.protocols import no_progress
from harness_plugins.encoders import device, packaged_folder
from harness_plugins.selectors import prototypes
from harness_plugins.sentences import sentence_encoder
from harness_plugins.students.presets import settings_of
from harness_plugins.students.settings import EncoderKeys
from harness_plugins.students.sources import packaged
from tests.benchmarks import gpu_steps, ladder, selector_scale
from tests.benchmarks import student as training
from tests.benchmarks.gpu_equal import difference, values
from tests.benchmarks.local_scoring import llama_rates

CUDA = torch.cuda.is_available()
EPOCHS = 3
SELECTORS = (
    *("demonstrations/k-medoids", "demonstrations/diverse", "query/core-set", "query/badge"),
    *("query/cal", "retrieval/k-medoids,retrieval=balanced"),
)
WANTED = {"minilm": 6000.0, "roberta": 2500.0}
"""Pairs a second of later epochs on an H100 or H200."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the table.

    Attributes:
        what: was measured.
        value: the number.
        unit: of it.
        least: smallest value that is good; None: any.
        most: largest value that is good; None: any.
    """

    what: str
    value: float
    unit: str = ""
    least: float | None = None
    most: float | None = None

    @property
    def verdict(self) -> str:
        """Whether it is good, where that is asked."""
        if self.least is None and self.most is None:
            return ""
        good = (self.least is None or self.value >= self.least) and (
            self.most is None or self.value <= self.most
        )
        limit = f">= {self.least:g}" if self.least is not None else f"<= {self.most:g}"
        return f"{'ok ' if good else 'BAD'} {limit}"


@dataclass(frozen=True, slots=True)
class Options:
    """Where the data is, and whether sizes are those of a computer without a GPU."""

    data: Path
    small: bool

    def size(self, large: int, small: int) -> int:
        """One of two numbers."""
        return small if self.small else large

    def on_gpu(self, limit: float) -> float | None:
        """A limit that is asked on a GPU alone."""
        return limit if CUDA and not self.small else None


Section = Callable[[Options], Iterator[Line]]


def timed(work: Callable[[], object]) -> float:
    """Seconds, until the GPU is done."""
    if CUDA:
        torch.cuda.synchronize()
    began = perf_counter()
    work()
    if CUDA:
        torch.cuda.synchronize()
    return perf_counter() - began


def doctor(options: Options) -> Iterator[Line]:
    """What ``harness doctor`` says of the device, and how long it measures."""
    if CUDA:
        torch.zeros(1, device="cuda")
    print(device_found(), flush=True)
    yield Line("harness doctor: device", timed(device_found), "s", most=options.on_gpu(2))


def student(shape: str, options: Options) -> Iterator[Line]:
    """Pairs a second of each epoch of two trainings, without graphs, and of the plain loop."""
    made = training.material(options.data, options.size(2048, 20 if shape == "minilm" else 10))
    keys = EncoderKeys(preset="paper", epochs=EPOCHS, warmup_epochs=1, head="mean")
    settings = settings_of(keys, "sequence", packaged())
    count = len(made.pool)
    with tempfile.TemporaryDirectory() as room:
        folder = training.folder_of(shape, Path(room))
        best = 0.0
        for name, graphs in (("", True), (", second training", True), (", without graphs", False)):
            one = training.trainer(folder, made, replace(settings, graphs=graphs))
            seconds = epochs_of(one)
            rates = [count / each for each in seconds]
            for epoch, rate in enumerate(rates, start=1):
                least = options.on_gpu(WANTED[shape]) if graphs and epoch == EPOCHS else None
                yield Line(f"{shape}{name}: epoch {epoch}", rate, "pairs/s", least=least)
            if not name:
                slower = seconds[0] / seconds[-1]
                most = options.on_gpu(2)
                yield Line(f"{shape}: first epoch over a later one", slower, "times", most=most)
            best = max(best, rates[-1])
        if CUDA:
            yield Line(f"{shape}: share of the matrix rate", share_of_rate(one, count / best), "%")
        few = replace(made, **{
            name: getattr(made, name).take(np.arange(min(count, 512)))
            for name in ("pool", "said", "variants")
        })  # fmt: skip
        plain = training.PlainLoop(folder, few, settings)
        plain.run(1)
        slow = len(few.pool) / timed(lambda: plain.run(1))
        yield Line(f"{shape}: the plain loop", slow, "pairs/s")
        least = options.on_gpu(10)
        yield Line(f"{shape}: ours over the plain loop", best / slow, "times", least=least)


def epochs_of(one: training.Trainer) -> list[float]:
    """Seconds of each epoch, with the rescoring before it."""
    ends = [perf_counter()]

    def after() -> None:
        if CUDA:
            torch.cuda.synchronize()
        ends.append(perf_counter())

    one.run(no_progress, after)
    return np.diff(ends).tolist()


def share_of_rate(one: training.Trainer, seconds: float) -> float:
    """Of an epoch: 6 FLOP for each weight and word piece, in % of the matrix rate."""
    tokens = int(one.data.pieces.ids.size + one.data.variants.ids.size)
    words = one.model.base_model.get_input_embeddings().weight
    weights = sum(own.numel() for own in one.model.parameters()) - words.numel()
    return 100 * 6 * weights * tokens / seconds / matrix_rate()


def rungs(options: Options) -> Iterator[Line]:
    """MR whole with 40 % wrong labels: seconds and test scores of three presets."""
    with tempfile.TemporaryDirectory() as room:
        out = Path(room) / "ladder.jsonl"
        few = ["--limit", "60", "--paper-epochs", "1"] if options.small else []
        sys.argv = ["ladder", "--data", str(options.data), "--out", str(out), *few]
        sys.argv += ["--tasks", "mr", "--rungs", "lopsided-0.4", "--seeds", "0"]
        sys.argv += ["--methods", "plain,default,paper"]
        ladder.main()
        for one in ladder.lines_of(out):
            name = f"ladder MR lopsided-0.4, {one['n']} texts, {one['method']}"
            yield Line(f"{name}: training", one["seconds"], "s")
            yield Line(f"{name}: test", 100 * one["test"], "%")


def embedding(options: Options) -> Iterator[Line]:
    """A hundred thousand texts, the encoder's loading included, and again without."""
    pool = training.material(options.data, options.size(8000, 100)).pool
    count = options.size(100_000, 200)
    texts = [f"{pool.texts[row % len(pool)]} {row}" for row in range(count)]
    name, most = f"embedding of {count:,} texts", options.on_gpu(10)
    yield Line(name, timed(lambda: sentence_encoder().embed(texts, no_progress)), "s", most=most)
    yield Line(f"{name}, again", timed(lambda: sentence_encoder().embed(texts, no_progress)), "s")


def local(options: Options) -> Iterator[Line]:
    """Labels scored by a Llama of 1B random weights (width 2,048, 16 layers)."""
    count, few = options.size(8192, 12), options.size(48, 4)
    for what, value in llama_rates(count, few, small=options.small).items():
        yield Line(f"local scoring, Llama 1B: {what}", value)


def selection(options: Options) -> Iterator[Line]:
    """Each selector that multiplies matrices, on a million rows of width 768."""
    rows, width = options.size(1_000_000, 20_000), options.size(768, 32)
    vectors = torch.randn(rows, width, device=device()).cpu().numpy()
    seen, trusted = selector_scale.evidence_of(vectors), np.arange(0, rows, 5)
    some = np.random.default_rng(0)
    prototypes.k_medoids(seen, trusted[:200], 9, some)  # loads kernels
    for name in SELECTORS:
        seconds = timed(lambda name=name: selector_scale.work(name, seen, trusted))  # type: ignore[misc]
        yield Line(f"selection of {rows:,} x {width}: {name}", seconds, "s")


def steps(options: Options) -> Iterator[Line]:
    """Printed by ``gpu_steps``: losses of steps on the CPU, the GPU, and as graphs."""
    made = training.material(options.data, options.size(700, 64))
    gpu_steps.show_equal(packaged_folder(), made)
    gpu_steps.show_replays(packaged_folder(), made)
    gpu_steps.show_dropout(packaged_folder(), made)
    yield from ()


def equality(options: Options) -> Iterator[Line]:
    """The same values as on a CPU, which another process computes meanwhile."""
    rows = options.size(128, 40)
    with tempfile.TemporaryDirectory() as room:
        file = Path(room) / "cpu.npz"
        code = (
            "import os, sys; os.environ['CUDA_VISIBLE_DEVICES'] = ''\n"
            "from pathlib import Path; import numpy as np\n"
            "from tests.benchmarks.gpu_equal import values\n"
            "np.savez(sys.argv[1], **values(Path(sys.argv[2]), int(sys.argv[3])))"
        )
        command = [sys.executable, "-c", code, str(file), str(options.data), str(rows)]
        with subprocess.Popen(command) as other:
            own = values(options.data, rows)
            if other.wait():
                raise RuntimeError(f"the computation on the CPU ended with {other.returncode}")
        with np.load(file) as wanted:
            for name, value in own.items():
                apart, most = difference(name, value, wanted[name])
                what = "share that differs" if name.startswith("picks") else "mean difference"
                yield Line(f"GPU and CPU: {name}", apart, what, most=most)


def demo(options: Options) -> Iterator[Line]:
    """``harness run`` whole, each time in a process of its own: seconds, and what the stages score.

    The first one reads the libraries from the disk, and compiles what no one has imported yet.
    """
    code = "import sys; from harness.cli import main; sys.exit(main())"
    command = [sys.executable, "-c", code, "run", "--json"]
    command += ["--limit", "40"] if options.small else []
    for name, most in (("first in a new environment", None), ("again", options.on_gpu(12))):
        with tempfile.TemporaryDirectory() as room:
            began = perf_counter()
            done = subprocess.run([*command, "--out", room], check=True, stdout=subprocess.PIPE)
            seconds = perf_counter() - began
        yield Line(f"harness run (demo), {name}", seconds, "s", most=most)
        for stage in json.loads(done.stdout)["stages"]:
            about = f"harness run (demo), {name}: {stage['stage']}"
            yield Line(f"{about} of {stage['actor']}", stage["seconds"], "s")
            if stage["inductive"]:
                yield Line(f"{about}, test", 100 * stage["inductive"]["score"], "%")


SECTIONS: Mapping[str, Section] = {
    "doctor": doctor,
    "demo": demo,
    "minilm": lambda options: student("minilm", options),
    "roberta": lambda options: student("roberta", options),
    "equality": equality,
    "steps": steps,
    "embedding": embedding,
    "ladder": rungs,
    "local": local,
    "selection": selection,
}


def table(file: Path) -> None:
    """Print what the file holds."""
    lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    name = torch.cuda.get_device_name() if CUDA else "CPU"
    print(f"{name}, torch {torch.__version__}")
    for one in lines:
        line = Line(**one)
        print(f"{line.what:66} {line.value:>12,.4g} {line.unit:22} {line.verdict}")
    bad = sum(Line(**one).verdict.startswith("BAD") for one in lines)
    print(f"{len(lines)} lines, {bad} of them BAD")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("section", choices=[*SECTIONS, "table"])
    parser.add_argument("--data", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--small", action="store_true")
    options = parser.parse_args()
    if options.section == "table":
        table(options.out)
        return
    for line in SECTIONS[options.section](Options(options.data, options.small)):
        print(f"  {line.what}: {line.value:,.4g} {line.unit} {line.verdict}", flush=True)
        with options.out.open("a", encoding="utf-8") as out:
            out.write(json.dumps(asdict(line)) + "\n")


if __name__ == "__main__":
    main()
