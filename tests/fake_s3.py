"""Enough of S3 for a store, in memory, with manners that real servers were seen to have."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from urllib.parse import unquote
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape

_SHA256 = "x-amz-checksum-sha256"


@dataclass
class Manners:
    """How the server is, throughout."""

    obeys_if_none_match: bool = True
    obeys_if_match: bool = True
    understands_conditions: bool = True
    inverts_if_none_match: bool = False
    checks_digests: bool = True
    keeps_digests: bool = True
    lists_new_objects: bool = True
    demands_md5: bool = False
    stores_framing: bool = False
    has_bucket: bool = True
    denies_what_is_missing: bool = False
    clock_ahead: timedelta = timedelta()


@dataclass(frozen=True)
class Request:
    """A request as it arrived."""

    method: str
    key: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    @property
    def name(self) -> str:
        """The operation, as S3 names it, as far as rules need to know."""
        marks = {"uploadId": "Part" if self.method == "PUT" else "Upload", "uploads": "Uploads"}
        for mark, name in marks.items():
            if mark in self.query:
                return f"{self.method} {name}"
        return f"{self.method} {'Object' if self.key else 'Bucket'}"


@dataclass(frozen=True)
class Answer:
    """An answer: whole, cut after some bytes of its body, or (``drop``) none at all."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    cut_at: int | None = None
    drop: bool = False


@dataclass
class Stored:
    """An object."""

    data: bytes
    modified: datetime
    digest: str | None

    @property
    def etag(self) -> str:
        return f'"{hashlib.md5(self.data, usedforsecurity=False).hexdigest()}"'


@dataclass
class Upload:
    """An unfinished upload."""

    key: str
    begun: datetime
    parts: dict[int, bytes] = field(default_factory=dict)


def error(status: int, code: str, message: str = "So it is.", **fields: str) -> Answer:
    """Refuse as S3 does."""
    more = "".join(f"<{name}>{escape(text)}</{name}>" for name, text in fields.items())
    return xml(
        f"<Error><Code>{code}</Code><Message>{message}</Message>{more}</Error>", status=status
    )


def xml(text: str, *, status: int = 200) -> Answer:
    return Answer(status, text.encode(), {"Content-Type": "application/xml"})


_NO_BUCKET = error(404, "NoSuchBucket")


class FakeS3:
    """What S3 does with one bucket, in memory."""

    def __init__(self) -> None:
        self.manners = Manners()
        self.objects: dict[str, Stored] = {}
        self.uploads: dict[str, Upload] = {}
        self._begun = 0

    def now(self) -> datetime:
        return datetime.now(UTC) + self.manners.clock_ahead

    def put(self, key: str, data: bytes, *, modified: datetime | None = None) -> None:
        """Put an object past all manners."""
        self.objects[key] = Stored(data, modified or self.now(), None)

    def run(self, request: Request) -> Answer:
        names = {
            "PUT Bucket": self._make_bucket,
            "PUT Object": self._put,
            "GET Object": self._get,
            "HEAD Object": self._get,
            "DELETE Object": self._delete,
            "GET Bucket": self._list,
            "POST Bucket": self._delete_many,
            "PUT Part": self._put_part,
            "POST Uploads": self._begin,
            "GET Uploads": self._list_uploads,
            "POST Upload": self._complete,
            "DELETE Upload": self._abort,
        }
        if not self.manners.has_bucket and request.name != "PUT Bucket":
            return _NO_BUCKET
        return names[request.name](request)

    def _make_bucket(self, _: Request) -> Answer:
        if self.manners.has_bucket:
            return error(409, "BucketAlreadyOwnedByYou")
        self.manners.has_bucket = True
        return Answer(200)

    def _put(self, request: Request) -> Answer:
        if refused := self._refused(request):
            return refused
        if "x-amz-copy-source" in request.headers:
            return self._copy(request)
        if self._is_wrong(request):
            return error(400, "BadDigest")
        self._store(request.key, request.body, request.headers.get(_SHA256))
        return Answer(200, headers={"ETag": self.objects[request.key].etag})

    def _copy(self, request: Request) -> Answer:
        source = _source(request)
        if source not in self.objects:
            return error(404, "NoSuchKey")
        found = self.objects[source]
        self._store(request.key, found.data, found.digest)
        time = self.now().strftime("%Y-%m-%dT%H:%M:%S.000Z")
        return xml(
            f"<CopyObjectResult><ETag>{found.etag}</ETag><LastModified>{time}</LastModified>"
            "</CopyObjectResult>"
        )

    def _store(self, key: str, data: bytes, digest: str | None) -> None:
        if self.manners.stores_framing:
            data += b"\r\n0\r\n"
        kept = digest if self.manners.keeps_digests else None
        self.objects[key] = Stored(data, self.now(), kept)

    def _is_wrong(self, request: Request) -> bool:
        claimed = request.headers.get(_SHA256)
        if claimed is None or not self.manners.checks_digests:
            return False
        return claimed != b64encode(hashlib.sha256(request.body).digest()).decode()

    def _refused(self, request: Request) -> Answer | None:
        found = self.objects.get(request.key)
        none_match = request.headers.get("if-none-match")
        match = request.headers.get("if-match")
        if (none_match or match) and not self.manners.understands_conditions:
            return error(501, "NotImplemented", "A header you provided is not implemented")
        failed = error(412, "PreconditionFailed")
        if none_match and self.manners.obeys_if_none_match:
            return failed if (found is None) is self.manners.inverts_if_none_match else None
        if match and self.manners.obeys_if_match:
            return failed if found is None or found.etag != match else None
        return None

    def _get(self, request: Request) -> Answer:
        found = self.objects.get(request.key)
        if found is None and self.manners.denies_what_is_missing:
            return error(403, "AccessDenied")
        if found is None:
            return error(404, "NoSuchKey")
        headers = {
            "ETag": found.etag,
            "Last-Modified": format_datetime(found.modified, usegmt=True),
            "Content-Length": str(len(found.data)),
        }
        if found.digest:
            headers[_SHA256] = found.digest
        wanted = request.headers.get("range")
        if wanted is None:
            return Answer(200, found.data, headers)
        first, _, last = wanted.removeprefix("bytes=").partition("-")
        size = len(found.data)
        start, end = int(first), min(int(last) + 1, size) if last else size
        if start >= size:
            return error(416, "InvalidRange")
        headers |= {
            "Content-Range": f"bytes {start}-{end - 1}/{size}",
            "Content-Length": str(end - start),
        }
        return Answer(206, found.data[start:end], headers)

    def _delete(self, request: Request) -> Answer:
        self.objects.pop(request.key, None)
        return Answer(204)

    def _delete_many(self, request: Request) -> Answer:
        if self.manners.demands_md5 and "content-md5" not in request.headers:
            return error(400, "MissingContentMD5")
        for each in ET.fromstring(request.body).iter():  # noqa: S314 - our own request
            if each.tag.rpartition("}")[2] == "Key":
                self.objects.pop(str(each.text), None)
        return xml("<DeleteResult/>")

    def _list(self, request: Request) -> Answer:
        prefix, most = request.query.get("prefix", ""), int(request.query.get("max-keys", 1000))
        after = request.query.get("continuation-token", "")
        keys = sorted(key for key in self.objects if key.startswith(prefix) and key > after)
        if not self.manners.lists_new_objects:
            keys = []
        more = len(keys) > most
        items = "".join(
            f"<Contents><Key>{escape(key)}</Key><Size>{len(self.objects[key].data)}</Size>"
            f"<LastModified>{self.objects[key].modified:%Y-%m-%dT%H:%M:%S.%fZ}</LastModified>"
            "</Contents>"
            for key in keys[:most]
        )
        token = f"<NextContinuationToken>{keys[most - 1]}</NextContinuationToken>" if more else ""
        return xml(
            f"<ListBucketResult><IsTruncated>{str(more).lower()}</IsTruncated>{token}{items}"
            "</ListBucketResult>"
        )

    def _begin(self, request: Request) -> Answer:
        self._begun += 1
        upload_id = f"upload-{self._begun}"
        self.uploads[upload_id] = Upload(request.key, self.now())
        return xml(
            f"<InitiateMultipartUploadResult><UploadId>{upload_id}</UploadId>"
            "</InitiateMultipartUploadResult>"
        )

    def _put_part(self, request: Request) -> Answer:
        if self._is_wrong(request):
            return error(400, "BadDigest")
        number, etag = int(request.query["partNumber"]), f'"part-{request.query["partNumber"]}"'
        parts = self.uploads[request.query["uploadId"]].parts
        if "x-amz-copy-source" not in request.headers:
            parts[number] = request.body
            return Answer(200, headers={"ETag": etag})
        wanted = request.headers["x-amz-copy-source-range"].removeprefix("bytes=")
        first, last = map(int, wanted.split("-"))
        parts[number] = self.objects[_source(request)].data[first : last + 1]
        return xml(f"<CopyPartResult><ETag>{etag}</ETag></CopyPartResult>")

    def _complete(self, request: Request) -> Answer:
        if refused := self._refused(request):
            return refused
        upload = self.uploads.pop(request.query["uploadId"], None)
        if upload is None:
            return error(404, "NoSuchUpload")
        self._store(upload.key, b"".join(data for _, data in sorted(upload.parts.items())), None)
        return xml("<CompleteMultipartUploadResult/>")

    def _abort(self, request: Request) -> Answer:
        self.uploads.pop(request.query["uploadId"], None)
        return Answer(204)

    def _list_uploads(self, request: Request) -> Answer:
        prefix = request.query.get("prefix", "")
        items = "".join(
            f"<Upload><Key>{escape(each.key)}</Key><UploadId>{upload_id}</UploadId>"
            f"<Initiated>{each.begun:%Y-%m-%dT%H:%M:%S.000Z}</Initiated></Upload>"
            for upload_id, each in self.uploads.items()
            if each.key.startswith(prefix)
        )
        return xml(
            "<ListMultipartUploadsResult><IsTruncated>false</IsTruncated>"
            f"{items}</ListMultipartUploadsResult>"
        )


def _source(request: Request) -> str:
    return unquote(request.headers["x-amz-copy-source"]).lstrip("/").partition("/")[2]
