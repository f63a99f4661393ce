"""Tables in Markdown."""

from collections.abc import Sequence


def show(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table with its title."""
    print(f"\n### {title}\n")
    for row in (columns, ["---"] * len(columns), *rows):
        print(f"| {' | '.join(row)} |", flush=True)


def ms(seconds: float) -> str:
    """Return milliseconds."""
    return f"{seconds * 1e3:,.{1 if abs(seconds) < 0.1 else 0}f} ms"


def us(seconds: float) -> str:
    """Return microseconds; less than nothing is what was taken off, and the noise in it."""
    if seconds <= 0:
        return "not seen"
    return f"{seconds * 1e6:,.{1 if abs(seconds) < 1e-4 else 0}f} µs"


def times(value: float, floor: float) -> str:
    """Return how many times the floor something is."""
    return f"{value / floor:.1f} x" if floor > 0 else "-"
