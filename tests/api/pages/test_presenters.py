"""What pages say of times, durations and logs: functions of records and now."""

from __future__ import annotations

import zlib

import pytest

from bgjobs.vocabulary import REACHABLE
from bgjobs_api.pages.job import log_view
from bgjobs_api.pages.shared import assets, json_text, states, words
from tests.api.world import lines

NOW = 1_795_000_000_000


@pytest.mark.parametrize(
    ("passed_ms", "text"),
    [
        (-5000, "now"), (0, "now"), (999, "now"), (1000, "1 s"), (59_999, "59 s"), (60_000, "1 m"), (3_599_999, "59 m"),
        (3_600_000, "1 h"), (86_399_999, "23 h"), (86_400_000, "1 d"), (7 * 86_400_000 - 1, "6 d"),
        (7 * 86_400_000, "11 Nov 2026"),
    ],
)  # fmt: skip
def test_ages(passed_ms: int, text: str) -> None:
    assert words.age(NOW - passed_ms, NOW).text == text


def test_a_time_has_its_zone_in_its_title() -> None:
    stamp = words.clock_time(NOW + 41)
    assert (stamp.iso, stamp.title, stamp.text) == (
        "2026-11-18T11:06:40.041Z", "18 Nov 2026 11:06:40 UTC", "11:06:40",
    )  # fmt: skip
    assert words.log_time(NOW + 41).text == "11:06:40.041"
    assert [words.ago(NOW - passed, NOW).text for passed in (0, 5000, 8 * 86_400_000)] == [
        "just now", "5 s ago", "on 10 Nov 2026",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("milliseconds", "ran", "span"),
    [
        (-1, "0.0 s", "0.0 s"), (400, "0.4 s", "0.4 s"), (1200, "0:01", "1.2 s"), (41_000, "0:41", "41 s"),
        (191_000, "3:11", "3 m 11 s"), (180_000, "3:00", "3 m"), (4_327_000, "1:12:07", "1 h 12 m"),
        (97_200_000, "27:00:00", "1 d 3 h"),
    ],
)  # fmt: skip
def test_durations(milliseconds: int, ran: str, span: str) -> None:
    assert (words.ran(milliseconds), words.span(milliseconds)) == (ran, span)


def test_names_of_users() -> None:
    assert words.who("system:serviceaccount:shop:web") == "shop/web"
    assert words.who("ada@shop.example") == "ada@shop.example"
    assert [words.initials(user) for user in ("system:serviceaccount:shop:web", "Ada", "")] == ["we", "ad", "?"]


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b[38;2;1;2;3mrgb\x1b[m", "rgb"),
        ("\x1b]8;;https://x.example\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1b]0;title\x07text", "text"),
        ("\x1bP1$r\x1b\\x", "x"),
        ("\x1b(Bx\x1bcx\x1b", "xx"),
        ("\x9b31mred", "red"),
        ("\x1b]never ended", "never ended"),
        ("10 %\r50 %\r100 %", "100 %"),
        ("done\r", "done"),
        ("a\tb\x00\x08c\x7f", "a\tbc"),
        ("[31m is no escape", "[31m is no escape"),
    ],
)
def test_escapes_are_taken_out(text: str, plain: str) -> None:
    assert log_view.plain(text) == plain


def _chunk(offset: int, records: bytes) -> bytes:
    return f"{offset} {len(records)}\n".encode() + zlib.compress(records)


def test_a_log_is_cut_by_bytes_too() -> None:
    found = log_view.tail([_chunk(0, lines(*(f"{number:04} {'x' * 1000}" for number in range(1000))))])
    assert found.total == 1000
    assert 250 < len(found.lines) < 262
    assert found.lines[-1].number == 1000
    assert found.left_out == f"{1000 - len(found.lines)} earlier lines left out here."


def test_one_line_larger_than_all_is_shown_short() -> None:
    found = log_view.tail([_chunk(0, lines("x" * 500_000))])
    assert found.lines[0].text.endswith("x … 491,808 more characters in the whole log")
    assert found.left_out == ""


def test_pieces_of_a_line_are_one_line_and_behind_a_gap_nobody_knows_numbers() -> None:
    first = b"1795000000000 O one \n1795000000000 o line\n1795000000000 e error\n"
    found = log_view.tail([_chunk(0, first), _chunk(9000, b"1795000000000 o after\n1795000000000 O not ended\n")])
    assert [(line.number, line.text, line.is_error) for line in found.lines if line.at] == [
        (1, "one line", False), (2, "error", True), (None, "after", False), (None, "not ended", False),
    ]  # fmt: skip
    (gap,) = [line for line in found.lines if line.at is None]
    assert "bytes left out" in gap.text
    assert found.total == 4


@pytest.mark.parametrize(
    ("stored", "text"),
    [
        (b'[2026, 11, "de"]', '2026, 11, "de"'),
        (b'{"a": "x", "b": null, "c": [1.5, true]}', 'a="x", b=null, c=[1.5, true]'),
        (b"[]", ""),
        (b"{}", ""),
        ('["ä"]'.encode(), '"ä"'),
    ],
)
def test_arguments_in_a_row(stored: bytes, text: str) -> None:
    assert json_text.arguments(stored) == text


def test_json_is_coloured_without_losing_a_character() -> None:
    shown = json_text.indented(b'{"a\\"b": ["x: \\"y\\"", -1.5e3, null], "c": {}}')
    assert "".join(text for _, text in shown.parts) == shown.text
    assert [part for part in shown.parts if part[0]] == [
        ("k", '"a\\"b"'), ("s", '"x: \\"y\\""'), ("v", "-1500.0"), ("v", "null"), ("k", '"c"'),
    ]  # fmt: skip


def test_assets_have_the_hash_of_their_content_in_their_url() -> None:
    assert {"bgjobs.css", "bgjobs.js", "icons.svg", "favicon.svg"} <= set(assets.assets())
    assert assets.url("bgjobs.css") == f"/static/{assets.assets()['bgjobs.css'].digest}/bgjobs.css"


def test_the_list_offers_each_state_once_that_a_job_can_come_into() -> None:
    offered = [state for _, members in states.GROUPS for state in members]
    assert sorted(offered) == sorted(REACHABLE)
