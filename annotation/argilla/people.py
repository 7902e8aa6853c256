"""Who is who: accounts of a server by their ids, under the names by which their answers are known here."""

from __future__ import annotations

from collections.abc import Mapping


class People:
    """`known` (names by id) is what is remembered; whoever has answered keeps the first name, whatever the account is called later.

    So a renamed account, or one that was taken out of the workspace, stays one person and does not become a second one.
    """

    def __init__(self, known: Mapping[str, str]) -> None:
        self.known = dict(known)
        self._here: dict[str, str] = {}
        self.nameless: set[str] = set()
        """Ids that nobody may see the account of: they stand for the names."""

    def meet(self, here: Mapping[str, str]) -> None:
        """Learn what the accounts are called now, by id."""
        self._here = dict(here)

    def name(self, user_id: str) -> str:
        """Under which name somebody's answers are known, from now on."""
        if user_id not in self.known:
            if user_id not in self._here:
                self.nameless.add(user_id)
            self.known[user_id] = self._name(user_id)
        return self.known[user_id]

    @property
    def ids(self) -> dict[str, str]:
        """Ids of those who are on the server now, by name."""
        return {self._name(user_id): user_id for user_id in self._here}

    @property
    def accounts(self) -> dict[str, str]:
        """The same, and by what the accounts are called now, which goes first."""
        return {**self.ids, **{name: user_id for user_id, name in self._here.items()}}

    @property
    def notices(self) -> list[str]:
        """Whose account has another name now."""
        renamed = [(name, now) for user_id, name in self.known.items() if (now := self._here.get(user_id, name)) != name != user_id]
        return [f"{name} is called {now} in Argilla now: the same person, whose answers stay under {name} here" for name, now in renamed]

    def _name(self, user_id: str) -> str:
        """What is known, else what the account is called; where that was somebody else's name first, with a part of the id."""
        if user_id in self.known:
            return self.known[user_id]
        name = self._here.get(user_id, user_id)
        taken = any(each == name and other in self._here for other, each in self.known.items())
        return f"{name} ({user_id[:8]})" if taken else name
