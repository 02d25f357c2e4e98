"""The communities that come with the product: their files lie in the package, or in the source tree beside it."""

from importlib.resources import files
from pathlib import Path


def street_file() -> Path:
    """Return the path of the street's file: sixteen homes at one node, the simplest community there is."""
    return _file("street.toml")


def neighbourhood_file() -> Path:
    """Return the path of the neighbourhood's file: the street's homes under a feeder, in two communities."""
    return _file("neighbourhood.toml")


def _file(name: str) -> Path:
    package = Path(str(files("app")))
    installed = package / "communities" / name
    return installed if installed.exists() else package.parent / "examples" / name
