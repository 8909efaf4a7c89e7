"""Lists of S3 with keys of any text."""

import re
from collections.abc import Callable
from urllib.parse import quote
from xml.sax.saxutils import unescape

_KEYS = re.compile(
    rb"<(Key|Prefix|KeyMarker|NextKeyMarker|Delimiter)>(.*?)</\1>",
    re.DOTALL,
)

_Answer = tuple[int, dict[str, str], bytes]


def encoded(body: bytes) -> bytes:
    """Percent-encode the keys of a list of versions, as ``encoding-type=url`` asks for."""

    def encode(match: re.Match[bytes]) -> bytes:
        tag, text = match[1], unescape(match[2].decode())
        return b"<%b>%b</%b>" % (tag, quote(text, safe="/").encode(), tag)

    return _KEYS.sub(encode, body).replace(
        b"</ListVersionsResult>", b"<EncodingType>url</EncodingType></ListVersionsResult>"
    )


def encode_keys_of_versions() -> None:
    """Let ListObjectVersions heed ``encoding-type=url``, as the other lists do.

    Without it, one key with a control character makes XML that no client can read.
    """
    from ministack.services import s3

    list_versions: Callable[[str, dict[str, object]], _Answer] = s3._list_object_versions

    def with_encoding(bucket: str, query: dict[str, object]) -> _Answer:
        status, headers, body = list_versions(bucket, query)
        if status == 200 and s3._qp(query, "encoding-type", "") == "url":
            body = encoded(body)
        return status, headers, body

    s3._list_object_versions = with_encoding
