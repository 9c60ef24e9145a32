"""The sample-source server: real tables served on loopback the way a real site serves them.

What does not belong here: anything that fetches, stores or schedules. The payloads hold no host,
port or clock, so their digests are the same on every machine.
"""

from __future__ import annotations

from airnub_prefect_starter.demo.server import SourceServer
from airnub_prefect_starter.demo.site import SiteOptions

__all__ = ["SiteOptions", "SourceServer"]
