"""Runs `bgjobs dev`: a Redis server, the API with its pages, the operator's loops, and pods that are processes."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import math
import os
import resource
import shutil
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

from bgjobs.connection.local_link import GOOD_SECONDS, new_link
from bgjobs.ids import new_job_id
from bgjobs.job_spec import JobSpec
from bgjobs.vocabulary import OWNED, WAITING
from bgjobs_api.app import create_app
from bgjobs_api.clock import system_clock
from bgjobs_api.health.redis_state import RealRedisState
from bgjobs_api.http.deps import Deps
from bgjobs_api.http.listening import make_server, tcp_socket
from bgjobs_core import log_setup
from bgjobs_core.actions.enqueue import enqueue
from bgjobs_core.actions.errors import ActionError
from bgjobs_core.jobs.record import AskedJob
from bgjobs_core.redis import connection
from bgjobs_core.redis.errors import StoreError, StoreLayoutError
from bgjobs_core.resources.models import QUEUES, SCHEDULES, QueueSpec
from bgjobs_core.resources.schedules import ScheduleSpec
from bgjobs_core.store.doorbell import Doorbell
from bgjobs_core.store.store import Store
from bgjobs_local.data_folder import DataFolder
from bgjobs_local.errors import DataFolderError, OtherLeaderError, PortTakenError
from bgjobs_local.front_door import FrontDoor
from bgjobs_local.identity import EverythingAllowed, LocalTokens, person
from bgjobs_local.launcher import controller
from bgjobs_local.launcher.memory_guard import MemoryGuard
from bgjobs_local.launcher.pods import Kubelet, of_jobs
from bgjobs_local.launcher.process_launcher import ProcessLauncher
from bgjobs_local.local_resources import LocalResources
from bgjobs_local.local_schedules import LocalSchedules
from bgjobs_local.project import EXAMPLES, Project
from bgjobs_local.redis_server import RedisServer, find_binary
from bgjobs_local.settings import HOST, PORT
from bgjobs_local.terminal.job_follower import JobFollower
from bgjobs_operator.health.health import Health
from bgjobs_operator.leader import Leader
from bgjobs_operator.loops.loop import NotLeaderError
from bgjobs_operator.pokes import Poke, Pokes

if TYPE_CHECKING:
    import socket
    from collections.abc import AsyncGenerator, Set

    import uvicorn

    from bgjobs_local.settings import DevSettings
    from bgjobs_local.terminal.console import Console

NOTICE: Final = "This server is on your machine, and yours alone: your link and token open it, and allow everything."
_KEEP_KUBE_JOBS_SECONDS: Final = 600
_LOOK_AT_PROJECT_SECONDS: Final = 1.0
_PORTS: Final = 20
_DESCRIPTORS: Final = 65536
_BREAK_OFF_SECONDS: Final = 0.5
_SHUTDOWN_SECONDS: Final = 2  # for requests that are under way when the server stops


class _Stop:
    """Counts the signals to stop: the first one asks to stop in order, the second one to stop at once."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.insisted = asyncio.Event()
        self.starting = True  # no job runs yet, so everything can simply be cancelled
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) is not signal.SIG_IGN:  # as under nohup
                loop.add_signal_handler(number, self._on_signal)

    def _on_signal(self) -> None:
        (self.insisted if self.asked.is_set() else self.asked).set()


def listen(port: int | None) -> socket.socket:
    """Open a listening socket on 127.0.0.1.

    Args:
        port: the port, or 0 for any free one; None tries 8700 and the next ones, and then any free one.

    Raises:
        PortTakenError: if the port is taken, or may not be used.
    """
    for number in [port] if port is not None else [*range(PORT, PORT + _PORTS), 0]:
        try:
            return tcp_socket(HOST, number)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise PortTakenError(f"port {number} cannot be used ({error}); give another --port") from error
    raise PortTakenError(f"port {port} is taken; give another --port, or none for the first free one")


@contextlib.asynccontextmanager
async def _redis(settings: DevSettings, data: DataFolder) -> AsyncGenerator[tuple[str, RedisServer | None]]:
    if settings.redis_url is not None:
        yield settings.redis_url, None
        return
    server = RedisServer(find_binary(settings.redis_server), data.redis)
    try:
        await server.start()
        yield server.url, server
    finally:
        await server.stop()


async def dev(settings: DevSettings, console: Console) -> None:
    """Run everything until SIGINT, SIGTERM or SIGHUP.

    Raises:
        LocalModeError: if it cannot start, or a part of it has ended; the message says what to do.
        StoreError: if Redis cannot be used.
    """
    log_setup.configure("info" if settings.verbose else "warning", "text")
    _allow_many_files()
    stop = _Stop()
    running = asyncio.create_task(_run(settings, console, stop))
    asked = asyncio.create_task(stop.asked.wait())
    await asyncio.wait({running, asked}, return_when=asyncio.FIRST_COMPLETED)
    while stop.starting and not running.done():
        running.cancel()  # more than once: `asyncio.wait_for` of Python 3.11 swallows one now and then
        await asyncio.wait({running}, timeout=_BREAK_OFF_SECONDS)
    asked.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running


async def _run(settings: DevSettings, console: Console, stop: _Stop) -> None:
    data = DataFolder(settings.data)
    project = Project(settings.project)
    with data.locked() as there, listen(settings.port) as listening:
        resources = LocalResources(
            settings.namespace,
            project,
            settings.queues,
            settings.max_concurrent,
            console.warn,
            remembered=LocalSchedules(data.schedules),
        )
        resources.queues()  # raises for a file that cannot be used, before anything is started
        for name in project.shadowing():
            console.warn(
                f"{name} in {project.folder} hides Python's own module of that name: jobs may not start until you "
                "rename it"
            )
        async with _redis(settings, data) as (redis_url, server):
            store = Store(connection.connect(redis_url))
            await _check_layout(store, data)
            resources.earlier = frozenset(key.partition("/")[0] for key in await store.queue_keys())
            namespaces = resources.namespaces()
            machine = _Machine(settings, console, data, resources, redis_url, store, namespaces, listening)
            try:
                await machine.run(stop, server, there=there)
            finally:
                data.withdraw()


async def _check_layout(store: Store, data: DataFolder) -> None:
    try:
        await store.check()
    except StoreLayoutError as error:
        await store.close()
        raise DataFolderError(
            f"{data.path} holds jobs of another version of bgjobs, which this one cannot read; delete the folder, or "
            "give --data another one"
        ) from error


def _allow_many_files() -> None:
    """Raise the limit of open files: a pod takes four, and the usual limit of macOS is 256."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, _DESCRIPTORS)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


class _Machine:
    """Everything that runs while the Redis server does."""

    def __init__(
        self,
        settings: DevSettings,
        console: Console,
        data: DataFolder,
        resources: LocalResources,
        redis_url: str,
        store: Store,
        namespaces: tuple[str, ...],
        listening: socket.socket,
    ) -> None:
        self._settings = settings
        self._console = console
        self._data = data
        self._resources = resources
        self._listening = listening
        self._port: int = listening.getsockname()[1]
        self._url = f"http://{HOST}:{self._port}"
        self._namespaces = namespaces
        self._store = store
        self._doorbell = Doorbell(connection.connect(redis_url, max_connections=2))
        self._tokens = tokens = LocalTokens(person(settings.namespace))
        self._deps = Deps(
            store=self._store,
            redis=RealRedisState(connection.connect(redis_url, max_connections=2)),
            authenticator=tokens,
            access=EverythingAllowed(),
            clock=system_clock,
            namespaces=self._namespaces,
            notice=NOTICE,
            queues=resources,
            unapproved=resources.project.remedy,
        )
        self._memory = MemoryGuard()
        kubelet = Kubelet(
            folder=data.pods,
            project=settings.project,
            python=settings.python,
            path=resources.project.path,
            url=self._url,
            tokens=tokens,
            printer=console,
            memory=self._memory,
            umask=settings.umask,
            environ=of_jobs(os.environ),
        )
        back_off = controller.FAST if settings.fast_retries else controller.KUBERNETES
        self._launcher = ProcessLauncher(data.kube_jobs, kubelet, back_off)
        leader: Leader | None = None

        def ring() -> None:
            if leader is not None:
                leader.poke("admit")

        self._pokes = Pokes(ring)
        self._leader = leader = Leader(
            self._store,
            self._doorbell,
            self._launcher,
            resources,
            self._pokes,
            self._namespaces,
            _KEEP_KUBE_JOBS_SECONDS,
            Health(),
            # A queue that was taken out of a file, or a file that was left out, ends no job: it may come back.
            queue_gone_seconds=math.inf,
        )

    async def run(self, stop: _Stop, redis_server: RedisServer | None, *, there: bool) -> None:
        """Start everything, wait for a reason to stop, and stop everything.

        Args:
            stop: the signals to stop.
            redis_server: the server that we have started; None if the user has given one.
            there: whether the data folder has the data of an earlier run.
        """
        lost = await self._launcher.load()
        for obj in self._resources.queues().values():
            metadata = obj["metadata"]
            key = f"{metadata['namespace']}/{metadata['name']}"
            await self._store.put_queue(key, QueueSpec.model_validate(obj["spec"]), obj["metadata"]["uid"])
        follow = JobFollower(self._store, self._console, self._namespaces, await self._store.now_ms())
        api = self._api()
        # Before anything is served: whoever is refused with the token of the run before finds this one then.
        self._data.announce(self._url, self._settings.namespace, self._tokens.token)
        serving = asyncio.create_task(api.serve(sockets=[self._listening]), name="api")
        controlling = asyncio.create_task(self._launcher.run(), name="controller")
        leading = asyncio.create_task(self._leader.lead(), name="leader")
        others = [
            asyncio.create_task(follow.run(), name="follow"),
            asyncio.create_task(self._watch_project(), name="project"),
            asyncio.create_task(self._memory.run(), name="memory"),
        ]
        if redis_server is not None:
            others.append(asyncio.create_task(redis_server.watch(), name="redis"))
        ending = asyncio.create_task(stop.asked.wait(), name="stop")
        tasks = {ending, serving, controlling, leading, *others}
        try:
            while not api.started and not serving.done():  # noqa: ASYNC110 - uvicorn has no event for it
                await asyncio.sleep(0.005)
            await self._greet(lost, there=there)
            if self._settings.hello:
                await self._enqueue_hello()
            stop.starting = False
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            await self._stop_jobs(leading, stop)
            with contextlib.suppress(StoreError):
                await follow.look()
        finally:
            api.should_exit = True
            await _end(tasks - {serving})
            await asyncio.wait({serving})
            await self._store.close()
            await self._doorbell.close()
        for task in tasks - {ending}:
            if not task.cancelled() and (error := task.exception()):
                raise _reason(error)

    def _api(self) -> uvicorn.Server:
        app = create_app(self._deps, pages=True)
        app.add_middleware(FrontDoor, tokens=self._tokens, port=self._port)
        return make_server(app, _SHUTDOWN_SECONDS)

    async def _greet(self, lost: int, *, there: bool) -> None:
        say, project = self._console.echo, self._resources.project
        packages = ", ".join(project.packages())
        say(f"bgjobs dev   {self._url}")
        say(f"  open       {new_link(self._url, self._tokens.token, time.time())}")
        say(f"             (once, within {GOOD_SECONDS // 60} minutes; `{_command()} link` prints another one)")
        if self._settings.port is None and self._port != PORT:
            self._console.warn(f"port {PORT} is taken, so the port is {self._port}")
        mine = f"{packages} in {project.folder}" if packages else f"no package yet in {project.folder}"
        say(f"  jobs of    {mine}, and of {EXAMPLES}")
        queues = [
            f"{name if namespace == self._settings.namespace else f'{namespace}/{name}'} "
            f"({obj['spec'].get('maxConcurrent', 10)} at once)"
            for (namespace, name), obj in self._resources.queues().items()
        ]
        say(f"  queues     {', '.join(queues)}")
        if schedules := self._resources.read().schedules:
            shown = (
                f"{name} ({ScheduleSpec.model_validate(obj['spec']).times})" for (_, name), obj in schedules.items()
            )
            say(f"  schedules  {', '.join(shown)}")
        say(f"  data       {self._data.path}{', with the jobs of earlier runs' if there else ''}")
        say(f"  try        {_command()} run {EXAMPLES}.Hello greet '[\"Ada\"]'")
        say(f"  programs   find it in this folder; elsewhere: BGJOBS_URL={self._url} BGJOBS_TOKEN=...")
        say(f"             (`{_command()} token` prints that)")
        say(f"  {NOTICE}")
        say("  Ctrl-C stops everything; jobs that are running then start over the next time.")
        if lost:
            self._console.warn(
                f"{lost} jobs were running when the last bgjobs dev was killed: these attempts are lost, and others "
                "follow if retries are left"
            )
        left = 0
        for namespace in self._namespaces:
            async for cell, size in self._store.sizes(namespace):
                left += size if cell.state in WAITING | OWNED else 0
        if left:
            self._console.say(f"jobs of an earlier run that continue: {left}")

    async def _enqueue_hello(self) -> None:
        spec = JobSpec(cls=f"{EXAMPLES}.Hello", method="greet")
        by = person(self._settings.namespace).user
        asked = AskedJob(new_job_id(), self._settings.namespace, spec, '["Ada"]', by)
        try:
            await enqueue(self._store, asked, gate=self._deps.gate)
        except ActionError as error:  # a file's queue `default` may not approve the examples
            self._console.warn(f"the example job cannot be run: {error}")

    async def _watch_project(self) -> None:
        """Look at the project and at the files once a second, and apply what has changed."""
        before: dict[tuple[str, str], object] = {}
        scheduled: dict[tuple[str, str], object] = {}
        while True:
            now, schedules = await asyncio.to_thread(self._resources.readable)
            for key in schedules.keys() - scheduled.keys():
                if key[0] not in self._namespaces:
                    self._console.warn(
                        f"schedule {key[0]}/{key[1]} is in a namespace that had no queue: restart bgjobs dev to use it"
                    )
            wanted = {key: obj["spec"] for key, obj in schedules.items()}
            for namespace, name in {*scheduled, *wanted}:
                if scheduled.get((namespace, name)) != wanted.get((namespace, name)):
                    self._leader.schedule_pokes.add(Poke(SCHEDULES, namespace, name, f"{namespace}/{name}"))
            scheduled = wanted
            for key, obj in now.items():
                if key[0] not in self._namespaces:
                    if key not in before:
                        self._console.warn(
                            f"queue {key[0]}/{key[1]} is in a namespace that had no queue: restart bgjobs dev to use it"
                        )
                elif before.get(key) != _said_of(obj):
                    metadata = obj["metadata"]
                    self._pokes.add(Poke(QUEUES, metadata["namespace"], metadata["name"], metadata["uid"]))
            for namespace, name in before.keys() - now.keys():
                self._pokes.add(Poke(QUEUES, namespace, name, ""))
            before = {key: _said_of(obj) for key, obj in now.items()}
            await asyncio.sleep(_LOOK_AT_PROJECT_SECONDS)

    async def _stop_jobs(self, leading: asyncio.Task[None], stop: _Stop) -> None:
        """Stop the leader, so that nothing new is launched, and then all jobs.

        The API goes on meanwhile, so that the runners can report how they end.
        """
        await _end({leading})
        if self._launcher.running:
            self._console.say(
                f"stopping: {self._launcher.running} running jobs have {self._settings.stop_seconds:g} s to end, and "
                "start over the next time (press Ctrl-C again to kill them at once)"
            )
        ending = asyncio.create_task(self._launcher.shut_down(self._settings.stop_seconds))
        insisting = asyncio.create_task(stop.insisted.wait())
        await asyncio.wait({ending, insisting}, return_when=asyncio.FIRST_COMPLETED)
        insisting.cancel()
        if not ending.done():
            await self._launcher.kill()
        await ending


async def _end(tasks: Set[asyncio.Task[Any]]) -> None:
    """Cancel tasks, again and again until they have ended.

    `asyncio.wait_for` of Python 3.11, which redis-py uses, may swallow a cancellation.
    """
    left = set(tasks)
    while left:
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=_BREAK_OFF_SECONDS)


def _said_of(queue: dict[str, Any]) -> tuple[object, object]:
    """What people say of a queue: in its file, and by the command."""
    return queue["spec"], queue["metadata"]["annotations"]


def _command() -> str:
    """How to type the command `bgjobs` in a shell: by its name if the shell finds it, else by its path."""
    ours = Path(sys.executable).with_name("bgjobs")
    found = shutil.which("bgjobs")
    if found is not None and Path(found).resolve() == ours.resolve():
        return "bgjobs"
    return str(ours.relative_to(Path.cwd())) if ours.is_relative_to(Path.cwd()) else str(ours)


def _reason(error: BaseException) -> BaseException:
    """The exception to show for a task that has ended; those of the leader come in a group."""
    while isinstance(error, BaseExceptionGroup):
        error = cast("tuple[BaseException, ...]", error.exceptions)[0]
    if isinstance(error, NotLeaderError):
        return OtherLeaderError(
            "another bgjobs has taken over this Redis, so this one has stopped: give each its own Redis server, by "
            "another `--redis-url` or without one (another database number on the same server is not enough)"
        )
    return error
