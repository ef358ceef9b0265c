"""Spans, as a collector of OpenTelemetry receives them."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from tests.support.cloud import Cloud
from watchbot.extras import how_to_add

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
SENT_BY = {"traceparent": {"DataType": "String", "StringValue": f"00-{TRACE}-{SPAN}-01"}}


@contextmanager
def running_collector() -> Iterator[tuple[str, list[Any]]]:
    """A collector of our own: its endpoint, and the spans it has received."""
    spans: list[Any] = []

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            assert self.path == "/v1/traces"
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                for scope in resource.scope_spans:
                    spans.extend(scope.spans)
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Collector) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", spans
        finally:
            server.shutdown()
            thread.join()


def attributes(span: Any) -> dict[str, str]:
    return {each.key: each.value.string_value for each in span.attributes}


def test_each_message_is_a_span_with_links_to_who_sent_it(cloud: Cloud) -> None:
    queue = cloud.queue("traced")
    linked = cloud.send(queue, "0", MessageAttributes=SENT_BY)
    rejected = cloud.send(queue, "3")

    with running_collector() as (endpoint, spans):
        done = cloud.listen(
            queue, "sleep 0.2; exit $Message", env={"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint}
        )

    assert done.returncode == 0
    by_id = {attributes(span)["messaging.message.id"]: span for span in spans}
    assert set(by_id) == {linked, rejected}
    assert len(spans) == 2
    good, bad = by_id[linked], by_id[rejected]
    assert good.name == "process traced"
    assert good.kind == Span.SPAN_KIND_CONSUMER
    assert attributes(good)["watchbot.outcome"] == "completed"
    assert [(link.trace_id.hex(), link.span_id.hex()) for link in good.links] == [(TRACE, SPAN)]
    assert good.end_time_unix_nano - good.start_time_unix_nano >= 2e8
    assert (len(bad.links), bad.status.code) == (0, Status.STATUS_CODE_ERROR)


def test_collector_that_is_down_costs_no_message(cloud: Cloud) -> None:
    queue = cloud.queue("no-collector")
    cloud.send(queue, "x")

    done = cloud.listen(queue, "true", env={"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"})

    assert done.returncode == 0
    assert done.stdout.count("[watcher] traces are not sent reason=") == 1
    assert done.stderr == ""
    assert cloud.depth(queue) == (0, 0)


def test_no_trace_is_sent_without_the_extra(cloud: Cloud, tmp_path: Path) -> None:
    (tmp_path / "opentelemetry.py").write_text("raise ImportError")
    queue = cloud.queue("no-extra")
    cloud.send(queue, "x")

    with running_collector() as (endpoint, spans):
        env = {"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint, "PYTHONPATH": str(tmp_path)}
        done = cloud.listen(queue, "true", env=env)

    assert done.returncode == 0
    assert done.stdout.count(f"no traces are sent: {how_to_add('otel')}") == 1
    assert spans == []


def test_no_trace_is_sent_unless_asked_for(cloud: Cloud) -> None:
    queue = cloud.queue("no-endpoint")
    cloud.send(queue, "x")

    with running_collector() as (_, spans):
        done = cloud.listen(queue, "true")

    assert done.returncode == 0
    assert "trace" not in done.stdout
    assert spans == []
