"""Which items of a store are meant: by why a person is asked, domain, language and standing."""

from __future__ import annotations

from dataclasses import dataclass, fields


@dataclass(frozen=True, kw_only=True)
class Narrow:
    """Values that all must hold; an empty one holds always."""

    why: str = ""
    domain: str = ""
    language: str = ""
    standing: str = ""

    def sql(self) -> tuple[str, list[str]]:
        """` AND items.why = ? ...` with its values."""
        asked = [(each.name, value) for each in fields(self) if (value := getattr(self, each.name))]
        return "".join(f" AND items.{name} = ?" for name, _ in asked), [value for _, value in asked]


FACETS = tuple(each.name for each in fields(Narrow))
