"""Posts from an address to measured rows, files in three formats, and a report on their quality."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit
from urllib.request import url2pathname

import pandas as pd
import pyarrow as pa
from pydantic import ValidationError

from airnub_prefect_starter.common.errors import ConfigError, NoSpaceError, PayloadError
from airnub_prefect_starter.core.api_pages import fetch_api_pages
from airnub_prefect_starter.core.fetching import shared_client
from airnub_prefect_starter.core.http.policy import AccessPolicy
from airnub_prefect_starter.core.json_text import canonical_line, parse_json
from airnub_prefect_starter.core.manifest_models import Record
from airnub_prefect_starter.core.markdown import escape_markdown, markdown_table
from airnub_prefect_starter.core.redaction import redact_url
from airnub_prefect_starter.core.sources import ApiSource
from airnub_prefect_starter.core.tables import write_parquet

# A person names the address, so one on this machine is meant; no other private one is reached.
ACCESS = AccessPolicy.model_validate({"allow_networks": ["127.0.0.0/8", "::1/128"]})
_ANALYSIS = ["id", "title_length", "body_length", "word_count", "quality_score"]


class QualityCheck(Record):
    """One measure of all rows and what it must be above."""

    name: str
    value: float
    above: float
    recommendation: str

    @property
    def good(self) -> bool:
        """Whether it is."""
        return self.value > self.above


class QualityReport(Record):
    """How good the posts are: ``warning`` if any check is not met."""

    rows_in: int
    rows_out: int
    checks: tuple[QualityCheck, ...]

    @property
    def status(self) -> Literal["good", "warning"]:
        """``good`` where every check is met."""
        return "good" if all(each.good for each in self.checks) else "warning"

    @property
    def recommendations(self) -> tuple[str, ...]:
        """What to do about the checks that are not met."""
        return tuple(each.recommendation for each in self.checks if not each.good)

    def to_json(self) -> dict[str, Any]:
        """Give it as JSON values, with what follows from it."""
        return {
            "status": self.status,
            **self.model_dump(),
            "recommendations": list(self.recommendations),
        }


def extract_posts(url: str) -> bytes:
    """Read posts from ``http(s)://`` or ``file://``: canonical JSON, one object a line.

    Raises:
        ConfigError: The address is neither. No retry.
        PayloadError: The answer is no JSON list of objects. No retry.
        SourceError: The source cannot be had; see `common.errors` for when a retry helps.
    """
    if urlsplit(url).scheme == "file":
        return _lines(_read_file(url), url)
    try:
        source = ApiSource(source_id="posts", url=url, access=ACCESS)
    except ValidationError as error:
        raise ConfigError(
            f"{redact_url(url)[:200]} cannot be asked: {error.errors()[0]['msg']}",
            "Write http://…, https://… or file:///…",
        ) from None
    with shared_client().open(source, None) as session:
        return b"".join(page.lines for page in fetch_api_pages(session, source))


def transform_posts(raw: bytes) -> pd.DataFrame:
    """Measure posts; rows with a missing value or without a title are left out.

    ``quality_score`` is the share of these that are true: the title has over 10 characters, the
    body over 50, and over 10 words.

    Args:
        raw: What `extract_posts` returned.

    Raises:
        PayloadError: No post has ``title`` and ``body``. No retry.
    """
    posts = pd.DataFrame([json.loads(line) for line in raw.splitlines()])
    if not {"title", "body"} <= set(posts.columns):
        raise PayloadError("The posts have no title and body", "Give the address of posts")
    posts = posts.dropna()
    titles, bodies = posts["title"].astype("str"), posts["body"].astype("str")
    words = bodies.map(lambda text: len(text.split()))
    measured = posts.assign(
        title=titles,
        body=bodies,
        title_length=titles.str.len(),
        body_length=bodies.str.len(),
        word_count=words,
        quality_score=_share([titles.str.len() > 10, bodies.str.len() > 50, words > 10]),
    )
    return measured[titles.str.strip() != ""].reset_index(drop=True)


def check_quality(posts: pd.DataFrame, rows_in: int) -> QualityReport:
    """Compare means with what good posts have.

    Args:
        posts: What `transform_posts` returned, or some of its rows.
        rows_in: How many there were before.
    """
    high = (posts["quality_score"] > 0.7).mean() * 100
    return QualityReport(
        rows_in=rows_in,
        rows_out=len(posts),
        checks=(
            _check("mean title length", posts["title_length"].mean(), 20, "Ask for longer titles"),
            _check("mean body length", posts["body_length"].mean(), 100, "Ask for longer bodies"),
            _check(
                "mean quality score", posts["quality_score"].mean(), 0.6, "Look at the worst posts"
            ),
            _check(
                "percent of posts that score over 0.7", high, 50, "Leave out posts of low quality"
            ),
        ),
    )


def load_posts(
    raw: bytes, posts: pd.DataFrame, report: QualityReport, folder: Path
) -> dict[str, Path]:
    """Write JSON as received, Parquet of all columns, CSV of the measures, and a summary.

    The names hold the first digits of the SHA-256 of what was received: equal posts give equal
    files under equal names, whenever they are loaded.

    Raises:
        ConfigError: The folder cannot be written. No retry.
        PayloadError: A field has values of several types, which a column cannot have. No retry.
        NoSpaceError: The disk is full. No retry.
    """
    digest = hashlib.sha256(raw).hexdigest()
    measures = posts[[name for name in _ANALYSIS if name in posts]]
    summary = {"source_sha256": digest, **report.to_json()}
    files = {
        "raw": (f"posts_raw_{digest[:12]}.json", _as_list(raw)),
        "processed": (f"posts_processed_{digest[:12]}.parquet", _parquet(posts)),
        "analysis": (
            f"posts_analysis_{digest[:12]}.csv",
            measures.to_csv(index=False, lineterminator="\n").encode(),
        ),
        "summary": (
            f"summary_{digest[:12]}.json",
            json.dumps(summary, indent=2, sort_keys=True).encode(),
        ),
    }
    return {kind: _write(folder, name, body) for kind, (name, body) in files.items()}


def quality_markdown(report: QualityReport, files: Mapping[str, Path]) -> str:
    """Show the checks, what they advise, and the files."""
    rows = [
        [each.name, f"{each.value:,.2f}", f"> {each.above:g}", "good" if each.good else "warning"]
        for each in report.checks
    ]
    parts = [
        f"# Posts: {report.status}",
        f"{report.rows_out:,} of {report.rows_in:,} posts kept",
        markdown_table(["check", "value", "wanted", "status"], rows),
        *(f"- {each}" for each in report.recommendations),
        markdown_table(["file", "where"], [[k, escape_markdown(str(p))] for k, p in files.items()]),
    ]
    return "\n\n".join(parts)


def _check(name: str, value: float, above: float, recommendation: str) -> QualityCheck:
    known = 0.0 if pd.isna(value) else round(float(value), 6)  # no posts at all
    return QualityCheck(name=name, value=known, above=above, recommendation=recommendation)


def _share(flags: list[pd.Series[bool]]) -> pd.Series[float]:
    return pd.concat(flags, axis=1).mean(axis=1)


def _read_file(url: str) -> bytes:
    path = Path(url2pathname(urlsplit(url).path))
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}", "Give a file that can be read") from error


def _lines(raw: bytes, url: str) -> bytes:
    items = parse_json(raw, url)
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise PayloadError(f"{url} is no JSON list of objects", "Give the address of posts")
    return b"".join(canonical_line(item, url) for item in items)


def _parquet(posts: pd.DataFrame) -> bytes:
    try:
        return write_parquet(posts)
    except (pa.ArrowException, OverflowError) as error:
        raise PayloadError(
            f"The posts make no table: {str(error)[:200]}", "Give each field values of one type"
        ) from error


def _as_list(raw: bytes) -> bytes:
    return b"[\n" + b",\n".join(raw.splitlines()) + b"\n]\n"


def _write(folder: Path, name: str, body: bytes) -> Path:
    target = folder / name
    temp = folder / f".{name}.{os.getpid()}.part"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        temp.write_bytes(body)
        temp.replace(target)
    except OSError as error:
        kind = NoSpaceError if error.errno in {28, 122} else ConfigError
        raise kind(f"{target}: {error.strerror}", "Give another --output-dir") from error
    return target
