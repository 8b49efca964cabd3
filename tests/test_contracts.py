"""Contract suites: the built-in parts keep them; each planted fault has a message of its own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from harness.plugin_manager import Part, Plugins
from harness.specs import Spec
from harness.testing.contracts.plugin_check import check_plugin
from harness.testing.contracts.subject import Subject
from harness.testing.contracts.suite import Finding, alike, check_contract, contracts_of, together
from tests.commands import call
from tests.factories import plugin_file
from tests.tiny_encoders import write_bert

HUB = ("roberta", "bert", "biomed-roberta")
"""Students whose weights are on the hub: ``transformers`` with another encoder."""
PLUGINS = Plugins(third_party=False)
CHECKED = [
    part
    for part in PLUGINS.all_parts()
    if part.name not in HUB and (part.kind != "task" or part.name in ("demo", "demo-ner"))
]


def contracts() -> list[tuple[Part, str, str]]:
    """Each contract of each built-in part, for each kind of task that it serves."""
    kinds = ("annotator", "student", "augmenter")
    return [
        (part, kind, contract.__name__)
        for part in CHECKED
        for kind in (part.serves if part.kind in kinds else part.serves[:1])
        for contract in contracts_of(part)
    ]


ARGUMENTS = {"litellm": "openai/tiny"}
"""Of built-in parts that need one."""
SUBJECTS: dict[tuple[str, str, str], Subject] = {}


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_bert(tmp_path_factory.mktemp("encoders") / "bert")


@pytest.mark.parametrize(
    ("part", "kind", "contract"), contracts(), ids=lambda one: getattr(one, "name", one)
)
def test_built_in_parts_keep_the_contracts(
    part: Part, kind: str, contract: str, tiny: Path
) -> None:
    key = (part.kind, part.name, kind)
    if key not in SUBJECTS:
        argument = str(tiny) if key[:2] == ("student", "transformers") else ""
        argument = argument or ARGUMENTS.get(part.name, "")
        spec = Spec(part.name.partition("/")[2] or part.name, argument)
        SUBJECTS[key] = Subject(PLUGINS, part, spec, kind)  # type: ignore[arg-type]
    (check,) = [one for one in contracts_of(part) if one.__name__ == contract]
    found = check_contract(SUBJECTS[key], check)
    if found.checked:  # else it needs an argument, or asks a service
        assert not found.message, str(found)


# --- planted faults --------------------------------------------------------------------

HEAD = """import os
import numpy as np
from dataclasses import replace
from harness.data import Annotations, Gold, Pool, StudentView
from harness.protocols import Variants
from harness_plugins.llm.service import Reply, Service, http_backend


def annotator(annotate, needs_gold=False):
    return type("Planted", (), {"annotate": annotate, "needs_gold": needs_gold})()


def zeros(pool, **more):
    return Annotations.of(np.zeros(pool.offsets[-1], dtype=np.int32), pool.offsets, **more)


def service(name, reply):
    def body(call):
        messages = [{"role": one.role, "content": one.content} for one in call.messages]
        return {"model": call.model, "messages": messages}

    def backend(settings):
        return http_backend(settings, "/chat/completions", body, reply)

    return Service(name, "planted", backend=backend)


class Uniform:
    def __init__(self, classes):
        self.classes = classes

    def fit(self, pool, annotations, seed, progress, aids):
        return self

    def view(self, pool, progress):
        log = np.full((len(pool), self.classes), -np.log(self.classes), dtype=np.float32)
        said = np.zeros(len(pool), dtype=np.int32)
        return StudentView(log, said, np.zeros((len(pool), 2), dtype=np.float32), pool.offsets)

    def save(self, folder):
        (folder / "model.pkl").write_bytes(b"")

    def load(self, folder):
        return self
"""
FAULTS: Mapping[str, tuple[str, str, str]] = {
    "none": ("annotator", "return None", "its factory returned None without needs_gold, annotate"),
    "raises": ("annotator", "raise OSError('no disk')", "could not be made: OSError: no disk"),
    "exits": ("annotator", "raise SystemExit(3)", "could not be made: SystemExit: 3"),
    "no-answer": (
        "annotator",
        "return annotator(lambda self, pool, shown, progress: None)",
        "it returned None; its protocol asks for Annotations",
    ),
    "too-few": (
        "annotator",
        "return annotator(lambda self, pool, shown, progress: zeros(pool.take(np.arange(1))))",
        "it answered for other units than those of the pool",
    ),
    "class": (
        "annotator",
        "return annotator(lambda self, pool, shown, progress:\n"
        "        Annotations.of(np.full(len(pool), 9), pool.offsets))",
        "it answered with a class index that the task does not have",
    ),
    "percent": (
        "annotator",
        "return annotator(lambda self, pool, shown, progress:\n"
        "        zeros(pool, confidence=np.full(len(pool), 90.0)))",
        "confidence lies outside of [0, 1]",
    ),
    "silent": (
        "annotator",
        "return annotator(lambda self, pool, shown, progress:\n"
        "        Annotations.of(np.full(len(pool), -1), pool.offsets))",
        "it abstained without a reason (row 0)",
    ),
    "unseeded": (
        "annotator",
        "return annotator(lambda self, pool, shown, progress:\n"
        "        Annotations.of(np.random.default_rng().integers(0, 3, len(pool)), pool.offsets))",
        "the same pool and seed gave other labels; draw from request.seed alone",
    ),
    "prints": (
        "annotator",
        "return annotator(lambda self, pool, shown, progress: print('hello') or zeros(pool))",
        "annotate printed 'hello\\n' on stdout, which is for results alone",
    ),
    "prints-elsewhere": (
        "annotator",
        "return annotator(lambda self, pool, shown, progress: os.system('echo hi') or zeros(pool))",
        "annotate printed 'hi\\n' on stdout, which is for results alone",
    ),
    "peeks": (
        "annotator",
        "return annotator(lambda self, pool, shown, progress:\n"
        "        Annotations.of(Gold.none_of(pool).labels + 1, pool.offsets))",
        "annotate read gold labels; only annotators with needs_gold = True may",
    ),
    "fails": (
        "annotator",
        "return annotator(lambda self, pool, shown, progress: 1 / 0)",
        "annotate raised: ZeroDivisionError: division by zero",
    ),
    "wants-gold": (
        "annotator",
        "return annotator(lambda self, pool, shown, progress: zeros(pool), needs_gold='no')",
        "needs_gold is 'no'; True or False is expected",
    ),
    "unfitted": (
        "student",
        "return type('Planted', (), {'fit': lambda *given: None, 'load': None})()",
        "it returned None; its protocol asks for a FittedStudent: view, save",
    ),
    "pickles": (
        "student",
        "return Uniform(len(request.task.classes))",
        "save wrote model.pkl; safetensors and JSON are expected, never pickle",
    ),
    "trust/outside": (
        "selector",
        "return lambda evidence, rng: np.asarray([0, len(evidence)])",
        "it returned a row outside the pool",
    ),
    "trust/changes": (
        "selector",
        "def planted(evidence, rng):\n"
        "        evidence.losses[:] = 0\n"
        "        return np.arange(1, 5)\n"
        "    return planted",
        "it changed its argument, a Evidence; copy it",
    ),
    "half": (
        "annotator",
        "return annotator(lambda self, pool, shown, progress:\n"
        "        Annotations.of(np.full(len(pool), 0.5), pool.offsets))",
        "annotate raised: ValueError: label 0.5 of unit 0: labels are class indices, whole numbers",
    ),
    "leaves": (
        "annotator",
        "return annotator(lambda self, pool, shown, progress: os._exit(3))",
        "it labels every example (and 3 more): it ended the process (exit code 3)",
    ),
    "trust/mask": (
        "selector",
        "return lambda evidence, rng: evidence.agrees",
        "it returned bool of shape (24,); whole numbers [k] are expected",
    ),
    "demonstrations/itself": (
        "selector",
        "return type('Planted', (), {'choose': lambda self, seen, trusted, rng: trusted,\n"
        "        'assign': lambda self, shown, groups, targets, own, rng: own[:, None]})()",
        "it assigned an example to itself; leave out own",
    ),
    "unread": (
        "service",
        "return Reply(body['text'])",
        "a chat service answered, but",
    ),
    "query/twice": (
        "selector",
        "return lambda evidence, trusted, rng: np.asarray([3, 3])",
        "it returned a row twice",
    ),
    "empties": (
        "augmenter",
        "return type('Planted', (), {'augment': lambda self, pool, labels, seed, progress:\n"
        "        Variants(replace(pool, examples=('',) * len(pool)))})()",
        "it made an empty variant of train:",
    ),
    "of-two": ("student", "return 1", ", takes (a, b)"),
}
ALONE: Mapping[str, tuple[str, str]] = {
    "heavy": (
        "try:\n    import tensorflow\nexcept ImportError:\n    pass\n",
        "imports tensorflow when it is imported; do so inside the factory",
    ),
    "loud": ("print('here I am')\n", "its import prints 'here I am' on stdout"),
    "ends": ("import os\nos._exit(7)\n", "it ended the process (exit code 7)"),
    "unmarked": ("def harness_register_tasks(register): ...\n", "has no hook: a function named"),
    "hooks": ("HOOKS_VERSION = 9\n", "is written for version 9 of the hooks, this harness has 1"),
}


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Finding]]:
    """A plugin with every fault, and what its check finds."""
    body = HEAD
    for number, (name, (of, code, _)) in enumerate(FAULTS.items()):
        takes = "a, b" if name == "of-two" else "body, call" if of == "service" else "request"
        body += f"\n\ndef make_{number}({takes}):\n    {code}\n"
    for kind in ("service", "annotator", "student", "selector", "augmenter"):
        body += f"\n\n@hookimpl\ndef harness_register_{kind}s(register):\n"
        for number, (name, (of, _, _)) in enumerate(FAULTS.items()):
            if of == kind == "service":
                body += f"    register(service({name!r}, make_{number}))\n"
            elif of == kind:
                body += f"    register({name!r}, make_{number}, kinds=['sequence'])\n"
    path = tmp_path_factory.mktemp("planted") / "planted.py"
    plugin_file(path, body)
    return path, list(check_plugin(str(path), {"third_party": False}))


@pytest.mark.parametrize("name", FAULTS)
def test_a_planted_fault_is_named_with_file_and_line(
    name: str, planted: tuple[Path, list[Finding]]
) -> None:
    path, findings = planted
    kind, _, message = FAULTS[name]
    about = f"{kind} {name!r}"
    those = [one for one in findings if one.message and about in f"{one.subject} {one.message}"]
    said = [together(same) for same in alike(those)]
    (line,) = {one for one in said if message.removeprefix(", ") in one} or {"\n".join(said)}
    assert message.removeprefix(", ") in line and "\n" not in line
    number = int(line.rpartition(":")[2].rstrip(")"))
    text = path.read_text(encoding="utf-8").splitlines()
    assert f"plugin {path}" in line or line.startswith("import")
    assert 1 <= number <= len(text) and f"{path}:{number}" in line


@pytest.mark.parametrize("name", ALONE)
def test_a_fault_of_the_import_is_named(name: str, tmp_path: Path) -> None:
    code, message = ALONE[name]
    path = plugin_file(tmp_path / f"{name}.py", code)
    outcome = call("plugins", "check", path, "--no-plugin", "harness_plugins.students.plugin")
    assert outcome.code == 1
    (line,) = [one for one in outcome.stdout.splitlines() if message in one]
    assert line.startswith("BAD ") and f"{name}.py" in line


def test_a_part_that_ends_the_process_hides_no_other(tmp_path: Path) -> None:
    body = (
        "import os\nimport numpy as np\nfrom harness.data import Annotations\n"
        "class Gone:\n    needs_gold = False\n"
        "    def annotate(self, pool, demonstrations, progress): os._exit(3)\n"
        "@hookimpl\ndef harness_register_annotators(register):\n"
        "    register('gone', lambda request: Gone())\n"
        "    register('none', lambda request: None, kinds=['token'])\n"
    )
    path = Path(plugin_file(tmp_path / "gone.py", body))
    lines = path.read_text(encoding="utf-8").splitlines()
    at = 1 + next(row for row, line in enumerate(lines) if "register('gone'" in line)
    outcome = call("plugins", "check", path)
    assert outcome.stdout.splitlines() == [
        "BAD  annotator 'gone' on sequence and token tasks: it labels every example (and 3 more): "
        f"it ended the process (exit code 3) (plugin {path}, {path}:{at})",
        "BAD  annotator 'none' on token tasks: it says whether it needs gold (and 4 more): "
        "its factory returned None without needs_gold, annotate; see "
        f"harness.protocols (plugin {path}, {path}:{at + 1})",
        "3 contracts kept, 13 broken by 2 faults, 0 not checked (-v lists them)",
    ]


def test_a_plugin_that_keeps_its_contracts(tmp_path: Path) -> None:
    body = (
        "import numpy as np\nfrom harness.data import Annotations\n"
        "class First:\n    needs_gold = False\n"
        "    def annotate(self, pool, demonstrations, progress):\n"
        "        return Annotations.of(np.zeros(pool.offsets[-1]), pool.offsets)\n"
        "@hookimpl\ndef harness_register_annotators(register):\n"
        "    register('first', lambda request: First())\n"
        "@hookimpl\ndef harness_run_finished(result, folder): assert result.stages\n"
    )
    outcome = call("plugins", "check", plugin_file(tmp_path / "good.py", body), "-v")
    assert outcome.code == 0, outcome
    assert "ok   annotator 'first' on token tasks: it labels every example" in outcome.stdout
    assert "ok   harness_run_finished" in outcome.stdout
    assert outcome.stdout.endswith("12 contracts kept, 0 broken, 0 not checked (-v lists them)\n")
