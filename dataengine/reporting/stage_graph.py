"""The picture of the road: which model and which data came from which, from top to bottom, no line behind a box."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

NARROWEST, NODE_HEIGHT = 110, 44
LETTER, NOTE_LETTER, PADDING = 8.2, 6.3, 24
"""Average widths of a letter of the name and of the note, by which a box is made wide enough."""
LANE = 20
"""Width kept free where a line passes a row of boxes."""
GAP = 22
"""Between neighbours of one row."""
ROW = 84
"""From one row to the next."""
MARGIN = 8
SWEEPS = 24
"""Times that rows are ordered and moved towards their neighbours."""


@dataclass(frozen=True, kw_only=True)
class Node:
    """One stop of the road: `Node(name="Dev1", note="SFT", kind="model", inputs=("base", "cold start"))`."""

    name: str
    inputs: tuple[str, ...] = ()
    """Names of the nodes it was made from."""
    kind: Literal["model", "data"] = "model"
    note: str = ""
    """A few words under the name: the trainer, the rows."""

    @property
    def width(self) -> float:
        """Pixels that the box needs for its text."""
        return max(NARROWEST, LETTER * len(self.name) + PADDING, NOTE_LETTER * len(self.note) + PADDING)


@dataclass(frozen=True)
class Box:
    """A node with its upper left corner."""

    node: Node
    x: float
    y: float


@dataclass(frozen=True)
class Picture:
    """What the page draws."""

    width: float
    height: float
    boxes: list[Box]
    curves: list[str]
    """SVG path data, each from the bottom of an input to the top of what was made of it."""


@dataclass(eq=False)
class _Place:
    """A box, or the lane of a line that passes a row."""

    row: int
    node: Node | None = None
    above: list[_Place] = field(default_factory=list)
    below: list[_Place] = field(default_factory=list)
    line: list[_Place] = field(default_factory=list)
    """All lanes of the line it is a lane of, which want to stand exactly under each other."""
    x: float = 0.0
    """Of its middle."""

    @property
    def width(self) -> float:
        return self.node.width if self.node else LANE

    @property
    def weight(self) -> float:
        """How much its wishes count: long lines are to be straight."""
        return 1.0 if self.node else 6.0


def layout(nodes: Sequence[Node]) -> Picture:
    """Rows by the longest way from a beginning; within a row, near to what a box is joined with.

    ValueError where an input is none of the nodes or the road goes round in a circle.
    """
    places = _places(nodes)
    rows = [[place for place in places if place.row == number] for number in range(max((place.row for place in places), default=-1) + 1)]
    for sweep in range(SWEEPS):
        down = sweep % 2 == 0
        for row in rows if down else reversed(rows):
            row.sort(key=lambda place: _middle((place.above if down else place.below) or [place]))
            _spread(row, [place.x for place in row])
    for _ in range(SWEEPS):
        for row in rows:
            _spread(row, [_middle(place.line or [*place.above, *place.below] or [place]) for place in row])
    left = min((place.x - place.width / 2 for place in places), default=0.0) - MARGIN
    right = max((place.x + place.width / 2 for place in places), default=0.0) + MARGIN
    for place in places:
        place.x -= left
    boxes = [Box(place.node, place.x - place.width / 2, _top(place)) for place in places if place.node]
    curves = [_curve(place, end) for place in places if place.node for end in place.below]
    return Picture(width=right - left, height=len(rows) * ROW - ROW + NODE_HEIGHT + 2 * MARGIN, boxes=boxes, curves=curves)


def _row_numbers(nodes: Sequence[Node]) -> dict[str, int]:
    known = {node.name: node for node in nodes}
    for node in nodes:
        for before in node.inputs:
            if before not in known:
                raise ValueError(f"{node.name!r} is made from {before!r}, which is no node of the picture; there are: {', '.join(known)}")
    row: dict[str, int] = {}
    while waiting := [node for node in nodes if node.name not in row]:
        ready = [node for node in waiting if all(before in row for before in node.inputs)]
        if not ready:
            raise ValueError(f"the road goes round in a circle through {', '.join(node.name for node in waiting)}")
        row |= {node.name: max((row[before] + 1 for before in node.inputs), default=0) for node in ready}
    for node in nodes:
        if not node.inputs:  # a beginning stands just above its first use, not far off at the top
            row[node.name] = min((row[each.name] - 1 for each in nodes if node.name in each.inputs), default=0)
    return row


def _places(nodes: Sequence[Node]) -> list[_Place]:
    """A place for each node, joined from row to row; a line over several rows has a lane in each between."""
    row = _row_numbers(nodes)
    boxes = {node.name: _Place(row[node.name], node) for node in nodes}
    lanes: list[_Place] = []
    for node in nodes:
        for before in node.inputs:
            at = boxes[before]
            line: list[_Place] = []
            for number in range(row[before] + 1, row[node.name]):
                lane = _Place(number, above=[at], line=line)
                at.below.append(lane)
                line.append(lane)
                at = lane
            lanes += line
            at.below.append(boxes[node.name])
            boxes[node.name].above.append(at)
    return [*boxes.values(), *lanes]


def _middle(places: Sequence[_Place]) -> float:
    return sum(place.x for place in places) / len(places)


def _spread(row: list[_Place], wishes: Sequence[float]) -> None:
    """Put the places of a row as near to their wishes as their widths allow, in the order they have.

    Neighbours that would overlap form a block, which stands at the weighted average of what its members wish.
    """
    blocks: list[_Block] = []
    for place, wish in zip(row, wishes, strict=True):
        block = _Block([place], [wish - place.width / 2])
        while blocks and blocks[-1].left + blocks[-1].width + GAP > block.left:
            before = blocks.pop()
            block = _Block(before.places + block.places, before.wishes + [edge - before.width - GAP for edge in block.wishes])
        blocks.append(block)
    for block in blocks:
        x = block.left
        for place in block.places:
            place.x = x + place.width / 2
            x += place.width + GAP


@dataclass(frozen=True)
class _Block:
    """Neighbours standing side by side, and where the left edge of the block should be for each of them."""

    places: list[_Place]
    wishes: list[float]

    @property
    def left(self) -> float:
        weights = [place.weight for place in self.places]
        return sum(wish * weight for wish, weight in zip(self.wishes, weights, strict=True)) / sum(weights)

    @property
    def width(self) -> float:
        return sum(place.width for place in self.places) + GAP * (len(self.places) - 1)


def _top(place: _Place) -> float:
    return MARGIN + place.row * ROW


def _curve(start: _Place, at: _Place) -> str:
    """From the bottom of a box, straight through the lanes on the way, to the top of the box at the end."""
    x, y = start.x, _top(start) + NODE_HEIGHT
    path = f"M{x:.1f},{y:.1f}"
    while True:
        top, bend = _top(at), (ROW - NODE_HEIGHT) * 0.6
        path += f" C{x:.1f},{y + bend:.1f} {at.x:.1f},{top - bend:.1f} {at.x:.1f},{top:.1f}"
        if at.node:
            return path
        x, y = at.x, top + NODE_HEIGHT
        path += f" V{y:.1f}"
        at = at.below[0]
