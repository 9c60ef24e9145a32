"""Errors of the S3 client as errors of the store, translated in this one place."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    CredentialRetrievalError,
    MetadataRetrievalError,
    NoCredentialsError,
    ParamValidationError,
    PartialCredentialsError,
    SSLError,
)
from urllib3.exceptions import HTTPError

from airnub_prefect_starter.common.errors import (
    ConfigError,
    NoSpaceError,
    ObjectNotFoundError,
    StarterError,
    StoreDeniedError,
    StoreIntegrityError,
    StoreUnavailableError,
)

_Kind = tuple[type[StarterError], str]

_DENIED: _Kind = (
    StoreDeniedError,
    "Give the key the actions that docs/store.md lists, on this bucket and prefix",
)
_KEYS: _Kind = (StoreDeniedError, "Correct AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")
_EXPIRED: _Kind = (StoreDeniedError, "Renew the session's credentials")
_CLOCK: _Kind = (
    StoreDeniedError,
    "Set this machine's clock (NTP): requests that are 15 minutes off are refused",
)
_BYTES: _Kind = (StoreIntegrityError, "Try again; if it stays, look for a proxy that alters bodies")
_FULL: _Kind = (NoSpaceError, "Free or add space, or raise the bucket's quota")
_MISSING: _Kind = (ObjectNotFoundError, "Check the name with `airnub store ls`")
_BUCKET: _Kind = (
    ConfigError,
    "Create it with `airnub store doctor --create-bucket`, or correct the address",
)
_REGION: _Kind = (ConfigError, "Set AWS_REGION to the region of the bucket")
_LACKS: _Kind = (ConfigError, "See with `airnub store doctor` what this server can do")
_BUSY: _Kind = (StoreUnavailableError, "Try again later, with fewer runs at once")
_DOWN: _Kind = (
    StoreUnavailableError,
    "Check AWS_ENDPOINT_URL and that the object store runs and can be reached from here",
)
_REFUSED: _Kind = (StoreDeniedError, "See `airnub store doctor`")
_NO_KEYS: _Kind = (ConfigError, "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")
_NO_TRUST: _Kind = (ConfigError, "Set AWS_CA_BUNDLE to the file of the authority that signed it")

_BY_CODE: dict[str, _Kind] = {
    "AccessDenied": _DENIED,
    "NoSuchBucket": _BUCKET,
    "InvalidBucketName": _BUCKET,
    **dict.fromkeys(("InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken"), _KEYS),
    **dict.fromkeys(("ExpiredToken", "TokenRefreshRequired", "RequestExpired"), _EXPIRED),
    "RequestTimeTooSkewed": _CLOCK,
    **dict.fromkeys(
        (
            "BadDigest",
            "IncompleteBody",
            "InvalidDigest",
            "XAmzContentChecksumMismatch",
            "XAmzContentSHA256Mismatch",
        ),
        _BYTES,
    ),
    **dict.fromkeys(
        (
            "InsufficientStorage",
            "QuotaExceeded",
            "XMinioAdminBucketQuotaExceeded",
            "XMinioStorageFull",
        ),
        _FULL,
    ),
    **dict.fromkeys(
        (
            "AuthorizationHeaderMalformed",
            "IllegalLocationConstraintException",
            "InvalidLocationConstraint",
            "InvalidRegion",
            "PermanentRedirect",
        ),
        _REGION,
    ),
    "NotImplemented": _LACKS,
    "SlowDown": _BUSY,
}
_BY_STATUS: dict[int, _Kind] = {
    **dict.fromkeys((301, 302, 307, 308), _REGION),
    **dict.fromkeys((401, 403), _DENIED),
    404: _MISSING,
    **dict.fromkeys((408, 409, 412, 425, 429, 503), _BUSY),
    501: _LACKS,
    507: _FULL,
}


@contextmanager
def translated(doing: str) -> Iterator[None]:
    """Turn any error of the client inside into the store's error for it.

    Raises:
        ConfigError: No bucket, region, keys, trust or server that can do this. No retry.
        ObjectNotFoundError: There is no such object. No retry.
        StoreDeniedError: The keys are wrong or may not do this. No retry.
        NoSpaceError: The storage or a quota is full. No retry.
        StoreIntegrityError: Other bytes arrived than were sent. A retry may help.
        StoreUnavailableError: No answer, a broken one, or 5xx. A retry may help.
    """
    try:
        yield
    except ClientError as exc:
        raise refusal(exc, doing) from exc
    except ParamValidationError:  # a bug in this project, which a remedy would hide
        raise
    except (BotoCoreError, HTTPError) as exc:
        raise _failure(exc, doing) from exc


def status_of(exc: ClientError) -> int:
    """Return the HTTP status of an answer that is an error."""
    return int(exc.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def is_about_bucket(exc: ClientError) -> bool:
    """Tell whether it is the bucket that is missing (HEAD does not tell)."""
    return bool(exc.response.get("Error", {}).get("Code") == "NoSuchBucket")


def was_retried(exc: ClientError) -> bool:
    """Tell whether the call was made before, so that an answer may be to its own effect."""
    return bool(exc.response.get("ResponseMetadata", {}).get("RetryAttempts"))


def refusal(exc: ClientError, doing: str) -> StarterError:
    """Return the store's error for an answer that is an error."""
    error = exc.response.get("Error", {})
    code, text = str(error.get("Code", "")), str(error.get("Message", ""))
    kind, remedy = _BY_CODE.get(code) or _by_status(status_of(exc))
    if (kind, remedy) == _REGION and (region := _region_of(exc)):
        remedy = f"Set AWS_REGION={region}"
    said = f"{code}: {text}" if text and text != code else code or f"status {status_of(exc)}"
    return kind(f"{doing} failed: {said.rstrip('.')}", remedy)


def _by_status(status: int) -> _Kind:
    return _BY_STATUS.get(status) or (_DOWN if status >= 500 or status == 0 else _REFUSED)


def _region_of(exc: ClientError) -> str | None:
    headers = exc.response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    region = headers.get("x-amz-bucket-region") or exc.response.get("Error", {}).get("Region")
    return str(region) if region else None


def _failure(exc: Exception, doing: str) -> StarterError:
    """Return the store's error where there was no answer, or a broken one."""
    kind, remedy = _DOWN
    if isinstance(exc, NoCredentialsError | PartialCredentialsError):
        kind, remedy = _NO_KEYS
    elif isinstance(exc, CredentialRetrievalError | MetadataRetrievalError):
        kind, remedy = _EXPIRED
    elif isinstance(exc, SSLError) and "CERTIFICATE_VERIFY_FAILED" in str(exc):
        kind, remedy = _NO_TRUST
    return kind(f"{doing} failed: {_one_line(exc)}", remedy)


def _one_line(exc: Exception) -> str:
    return " ".join(str(exc).split()).rstrip(".") or type(exc).__name__
