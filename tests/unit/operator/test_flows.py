"""Whose turn it is: namespaces take turns, and trouble holds up nobody else."""

from __future__ import annotations

from typing import Final

from hypothesis import given, settings
from hypothesis import strategies as st

from bgjobs_operator.loops.flows import (
    DONE,
    EXTRA_PLACES,
    FORGET_SECONDS,
    OVERDUE_SECONDS,
    Flows,
    Item,
    WorkEnd,
)
from bgjobs_operator.loops.troubles import SLOW_SECONDS, Kind, Trouble

FAILING: Final = Trouble(Kind.FAILING, "500")
TROUBLED: Final = WorkEnd(again=0.0, trouble=FAILING)
PLACES: Final = 4
LINE: Final = 6


def flows(places: int = PLACES, of_one: int | None = None, told: list[tuple[str, bool]] | None = None) -> Flows[str]:
    """Without jitter."""
    return Flows(
        places,
        LINE,
        of_one,
        lambda namespace, trouble: None if told is None else told.append((namespace, trouble is not None)),
        lambda seconds: seconds,
    )


def begun(found: Flows[str], now: float) -> list[Item[str]]:
    """Everything that may begin now."""
    return list(iter(lambda: found.begin(now), None))


def keys(items: list[Item[str]]) -> list[str]:
    return [f"{item.namespace}/{item.key}" for item in items]


def test_namespaces_take_turns() -> None:
    found = flows()
    for key in "12345":
        found.offer("a", key, "")
    found.offer("b", "1", "")
    found.offer("c", "1", "")
    assert keys(begun(found, 0)) == ["a/1", "b/1", "c/1", "a/2"]


def test_one_namespace_holds_no_more_than_its_share() -> None:
    found = flows(of_one=3)
    for key in "12345":
        found.offer("a", key, "")
    assert len(begun(found, 0)) == 3
    found.offer("b", "1", "")
    assert keys(begun(found, 0)) == ["b/1"]


def test_a_line_is_bounded() -> None:
    found = flows()
    taken = [found.offer("a", str(number), "") for number in range(LINE + 1)]
    assert taken == [True] * LINE + [False]
    assert (found.room("a"), found.room("b")) == (0, LINE)


def test_what_is_offered_while_it_is_under_way_is_worked_on_once_more() -> None:
    found = flows()
    found.offer("a", "1", "")
    (item,) = begun(found, 0)
    assert found.offer("a", "1", "")
    assert begun(found, 0) == [], "but not at the same time"
    found.end(item, 0, DONE)
    (again,) = begun(found, 0)
    found.end(again, 0, DONE)
    assert begun(found, 0) == []


class TestTrouble:
    def test_is_tried_by_one_with_growing_pauses(self) -> None:
        told: list[tuple[str, bool]] = []
        found = flows(told=told)
        for key in "12":
            found.offer("a", key, "")
        tried: list[float] = []
        now = 0.0
        for _ in range(6):
            items = begun(found, now)
            tried += [now] * (len(items) if now else 1)
            for item in items:
                found.end(item, now, TROUBLED)
            now = found.wake_at(now) or now
        assert tried == [0, 1, 3, 7, 15, 31]
        assert told[0] == ("a", True)
        for item in begun(found, now):
            found.end(item, now, DONE)
        assert told[-1] == ("a", False)
        assert found.troubles() == {}

    def test_of_namespaces_holds_no_more_than_half(self) -> None:
        found = flows()
        for namespace in "abcdef":
            found.offer(namespace, "1", "")
            for item in begun(found, 0):
                found.end(item, 0, TROUBLED)
        for key in "123456":
            found.offer("healthy", key, "")
        now = 60.0
        items = begun(found, now)
        assert len([item for item in items if item.namespace != "healthy"]) == PLACES // 2
        assert len([item for item in items if item.namespace == "healthy"]) == PLACES // 2

    def test_that_has_just_become_known_gives_back_what_it_holds_too_much(self) -> None:
        """All places are under way in a namespace that does not answer: after a second others begin."""
        found = flows()
        for key in "1234":
            found.offer("slow", key, "")
        assert len(begun(found, 0)) == PLACES
        found.offer("healthy", "1", "")
        assert begun(found, OVERDUE_SECONDS - 0.1) == []
        assert found.wake_at(OVERDUE_SECONDS - 0.1) == OVERDUE_SECONDS
        (other,) = begun(found, OVERDUE_SECONDS)
        assert (other.namespace, found.troubles()) == ("healthy", {})
        found.end(other, OVERDUE_SECONDS + 0.1, DONE)
        assert found.wake_at(SLOW_SECONDS - 0.1) == SLOW_SECONDS
        begun(found, SLOW_SECONDS)
        assert found.troubles()["slow"].kind is Kind.SLOW

    def test_whoever_owes_an_answer_takes_no_place_beyond_all(self) -> None:
        found = flows()
        for key in range(PLACES + 4):
            found.offer("slow", str(key), "")
        begun(found, 0)
        found.offer("healthy", "1", "")
        found.offer("healthy", "2", "")
        assert keys(begun(found, OVERDUE_SECONDS)) == ["healthy/1", "healthy/2"]

    def test_many_that_become_slow_at_once_hold_up_others_for_seconds_only(self) -> None:
        found = flows()
        for number in range(6 * PLACES):
            found.offer(f"slow-{number}", "1", "")
        found.offer("healthy", "1", "")
        at, begun_at = 0.0, dict[str, float]()
        while "healthy" not in begun_at:
            begun_at |= {item.namespace: at for item in begun(found, at)}
            at += 0.5
        assert begun_at["healthy"] <= 7 * OVERDUE_SECONDS, "as many places come free each second as there are"
        assert found.under_way() <= PLACES + EXTRA_PLACES

    def test_a_slow_answer_is_no_recovery(self) -> None:
        found = flows()
        found.offer("slow", "1", "")
        (item,) = begun(found, 0)
        found.end(item, 20, DONE)
        assert list(found.troubles()) == ["slow"]
        found.offer("slow", "2", "")
        (item,) = begun(found, 21)
        found.end(item, 21.5, DONE)
        assert found.troubles() == {}

    def test_that_only_one_item_meets_is_its_own(self) -> None:
        """It fails again, and others have had good answers in between: it waits, and its namespace does not."""
        found = flows()
        found.offer("a", "bad", "")
        (bad,) = begun(found, 0)
        found.offer("a", "good", "")
        found.end(bad, 0, TROUBLED)
        (good,) = begun(found, 1)
        assert good.key == "good"
        found.end(good, 1, DONE)
        (bad,) = begun(found, 1)
        found.end(bad, 1, TROUBLED)
        assert found.troubles() == {}
        assert begun(found, 5.9) == []
        assert keys(begun(found, 6)) == ["a/bad"]

    def test_of_an_item_lets_the_others_of_its_namespace_go_on(self) -> None:
        found = flows(places=2)
        for key in ("bad", "1", "2"):
            found.offer("a", key, "")
        bad, one = begun(found, 0)
        found.end(bad, 0, WorkEnd(failed=True))
        found.end(one, 0, DONE)
        (two,) = begun(found, 0)
        found.end(two, 0, DONE)
        assert two.key == "2"
        assert found.offer("a", "bad", ""), "it is known, and waits"
        assert begun(found, 4.9) == []
        assert keys(begun(found, 5)) == ["a/bad"]

    def test_of_which_nothing_more_is_heard_is_forgotten(self) -> None:
        """What was left to do there is done otherwise, or was taken away: nobody knows of trouble any more."""
        found = flows()
        found.offer("a", "1", "")
        (item,) = begun(found, 0)
        found.end(item, 0, WorkEnd(trouble=FAILING))
        assert found.wake_at(0) == 1 + FORGET_SECONDS
        begun(found, FORGET_SECONDS)
        assert list(found.troubles()) == ["a"]
        begun(found, 1 + FORGET_SECONDS)
        assert found.troubles() == {}

    def test_one_at_a_time_then_two_then_all(self) -> None:
        found = flows(places=8)
        for key in "12345":
            found.offer("a", key, "")
        for item in begun(found, 0):
            found.end(item, 0, TROUBLED)
        counts: list[int] = []
        now = 1.0
        while items := begun(found, now):
            counts.append(len(items))
            for item in items:
                found.end(item, now, DONE)
        assert counts == [1, 2, 2]


def test_what_rests_is_woken_unless_it_has_trouble_of_its_own() -> None:
    found = flows()
    for key in ("waits", "failed"):
        found.offer("a", key, "")
    waits, failed = begun(found, 0)
    found.end(waits, 0, WorkEnd(again=60))
    found.end(failed, 0, WorkEnd(failed=True))
    found.wake("a")
    assert keys(begun(found, 0)) == ["a/waits"]
    assert begun(found, 4) == [], "and it is not taken twice"


def test_a_place_is_given_back_before_the_work_has_ended() -> None:
    found = flows(places=2, of_one=1)
    for key in "12":
        found.offer("a", key, "")
    (item,) = begun(found, 0)
    found.answered(item, 0)
    assert keys(begun(found, 0)) == ["a/2"]
    assert found.offer("a", "1", ""), "it is under way still"
    assert begun(found, 0) == []


def test_what_is_forgotten_while_it_rests_is_offered_again() -> None:
    found = flows()
    found.offer("a", "1", "")
    (item,) = begun(found, 0)
    found.end(item, 0, WorkEnd(again=60))
    assert found.knows("a", "1") is item
    assert found.withdraw("a", lambda _: True) == [], "it is not in the line"


NAMESPACES: Final = ("a", "b", "c", "d", "e")
_ACTIONS = st.one_of(
    st.tuples(st.just("offer"), st.sampled_from(NAMESPACES), st.sampled_from("123456789")),
    st.tuples(st.just("end"), st.integers(0, 20), st.sampled_from(["done", "own", "again"])),
    st.tuples(st.just("wait"), st.sampled_from([0.1, 1.0, 6.0, 70.0]), st.just("")),
)


class Model:
    """Random work in five namespaces, some of them in trouble, with what must hold at every moment."""

    def __init__(self, bad: frozenset[str]) -> None:
        self.bad = bad
        self.now = 0.0
        self.flows = flows()
        self.under_way: list[Item[str]] = []

    def offer(self, namespace: str, key: str) -> None:
        is_known, room = self.flows.knows(namespace, key) is not None, self.flows.room(namespace)
        assert self.flows.offer(namespace, key, "") is (is_known or room > 0)
        self.begin()

    def begin(self) -> None:
        while True:
            troubled = self.flows.troubles()
            before = list(self.under_way)
            item = self.flows.begin(self.now)
            troubled = self.flows.troubles()
            held = [one for one in before if one.namespace in troubled]
            if item is None:
                self.nobody_well_waits(troubled)
                return
            assert all((one.namespace, one.key) != (item.namespace, item.key) for one in before), "twice at once"
            if item.namespace in troubled:
                assert len(held) < PLACES // 2
                assert all(one.namespace != item.namespace for one in held), "one try at a time"
            self.under_way.append(item)

    def nobody_well_waits(self, troubled: dict[str, Trouble]) -> None:
        """A namespace that is well waits only for others that are well."""
        well = [one for one in self.under_way if one.namespace not in troubled]
        for namespace in NAMESPACES:
            if namespace not in troubled and self.flows.room(namespace) < LINE and namespace not in self.bad:
                own = [one for one in well if one.namespace == namespace]
                assert own or len(well) >= PLACES - PLACES // 2

    def end(self, number: int, how: str) -> None:
        if self.under_way:
            item = self.under_way.pop(number % len(self.under_way))
            ends = {"done": DONE, "own": WorkEnd(failed=True), "again": WorkEnd(again=1.0)}
            self.flows.end(item, self.now, TROUBLED if item.namespace in self.bad else ends[how])
            self.begin()

    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.begin()

    def recovers(self) -> None:
        """When the trouble is over, everything is done in the end, without being offered again."""
        self.bad = frozenset[str]()
        for _ in range(2000):
            while self.under_way:
                self.end(0, "done")
            when = self.flows.wake_at(self.now)
            if when is None:
                break
            self.now = max(self.now, when)
            self.begin()
        assert self.flows.troubles() == {}
        assert [key for namespace in NAMESPACES for key in "123456789" if self.flows.knows(namespace, key)] == []


@settings(max_examples=200, deadline=None)
@given(bad=st.frozensets(st.sampled_from(NAMESPACES), max_size=3), actions=st.lists(_ACTIONS, max_size=80))
def test_whatever_happens(bad: frozenset[str], actions: list[tuple[str, str | int | float, str]]) -> None:
    model = Model(bad)
    for what, first, second in actions:
        if what == "offer":
            model.offer(str(first), second)
        elif what == "end":
            model.end(int(first), second)
        else:
            model.wait(float(first))
    model.recovers()
