"""Addresses of files: on the network, on this machine, and with the digest that they must have."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

# A digest goes with an address as its fragment, as package indexes write it.
# Source: PEP 503.
_DIGEST = re.compile(r"#sha256=([0-9a-fA-F]{64})$")

# IBM's table of customers of a telephone company, 7,043 rows, at one commit of its repository.
TELCO_DIGEST = "sha256:16320c9c1ec72448db59aa0a26a0b95401046bef5d02fd3aeb906448e3055e91"
TELCO_PIN = f"#{TELCO_DIGEST.replace(':', '=')}"
TELCO_URL = (
    "https://raw.githubusercontent.com/IBM/telco-customer-churn-on-icp4d/"
    f"d5371f5d83a446ad5673cbcca3b814b926491f8a/data/Telco-Customer-Churn.csv{TELCO_PIN}"
)
TELCO_SAMPLE = "/files/telco_customer_churn.csv"
"""Path at the sample sources: a made-up table of the same form."""


def address_of(text: str) -> str:
    """Give the address of what a person names: an address as it is, a path as ``file:///``.

    Either may end with the digest that the file must have.
    """
    if "://" in text:
        return text
    path, digest = split_digest(text)
    return f"{Path(path).absolute().as_uri()}{text[len(path) :] if digest else ''}"


def is_file_address(url: str) -> bool:
    """Tell whether an address is that of a file on this machine."""
    return url.startswith("file:")


def path_of(url: str) -> Path:
    """Give the path of a ``file:///`` address.

    Raises:
        ValueError: It names a host, or no absolute path.
    """
    parts = urlsplit(url)
    path = Path(url2pathname(parts.path))
    if parts.netloc not in {"", "localhost"} or not path.is_absolute():
        raise ValueError("is not an address such as file:///folder/table.csv")
    return path


def split_digest(url: str) -> tuple[str, str | None]:
    """Take ``#sha256=<hex>`` off an address; give both, the digest as ``sha256:<hex>``."""
    found = _DIGEST.search(url)
    return (url[: found.start()], f"sha256:{found[1].lower()}") if found else (url, None)
