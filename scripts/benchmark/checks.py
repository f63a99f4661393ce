"""What has to hold, or there is nothing to measure."""


def check(holds: object, otherwise: str) -> None:
    """See that something holds.

    Raises:
        SystemExit: It does not.
    """
    if not holds:
        raise SystemExit(otherwise)
