"""docs/explanation/testing.md lists the laws as the simulations have them."""

from pathlib import Path

from tests.simulation.playing import table
from tests.simulation.record.laws import LAWS as OF_THE_RECORDER
from tests.simulation.schedule.laws import LAWS as OF_THE_SCHEDULER
from tests.simulation.watcher.promised import LAWS as OF_THE_WATCHER

PAGE = Path(__file__).parents[2] / "docs" / "explanation" / "testing.md"


def test_page_lists_all_laws() -> None:
    text = PAGE.read_text(encoding="utf-8")

    assert table(OF_THE_WATCHER) in text
    assert table(OF_THE_SCHEDULER) in text
    assert table(OF_THE_RECORDER) in text
