"""One run in its folder: from a configuration to a result."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from harness.config import Config
from harness.errors import HarnessError
from harness.plugin_manager import Plugins
from harness.record import layout
from harness.record.failures import noting_failure
from harness.record.folder import RunFolder
from harness.results import RunResult, Watcher
from harness.run.assembly import assemble, obstacles, run_id
from harness.run.loop import run
from harness.run.splits import splits_of
from harness.run.steps import Sharing


def run_single(
    config: Config,
    plugins: Plugins,
    data: Path | None,
    out: Path,
    watching: Callable[[str], AbstractContextManager[Watcher]],
    *,
    fresh: bool = False,
    sharing: Sharing | None = None,
) -> tuple[RunResult, Path]:
    """Do the run that a configuration stands for, go on with it, or find it finished.

    Args:
        config: of the run, resolved or not.
        plugins: whose parts it names.
        data: folder of data; None: the hub is asked.
        out: where runs are kept.
        watching: given the run's id, who watches it.
        fresh: forget what an earlier process recorded.
        sharing: what it has in common with the other runs of a sweep.

    Returns:
        The result, and the run's folder.

    Raises:
        HarnessError: naming what is wrong. What was recorded stays.
    """
    try:
        config, parts = assemble(config, plugins, data)
        splits = splits_of(config, parts.task)
    except HarnessError as first:
        first.args = (obstacles(config, plugins, data, first),)
        raise
    name = run_id(config, parts)
    path = layout.run_folder(out, parts.task.card.name, name)
    with (
        RunFolder.held(path, fresh=fresh) as folder,
        noting_failure(path),
        watching(name) as watcher,
    ):
        result = run(
            parts,
            config,
            splits,
            folder,
            run_id=name,
            replies=out / layout.REPLIES,
            plugins=plugins,
            watcher=watcher,
            sharing=sharing,
        )
    return result, path
