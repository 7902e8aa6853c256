"""The verb list: recipes and scorers that are shipped."""

from __future__ import annotations

from dataengine.flags import parser_of, settings_of


def command(argv: list[str]) -> None:
    """Recipes and scorers that are shipped."""
    from dataengine.recipes.find import shipped
    from filters.find import shipped as scorers

    settings_of(parser_of("dataengine list", "Recipes and scorers that are shipped."), argv)
    print("recipes (dataengine run NAME):")
    print("\n".join(f"  {name:<16} {what}" for name, what in shipped().items()))
    print("scorers (dataengine score NAME FILE --out FILE):")
    print("\n".join(f"  {name:<16} {module}" for name, module in scorers().items()))
