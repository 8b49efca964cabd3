"""Sends a response shape over a connection, as whole or as broken as the shape says."""

from __future__ import annotations

import asyncio
import gzip

from aiohttp import web

from harness.testing.cases import Case

TRICKLE_SECONDS = 0.05
PIECE_BYTES = 7
"""Of a chunked body: small, so that characters of several bytes are torn apart, too."""


async def deliver(
    request: web.Request, case: Case, answer: str, model: str = "", key: str = ""
) -> web.StreamResponse:
    """Send a shape in answer to a request; see ``Case.content`` for the texts."""
    if case.delivery == "hang":
        await asyncio.sleep(3600)
    if case.delivery == "reset":
        _transport(request).abort()
        return web.Response()
    whole, headers = case.content(answer, model, key), case.said()
    if case.delivery == "gzip":
        whole, headers = gzip.compress(whole), {**headers, "Content-Encoding": "gzip"}
    sent = whole[: len(whole) // 2] if case.delivery in ("cut", "torn") else whole
    if case.delivery in ("whole", "gzip", "cut"):
        answered = web.Response(status=case.status, headers=headers, body=sent)
        await answered.prepare(request)
        await answered.write_eof()
        return answered
    response = web.StreamResponse(status=case.status, headers=headers)
    if case.delivery == "chunked":
        response.enable_chunked_encoding()
    else:
        response.content_length = len(whole)
    await response.prepare(request)
    await _write(response, sent, case)
    if case.delivery == "torn":
        _transport(request).close()
    else:
        await response.write_eof()
    return response


def arrived(request: web.Request, case: Case) -> bool:
    """Whether all of it was handed to a connection that still stands."""
    standing = request.transport is not None and not request.transport.is_closing()
    return standing and case.delivery not in ("torn", "reset")


async def _write(response: web.StreamResponse, content: bytes, case: Case) -> None:
    size = {"trickle": 1, "chunked": PIECE_BYTES}.get(case.delivery, max(1, len(content)))
    for start in range(0, len(content), size):
        await response.write(content[start : start + size])
        if case.delivery == "trickle":
            await asyncio.sleep(TRICKLE_SECONDS)


def _transport(request: web.Request) -> asyncio.Transport:
    assert isinstance(request.transport, asyncio.Transport)
    return request.transport
