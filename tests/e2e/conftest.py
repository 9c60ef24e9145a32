"""The cluster's tests wait for it; meanwhile a second worker builds images and a fresh clone."""

from tests.platforms import by_platform as pytest_xdist_make_scheduler

__all__ = ["pytest_xdist_make_scheduler"]
