"""HTTP for sources: guarded connections, limits, streaming, resume. Not for the platform's APIs.

Built on `requests`; `connection` makes every connection of its pools, so that no name, redirect or
second DNS answer leads to an address that a source's configuration does not allow.
"""

from airnub_prefect_starter.core.http.policy import AccessPolicy, HttpLimits
from airnub_prefect_starter.core.redaction import redact_url

__all__ = ["AccessPolicy", "HttpLimits", "redact_url"]
