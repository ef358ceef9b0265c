"""Scrapes a running watcher: by hand, by promtool, by Prometheus."""

import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families

from tests.support.cloud import Cloud
from tests.support.programs import read_until, served
from watchbot.metrics import CATALOGUE

needs_prometheus = pytest.mark.skipif(
    shutil.which("prometheus") is None or shutil.which("promtool") is None,
    reason="Prometheus is not installed: apt-get install prometheus",
)


def scrape(url: str) -> str:
    return requests.get(url, timeout=10).text


def total(scraped: str, name: str) -> float:
    """The sum of all series of one name."""
    return sum(float(value) for value in re.findall(rf"^{name}(?:{{.*}})? (\S+)$", scraped, re.M))


def test_scrape_is_what_the_catalogue_says(cloud: Cloud) -> None:
    queue = cloud.queue("catalogue")
    cloud.send_many(queue, ["0", "3", "4", "1"])

    with served(cloud, queue, "echo heard; exit $Message") as (watcher, url):
        for word in ("completed", "rejected", "returned", "failed"):
            read_until(watcher, word)
        families = list(text_string_to_metric_families(scrape(url)))

    ours = {family.name: family for family in families if family.name.startswith("watchbot_")}
    assert set(ours) == {entry.name.removesuffix("_total") for entry in CATALOGUE}
    for entry in CATALOGUE:
        family = ours[entry.name.removesuffix("_total")]
        assert (family.type, family.documentation) == (entry.kind, entry.text)
        for sample in family.samples:
            labels = {name: value for name, value in sample.labels.items() if name != "le"}
            assert set(labels) == set(entry.labels)
            for name, value in labels.items():
                known = entry.labels[name] or {"catalogue"}  # else the name of the queue
                assert value in known


def test_received_is_settled_and_in_hand_in_every_scrape_of_a_drain(cloud: Cloud) -> None:
    queue = cloud.queue("through-a-drain")
    cloud.send_many(queue, [str(number) for number in range(40)])
    scrapes: list[str] = []

    options = ("--concurrency", "8", "--drain-timeout", "2", "--kill-grace", "1")
    with served(cloud, queue, *options, "sleep 0.$Message") as (watcher, url):
        said = read_until(watcher, "completed")
        watcher.terminate()
        while watcher.poll() is None:
            try:
                scrapes.append(scrape(url))
            except requests.ConnectionError:
                break
        assert watcher.stdout
        said += watcher.stdout.read()

    assert len(scrapes) > 10
    for scraped in scrapes:
        received = total(scraped, "watchbot_messages_received_total")
        settled = total(scraped, "watchbot_messages_settled_total")
        in_hand = total(scraped, "watchbot_messages_in_hand")
        assert received == settled + in_hand
        assert in_hand <= 8
    assert total(scrapes[0], "watchbot_messages_in_hand") > 0
    # The page is served to the end, which may come between two scrapes: the log tells of it.
    endings = re.findall(r"\] (?:\[failure\] )?(?:completed|failed|released|timed_out) ", said)
    assert len(endings) == total(scrapes[-1], "watchbot_messages_received_total")


@needs_prometheus
def test_promtool_finds_nothing_wrong(cloud: Cloud) -> None:
    queue = cloud.queue("promtool")
    cloud.send(queue, "x")

    with served(cloud, queue, "true") as (watcher, url):
        read_until(watcher, "completed")
        scraped = scrape(url)
    ours = re.sub(r"^(# \w+ )?(python|process)_.*\n", "", scraped, flags=re.M)
    checked = subprocess.run(
        ["promtool", "check", "metrics"], input=ours, capture_output=True, text=True, check=False
    )

    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")


@contextmanager
def running_prometheus(home: Path, target: str) -> Iterator[str]:
    """The URL of a Prometheus of our own that scrapes `target` each second."""
    (home / "prometheus.yml").write_text(
        "global: {scrape_interval: 1s}\n"
        "scrape_configs:\n"
        f"- {{job_name: watchbot, static_configs: [{{targets: ['{target}']}}]}}\n"
    )
    words = (
        "prometheus", f"--config.file={home}/prometheus.yml",
        f"--storage.tsdb.path={home}/data", "--web.listen-address=127.0.0.1:0",
    )  # fmt: skip
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            said = ""
            for line in process.stderr:
                said += line
                if "Server is ready" in line:
                    break
            (address,) = re.findall(r'"Listening on" address=(\S+)', said)
            yield f"http://{address}"
        finally:
            process.kill()


def ask(prometheus: str, query: str) -> list[Any]:
    """Prometheus's first answer to a query."""
    ends = time.monotonic() + 30
    while time.monotonic() < ends:
        answer = requests.get(
            f"{prometheus}/api/v1/query", params={"query": query}, timeout=10
        ).json()
        if found := answer.get("data", {}).get("result", []):
            return list(found)
        time.sleep(0.1)  # Prometheus announces nothing
    return []


@needs_prometheus
def test_prometheus_scrapes_it(cloud: Cloud, tmp_path: Path) -> None:
    queue = cloud.queue("prometheus")
    cloud.send(queue, "x")

    with served(cloud, queue, "true") as (watcher, url):
        read_until(watcher, "completed")
        target = url.removeprefix("http://").removesuffix("/metrics")
        with running_prometheus(tmp_path, target) as prometheus:
            settled = ask(prometheus, 'watchbot_messages_settled_total{outcome="completed"} == 1')
            names = {
                each["metric"]["__name__"] for each in ask(prometheus, '{__name__=~"watchbot_.*"}')
            }

    assert len(settled) == 1
    # One whose label may have any value, as the name of a job, is there once it has one.
    known = [entry for entry in CATALOGUE if all(entry.labels.values())]
    assert names >= {entry.name for entry in known if entry.kind != "histogram"}
    assert names >= {f"{entry.name}_bucket" for entry in known if entry.kind == "histogram"}
