"""The version of this product, as it was installed."""

from importlib.metadata import PackageNotFoundError, version

NAME = "Merit"


def installed_version() -> str:
    """Return the installed version, or `0` where the source is run without being installed."""
    try:
        return version("merit-exchange")
    except PackageNotFoundError:
        return "0"
