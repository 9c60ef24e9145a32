"""What validation found, as a record that is stored and as Markdown for people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

from airnub_prefect_starter.common.errors import ContractError
from airnub_prefect_starter.core.manifest_models import DigestText, Record
from airnub_prefect_starter.core.markdown import escape_markdown, markdown_table, short_digest

MAX_EXAMPLES = 5
_SOURCES = ("source", "rows", "digest of rows", "what becomes of it")
_FINDINGS = ("source", "rule", "severity", "rows", "the first")


class Finding(Record):
    """A rule that a source breaks: in how many rows, and which come first.

    An ``error`` stops the run, a ``warning`` does not.
    """

    rule: str
    source: str
    severity: Literal["error", "warning"] = "error"
    rows: int
    examples: tuple[str, ...] = ()


class CheckedSource(Record):
    """A source as it was read; ``copy_of`` names the sources that have the same rows."""

    name: str
    rows: int
    content_digest: DigestText
    accepted: bool
    copy_of: tuple[str, ...] = ()


class Validation(Record):
    """What was checked and found; nothing may use the sources unless it is ``passed``."""

    schema_version: Literal[1] = 1
    sources: tuple[CheckedSource, ...]
    findings: tuple[Finding, ...]

    @property
    def passed(self) -> bool:
        """Whether no rule that stops a run is broken."""
        return not self.errors

    @property
    def errors(self) -> tuple[Finding, ...]:
        """The findings that stop a run."""
        return tuple(each for each in self.findings if each.severity == "error")

    @property
    def accepted(self) -> tuple[str, ...]:
        """Names of the sources whose rows count."""
        return tuple(each.name for each in self.sources if each.accepted)

    def require_passed(self, remedy: str) -> None:
        """Refuse sources that break a rule.

        Args:
            remedy: Where the whole report is.

        Raises:
            ContractError: They do; the message names each rule with its first row. No retry.
        """
        if not self.passed:
            raise ContractError("; ".join(map(_in_words, self.errors)), remedy)


def validation_markdown(title: str, found: Validation) -> str:
    """Show whether all is well, what becomes of each source, and every finding."""
    verdict = "**All contracts hold.**" if found.passed else "**Contracts are broken; stopped.**"
    parts = [
        f"# {escape_markdown(title)}: contracts",
        verdict,
        markdown_table(_SOURCES, map(_source_row, found.sources)),
        "## Findings",
        markdown_table(_FINDINGS, _finding_rows(found.findings)) if found.findings else "None.",
    ]
    return "\n\n".join(parts)


def _in_words(finding: Finding) -> str:
    first = f", the first: {finding.examples[0]}" if finding.examples else ""
    return f"{finding.source}: {finding.rule} (rows: {finding.rows:,}{first})"


def _source_row(source: CheckedSource) -> tuple[str, ...]:
    fate = "accepted" if source.accepted else "left out"
    copied = f", the same rows as {' + '.join(source.copy_of)}" if source.copy_of else ""
    return (
        escape_markdown(source.name),
        f"{source.rows:,}",
        short_digest(source.content_digest),
        escape_markdown(f"{fate}{copied}"),
    )


def _finding_rows(findings: Sequence[Finding]) -> Iterator[tuple[str, ...]]:
    for each in findings:
        yield (
            escape_markdown(each.source),
            escape_markdown(each.rule),
            f"**{each.severity}**" if each.severity == "error" else each.severity,
            f"{each.rows:,}",
            "<br>".join(map(escape_markdown, each.examples)),
        )
