// A wallet of ethers: signs what the exchange gives it to sign, knowing nothing else of the exchange.
// In: {"key", "payload"} on standard input; out: {"address", "digest", "signature"}.
import { readFileSync } from "node:fs";
import { TypedDataEncoder, Wallet } from "ethers";

const { key, payload } = JSON.parse(readFileSync(0, "utf8"));
const { EIP712Domain, ...types } = payload.types;
const wallet = new Wallet(key);
console.log(
  JSON.stringify({
    address: wallet.address,
    digest: TypedDataEncoder.hash(payload.domain, types, payload.message),
    signature: await wallet.signTypedData(payload.domain, types, payload.message),
  }),
);
