"""Sends a span for each message to an OpenTelemetry collector; imports nothing when that is off."""

import asyncio
import contextlib
import logging
import re
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING

import anyio

from watchbot import __version__
from watchbot.extras import how_to_add
from watchbot.listen.report import Report

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Link

SEND_S = 4  # the longest wait for a collector's answer
FLUSH_S = 5  # spans still unsent this long after the end of all work are lost

log = logging.getLogger(__name__)


class Spans:
    """An observer that makes a span of each report; a thread sends the spans."""

    def __init__(self, provider: "TracerProvider") -> None:
        self._tracer = provider.get_tracer("watchbot", __version__)

    def observe(self, report: Report) -> None:
        """Makes the span of a finished run, linked to the span of the message's sender."""
        from opentelemetry.context import Context
        from opentelemetry.trace import SpanKind, StatusCode

        ended_ns = time.time_ns()
        span = self._tracer.start_span(
            f"process {report.message.queue}",
            context=Context(),  # a new trace: the sender does not wait for the worker
            kind=SpanKind.CONSUMER,
            links=_links(report),
            start_time=ended_ns - int(report.duration_s * 1e9),
            attributes={
                "messaging.system": "aws_sqs",
                "messaging.operation.type": "process",
                "messaging.destination.name": report.message.queue,
                "messaging.message.id": report.message.id,
                "watchbot.outcome": report.outcome.name,
                "watchbot.receives": report.message.receives,
            },
        )
        if report.outcome.notify:
            span.set_status(StatusCode.ERROR, report.how)
        span.end(ended_ns)


class _Complaints(logging.Handler):
    """Writes the errors of the sending threads to our log, on the event loop's thread."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self._loop = asyncio.get_running_loop()

    def emit(self, record: logging.LogRecord) -> None:
        with contextlib.suppress(RuntimeError):  # the event loop is closed, and so is the log
            self._loop.call_soon_threadsafe(_complain, record.getMessage())


def _complain(reason: str) -> None:
    log.warning("traces are not sent", extra={"reason": reason})


@contextmanager
def _heard() -> Iterator[None]:
    library, complaints = logging.getLogger("opentelemetry"), _Complaints()
    library.addHandler(complaints)
    library.propagate = False
    try:
        yield
    finally:
        library.removeHandler(complaints)
        library.propagate = True


@asynccontextmanager
async def tracing() -> AsyncIterator[Spans | None]:
    """Opens an observer that sends spans as OpenTelemetry's variables say; flushes on leaving.

    Yields None if the extra is not installed.
    """
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError:
        log.warning("no traces are sent: %s", how_to_add("otel"))
        yield None
        return
    # A service name in OpenTelemetry's variables takes precedence over this name.
    resource = Resource({"service.name": "watchbot"}).merge(Resource.create())
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(timeout=SEND_S)))
    with _heard():
        try:
            yield Spans(provider)
        finally:
            with anyio.move_on_after(FLUSH_S, shield=True):
                await anyio.to_thread.run_sync(provider.shutdown, abandon_on_cancel=True)


def _links(report: Report) -> "list[Link]":
    from opentelemetry.trace import Link, SpanContext, TraceFlags, get_current_span
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    by_name = {name.lower(): item.value for name, item in report.content.attributes.items()}
    there = TraceContextTextMapPropagator().extract(by_name)
    contexts = [get_current_span(there).get_span_context()]
    header = report.message.system.get("AWSTraceHeader", "")
    root = re.search(r"Root=1-([0-9a-f]{8})-([0-9a-f]{24})", header)
    parent = re.search(r"Parent=([0-9a-f]{16})", header)
    if root and parent:
        trace_id, span_id = int(root[1] + root[2], 16), int(parent[1], 16)
        sampled = TraceFlags("Sampled=1" in header)
        contexts.append(SpanContext(trace_id, span_id, is_remote=True, trace_flags=sampled))
    return [Link(context) for context in contexts if context.is_valid]
