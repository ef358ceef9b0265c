"""The last runs, as a watcher serves them."""

from tests.support.builders import a_report
from watchbot.listen.recent import KEPT, Recent
from watchbot.outcome import COMPLETED, RELEASED


def test_last_runs_come_first_and_old_ones_go() -> None:
    recent = Recent()
    for number in range(KEPT + 5):
        recent.observe(a_report(number))

    runs = recent.page()

    assert len(runs) == KEPT
    assert runs[0]["message_id"] == f"m{KEPT + 4}"
    assert (runs[0]["outcome"], runs[0]["how"]) == ("failed", "exit code 1")
    assert runs[0]["duration_s"] == 1.5
    assert "tail" not in runs[0]


def test_output_is_served_where_asked_for() -> None:
    recent = Recent(output=True)
    recent.observe(a_report(tail="a" * 10_000 + "end"))

    (run,) = recent.page()

    assert len(str(run["tail"])) == 4096
    assert str(run["tail"]).endswith("end")


def test_only_failures_have_a_fingerprint() -> None:
    recent = Recent()
    recent.observe(a_report(outcome=COMPLETED))

    assert recent.page()[0]["fingerprint"] is None


def test_message_that_goes_back_without_a_run_is_no_run() -> None:
    recent = Recent()
    recent.observe(a_report(outcome=RELEASED, run=None))

    assert recent.page() == []
