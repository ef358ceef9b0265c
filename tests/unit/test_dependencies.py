"""The page of the libraries: it is true of what is installed."""

from importlib.metadata import metadata

import pytest

from generate.dependencies_page import REASONS

INSTALLED = sorted(REASONS.keys() - {"cyclonedx-bom"})  # that one is for `make release` alone


@pytest.mark.parametrize("name", INSTALLED)
def test_licence_is_the_one_that_the_package_tells(name: str) -> None:
    told = metadata(name).json
    words = str([told.get("license_expression"), told.get("license"), told.get("classifier")])
    kind, *_ = REASONS[name][0].replace("-", " ").split()

    assert kind in words
