"""What the lake's steps are made of: configuration models only, so that they import in no time."""

from __future__ import annotations

from typing import Literal

Writers = Literal["single", "many"]
