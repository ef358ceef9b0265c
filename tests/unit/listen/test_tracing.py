import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from tests.support.builders import a_message
from watchbot.listen.report import not_run
from watchbot.listen.tracing import Spans
from watchbot.outcome import RELEASED
from watchbot.sqs.message import Attribute

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
XRAY = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"
OF_XRAY = ("5759e988bd862e3fe1be46a994272793", "53995c3f42cd8ad8")


@pytest.mark.parametrize(
    ("traceparent", "header", "links"),
    [
        (f"00-{TRACE}-{SPAN}-01", XRAY, [(TRACE, SPAN), OF_XRAY]),
        ("", XRAY, [OF_XRAY]),
        ("nonsense", "Root=1-2-3;Parent=x", []),
        ("", "Root=1-5759e988-bd862e3fe1be46a994272793", []),
    ],
)
def test_span_is_linked_to_what_its_message_names(
    traceparent: str, header: str, links: list[tuple[str, str]]
) -> None:
    spans = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(spans))
    attributes = {"TraceParent": Attribute(type="String", value=traceparent)}
    message = a_message(attributes=attributes, AWSTraceHeader=header)

    Spans(provider).observe(not_run(message, RELEASED, "the watcher is leaving"))

    (span,) = spans.get_finished_spans()
    found = [(link.context.trace_id, link.context.span_id) for link in span.links]
    assert found == [(int(trace, 16), int(span_id, 16)) for trace, span_id in links]
    assert span.parent is None
