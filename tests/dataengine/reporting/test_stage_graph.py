"""The picture of the road: what is made from what stands below it, and nothing overlaps."""

from __future__ import annotations

import re
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataengine.reporting.stage_graph import NODE_HEIGHT, Node, Picture, layout


@st.composite
def roads(draw: st.DrawFn) -> list[Node]:
    size = draw(st.integers(0, 12))
    inputs = [draw(st.sets(st.integers(0, number - 1), max_size=3)) if number else set() for number in range(size)]
    return [
        Node(name=f"n{number}", note="x" * (number * 7 % 40), inputs=tuple(f"n{each}" for each in sorted(before)))
        for number, before in enumerate(inputs)
    ]


@given(roads())
def test_boxes_stand_below_their_inputs_and_apart(nodes: list[Node]) -> None:
    picture = layout(nodes)
    at = {box.node.name: box for box in picture.boxes}
    assert set(at) == {node.name for node in nodes}
    for node in nodes:
        assert all(at[before].y + NODE_HEIGHT < at[node.name].y for before in node.inputs)
    for one, other in combinations(picture.boxes, 2):
        left, right = sorted((one, other), key=lambda box: box.x)
        assert left.x + left.node.width <= right.x or abs(one.y - other.y) >= NODE_HEIGHT
    for box in picture.boxes:
        assert 0 <= box.x <= picture.width - box.node.width
        assert 0 <= box.y <= picture.height - NODE_HEIGHT


@given(roads())
def test_lines_lead_from_input_to_box_and_pass_no_other(nodes: list[Node]) -> None:
    picture = layout(nodes)
    assert len(picture.curves) == sum(len(node.inputs) for node in nodes)
    for path in picture.curves:
        for x, top, bottom in upright(path):
            assert not any(box.x < x < box.x + box.node.width and top < box.y + NODE_HEIGHT and box.y < bottom for box in picture.boxes)


def upright(path: str) -> list[tuple[float, float, float]]:
    """(x, top, bottom) of the pieces of a line that pass a row of boxes."""
    return [(float(x), float(top), float(bottom)) for x, top, bottom in re.findall(r"([\d.]+),([\d.]+) V([\d.]+)", path)]


def test_no_nodes_make_an_empty_picture() -> None:
    assert isinstance(layout([]), Picture)
    assert layout([]).boxes == []


def test_an_unknown_input_is_named() -> None:
    with pytest.raises(ValueError, match=r"'Dev1' is made from 'bass'.*there are: base, Dev1"):
        layout([Node(name="base"), Node(name="Dev1", inputs=("bass",))])


def test_a_circle_is_named() -> None:
    with pytest.raises(ValueError, match="circle through a, b"):
        layout([Node(name="a", inputs=("b",)), Node(name="b", inputs=("a",))])
