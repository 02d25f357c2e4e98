"""Curves as an SVG picture: a few panels one above the other over one axis. No library is needed for a polyline."""

from dataclasses import dataclass
from html import escape
from itertools import pairwise

WIDTH, HEIGHT, LEFT, TOP, GAP = 720, 150, 64, 40, 34
INKS = ("#1f5f8b", "#c8553d", "#4d7c3a")
FONT = 'font-family="sans-serif" font-size="11" fill="#555"'


@dataclass(frozen=True, slots=True)
class Curve:
    """Points from left to right; one that is not a number is a gap."""

    label: str
    points: list[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Panel:
    """Some curves on one scale that begins with nought."""

    title: str
    curves: list[Curve]


def draw(title: str, axis: str, panels: list[Panel]) -> str:
    """Return the picture; `axis` says what is counted from left to right."""
    furthest = max((at for panel in panels for curve in panel.curves for at, _ in curve.points), default=0) or 1
    height = TOP + len(panels) * (HEIGHT + GAP) + 16
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH + LEFT + 24} {height}" role="img">',
        f"<title>{escape(title)}</title>",
        '<rect width="100%" height="100%" fill="#fff"/>',
        f'<text x="{LEFT}" y="18" font-family="sans-serif" font-size="13" fill="#222">{escape(title)}</text>',
    ]
    for number, panel in enumerate(panels):
        parts += _panel(panel, TOP + number * (HEIGHT + GAP), furthest)
    for share in range(6):
        text = f"{furthest * share / 5:.3g}"
        parts.append(
            f'<text x="{LEFT + WIDTH * share / 5:.0f}" y="{height - 14}" text-anchor="middle" {FONT}>{text}</text>'
        )
    parts.append(f'<text x="{LEFT + WIDTH}" y="{height - 2}" text-anchor="end" {FONT}>{escape(axis)}</text>')
    return "\n".join([*parts, "</svg>", ""])


def _panel(panel: Panel, top: int, furthest: float) -> list[str]:
    values = [value for curve in panel.curves for _, value in curve.points if value == value]  # noqa: PLR0124
    most = _round_up(max(values, default=1))
    parts = [f'<text x="{LEFT}" y="{top + 10}" {FONT}>{escape(panel.title)}</text>']
    for share in (0, 0.5, 1):
        y = top + GAP / 2 + (HEIGHT - GAP / 2) * (1 - share)
        parts += [
            f'<line x1="{LEFT}" y1="{y:.1f}" x2="{LEFT + WIDTH}" y2="{y:.1f}" stroke="#ddd"/>',
            f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end" {FONT}>{most * share:,.4g}</text>',
        ]
    for curve, ink in zip(panel.curves, INKS, strict=False):
        for stretch in _stretches(curve):
            places = " ".join(
                f"{LEFT + WIDTH * at / furthest:.1f},{top + GAP / 2 + (HEIGHT - GAP / 2) * (1 - value / most):.1f}"
                for at, value in stretch
            )
            parts.append(f'<polyline points="{places}" fill="none" stroke="{ink}" stroke-width="1.5"/>')
    right = LEFT + WIDTH
    for place, (curve, ink) in enumerate(zip(reversed(panel.curves), INKS[len(panel.curves) - 1 :: -1], strict=False)):
        parts.append(
            f'<text x="{right - 70 * place}" y="{top + 10}" text-anchor="end" font-family="sans-serif" '
            f'font-size="11" fill="{ink}">{escape(curve.label)}</text>'
        )
    return parts


def _stretches(curve: Curve) -> list[list[tuple[float, float]]]:
    """Return the points between the gaps."""
    gaps = [-1, *(place for place, (_, value) in enumerate(curve.points) if value != value), len(curve.points)]  # noqa: PLR0124
    return [stretch for before, after in pairwise(gaps) if (stretch := curve.points[before + 1 : after])]


def _round_up(value: float) -> float:
    """Return the next of 1, 2, 3, 5 and 8 times a power of ten."""
    scale = 1.0
    while scale * 10 <= value:
        scale *= 10
    while scale > value > 0:
        scale /= 10
    return next((scale * step for step in (1, 2, 3, 5, 8, 10) if scale * step >= value), scale * 10)
