"""Run inside a department's pod: what it can reach, and whose objects it can touch. Prints JSON."""

import json
import socket
import sys
from collections.abc import Callable
from typing import Any

import boto3
from botocore.exceptions import ClientError

TIMEOUT_S = 5


def reaches(address: str) -> bool:
    """Tell whether a TCP connection to host:port opens."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), TIMEOUT_S).close()
    except OSError:
        return False
    return True


def touches(bucket: str, prefix: str) -> dict[str, str]:
    """Try to write, read and list below a prefix; give the answer of each."""
    client: Any = boto3.client("s3")
    calls: dict[str, tuple[Callable[..., object], dict[str, object]]] = {
        "write": (client.put_object, {"Key": f"{prefix}tmp/probe", "Body": b"x"}),
        "read": (client.get_object, {"Key": f"{prefix}cas.json"}),
        "list": (client.list_objects_v2, {"Prefix": f"{prefix}refs/"}),
    }
    answers = {}
    for name, (call, arguments) in calls.items():
        try:
            call(Bucket=bucket, **arguments)
            answers[name] = "ok"
        except ClientError as error:
            answers[name] = error.response["Error"]["Code"]
    return answers


if __name__ == "__main__":
    asked = json.loads(sys.argv[1])
    found = {
        "reaches": {address: reaches(address) for address in asked["addresses"]},
        "touches": {prefix: touches(asked["bucket"], prefix) for prefix in asked["prefixes"]},
    }
    sys.stdout.write(json.dumps(found))
