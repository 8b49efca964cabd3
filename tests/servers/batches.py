"""The batch API beside the chat server: files, batches, and what goes wrong with them.

batches = Batches()
server = ChatServer(routes=batches.routes)
"""

from __future__ import annotations

import asyncio
import itertools
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from harness.testing.answers import LABELS, answer, completion, last_text

__all__ = ["Batches"]


@dataclass
class Batches:
    """The endpoints' state, and their faults.

    Attributes:
        looks: retrievals of a batch until it is over; None: it never is.
        endings: how the first batches end (``completed``, ``expired``, ``cancelled``,
            ``invalid``), in order; all others complete.
        answered_share: of the requests of a batch that expires or is cancelled.
        throttled_uploads: so many uploads are answered with 429 first.
        lost_creations: so many batches are created without their answer getting through.
        hung_creations: so many batches are created without any answer.
        queue: most requests in batches at work; above, a batch fails.
        row_faults: a text that holds a key of this mapping fails with this status once.
    """

    looks: int | None = 1
    endings: list[str] = field(default_factory=list)
    answered_share: float = 0.5
    throttled_uploads: int = 0
    lost_creations: int = 0
    hung_creations: int = 0
    queue: int | None = None
    row_faults: dict[str, int] = field(default_factory=dict)

    uploads: int = 0
    creations: int = 0
    answered: Counter[str] = field(default_factory=Counter)
    files: dict[str, bytes] = field(default_factory=dict)
    batches: dict[str, dict[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._numbers = itertools.count(1)
        self.looked: Counter[str] = Counter()

    @property
    def routes(self) -> list[web.RouteDef]:
        """For ``ChatServer(routes=...)``."""
        return [
            web.post("/v1/files", self._upload),
            web.get("/v1/files/{id}/content", self._content),
            web.post("/v1/batches", self._create),
            web.get("/v1/batches", self._list),
            web.get("/v1/batches/{id}", self._retrieve),
        ]

    async def _upload(self, request: web.Request) -> web.Response:
        if self.throttled_uploads:
            self.throttled_uploads -= 1
            return _error(429, "Rate limit reached", {"Retry-After": "0.05"})
        form = await request.post()
        assert form["purpose"] == "batch"
        part = form["file"]
        assert isinstance(part, web.FileField)
        self.uploads += 1
        name = self._store(part.file.read())
        said = {"id": name, "object": "file", "bytes": 1, "created_at": 1, "purpose": "batch"}
        return web.json_response({**said, "filename": part.filename, "status": "processed"})

    async def _content(self, request: web.Request) -> web.Response:
        content = self.files.get(request.match_info["id"])
        return web.Response(body=content) if content is not None else _error(404, "No such File")

    async def _create(self, request: web.Request) -> web.StreamResponse:
        asked = await request.json()
        self.creations += 1
        count = len(self.files[asked["input_file_id"]].splitlines())
        name = f"batch_{next(self._numbers)}"
        batch: dict[str, Any] = {
            "id": name,
            "object": "batch",
            "status": "in_progress",
            "created_at": next(self._numbers),
            "request_counts": {"total": count, "completed": 0, "failed": 0},
            **asked,
        }
        at_work = sum(
            one["request_counts"]["total"]
            for one in self.batches.values()
            if one["status"] == "in_progress"
        )
        self.batches[name] = batch
        if self.queue is not None and at_work + count > self.queue:
            self._fail(batch, "token_limit_exceeded", "Enqueued token limit reached")
        if self.lost_creations and request.transport is not None:
            self.lost_creations -= 1
            request.transport.abort()
        if self.hung_creations:
            self.hung_creations -= 1
            await asyncio.sleep(3600)
        return web.json_response(batch)

    async def _list(self, request: web.Request) -> web.Response:
        newest = list(self.batches.values())[::-1]
        after = request.query.get("after")
        start = next((n + 1 for n, one in enumerate(newest) if one["id"] == after), 0)
        shown = newest[start : start + 2]  # small pages, so that paging is tried
        return web.json_response(
            {
                "object": "list",
                "data": shown,
                "first_id": shown[0]["id"] if shown else None,
                "last_id": shown[-1]["id"] if shown else None,
                "has_more": start + 2 < len(newest),
            }
        )

    async def _retrieve(self, request: web.Request) -> web.Response:
        name = request.match_info["id"]
        if name not in self.batches:
            return _error(404, "No such Batch object")
        batch = self.batches[name]
        self.looked[name] += 1
        if self.looks is not None and batch["status"] == "in_progress":
            total = batch["request_counts"]["total"]
            batch["request_counts"]["completed"] = total * self.looked[name] // (self.looks + 1)
            if self.looked[name] > self.looks:
                self._end(batch)
        return web.json_response(batch)

    def _end(self, batch: dict[str, Any]) -> None:
        ending = self.endings.pop(0) if self.endings else "completed"
        if ending == "invalid":
            self._fail(batch, "model_not_found", "The model `m` does not exist")
            return
        batch["status"] = ending
        lines = [json.loads(line) for line in self.files[batch["input_file_id"]].splitlines()]
        share = 1.0 if ending == "completed" else self.answered_share
        reached = int(len(lines) * share)
        good: list[dict[str, Any]] = []
        bad: list[dict[str, Any]] = []
        for place, line in enumerate(lines):
            status = 200 if place < reached else None
            row = self._row(line, status, ending)
            response = row["response"]
            (good if response and response["status_code"] == 200 else bad).append(row)
        batch["output_file_id"] = self._store(_jsonl(good[::-1]))  # in no promised order
        batch["error_file_id"] = self._store(_jsonl(bad)) if bad else None
        counts = {"total": len(lines), "completed": len(good), "failed": len(bad)}
        batch["request_counts"] = counts

    def _row(self, line: dict[str, Any], status: int | None, ending: str) -> dict[str, Any]:
        body, row = line["body"], {"id": "r", "custom_id": line["custom_id"], "error": None}
        text = last_text(body)
        if status is None:
            error = {"code": f"batch_{ending}", "message": f"This request was {ending}."}
            return {**row, "response": None, "error": error}
        for mark in list(self._marks(text)):
            failing = self.row_faults.pop(mark) if self.row_faults[mark] >= 500 else None
            said = {"message": "a fault", "type": "error", "code": None, "param": None}
            response = {"status_code": failing or self.row_faults[mark], "body": {"error": said}}
            return {**row, "response": response}
        self.answered[text] += 1
        done = completion(body, answer(body, LABELS))
        return {**row, "response": {"status_code": 200, "request_id": "q", "body": done}}

    def _marks(self, text: str) -> Iterator[str]:
        return (mark for mark in self.row_faults if mark in text)

    def _fail(self, batch: dict[str, Any], code: str, message: str) -> None:
        batch["status"] = "failed"
        batch["errors"] = {"object": "list", "data": [{"code": code, "message": message}]}

    def _store(self, content: bytes) -> str:
        name = f"file-{next(self._numbers)}"
        self.files[name] = content
        return name


def _jsonl(rows: list[dict[str, Any]]) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def _error(status: int, message: str, headers: dict[str, str] | None = None) -> web.Response:
    error = {"message": message, "type": "error", "param": None, "code": None}
    return web.json_response({"error": error}, status=status, headers=headers)
