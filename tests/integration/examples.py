"""The examples of YAML that the documentation has, to be run as they stand there."""

from typing import Any, Final

from tests.pages import DOCS, Block, blocks

EXAMPLES: Final[dict[str, list[Block]]] = {}
for _page in DOCS:
    for _block in blocks(_page):
        EXAMPLES.setdefault(_block.name, []).append(_block)


def example(name: str, number: int = 0) -> Any:
    """Return an example by its alias, or by its page and heading; there may be several below one."""
    return EXAMPLES[name][number].content
