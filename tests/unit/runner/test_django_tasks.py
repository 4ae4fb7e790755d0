"""What the runner does about Django without importing it; with it, see tests/django."""

from __future__ import annotations

import sys
import types
from typing import TYPE_CHECKING, Any

import pytest

from bgjobs import Abort, RetryPolicy
from bgjobs.calls import UnfitCallError, join_arguments, split_arguments
from bgjobs.runner import django_tasks
from bgjobs.runner.call_outcome import run_call

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    made: Any = types.ModuleType("shop.tasks")
    package: Any = types.ModuleType("shop")
    package.tasks = made
    monkeypatch.setitem(sys.modules, "shop", package)
    monkeypatch.setitem(sys.modules, "shop.tasks", made)
    return made


@pytest.mark.parametrize(
    ("args", "kwargs", "parameters"),
    [
        ((), {}, []),
        ((1, "a"), {}, [1, "a"]),
        ((), {"two": 2}, {"two": 2}),
        ((1,), {"two": 2}, {"*": [1], "two": 2}),
    ],
)
def test_arguments_of_both_kinds_travel(args: Any, kwargs: Any, parameters: object) -> None:
    assert join_arguments(args, kwargs) == parameters
    assert split_arguments(join_arguments(args, kwargs)) == (list(args), kwargs)


def test_positional_arguments_are_a_list() -> None:
    with pytest.raises(UnfitCallError, match="must be a list"):
        split_arguments({"*": {"0": 1}})


def test_without_settings_nothing_is_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DJANGO_SETTINGS_MODULE", raising=False)
    monkeypatch.setitem(sys.modules, "django", None)

    django_tasks.set_up()


def test_settings_without_django_are_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """The variable may be there for other programs of an image."""
    monkeypatch.setenv("DJANGO_SETTINGS_MODULE", "shop.settings")
    for name in [one for one in sys.modules if one.partition(".")[0] == "django"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "path", [])

    django_tasks.set_up()


@pytest.fixture
def django(monkeypatch: pytest.MonkeyPatch) -> Any:
    """It is there, and so are its settings; `done` says what was set up."""
    made: Any = types.ModuleType("django")
    registry: Any = types.ModuleType("django.apps")
    registry.apps = types.SimpleNamespace(ready=False, loading=False)
    made.apps, made.done = registry.apps, []

    def setup() -> None:
        made.done.append("")
        registry.apps.ready = True

    made.setup = setup
    monkeypatch.setitem(sys.modules, "django", made)
    monkeypatch.setitem(sys.modules, "django.apps", registry)
    monkeypatch.setenv("DJANGO_SETTINGS_MODULE", "shop.settings")
    monkeypatch.delenv("BGJOBS_DJANGO_SETUP", raising=False)
    return made


@pytest.mark.parametrize("is_loading", [False, True])
def test_set_up_once(django: Any, is_loading: bool) -> None:
    """Not while Django does it itself, as in a test that asks for a job in `AppConfig.ready`."""
    django.apps.loading = is_loading

    django_tasks.set_up()
    django_tasks.set_up()

    assert len(django.done) == (0 if is_loading else 1)


@pytest.mark.parametrize(("value", "times"), [("0", 0), ("1", 1), ("", 1)])
def test_the_environment_can_leave_it_out(monkeypatch: pytest.MonkeyPatch, django: Any, value: str, times: int) -> None:
    monkeypatch.setenv("BGJOBS_DJANGO_SETUP", value)

    django_tasks.set_up()

    assert len(django.done) == times


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ModuleNotFoundError("No module named 'shop.settings'", name="shop.settings"), "No module named"),
        (ModuleNotFoundError("No module named 'shop'", name="shop"), "No module named 'shop'"),
        (LookupError("SECRET_KEY is not set"), "LookupError: SECRET_KEY is not set"),
        (Abort("no"), "Abort: no"),
    ],
)
def test_settings_that_cannot_be_loaded(django: Any, module: Any, error: Exception, words: str) -> None:
    """An error of the attempt, after which another one follows: rules for errors of the job are not meant for it."""

    def broken() -> None:
        raise error

    def work() -> None: ...

    work.__module__ = "shop.tasks"
    module.work = work
    django.setup = broken

    ended = run_call("shop.tasks", ["shop.*"], "work", [], policy=RetryPolicy(retry_on=OSError))

    assert ended.outcome == "error"
    assert ended.error is not None
    assert ended.error["type"] == "DjangoSetupError"
    message = ended.error["message"]
    assert message.startswith("Django's settings shop.settings (DJANGO_SETTINGS_MODULE) could not be loaded")
    assert words in message
    assert "BGJOBS_DJANGO_SETUP=0" in message
    assert "broken" in ended.text, "the traceback says where"


def test_what_is_not_approved_sets_nothing_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(django_tasks, "set_up", lambda: pytest.fail("it did"))

    assert run_call("shop.tasks", ["other.*"], "work", []).outcome == "rejected"


def task_like(module_name: str, function: Any) -> Any:
    """As `@task` makes it: an object of a class of this name, or of one that derives from it."""
    base = type("Task", (), {"__module__": module_name})
    made: Any = type("OwnTask", (base,), {"__module__": "shop.own"})()
    made.func, made.takes_context = function, False
    return made


def test_a_task_is_known_by_the_name_of_its_class(module: Any) -> None:
    def work() -> None: ...

    module.work = task_like("django.tasks.base", work)
    module.other = task_like("celery.app.task", work)
    module._hidden = module.work
    module.odd = task_like("django.tasks.base", "no function")

    found = django_tasks.find(module, "work")
    assert found is not None
    assert found.function is work
    for name in ("other", "_hidden", "odd", "missing"):
        assert django_tasks.find(module, name) is None


def test_the_module_of_its_function_must_be_approved(module: Any) -> None:
    def work() -> None: ...

    work.__module__ = "elsewhere.tasks"
    module.work = task_like("django.tasks.base", work)

    ended = run_call("shop.tasks", ["shop.*"], "work", [])

    assert ended.outcome == "rejected"
    assert ended.error is not None
    assert "is defined by the module elsewhere.tasks" in ended.error["message"]
