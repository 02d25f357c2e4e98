// Outside verifiers of credentials: did-jwt-vc for tokens, Veramo for EIP-712 documents.
// In: {"credentials", "documents" by DID, "now" in unix seconds} on standard input; out: one {"verified", "why"} each.
import { readFileSync } from "node:fs";
import { CredentialProviderEIP712 } from "@veramo/credential-eip712";
import { verifyCredential } from "did-jwt-vc";

const { credentials, documents, now } = JSON.parse(readFileSync(0, "utf8"));
const resolve = async (did) => ({
  didDocument: documents[did] ?? null,
  didDocumentMetadata: {},
  didResolutionMetadata: documents[did] ? {} : { error: "notFound" },
});
const veramo = new CredentialProviderEIP712();

async function judge(credential) {
  try {
    if (typeof credential === "string") {
      const { verified } = await verifyCredential(credential, { resolve }, { policies: { now } });
      return { verified, why: "" };
    }
    const context = { agent: { resolveDid: ({ didUrl }) => resolve(didUrl) } };
    const { verified, error } = await veramo.verifyCredential({ credential }, context);
    return { verified, why: error?.message ?? "" };
  } catch (error) {
    return { verified: false, why: error.message };
  }
}

const verdicts = [];
for (const credential of credentials) verdicts.push(await judge(credential));
console.log(JSON.stringify(verdicts));
