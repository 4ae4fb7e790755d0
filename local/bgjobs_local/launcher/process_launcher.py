"""The launcher of local mode: a KubeJob is a file, and a pod is a process group.

The files say what was launched even after `bgjobs dev` was killed. The processes have ended with it then (see
`bgjobs.runner.lifeline`), and their attempts are `lost`, as after the restart of a node.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import time
import uuid
from typing import TYPE_CHECKING, Any, Final

import msgspec
import structlog

from bgjobs import protocol
from bgjobs_local.launcher import processes
from bgjobs_local.launcher.controller import KILLED_EXIT, UNKNOWN, Action, KubeJob, Pod, plan, recovered, with_pod
from bgjobs_local.launcher.pods import new_pod_name
from bgjobs_local.launcher.quantity import memory_bytes
from bgjobs_operator.interfaces.launcher import (
    EventView,
    Glance,
    Gone,
    LauncherObjectError,
    LauncherUnreachableError,
    LaunchRefusedError,
    Listed,
    Refusal,
    Seen,
)

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
    from pathlib import Path

    from bgjobs_core.jobs.queue import QueueRecord
    from bgjobs_core.jobs.record import JobRecord
    from bgjobs_local.launcher.controller import BackOff
    from bgjobs_local.launcher.pods import Kubelet, RunningPod
    from bgjobs_operator.interfaces.launcher import KubeJobView, PodView

_FAILED_TO_START: Final = 128  # the exit code that a container runtime gives to a command that it cannot start
# With these errors the machine has no room for another process at the moment, which is not the job's fault.
_SHORT_OF: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.EAGAIN, errno.ENOMEM})
_LOOK_AGAIN_SECONDS: Final = 1.0
_KEEP_SECONDS: Final = 7 * 86400  # as ttlSecondsAfterFinished on a cluster

log: Any = structlog.get_logger(__name__)


class ProcessLauncher:
    """Implements `bgjobs_operator.interfaces.launcher.Launcher`.

    Call `load` first, keep `run` running, and call `shut_down` in the end.

    Args:
        folder: for the files, one for each KubeJob.
        kubelet: starts pods.
        back_off: how long to wait after a pod that has ended.
        clock: Unix seconds.
    """

    def __init__(
        self, folder: Path, kubelet: Kubelet, back_off: BackOff, clock: Callable[[], float] = time.time
    ) -> None:
        self._folder = folder
        self._kubelet = kubelet
        self._back_off = back_off
        self._clock = clock
        self._jobs: dict[tuple[str, str], KubeJob] = {}
        self._open: set[tuple[str, str]] = set()  # those that may need a step
        self._pods: dict[str, RunningPod] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._stopping: dict[str, asyncio.Task[None]] = {}
        self._watchers: list[tuple[str, asyncio.Queue[Seen | Gone]]] = []
        self._poked = asyncio.Event()
        self._draining = False
        self._making = asyncio.Lock()  # a pod is being started
        self._unwritten: set[tuple[str, str]] = set()

    async def load(self) -> int:
        """Read the KubeJobs that an earlier run has left.

        Returns:
            How many pods were running when it was killed; their attempts are lost.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        await asyncio.to_thread(self._kubelet.forget_all)
        for path in self._folder.glob("*.new"):
            path.unlink()
        now, lost = self._clock(), list[str]()
        for path in sorted(self._folder.glob("*.json")):
            try:
                job = msgspec.json.decode(path.read_bytes(), type=KubeJob)
            except msgspec.MsgspecError as error:
                log.warning("a KubeJob's file cannot be read, so its job is lost", file=str(path), error=str(error))
                path.unlink()
                continue
            if job.finished and job.ended_at < now - _KEEP_SECONDS:
                path.unlink()  # nobody knows of it any more, or it would have been retired
                continue
            if job.running:
                lost.append(job.running.uid)
            self._keep(recovered(job, now))
        if lost:
            # Processes that the lifeline could not end.
            await asyncio.to_thread(processes.kill_marked, protocol.ENV_POD_UID, lost)
        return len(lost)

    @property
    def running(self) -> int:
        """How many pods are running."""
        return len(self._pods)

    # ----------------------------------------------------------------- the launcher's interface
    async def create(self, job: JobRecord, queue: QueueRecord) -> str:
        """See `Launcher.create`."""
        key = (job.namespace, job.kube_job)
        if known := self._jobs.get(key):
            if known.deleting:
                raise LauncherObjectError(f"{job.kube_job} is being deleted, and its name is taken until it is gone")
            return known.uid
        made = _kube_job(job, queue, str(uuid.uuid4()), self._clock())
        try:
            self._write(made)
        except OSError as error:  # a KubeJob exists only once its file does
            raise LauncherUnreachableError(f"{self._folder} cannot be written: {error}") from error
        self._remember(made)
        self._poked.set()
        return made.uid

    async def find(self, namespace: str, name: str) -> KubeJobView | None:
        """See `Launcher.find`."""
        job = self._jobs.get((namespace, name))
        return job.view() if job else None

    async def suspend(self, namespace: str, name: str, uid: str, *, suspend: bool) -> None:
        """See `Launcher.suspend`; the file says it, so that it holds after a restart too."""
        job = self._jobs.get((namespace, name))
        if job is None or job.uid != uid or job.suspended == suspend:
            return
        self._keep(msgspec.structs.replace(job, suspended=suspend))
        self._poked.set()

    async def offer_to_kueue(self, namespace: str, uid: str, *, active: bool) -> None:
        """See `Launcher.offer_to_kueue`; there is no Kueue here, and no KubeJob of its own."""

    async def not_admitted(
        self,
        namespace: str,  # noqa: ARG002 - as the interface has it
        kube_uids: Sequence[str],
    ) -> Mapping[str, str]:
        """See `Launcher.not_admitted`; nobody has to admit anything here."""
        return dict.fromkeys(kube_uids, "")

    async def delete(self, namespace: str, name: str, uid: str) -> None:
        """See `Launcher.delete`."""
        job = self._jobs.get((namespace, name))
        if job is None or job.uid != uid or job.deleting:
            return
        self._keep(msgspec.structs.replace(job, deleting=True))
        self._poked.set()

    async def delete_pod(self, namespace: str, name: str, uid: str) -> None:
        """See `Launcher.delete_pod`."""
        for job in self._jobs.values():
            if job.namespace == namespace and job.running and (job.running.name, job.running.uid) == (name, uid):
                self._stop(job)

    async def give_up_pod(self, namespace: str, name: str, uid: str, why: str) -> None:
        """See `Launcher.give_up_pod`; there is no node here that could be away."""

    async def pods(self, namespace: str, kube_uid: str) -> list[PodView]:
        """See `Launcher.pods`."""
        return [
            pod.view()
            for job in self._jobs.values()
            if job.uid == kube_uid and job.namespace == namespace
            for pod in job.pods
        ]

    async def complaint(self, namespace: str, kube_uid: str) -> str:  # noqa: ARG002 - as the interface has it
        """See `Launcher.complaint`; it is always "", because nothing refuses pods on this machine."""
        return ""

    async def events(self, namespace: str, uid: str) -> list[EventView]:  # noqa: ARG002 - as the interface has it
        """See `Launcher.events`; nothing is told of pods here but what `pods` says."""
        return []

    async def glance(self, namespace: str) -> Glance:
        """See `Launcher.glance`; there are no complaints, because nothing refuses pods on this machine."""
        jobs = [job for job in self._jobs.values() if job.namespace == namespace]
        return Glance({job.uid: [view for pod in job.pods if not (view := pod.view()).ended] for job in jobs})

    async def watch(self, namespace: str) -> AsyncGenerator[Seen | Gone | Listed, None]:
        """See `Launcher.watch`."""
        events: asyncio.Queue[Seen | Gone] = asyncio.Queue()
        entry = (namespace, events)
        self._watchers.append(entry)
        try:
            for job in [one for one in self._jobs.values() if one.namespace == namespace]:
                yield Seen(job.view())
            yield Listed(namespace)
            while True:
                yield await events.get()
        finally:
            self._watchers.remove(entry)

    # -------------------------------------------------------------------------- the controller
    async def run(self) -> None:
        """Make the steps of all KubeJobs when they are due, until cancelled."""
        while True:
            self._poked.clear()
            for key in list(self._unwritten):
                self._keep(self._jobs[key])
            soonest: float | None = None
            for key in list(self._open):
                at = await self._step(key)
                soonest = at if soonest is None else min(soonest, at or soonest)
            wait = None if soonest is None else max(0.0, soonest - self._clock())
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await self._poked.wait()

    async def shut_down(self, grace_seconds: float) -> None:
        """End all pods, as when a node is drained: they do not count as failures, and the jobs start over next time.

        Args:
            grace_seconds: from SIGTERM to SIGKILL.
        """
        self._draining = True
        async with self._making:  # so that a pod that is being started is among them
            pods, tasks = list(self._pods.values()), list(self._tasks.values())
        await asyncio.gather(*(pod.stop(grace_seconds) for pod in pods))
        if tasks:
            await asyncio.wait(tasks)

    async def kill(self) -> None:
        """Kill all pods, without a grace period."""
        self._draining = True
        async with self._making:
            pods = list(self._pods.values())
        await asyncio.gather(*(pod.kill() for pod in pods))

    async def _step(self, key: tuple[str, str]) -> float | None:
        """Make the next step of a KubeJob; return when to look at it again (Unix seconds), if that is at a time."""
        job = self._jobs[key]
        step = plan(job, self._clock(), self._back_off)
        match step.action:
            case Action.START:
                async with self._making:
                    if not self._draining:
                        await self._start(job)
            case Action.COMPLETE:
                self._keep(msgspec.structs.replace(job, complete=True))
            case Action.FAIL:
                self._keep(msgspec.structs.replace(job, failure=step.failure, message=step.message))
            case Action.STOP:
                self._stop(job)
            case Action.REMOVE:
                self._forget(job)
            case Action.WAIT | Action.NOTHING:
                pass
        return step.at

    async def _start(self, job: KubeJob) -> None:
        pod = Pod(name=new_pod_name(job.name), uid=str(uuid.uuid4()))
        # Written to the file first, so that the pod is counted whatever happens next.
        job = with_pod(job, pod)
        try:
            self._write(job)
        except OSError as error:
            log.warning("no pod is started: the KubeJob's file cannot be written", job=job.job_id, error=str(error))
            self._look_again()
            return
        self._remember(job)
        try:
            process = await self._kubelet.start(job, pod)
        except OSError as error:
            log.warning("a pod cannot be started", job=job.job_id, error=str(error))
            words = f"{self._kubelet.python}: {error}"
            self._ended(job, pod, _FAILED_TO_START, "StartError", words, disrupted=error.errno in _SHORT_OF)
            return
        self._pods[pod.uid] = process
        self._tasks[pod.uid] = asyncio.create_task(self._follow(job, pod, process), name=pod.name)

    async def _follow(self, job: KubeJob, pod: Pod, process: RunningPod) -> None:
        try:
            ending = await process.run()
        except Exception:
            log.exception("following a pod has failed, so it is killed", job=job.job_id)
            await process.kill()
            self._ended(job, pod, KILLED_EXIT, UNKNOWN, "")
        else:
            self._ended(job, pod, ending.exit_code, ending.reason, ending.message)
        finally:
            del self._pods[pod.uid], self._tasks[pod.uid]
            self._stopping.pop(pod.uid, None)
            self._poked.set()

    def _ended(
        self, job: KubeJob, pod: Pod, exit_code: int, reason: str, message: str, *, disrupted: bool = False
    ) -> None:
        self._kubelet.forget(pod)
        now = self._jobs.get((job.namespace, job.name))
        if now is None or now.uid != job.uid:
            return
        told_to_stop = (self._draining and not now.deleting and exit_code != protocol.EXIT_SUCCESS) or (
            now.suspended and exit_code not in {protocol.EXIT_SUCCESS, protocol.EXIT_REFUSED}
        )
        disrupted = disrupted or told_to_stop
        ended = msgspec.structs.replace(
            pod, ended_at=self._clock(), exit_code=exit_code, reason=reason, message=message, disrupted=disrupted
        )
        self._keep(with_pod(now, ended))
        self._poked.set()

    def _stop(self, job: KubeJob) -> None:
        pod = job.running
        if pod is None or pod.uid in self._stopping or pod.uid not in self._pods:
            return
        self._stopping[pod.uid] = asyncio.create_task(self._pods[pod.uid].stop(job.grace_seconds))

    def _keep(self, job: KubeJob) -> None:
        """Keep a KubeJob in memory and in its file; if the file cannot be written now, it is tried again soon."""
        try:
            self._write(job)
            self._unwritten.discard((job.namespace, job.name))
        except OSError as error:
            log.warning("a KubeJob's file cannot be written; it is tried again", job=job.job_id, error=str(error))
            self._unwritten.add((job.namespace, job.name))
            self._look_again()
        self._remember(job)

    def _write(self, job: KubeJob) -> None:
        path = self._path(job)
        new = path.with_suffix(".new")
        new.write_bytes(msgspec.json.encode(job))
        new.rename(path)

    def _remember(self, job: KubeJob) -> None:
        """Keep a KubeJob in memory, and tell those who watch."""
        key = (job.namespace, job.name)
        self._jobs[key] = job
        if job.finished and not job.deleting:
            self._open.discard(key)
        else:
            self._open.add(key)
        self._tell(Seen(job.view()))

    def _look_again(self) -> None:
        asyncio.get_running_loop().call_later(_LOOK_AGAIN_SECONDS, self._poked.set)

    def _forget(self, job: KubeJob) -> None:
        key = (job.namespace, job.name)
        try:
            self._path(job).unlink(missing_ok=True)
        except OSError as error:  # with its file the KubeJob would be back after a restart
            log.warning("a KubeJob's file cannot be removed; it is tried again", job=job.job_id, error=str(error))
            self._look_again()
            return
        self._unwritten.discard(key)
        del self._jobs[key]
        self._open.discard(key)
        self._tell(Gone(job.view()))

    def _tell(self, event: Seen | Gone) -> None:
        for namespace, events in self._watchers:
            if namespace == event.view.namespace:
                events.put_nowait(event)

    def _path(self, job: KubeJob) -> Path:
        return self._folder / f"{job.namespace}.{job.name}.json"


def _kube_job(job: JobRecord, queue: QueueRecord, uid: str, now: float) -> KubeJob:
    """Make the KubeJob of a job: those parts of `bgjobs_operator.cluster.kubejob.manifest` that matter on one machine.

    Raises:
        LaunchRefusedError: INVALID, if the queue's `pod` has a wrong value; the message names the field.
    """
    pod = queue.spec.pod
    env = {str(one["name"]): str(one["value"]) for one in pod.env if "name" in one and "value" in one}
    for name, value in env.items():
        if not name or "=" in name or "\0" in name + value:
            words = (
                f"spec.pod.env: {name!r} cannot be a variable: its name is empty or has a =, or there is a NUL in it"
            )
            raise LaunchRefusedError(Refusal.INVALID, words)
    limit = pod.resources.get("limits", {}).get("memory")
    try:
        memory = None if limit is None else memory_bytes(str(limit))
    except ValueError as error:
        raise LaunchRefusedError(Refusal.INVALID, f"spec.pod.resources.limits.memory: {error}") from error
    return KubeJob(
        namespace=job.namespace,
        name=job.kube_job,
        uid=uid,
        job_id=job.id,
        label=f"{job.spec.cls.rpartition('.')[2]}.{job.spec.method}",
        backoff_limit=job.spec.max_retries,
        grace_seconds=queue.spec.grace_seconds,
        created_at=now,
        memory_bytes=memory,
        env=env,
    )
