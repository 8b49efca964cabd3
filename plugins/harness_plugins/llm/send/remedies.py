"""What is changed in a request because the server does not take it as it is."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass, replace

from harness_plugins.llm.calls import Call, canonical
from harness_plugins.llm.failures import UnsupportedError

LIMITS = {"max_tokens": "max_completion_tokens", "max_completion_tokens": "max_tokens"}
"""The two names of the most tokens of a reply; a server takes one of them, or both."""


@dataclass(frozen=True, slots=True)
class Remedy:
    """One change.

    Attributes:
        feature: ``response_format``, or the parameter that is left out.
        becomes: the parameter in whose name its value is sent; "": none.
        at_most: the value to which it is lowered; None: it is left out.
    """

    feature: str
    becomes: str = ""
    at_most: int | None = None

    def changes(self, call: Call) -> bool:
        """Whether the call is not yet as the server takes it."""
        if self.feature == "response_format":
            return bool(call.response_format)
        value = json.loads(call.parameters).get(self.feature)
        return value is not None and (self.at_most is None or value > self.at_most)

    def applied(self, call: Call) -> Call:
        """The call as the server takes it."""
        if not self.changes(call):
            return call
        if self.feature == "response_format":
            return replace(call, response_format="")
        parameters = json.loads(call.parameters)
        value = parameters.pop(self.feature)
        if self.becomes or self.at_most is not None:
            parameters[self.becomes or self.feature] = self.at_most or value
        return replace(call, parameters=canonical(parameters))

    def __str__(self) -> str:
        if self.at_most is not None:
            return f"takes at most {self.at_most} for {self.feature}: it is lowered"
        done = f"{self.becomes} is sent in its place" if self.becomes else "it is left out"
        return f"does not know {self.feature}: {done}"


def remedy_for(
    failure: UnsupportedError, call: Call, optional: Collection[str], known: Collection[Remedy]
) -> Remedy | None:
    """What to change so that the call is taken; None where nothing plain is left to try.

    Args:
        optional: features that nobody insists on.
        known: changes that are made already.
    """
    feature, at_most = failure.feature, failure.at_most
    if at_most is not None and not Remedy(feature).changes(call):
        feature = LIMITS.get(feature, feature)  # a server may name it as it is not sent
    becomes = LIMITS.get(feature, "") if at_most is None else ""
    remedy = Remedy(feature, becomes, at_most)
    if feature not in optional or not remedy.changes(call) or remedy in known:
        return None
    return None if any(one.feature == becomes for one in known if not one.at_most) else remedy
