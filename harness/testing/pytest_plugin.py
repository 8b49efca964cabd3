"""A pytest plugin for packages of parts: ``pytest_plugins = ["harness.testing.pytest_plugin"]``.

A test that takes ``harness_contract`` runs once for each contract of each part of the plugin that
the module names::

    HARNESS_PLUGIN = "my-plugin"  # as harness plugins lists it, its module or its file
    HARNESS_SPECS = ("replay:answers.jsonl",)  # of parts that need an argument; may be left out

    def test_contracts(harness_contract):
        harness_contract()
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import pytest

from harness.errors import HarnessError

FIXTURE = "harness_contract"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test for each contract."""
    if FIXTURE not in metafunc.fixturenames:
        return
    name = str(getattr(metafunc.module, "HARNESS_PLUGIN", ""))
    specs = tuple(getattr(metafunc.module, "HARNESS_SPECS", ()))
    found = list(_contracts(name, specs))
    metafunc.parametrize(FIXTURE, [one for _, one in found], ids=[label for label, _ in found])


def _contracts(name: str, specs: Sequence[str]) -> Iterator[tuple[str, Callable[[], None]]]:
    """Checked in a process of its own, before the first test runs."""
    from harness.testing.contracts.plugin_check import check_plugin

    try:
        findings = list(check_plugin(name, {"third_party": True}, specs))
    except HarnessError as error:
        raise pytest.UsageError(str(error)) from None
    for finding in findings:
        label = str(replace(finding, message="")).replace("'", "")

        def passes(
            said: str = str(finding), wrong: str = finding.message, checked: bool = finding.checked
        ) -> None:
            if wrong and checked:
                pytest.fail(said, pytrace=False)
            elif wrong:
                pytest.skip(said)

        yield label, passes
