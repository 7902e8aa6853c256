from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataengine.inference.engine import Sampling
from dataengine.keep import keep
from dataengine.sources import rows
from dataengine.step import Step, ancestors, identity, rebuilt
from tests.dataengine.test_score import long_enough

plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
)


@given(st.dictionaries(st.text(), plain))
def test_the_order_of_settings_does_not_matter(settings: dict[str, object]) -> None:
    turned = dict(reversed(settings.items()))
    assert identity(settings) == identity(turned)


def test_a_changed_setting_changes_the_folder() -> None:
    data = rows([{"question": "1+1?"}])
    names = {keep(data, long_enough.with_(at_least=bar)).folder for bar in range(5)}
    assert len(names) == 5


def test_a_changed_input_changes_every_folder_after_it() -> None:
    one, two = (keep(keep(rows([{"question": text}]), long_enough), long_enough) for text in ("1+1?", "1+2?"))
    assert [a.folder == b.folder for a, b in zip(ancestors(one), ancestors(two), strict=True)] == [False, False, False]


def test_rewards_keyed_by_scorers_and_dataclasses_are_plain_in_the_fingerprint() -> None:
    said = identity({"rewards": {long_enough: 1.0}, "sampling": Sampling(stop=("x",)), "path": Path("a/b")})
    assert said["rewards"][0][0]["scorer"].endswith("long_enough")
    assert said["sampling"]["stop"] == ["x"]


def test_a_setting_that_has_no_plain_form_is_refused() -> None:
    with pytest.raises(ValueError, match="plain values"):
        identity({"what": object()})


def test_a_road_is_walked_inputs_first_each_step_once() -> None:
    data = rows([{"question": "1+1?"}])
    left, right = keep(data, long_enough, name="left"), keep(data, long_enough, at_least=0.5, name="right")
    both = Step(name="both", make=data.make, inputs={"left": left, "right": right})
    assert [step.name for step in ancestors(both)] == ["problems", "left", "right", "both"]


def test_a_rebuilt_road_keeps_the_same_rows_under_two_names_apart() -> None:
    easy, every = (rows([{"question": "1+1?"}], name=name) for name in ("easy", "all"))
    both = Step(name="both", make=easy.make, inputs={"easy": easy, "all": every})
    again = rebuilt(both, lambda step: replace(step, version="2"))
    assert [step.name for step in ancestors(again)] == [step.name for step in ancestors(both)] == ["easy", "all", "both"]


def test_a_rebuilt_road_keeps_what_was_not_changed() -> None:
    data = rows([{"question": "1+1?"}])
    end = keep(data, long_enough)
    assert rebuilt(end, lambda step: step) is end
    renamed = rebuilt(end, lambda step: replace(step, name="other") if step is data else step)
    assert [step.name for step in ancestors(renamed)] == ["other", "keep-long_enough"]
