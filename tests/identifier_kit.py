"""Texts for tests that may name a department, a stage or a category."""

from __future__ import annotations

import keyword

from hypothesis import strategies as st

_LETTERS = "abclsz"
_words = st.text(_LETTERS + "019", min_size=1, max_size=9)
identifiers = st.builds(
    lambda first, rest: "_".join([first, *rest]),
    st.builds(str.__add__, st.sampled_from(_LETTERS), st.text(_LETTERS + "019", max_size=9)),
    st.lists(_words, max_size=3),
).filter(lambda text: len(text) <= 40 and not keyword.iskeyword(text))
