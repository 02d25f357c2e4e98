"""A credential as text, in either of its two forms: a token, or a JSON document with its proof."""

from identity import credential_eip712, credential_jwt
from identity.credential import Presented
from identity.errors import MalformedCredential
from identity.strict_json import NotStrict, parse_object


def read_credential(text: str) -> Presented:
    """Read a credential in whichever form it comes; refuses what is neither, by what is wrong with it."""
    stripped = text.strip()
    if not stripped.startswith("{"):
        return credential_jwt.read(stripped)
    try:
        document = parse_object(stripped)
    except NotStrict as error:
        raise MalformedCredential("credential", str(error)) from error
    return credential_eip712.read(document)
