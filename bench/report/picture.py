"""A picture of figures: bars beside each other, with how far the rounds lie apart, as SVG for light and dark pages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from xml.sax.saxutils import escape

from bench.results import OURS
from bench.terminal import number

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.results import Figure

_WIDTH: Final = 760
_LEFT: Final = 170  # for the names of sides
_RIGHT: Final = 110  # for the values
_BAR: Final = 16
_ROW: Final = 24
_HEAD: Final = 34
_MARGIN: Final = 10
_STYLE: Final = """\
text { font: 13px system-ui, sans-serif; fill: #1f2328; }
.title { font-weight: 600; }
.bar { fill: #8c959f; }
.ours { fill: #0969da; }
.spread { stroke: #1f2328; stroke-width: 1.5; }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3; } .bar { fill: #6e7681; } .ours { fill: #4493f8; } .spread { stroke: #e6edf3; }
}"""


def draw(panels: Sequence[Sequence[Figure]]) -> str:
    """The picture: a panel for each thing that was measured, with a bar for each side.

    Args:
        panels: figures of the same unit, at least one in each; a panel has a scale of its own.
    """
    parts: list[str] = []
    top = _MARGIN
    for panel in panels:
        parts += _panel(panel, top)
        top += _HEAD + _ROW * len(panel) + _MARGIN
    title = escape("; ".join(panel[0].what for panel in panels))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {top}" width="{_WIDTH}" height="{top}" '
        f'role="img">\n<title>{title}</title>\n<style>{_STYLE}</style>\n' + "\n".join(parts) + "\n</svg>\n"
    )


def _panel(figures: Sequence[Figure], top: int) -> list[str]:
    longest = max(one.high for one in figures) or 1.0
    room = _WIDTH - _LEFT - _RIGHT

    def x(value: float) -> float:
        return round(_LEFT + max(0.0, value) / longest * room, 1)

    parts = [f'<text class="title" x="{_MARGIN}" y="{top + 18}">{escape(figures[0].what)}, {figures[0].unit}</text>']
    for row, one in enumerate(figures):
        y = top + _HEAD + row * _ROW
        kind = "bar ours" if one.side.startswith(OURS) else "bar"
        middle = y + _BAR / 2
        length = round(x(one.median) - _LEFT, 1)
        parts += [
            f'<text x="{_LEFT - 8}" y="{y + 13}" text-anchor="end">{escape(one.side)}</text>',
            f'<rect class="{kind}" x="{_LEFT}" y="{y}" width="{length}" height="{_BAR}" rx="2"/>',
            f'<line class="spread" x1="{x(one.low)}" y1="{middle}" x2="{x(one.high)}" y2="{middle}"/>',
            f'<text x="{round(x(one.high) + 8, 1)}" y="{y + 13}">{number(one.median)}</text>',
        ]
    return parts
