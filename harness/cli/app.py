"""The application: commands are put together, errors become one line and an exit code."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence

import typer

from harness.cli import audit, export, inspect, plan, results, run
from harness.cli.session import load_plugins, take_plugins, third_party
from harness.errors import HarnessError
from harness.plugin_manager import installed

__all__ = ["build_app", "main"]

EPILOG = (
    "A SPEC names a part: name, name:argument or name:argument,key=value. "
    "Exit codes: 0 done, 1 the run failed, 2 the command is wrong, 3 stopped by budget, "
    "130 interrupted."
)
EPILOG_PLUGINS = (
    "Also: --plugin X adds a plugin, a module or file.py; --no-plugin X leaves one out "
    "(harness plugins lists them)."
)


def build_app(*, plugins: bool = False) -> typer.Typer:
    """All built-in commands, and those of plugins; ``plugins``: the command line names some."""
    app = typer.Typer(
        name="harness",
        help="LLM annotators and small student models teach each other a task "
        "without human labels.",
        epilog=EPILOG,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )
    run.add_to(app)
    plan.add_to(app)
    inspect.add_to(app)
    results.add_to(app)
    export.add_to(app)
    audit.add_to(app)
    for command in app.registered_commands:
        command.epilog = EPILOG_PLUGINS
    if plugins or (third_party() and any(True for _ in installed())):
        load_plugins().register_commands(app)
    return app


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the program and exit with its code."""
    # OpenMP's threads wait for each other without sleeping unless told so before torch is loaded:
    # beside one busy core the demo took ten times as long (results/LOG.md).
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that knows no en dash
    try:
        code = _run(sys.argv[1:] if arguments is None else list(arguments))
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader went away (`harness list | head`): nothing is wrong here.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 141
    sys.exit(code)


def _run(arguments: list[str]) -> int:
    try:
        others = take_plugins(arguments)
        command = typer.main.get_command(build_app(plugins=others != arguments))
        code = command.main(args=others or ["--help"], prog_name="harness", standalone_mode=False)
        if code == 130:  # Typer turns an interruption into this code and says nothing
            raise KeyboardInterrupt
    except HarnessError as error:
        if os.environ.get("HARNESS_TRACEBACK"):
            raise
        return _fail(str(error), error.exit_code)
    except typer.TyperException as error:
        said = error.format_message().replace("Value error, ", "").rstrip(".")
        return _fail(f"{said} (see harness --help)", 2)
    except (KeyboardInterrupt, typer.Abort):
        return _fail("interrupted; the same command goes on from what is recorded", 130)
    except BrokenPipeError:
        raise
    except Exception as error:
        if os.environ.get("HARNESS_TRACEBACK"):
            raise
        said = f"{type(error).__name__}: {error}"
        return _fail(f"unforeseen error: {said} (HARNESS_TRACEBACK=1 shows where)", 1)
    return int(code or 0)


def _fail(message: str, code: int) -> int:
    print(f"harness: {' '.join(message.split())}", file=sys.stderr)  # noqa: T201
    return code
