"""``--set``: changes for one run."""

from typing import Any

import pytest

from airnub_prefect_starter.common.errors import ConfigError
from airnub_prefect_starter.core.overrides import apply_overrides

VALUE = {"files": {"files": [{"source_id": "a", "limits": {"max_bytes": 1}}]}}


@pytest.mark.parametrize(
    ("override", "path", "expected"),
    [
        ("files.files.0.limits.max_bytes=5", ("limits", "max_bytes"), 5),
        ("files.files.0.url=http://x/?a=b", ("url",), "http://x/?a=b"),
        ("files.files.0.flags=[1, 2]", ("flags",), [1, 2]),
        ("files.files.0.day=2013-02-28", ("day",), "2013-02-28"),
    ],
    ids=["nested number", "new key, equals in the value", "list", "date"],
)
def test_a_change_lands_where_its_path_leads(
    override: str, path: tuple[str, ...], expected: object
) -> None:
    found: Any = apply_overrides(VALUE, [override])["files"]["files"][0]
    for part in path:
        found = found[part]

    assert found == expected
    assert VALUE["files"]["files"][0] == {"source_id": "a", "limits": {"max_bytes": 1}}


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("files", "is not KEY=VALUE"),
        ("fils.files=1", "Did you mean 'files'?"),
        ("files.files.7.url=x", "Positions are 0 to 0"),
        ("files.files.0.source_id.x=1", "Known: nothing below it"),
        ("files.files.0.url=[", "is not YAML"),
        ("files.files.0.day=2013-02-31", "'2013-02-31' is not YAML"),
        ("files.files.0.url=" + "[" * 5_000, "is not YAML"),
    ],
    ids=[
        *("no equals", "misspelt", "position", "below a scalar", "bad value"),
        *("a day that is none", "deeper than the stack"),
    ],
)
def test_a_change_that_leads_nowhere_says_what_is_there(override: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        apply_overrides(VALUE, [override])

    assert message in str(caught.value)


def test_a_change_that_is_refused_is_not_repeated_with_its_secrets() -> None:
    with pytest.raises(ConfigError) as caught:
        apply_overrides(VALUE, ["files.files.0.url=[http://h/?token=s3cr3t"])

    assert "s3cr3t" not in str(caught.value)
    assert caught.value.__cause__ is None
