"""Quantities, projects, folders, queues: what local mode reads before it starts anything."""

from __future__ import annotations

import json
import os
import shutil
import socket
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from bgjobs_core.jobs.queue import Held, QueueRecord
from bgjobs_core.jobs.timed_limits import TimedLimits, for_a_time
from bgjobs_core.resources.models import QUEUES, REQUESTS, SCHEDULES, QueueSpec
from bgjobs_core.resources.schedules import SUSPENDED_BY, ScheduleSpec
from bgjobs_local import dev
from bgjobs_local.data_folder import DataFolder
from bgjobs_local.errors import DataFolderError, InUseError, ManifestError, PortTakenError, RedisServerError
from bgjobs_local.launcher.pods import of_jobs
from bgjobs_local.launcher.quantity import memory_bytes
from bgjobs_local.local_resources import LocalResources
from bgjobs_local.local_schedules import LocalSchedules
from bgjobs_local.project import Project
from bgjobs_local.redis_server import RedisServer, find_binary

if TYPE_CHECKING:
    from bgjobs_core.kube.objects import Object


@pytest.mark.parametrize(
    ("text", "expected"),
    [("256Mi", 268435456), ("1G", 10**9), ("1.5Gi", 1610612736), ("1024", 1024), ("2k", 2000), (" 1Ki ", 1024)],
)
def test_memory(text: str, expected: int) -> None:
    assert memory_bytes(text) == expected


@pytest.mark.parametrize("text", ["", "lots", "12 Mi", "-1Mi", "1mi", "0x10"])
def test_what_is_no_amount_of_memory(text: str) -> None:
    with pytest.raises(ValueError, match="256Mi"):
        memory_bytes(text)


class TestProject:
    def test_packages_and_modules_are_found_and_nothing_else(self, tmp_path: Path) -> None:
        for name in ("shop/__init__.py", "plain/jobs.py", "tests/test_a.py", ".venv/x.py", "data/a.csv", "_own/a.py"):
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).touch()
        for name in ("tool.py", "setup.py", "conftest.py", "not-a-name.py", "_private.py", "README.md"):
            (tmp_path / name).touch()
        assert Project(tmp_path).packages() == ["plain", "shop", "tool"]
        assert Project(tmp_path).approved_classes() == ["plain.*", "shop.*", "tool.*", "bgjobs.examples.*"]

    def test_a_package_may_have_its_code_further_down(self, tmp_path: Path) -> None:
        """A namespace package has no file of its own."""
        for name in ("acme/billing/jobs.py", "data/2026/11/a.csv", "env/lib/x.py", "own/_private/x.py"):
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).touch()
        assert Project(tmp_path).packages() == ["acme"]
        assert f"finds in {tmp_path} (there are: acme)" in Project(tmp_path).remedy()

    def test_a_src_folder_comes_first(self, tmp_path: Path) -> None:
        (tmp_path / "src/shop").mkdir(parents=True)
        (tmp_path / "src/shop/__init__.py").touch()
        (tmp_path / "src/one.py").touch()
        project = Project(tmp_path)
        assert project.path == [tmp_path / "src", tmp_path]
        assert project.packages() == ["one", "shop"]

    def test_an_empty_folder_has_the_examples(self, tmp_path: Path) -> None:
        assert Project(tmp_path).approved_classes() == ["bgjobs.examples.*"]


class TestDataFolder:
    def test_it_belongs_to_one_and_says_to_whom(self, tmp_path: Path) -> None:
        first, second = DataFolder(tmp_path / "data"), DataFolder(tmp_path / "data")
        with first.locked() as there:
            assert not there
            with pytest.raises(InUseError, match="starting or ending"), second.locked():
                pass
            first.announce("http://127.0.0.1:8700", "shop", "secret")
            assert json.loads(first.server_file.read_text()) == {
                "url": "http://127.0.0.1:8700",
                "pid": os.getpid(),
                "namespace": "shop",
                "token": "secret",
            }
            with pytest.raises(InUseError, match=rf"8700 \(pid {os.getpid()}\).*--data"), second.locked():
                pass
            first.withdraw()
            first.redis.mkdir()
        with second.locked() as there:
            assert there
            assert not second.server_file.exists()

    def test_others_cannot_read_it_and_git_does_not_see_it(self, tmp_path: Path) -> None:
        with DataFolder(tmp_path / "data").locked():
            assert (tmp_path / "data").stat().st_mode & 0o777 == 0o700
            assert (tmp_path / "data/.gitignore").read_text() == "*\n"

    def test_the_token_is_nobodys_at_no_moment(self, tmp_path: Path) -> None:
        """Whatever lies in its way: a file that somebody has open already, or a link to one."""
        folder = DataFolder(tmp_path / "data")
        elsewhere = tmp_path / "elsewhere"
        before = os.umask(0)
        try:
            with folder.locked():
                planted = folder.path / "server.new"
                planted.touch(0o666)
                with planted.open() as open_already:
                    folder.announce("http://127.0.0.1:8700", "shop", "secret")
                    assert open_already.read() == ""
                planted.symlink_to(elsewhere)
                folder.announce("http://127.0.0.1:8700", "shop", "secret")
                assert not elsewhere.exists()
                assert folder.server_file.stat().st_mode & 0o777 == 0o600
        finally:
            os.umask(before)

    @pytest.mark.parametrize(("mode", "words"), [(0o777, "chmod 700"), (0o720, "mode 720"), (0o702, "mode 702")])
    def test_one_that_others_may_write_in_is_refused(self, tmp_path: Path, mode: int, words: str) -> None:
        tmp_path.chmod(mode)
        with pytest.raises(DataFolderError, match=words), DataFolder(tmp_path).locked():
            pass
        assert list(tmp_path.iterdir()) == []

    def test_one_of_another_user_is_refused(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(os, "geteuid", lambda: 4711)
        with pytest.raises(DataFolderError, match="a folder of your own"), DataFolder(tmp_path).locked():
            pass

    def test_one_that_was_made_before_is_closed_but_not_what_holds_other_things(self, tmp_path: Path) -> None:
        for name in ("empty", "used", "of others"):
            (tmp_path / name).mkdir()
            (tmp_path / name).chmod(0o755)
        (tmp_path / "used/lock").touch()
        (tmp_path / "of others/notes.txt").touch()
        modes = {"empty": 0o700, "used": 0o700, "of others": 0o755}
        for name, mode in modes.items():
            with DataFolder(tmp_path / name).locked():
                assert (tmp_path / name).stat().st_mode & 0o777 == mode


SINGLE = """
apiVersion: bgjobs.dev/v1alpha1
kind: BackgroundJobQueue
metadata: {name: single}
spec: {maxConcurrent: 1, approvedClasses: ["shop.jobs.*"]}
---
kind: BackgroundJobQueue
metadata: {name: other, namespace: mail}
spec: {image: "mail:1"}
"""


def edit(file: Path, text: str) -> None:
    """As an editor does it."""
    file.write_text(text)


SCHEDULE = """
kind: BackgroundJobSchedule
metadata: {name: nightly}
spec: {cron: "@daily", job: {class: shop.jobs.Report, method: build}}
"""


class Complaints(list[str]):
    def __call__(self, text: str) -> None:
        self.append(text)


class TestLocalResources:
    @pytest.fixture
    def complaints(self) -> Complaints:
        return Complaints()

    @pytest.fixture
    def file(self, tmp_path: Path) -> Path:
        path = tmp_path / "queues.yaml"
        path.write_text(SINGLE)
        return path

    @pytest.fixture
    def resources(self, tmp_path: Path, file: Path, complaints: Complaints) -> LocalResources:
        (tmp_path / "shop").mkdir()
        (tmp_path / "shop/jobs.py").touch()
        return LocalResources("shop", Project(tmp_path), (file,), 3, complaints)

    async def test_a_queue_is_paused_as_long_as_the_process_runs(
        self, resources: LocalResources, complaints: Complaints
    ) -> None:
        queue = QueueRecord("shop", "single", QueueSpec())
        assert await resources.pause(queue, Held("ada", 1000, "no mail"))
        found = resources.queues()["shop", "single"]
        assert (found["spec"]["paused"], Held.of_object(found["metadata"]["annotations"])) == (
            True, Held("ada", 1000, "no mail"),
        )  # fmt: skip
        assert await resources.resume(queue)
        found = resources.queues()["shop", "single"]
        assert (found["spec"]["paused"], found["metadata"]["annotations"]) == (False, {})
        assert not await resources.pause(QueueRecord("shop", "nobody", QueueSpec()), Held("ada"))
        assert "its file rules" in str(complaints)

    async def test_a_queue_has_other_limits_for_a_time_also_while_it_is_paused(self, resources: LocalResources) -> None:
        queue = QueueRecord("shop", "single", QueueSpec())
        limits = for_a_time(1_795_000_000_000, 60, by="ada", note="", max_concurrent=9, start_rate=None)

        def there() -> TimedLimits | None:
            return TimedLimits.of_object(resources.queues()["shop", "single"]["metadata"]["annotations"])

        assert await resources.limit(queue, limits)
        assert there() == limits
        assert await resources.pause(queue, Held("ada"))
        assert there() == limits
        assert await resources.limit(queue, None)
        assert there() is None
        assert not await resources.limit(QueueRecord("shop", "nobody", QueueSpec()), limits)

    async def test_queues_of_the_file_and_the_default_one(self, resources: LocalResources) -> None:
        found = resources.queues()
        assert sorted(found) == [("mail", "other"), ("shop", "default"), ("shop", "single")]
        specs = {key: QueueSpec.model_validate(obj["spec"]) for key, obj in found.items()}
        assert specs["shop", "default"].approved_classes == ["shop.*", "bgjobs.examples.*"]
        assert specs["shop", "default"].max_concurrent == 3
        assert (specs["shop", "single"].image, specs["mail", "other"].image) == ("this-machine", "mail:1")
        assert resources.namespaces() == ("mail", "shop")
        assert [obj["metadata"]["name"] async for obj in resources.pages(QUEUES, "mail")] == ["other"]
        assert [obj async for obj in resources.pages(REQUESTS, "shop")] == []
        assert [page async for page in resources.requests("shop")] == []
        assert await resources.get(QUEUES, "shop", "nobody") is None

    async def test_a_default_queue_of_ones_own(self, resources: LocalResources, file: Path) -> None:
        edit(file, SINGLE.replace("single", "default"))
        obj = await resources.get(QUEUES, "shop", "default")
        assert obj is not None
        assert obj["spec"]["maxConcurrent"] == 1

    async def test_a_change_is_another_generation(self, resources: LocalResources, file: Path) -> None:
        def generation() -> Any:
            return resources.queues()["shop", "single"]["metadata"]["generation"]

        before = generation()
        assert generation() == before
        edit(file, SINGLE.replace("maxConcurrent: 1", "maxConcurrent: 2"))
        assert generation() != before

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("a: [", "queues.yaml"),
            ("kind: BackgroundJobRequest", "bgjobs run"),
            ("just words", "only BackgroundJobQueue"),
            (SCHEDULE.replace("@daily", "0 0 30 2 *"), "nightly: spec: .*Bad day-of-month"),
            ("kind: BackgroundJobQueue", "no metadata.name"),
            (SINGLE.replace("maxConcurrent: 1", "maxConcurrent: many"), r"queue.*single: spec.maxConcurrent"),
            (SINGLE.replace("maxConcurrent", "maxconcurrent"), "spec.maxconcurrent"),
        ],
        ids=[
            "no yaml",
            "a request",
            "no object",
            "a schedule that never comes",
            "no name",
            "no number",
            "an unknown field",
        ],
    )
    def test_a_file_that_is_not_good(self, resources: LocalResources, file: Path, text: str, words: str) -> None:
        edit(file, text)
        with pytest.raises(ManifestError, match=f"(?i){words}"):
            resources.queues()

    async def test_while_a_file_is_edited_its_queues_stay(
        self, resources: LocalResources, file: Path, complaints: Complaints
    ) -> None:
        before = [obj async for obj in resources.pages(QUEUES, "shop")]
        edit(file, "a: [")
        assert [obj async for obj in resources.pages(QUEUES, "shop")] == before
        assert [obj async for obj in resources.pages(QUEUES, "shop")] == before
        assert len(complaints) == 1
        edit(file, SINGLE)
        assert [obj async for obj in resources.pages(QUEUES, "shop")] == before

    async def test_what_the_operator_finds_wrong_is_said(
        self, resources: LocalResources, complaints: Complaints
    ) -> None:
        status = {"conditions": [{"status": "False", "reason": "NoApprovedClasses", "message": "set them"}]}
        assert await resources.apply_status(QUEUES, "mail", "other", "", status)
        assert complaints == ["queue mail/other: NoApprovedClasses: set them"]
        obj = await resources.get(QUEUES, "mail", "other")
        assert obj is not None
        assert obj["status"] == status


class TestLocalSchedules:
    """Schedules of files: what is remembered of them is in a file, too."""

    @pytest.fixture
    def file(self, tmp_path: Path) -> Path:
        path = tmp_path / "schedules.yaml"
        path.write_text(SCHEDULE)
        return path

    def resources(self, tmp_path: Path, complaints: Complaints) -> LocalResources:
        """Of a new process."""
        remembered = LocalSchedules(tmp_path / "schedules.json", lambda: datetime(2026, 11, 28, tzinfo=UTC))
        return LocalResources(
            "shop", Project(tmp_path), (tmp_path / "schedules.yaml",), 3, complaints, remembered=remembered
        )

    async def nightly(self, resources: LocalResources) -> Object:
        found = await resources.get(SCHEDULES, "shop", "nightly")
        assert found is not None
        return found

    @pytest.mark.usefixtures("file")
    async def test_it_is_an_object_as_on_a_cluster(self, tmp_path: Path) -> None:
        found = await self.nightly(self.resources(tmp_path, Complaints()))
        assert found["metadata"]["creationTimestamp"] == "2026-11-28T00:00:00+00:00"
        assert found["metadata"]["uid"] == "shop/nightly"
        assert ScheduleSpec.model_validate(found["spec"]).cron == "@daily"
        assert found["status"] == {}

    @pytest.mark.usefixtures("file")
    async def test_status_and_pause_outlive_the_process(self, tmp_path: Path) -> None:
        first = self.resources(tmp_path, Complaints())
        await self.nightly(first)
        await first.apply_status(SCHEDULES, "shop", "nightly", "", {"lastTick": "2026-11-28T00:00:00Z"})
        paused = await first.suspend(SCHEDULES, "shop", "nightly", "", suspend=True, by="ada")
        assert paused is not None
        assert paused["spec"]["suspend"] is True

        found = await self.nightly(self.resources(tmp_path, Complaints()))

        assert (found["spec"]["suspend"], found["status"]) == (True, {"lastTick": "2026-11-28T00:00:00Z"})
        assert found["metadata"]["annotations"] == {SUSPENDED_BY: "ada"}

    async def test_the_file_has_the_last_word(self, tmp_path: Path, file: Path) -> None:
        resources = self.resources(tmp_path, Complaints())
        await self.nightly(resources)
        await resources.suspend(SCHEDULES, "shop", "nightly", "", suspend=True, by="ada")
        edit(file, SCHEDULE.replace("cron:", "suspend: true, cron:"))
        assert (await self.nightly(resources))["spec"]["suspend"] is True
        edit(file, SCHEDULE.replace("cron:", "suspend: false, cron:"))
        assert (await self.nightly(resources))["spec"]["suspend"] is True  # false is what it said before
        await resources.suspend(SCHEDULES, "shop", "nightly", "", suspend=False, by="ada")
        edit(file, SCHEDULE.replace("cron:", "suspend: true, cron:"))
        assert (await self.nightly(resources))["spec"]["suspend"] is True

    async def test_one_that_the_file_does_not_have_any_more_is_forgotten(self, tmp_path: Path, file: Path) -> None:
        resources = self.resources(tmp_path, Complaints())
        await self.nightly(resources)
        await resources.apply_status(SCHEDULES, "shop", "nightly", "", {"lastTick": "2026-11-28T00:00:00Z"})
        edit(file, SINGLE)
        assert await resources.get(SCHEDULES, "shop", "nightly") is None
        assert await resources.suspend(SCHEDULES, "shop", "nightly", "", suspend=True, by="ada") is None
        edit(file, SCHEDULE)
        assert (await self.nightly(resources))["status"] == {}

    @pytest.mark.parametrize("text", ["", "{", "[]", '{"shop/nightly": 1}', '{"shop/nightly": {"status": 1}}'])
    @pytest.mark.usefixtures("file")
    async def test_a_file_that_nobody_can_read_is_no_trouble(self, tmp_path: Path, text: str) -> None:
        (tmp_path / "schedules.json").write_text(text)
        assert (await self.nightly(self.resources(tmp_path, Complaints())))["status"] == {}

    @pytest.mark.usefixtures("file")
    async def test_what_is_wrong_with_it_is_said_once(self, tmp_path: Path) -> None:
        complaints = Complaints()
        resources = self.resources(tmp_path, complaints)
        await self.nightly(resources)
        status = {"conditions": [{"status": "False", "reason": "ClassNotApproved", "message": "no"}]}
        for _ in range(3):
            await resources.apply_status(SCHEDULES, "shop", "nightly", "", status)
        assert complaints == ["schedule shop/nightly: ClassNotApproved: no"]


class TestListen:
    def test_the_usual_port_or_the_next_one(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            number = taken.getsockname()[1]
            monkeypatch.setattr(dev, "PORT", number)
            with dev.listen(None) as found:
                assert found.getsockname()[0] == "127.0.0.1"
                assert found.getsockname()[1] != number
            with pytest.raises(PortTakenError, match=f"port {number} is taken"):
                dev.listen(number)


class TestRedisServer:
    def test_one_that_is_not_there(self) -> None:
        with pytest.raises(RedisServerError, match="--redis-server nobody: there is no such program"):
            find_binary("nobody")

    async def test_its_data_survives_and_its_path_may_be_long(self, tmp_path: Path) -> None:
        folder = tmp_path / ("long" * 30)
        server = RedisServer(find_binary(None), folder)
        await server.start()
        client = server.client()
        client.set("kept", "yes")
        client.close()
        await server.stop()
        again = RedisServer(find_binary(None), folder)
        await again.start()
        client = again.client()
        assert client.get("kept") == b"yes"
        assert client.config_get("appendfsync") == {"appendfsync": "always"}
        client.close()
        await again.stop()

    async def test_one_that_was_left_over_is_ended(self, tmp_path: Path) -> None:
        left = RedisServer(find_binary(None), tmp_path / "redis")
        await left.start()
        other = RedisServer(find_binary(None), tmp_path / "redis")
        await other.start()
        with pytest.raises(RedisServerError, match="has ended"):
            await left.watch()
        await other.stop()

    async def test_one_that_cannot_read_its_data_says_why(self, tmp_path: Path) -> None:
        server = RedisServer(find_binary(None), tmp_path / "redis")
        await server.start()
        await server.stop()
        for file in (tmp_path / "redis/appendonlydir").glob("*.manifest"):
            edit(file, "nonsense\n")
        with pytest.raises(RedisServerError, match=r"ended at once:\n(.|\n)*"):
            await server.start()

    async def test_another_program_than_a_server(self, tmp_path: Path) -> None:
        program = shutil.which("true")
        assert program is not None
        with pytest.raises(RedisServerError, match="ended at once"):
            await RedisServer(Path(program), tmp_path / "redis").start()


def test_jobs_get_the_environment_but_what_is_meant_for_bgjobs() -> None:
    environ = {"PATH": "/bin", "BGJOBS_TOKEN": "secret", "BGJOBS_URL": "http://x", "BGJOBS_DJANGO_SETUP": "0"}

    assert of_jobs(environ) == {"PATH": "/bin", "BGJOBS_DJANGO_SETUP": "0"}
