"""A Kubernetes API with many requests of the largest legal size: `python -m tests.hostile.day_server FOLDER N M`.

It is the stand-in of the benchmarks, with N namespaces of M requests each. They share their parameters in memory, and
are written out whenever they are asked for, as the API server does.
"""

from __future__ import annotations

import asyncio
import ssl
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from bench.launch.http_server import Connection, Reply, Watching
from bench.launch.stand_in import StandIn
from bgjobs.protocol import MAX_JSON_BYTES
from tests.hostile.shapes import shapes

if TYPE_CHECKING:
    from bench.launch.http_server import Request

SAID: Final = "/day"
JOB_SECONDS: Final = 0.2
_REQUESTS: Final = "/backgroundjobrequests"
_API: Final = "/apis/bgjobs.dev/v1alpha1/namespaces"
_METADATA: Final = "PartialObjectMetadata"
_MADE: Final = "2026-11-24T10:00:00Z"
_encode = msgspec.json.Encoder().encode


def namespaces(many: int) -> list[str]:
    """Their names."""
    return [f"shop-{number}" for number in range(many)]


class Day(StandIn):
    """Objects of a whole day, made beforehand."""

    def __init__(self, many: int, requests: int) -> None:
        super().__init__(JOB_SECONDS)
        self._lists: dict[str, int] = {}
        # What a job takes at most, in every shape in which it is legal.
        texts = [msgspec.json.decode(text) for text in shapes(MAX_JSON_BYTES).values()]
        specs = [{"class": "shop.jobs.Report", "method": "build", "parameters": one} for one in texts]
        queue = {"image": "shop:1", "approvedClasses": ["shop.jobs.*"], "maxConcurrent": 5}
        number = 0
        for namespace in namespaces(many):
            path = f"{_API}/{namespace}"
            self._put_there(f"{path}/backgroundjobqueues", namespace, "default", f"queue-of-{namespace}", queue)
            for index in range(requests):
                number += 1
                uid = f"00000000-0000-4000-8000-{number:012x}"
                self._put_there(f"{path}{_REQUESTS}", namespace, f"r-{index}", uid, specs[number % len(specs)])

    def answer(self, request: Request) -> Reply | Watching:
        """Answer one request."""
        if request.path == SAID:
            told = sum(
                "status" in obj
                for path, collection in self._collections.items()
                if path.endswith(_REQUESTS)
                for obj in collection.objects.values()
            )
            return Reply(_encode({"told": told, "lists": self._lists}))
        if request.path.endswith(_REQUESTS) and request.method == "GET" and not request.query.get("watch"):
            return self._list(request)
        return super().answer(request)

    def _put_there(self, path: str, namespace: str, name: str, uid: str, spec: dict[str, Any]) -> None:
        self._version = next(self._versions)
        metadata = {
            "name": name, "namespace": namespace, "uid": uid, "generation": 1, "creationTimestamp": _MADE,
            "resourceVersion": str(self._version),
        }  # fmt: skip
        self._collection(path).objects[name] = {"metadata": metadata, "spec": spec}

    def _list(self, request: Request) -> Reply:
        items = list(self._collection(request.path).objects.values())
        begin = int(request.query.get("continue") or 0)
        end = begin + int(request.query.get("limit") or len(items) + 1)
        further = str(end) if end < len(items) else ""
        part = items[begin:end]
        if _METADATA in request.accept:
            part = [{"metadata": one["metadata"]} for one in part]
        elif not further:
            self._lists[request.path] = self._lists.get(request.path, 0) + 1
        metadata = {"resourceVersion": str(self._version), "continue": further}
        return Reply(_encode({"metadata": metadata, "items": part}))


async def serve(folder: Path, many: int, requests: int) -> None:
    """Until it is killed."""
    day = Day(many, requests)
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(folder / "server.crt", folder / "server.key")
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(day.answer), "127.0.0.1", 0, ssl=tls)
    port = folder / "port.new"
    port.write_text(str(server.sockets[0].getsockname()[1]))
    port.rename(folder / "port")
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])))
