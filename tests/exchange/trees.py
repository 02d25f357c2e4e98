"""Trees to test on."""

from dataclasses import replace

from hypothesis import strategies as st

from exchange.tree import Fee, Node, Tree
from exchange.units import MicroPerKwh, Wh
from identity.address import Address
from tests.strategies import SESSION

NOBODY = Address(bytes(20))


def one_node(fee: int, number: int = SESSION.market) -> Tree:
    """A community of one node, which takes a constant fee."""
    return Tree.of_one(number, fee=fee)


def node(number: int, parent: int | None, fee: int | Fee = 0, **terms: object) -> Node:
    """A node called by its number, with a fee (a whole number is a constant one) and other terms."""
    plain = Node(
        number=number,
        name=f"node {number}",
        parent=parent,
        fee=fee if isinstance(fee, Fee) else Fee(constant=MicroPerKwh(fee)),
        fee_account=number,
        operator=NOBODY,
    )
    return replace(plain, **terms)  # type: ignore[arg-type]


def communities(feeder: int = 0, north: int = 0, south: int = 0, **limits: int) -> Tree:
    """Two communities, 2 and 3, under the feeder 1, with constant fees; `limits` as `north_export`."""
    bound = {name: Wh(limit) for name, limit in limits.items()}

    def below(number: int, name: str, fee: int) -> Node:
        return node(
            number,
            1,
            fee,
            name=name,
            import_limit=bound.pop(f"{name}_import", None),
            export_limit=bound.pop(f"{name}_export", None),
        )

    tree = Tree((node(1, None, feeder), below(2, "north", north), below(3, "south", south)))
    assert not bound, "limits are of the two communities"
    return tree


@st.composite
def trees(draw: st.DrawFn, *, most: int = 7, ppm: bool = False, limits: bool = True) -> Tree:
    """Trees of up to `most` nodes in any shape, whose numbers say nothing about it; the root's is that of `SESSION`."""
    numbers = [SESSION.market, *draw(st.lists(st.integers(20, 40), max_size=most - 1, unique=True))]
    bound = st.one_of(st.none(), st.integers(0, 8)) if limits else st.none()
    nodes = []
    for place, number in enumerate(numbers):
        share = ppm and draw(st.booleans())
        nodes.append(
            node(
                number,
                draw(st.sampled_from(numbers[:place])) if place else None,
                fee=Fee(ppm=draw(st.integers(0, 1_000_000))) if share else Fee(constant=draw(st.integers(0, 3))),
                import_limit=draw(bound),
                export_limit=draw(bound),
            )
        )
    return Tree(tuple(sorted(nodes, key=lambda each: each.number)))
