"""Names are given from the root down, and their owners define roles, which ENS's and Energy Web's readers read."""

import pytest
from eth_abi import encode
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts.artifacts import load
from tests.contracts.caller import refused, selector_of
from tests.contracts.identities import NO_DATA, NOBODY, ROOT, ROOT_OWNER, Identities, hexed, namehash, role_of
from tests.contracts.machine import Refused, Revm
from tests.contracts.orders import address_of, keccak

READERS = {
    "versionNumber": "338bc8fa",
    "issuers": "c53a4413",
    "issuerType": "c585f697",
    "revokers": "74d3013a",
    "revokerType": "ec7adf27",
    "prerequisiteRoles": "c986c404",
    "name": "691f3431",
}
OWNER, STRANGER = "the namespace owner", "a stranger"


@pytest.fixture
def town() -> Identities:
    return Identities(Revm())


def define(town: Identities, name: str, *, by: str = ROOT_OWNER, node: bytes | None = None, version: int = 1):
    lists = (), ROOT, (), ROOT, (), True, 0, False, NO_DATA
    return town.roles.send(by, "define_role", namehash(name) if node is None else node, name, version, *lists)


def test_the_owner_of_a_name_gives_away_what_lies_below_and_a_stranger_does_not(town):
    arguments = namehash("roles"), keccak(b"asset"), address_of(OWNER)
    with refused("namespaces: not the owner"):
        town.roles.send(STRANGER, "setSubnodeOwner", *arguments)
    [event] = town.roles.events(town.roles.send(ROOT_OWNER, "setSubnodeOwner", *arguments))
    fields = {"node": namehash("roles"), "label": keccak(b"asset"), "owner": hexed(address_of(OWNER))}
    assert event == ("NewOwner", fields)
    assert town.roles.read("owner", namehash("asset.roles")) == hexed(address_of(OWNER))
    assert town.roles.read("resolver", namehash("asset.roles")) == hexed(town.roles.address)


def test_who_was_given_a_name_owns_that_and_not_the_one_above(town):
    town.give("org", OWNER)
    town.give("roles.org", OWNER, by=OWNER)
    with refused("namespaces: not the owner"):
        town.give("other", OWNER, by=OWNER)


def test_the_owner_above_takes_a_name_back_and_gives_it_anew(town):
    town.give("org", OWNER)
    town.roles.send(ROOT_OWNER, "setSubnodeOwner", ROOT, keccak(b"org"), NOBODY)
    assert town.roles.read("owner", namehash("org")) == hexed(NOBODY)
    with refused("namespaces: not the owner"):
        town.give("roles.org", OWNER, by=OWNER)
    town.give("org", OWNER)
    town.give("roles.org", OWNER, by=OWNER)


def test_an_owner_hands_its_name_on(town):
    with refused("namespaces: not the owner"):
        town.roles.send(STRANGER, "setOwner", ROOT, address_of(STRANGER))
    [event] = town.roles.events(town.roles.send(ROOT_OWNER, "setOwner", ROOT, address_of(OWNER)))
    assert event == ("Transfer", {"node": ROOT, "owner": hexed(address_of(OWNER))})
    with refused("namespaces: not the owner"):
        town.give("org", OWNER)
    town.give("org", OWNER, by=OWNER)


def test_the_root_has_an_owner_from_the_start():
    machine = Revm()
    code = load("RoleRegistry").bytecode
    registry = Identities(machine).dids.address
    with refused("namespaces: owner is nobody"):
        machine.create("the deployer", code + encode(["address"] * 3, [registry, registry, NOBODY]))
    machine.create("the deployer", code + encode(["address"] * 3, [registry, registry, address_of(OWNER)]))
    with refused("speakers: registry has no code"):
        machine.create("the deployer", code + encode(["address"] * 3, [registry, NOBODY, address_of(OWNER)]))


def test_a_role_is_defined_in_one_call_and_read_as_energy_web_reads_it(town):
    town.give("asset.roles", OWNER)
    certifier, auditor = role_of("certifier"), address_of("the auditor")
    definition = {
        "name": "asset.roles",
        "version": 3,
        "issuers": (),
        "issuer_role": certifier,
        "revokers": (hexed(auditor), hexed(address_of("the regulator"))),
        "revoker_role": ROOT,
        "prerequisites": (role_of("member"), role_of("person")),
        "all_prerequisites": False,
        "most_seconds": 86_400,
        "ends_at_sale": True,
        "metadata": keccak(b"a document"),
    }
    outcome = town.roles.send(OWNER, "define_role", role_of("asset"), *definition.values())
    assert town.roles.events(outcome) == [("RoleDefined", {"node": role_of("asset"), **definition})]
    read = {name: town.roles.read(name, role_of("asset")) for name in READERS}
    assert read == {
        "versionNumber": 3,
        "issuers": ((), certifier),
        "issuerType": 0,
        "revokers": (definition["revokers"], ROOT),
        "revokerType": 0,
        "prerequisiteRoles": (definition["prerequisites"], False),
        "name": "asset.roles",
    }
    assert town.roles.read("terms", role_of("asset")) == (3, 86_400, True, keccak(b"a document"))


def test_a_later_definition_replaces_all_of_the_one_before(town):
    town.define("asset", issuers=(address_of("a"), address_of("b")), prerequisites=(role_of("x"),), most_seconds=9)
    town.define("asset", issuer_role=role_of("certifier"), version=2)
    assert town.roles.read("issuers", role_of("asset")) == ((), role_of("certifier"))
    assert town.roles.read("prerequisiteRoles", role_of("asset")) == ((), True)
    assert town.roles.read("terms", role_of("asset")) == (2, 0, False, NO_DATA)


def test_an_undefined_role_reads_as_zeros(town):
    read = [town.roles.read(name, role_of("nothing")) for name in READERS]
    assert read == [0, ((), ROOT), 0, ((), ROOT), 0, ((), False), ""]


def test_every_reader_has_the_interface_id_that_energy_web_gave_it(town):
    functions = {entry["name"]: selector_of(entry)[:4].hex() for entry in load("RoleRegistry").abi if "name" in entry}
    assert {name: functions[name] for name in READERS} == READERS
    for identifier in ("01ffc9a7", *READERS.values()):
        assert town.roles.read("supportsInterface", bytes.fromhex(identifier))
    assert not town.roles.read("supportsInterface", bytes.fromhex("ffffffff"))
    ens = {"owner": "02571be3", "resolver": "0178b8bf", "setSubnodeOwner": "06ab5923", "setOwner": "5b0fc9c3"}
    assert {name: functions[name] for name in ens} == ens


def test_only_the_owner_of_a_name_defines_it(town):
    town.give("asset.roles", OWNER)
    with refused("namespaces: not the owner"):
        define(town, "asset.roles", by=ROOT_OWNER)
    define(town, "asset.roles", by=OWNER)


def test_a_definition_bears_the_name_of_its_node(town):
    town.give("asset.roles", OWNER)
    for other in ("asset.role", "asset", "", "Asset.roles", ".asset.roles", "asset.roles.", "asset..roles"):
        with refused("namespaces: name is another's"):
            define(town, other, by=OWNER, node=role_of("asset"))
    define(town, "asset.roles", by=OWNER)


LABEL = st.text("abcdefghijklmnopqrstuvwxyz0123456789-", min_size=1, max_size=12)


@given(labels=st.lists(LABEL, min_size=1, max_size=9))
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_the_contract_hashes_names_as_eip_137_does(town, labels):
    above = ""
    for label in reversed(labels):
        town.give(f"{label}.{above}" if above else label, ROOT_OWNER)
        above = f"{label}.{above}" if above else label
    define(town, above)


def test_a_name_of_128_bytes_is_hashed_and_a_longer_one_refused(town):
    long = "a" * 121 + ".roles"
    town.give(long, ROOT_OWNER)
    define(town, long)
    longer = "a" * 123 + ".roles"
    town.give(longer, ROOT_OWNER)
    with pytest.raises(Refused):
        define(town, longer)


def test_a_version_begins_at_one_and_is_never_lowered(town):
    with refused("namespaces: version is zero"):
        town.define("asset", version=0)
    town.define("asset", version=2)
    with refused("namespaces: version is lowered"):
        town.define("asset", version=1)
    town.define("asset", version=2)
    town.define("asset", version=3)


@pytest.mark.parametrize(("listed", "role"), [("issuers", "issuer_role"), ("revokers", "revoker_role")])
def test_a_definition_lists_identities_or_names_a_role_and_not_both(town, listed, role):
    both = {listed: (address_of("somebody"),), role: role_of("certifier")}
    with refused("namespaces: list and role"):
        town.define("asset", **both)
    for name, value in both.items():
        town.define("asset", **{name: value})


def test_sixteen_issuers_are_listed_and_seventeen_are_not(town):
    many = tuple(address_of(f"issuer {i}") for i in range(17))
    with pytest.raises(Refused):
        town.define("asset", issuers=many)
    town.define("asset", issuers=many[:16])
