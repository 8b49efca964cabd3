"""Every code block of the documentation: Python runs, or is imported; commands and keys exist."""

from __future__ import annotations

import json
import pkgutil
import re
import shlex
import textwrap
import tomllib
from pathlib import Path
from typing import Any

import pytest
import typer
from aiohttp import web

from harness.cli.app import build_app
from harness.config import Config
from harness.sweep.recipes import Recipe
from harness.testing.answers import answer
from harness.testing.service import ChatServer, running
from tests.commands import call, succeeded
from tests.test_api import ByLength

ROOT = Path(__file__).parent.parent
FOLDERS = ("docs", "harness", "plugins", "tasks", "tests", "results")
PAGES = {
    file.relative_to(ROOT).as_posix(): file.read_text(encoding="utf-8").replace("\\\n", " ")
    for file in (ROOT / "README.md", *(f for name in FOLDERS for f in (ROOT / name).rglob("*.md")))
    if file.name not in ("LOG.md", "CHANGELOG.md") and "runs" not in file.parts
}
BLOCK = re.compile(
    r"(?:<!-- (?P<of>[^\n]*) -->\n)?^```(?P<kind>\w*)\n(?P<text>.*?)^```", re.M | re.S
)
BLOCKS = [
    pytest.param(found, id=f"{page}:{text.count(chr(10), 0, found.start()) + 1}")
    for page, text in PAGES.items()
    for found in BLOCK.finditer(text)
]
SHELLS = [one for one in BLOCKS if one.values[0]["kind"] in ("", "text", "console")]  # type: ignore[index]
PROGRAM = typer.main.get_command(build_app())
TOLD = re.compile(r"^(?:\$ )?(?P<program>harness|python -m) (?P<rest>.*)$", re.MULTILINE)


def of_kind(kind: str) -> list[Any]:
    return [one for one in BLOCKS if one.values[0]["kind"] == kind]  # type: ignore[index]


def parse(line: str) -> None:
    """Read a command line as the program does, without doing anything; errors are raised."""
    words = shlex.split(re.sub(r"--(no-)?plugin \S+", "", line), comments=True)
    command, context = PROGRAM, PROGRAM.make_context("harness", words)
    while hasattr(command, "commands") and (left := [*context._protected_args, *context.args]):
        name, command, rest = command.resolve_command(context, left)
        context = command.make_context(name, rest, parent=context)


@pytest.mark.parametrize("block", SHELLS)
def test_commands_and_their_options_exist(block: re.Match[str]) -> None:
    for told in TOLD.finditer(block["text"]):
        if told["program"] == "harness":
            parse(told["rest"])
        else:
            module, *words = shlex.split(told["rest"], comments=True)
            source = Path(str(pkgutil.resolve_name(module).__file__)).read_text(encoding="utf-8")
            assert all(f'"{word}"' in source for word in words if word.startswith("--")), told[0]


@pytest.mark.parametrize("page", PAGES)
def test_commands_named_in_a_sentence_exist(page: str) -> None:
    prose = BLOCK.sub("", PAGES[page])
    for line in re.findall(r"`harness ([a-z][^`]*)`", prose):
        command = PROGRAM
        for word in line.split():
            known = {name for one in command.params for name in one.opts}
            if word.startswith("--"):
                assert word.partition("=")[0] in known | {"--plugin", "--no-plugin", "--help"}, line
            elif commands := getattr(command, "commands", None):
                command = commands[word]


@pytest.mark.parametrize("block", of_kind("python"))
@pytest.mark.usefixtures("alone", "sweeps_here")
def test_python_runs(block: re.Match[str]) -> None:
    code = textwrap.dedent(block["text"])
    compile(code, block["of"] or "snippet", "exec")
    part = block["of"] is not None and not block["of"].startswith("example: ")
    if "def harness_" in code and not part:
        Path("snippet.py").write_text(code, encoding="utf-8")
        assert "snippet.py" in succeeded(call("plugins", "--plugin", "snippet.py"))
    elif not block["of"]:
        known: dict[str, Any] = {"MyAnnotator": ByLength}
        exec(code, known)
        if "done" in known:
            assert [stage.stage for stage in known["done"].stages] == ["R1", "R2"]


async def in_its_dialect(request: web.Request) -> web.Response:
    """A server as the service of the page expects it."""
    turns = (await request.json())["chat"]
    text = answer({"messages": [{"role": role, "content": said} for role, said in turns]})
    return web.json_response({"text": text, "in": 10, "out": 1})


@pytest.mark.usefixtures("alone")
def test_the_service_of_the_page_labels_texts(monkeypatch: pytest.MonkeyPatch) -> None:
    page = PAGES["plugins/harness_plugins/llm/README.md"]
    (code,) = [block["text"] for block in BLOCK.finditer(page) if block["kind"] == "python"]
    Path("my_service.py").write_text(code, encoding="utf-8")
    monkeypatch.setenv("MINE_API_KEY", "of-this-test")
    with running(ChatServer(routes=[web.post("/mine/chat", in_its_dialect)])) as server:
        address = f"annotator.base_url={server.url.replace('/v1', '/mine')}"
        told = "run --plugin my_service.py --annotator mine:MODEL --student tfidf --rounds 1"
        more = ("--limit", 20, "--set", "demonstrations.generated=false", "--set", address)
        done = json.loads(succeeded(call(*told.split(), *more, "--json")))
    assert done["stages"][0]["requests"] == 40 and done["stages"][0]["abstained"] == 0
    assert done["cost_usd"] == pytest.approx(40 * (10 * 0.5 + 1 * 1.5) / 1e6)


@pytest.mark.parametrize("block", of_kind("toml"))
def test_keys_of_toml_exist(block: re.Match[str]) -> None:
    values = tomllib.loads(block["text"])
    if "rows" in values:
        assert len(Recipe.model_validate(values).expanded()) >= 2
    for preset in values.get("presets", {}).values():
        parts = {key: value for key, value in preset.items() if key != "summary"}
        assert Config.model_validate({"annotator": parts}).annotator.spec == preset["spec"]
