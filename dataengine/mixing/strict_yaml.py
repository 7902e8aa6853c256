"""YAML as people mean it: a key that is given twice, and a number that YAML reads as something else, are errors with their line."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import yaml


class StrictLoader(yaml.SafeLoader):
    """Reads what safe YAML is, less what YAML 1.1 takes without a word."""


def read_yaml(path: Path, *, what: str) -> Any:
    """What a YAML file says; ValueError names `what` it is, and the line, where it is no YAML or says two things."""
    try:
        return yaml.load(path.read_text(encoding="utf-8"), StrictLoader)  # it is a safe loader
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"{what} {path} is no YAML that can be read: {error}") from None


def _mapping(loader: StrictLoader, node: yaml.MappingNode) -> dict[Any, Any]:
    keys = [key for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
    for number, key in enumerate(keys):
        if any(key.value == before.value for before in keys[:number]):
            raise yaml.constructor.ConstructorError(None, None, f"the key {key.value!r} is given twice", key.start_mark)
    return loader.construct_mapping(node, deep=True)


def _number(loader: StrictLoader, node: yaml.ScalarNode) -> int | float:
    """A number that is written as one: 1:30 would be 90, in sixties."""
    floats = node.tag.endswith(":float")
    made = loader.construct_yaml_float(node) if floats else loader.construct_yaml_int(node)
    if ":" in node.value or not math.isfinite(made):
        told = f"{node.value} is no number that a quota can ask for: write digits, or put a text in quotes"
        raise yaml.constructor.ConstructorError(None, None, told, node.start_mark)
    return made


StrictLoader.add_constructor("tag:yaml.org,2002:map", _mapping)
StrictLoader.add_constructor("tag:yaml.org,2002:int", _number)
StrictLoader.add_constructor("tag:yaml.org,2002:float", _number)
