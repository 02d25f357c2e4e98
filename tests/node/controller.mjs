// Writes to a DID registry as the world does: the `EthrDidController` of npm's `ethr-did-resolver`, over JSON-RPC.
// In: {"url", "registry", "did", "key" of the owner, "payer" (a key with ether), "acts": [[name, …], …]} on standard input;
// each act goes in plain, then signed by the owner and brought by the payer. Out: the hashes that were signed.
import { readFileSync } from "node:fs";
import { JsonRpcProvider, NonceManager, SigningKey, Wallet } from "ethers";
import { EthrDidController } from "ethr-did-resolver";

const { url, registry, did, key, payer, acts } = JSON.parse(readFileSync(0, "utf8"));
const provider = new JsonRpcProvider(url, undefined, { batchMaxCount: 1, cacheTimeout: -1, pollingInterval: 20 });
const [, , network] = did.split(":");
const controllerOf = (signer) =>
  new EthrDidController(did, undefined, signer, network, provider, undefined, registry, false);
const owner = controllerOf(new NonceManager(new Wallet(key, provider)));
const bringer = controllerOf(new NonceManager(new Wallet(payer, provider)));

const hashes = [];
for (const [name, ...args] of acts) {
  await owner[name](...args);
  const hash = await owner[`create${name[0].toUpperCase()}${name.slice(1)}Hash`](...args);
  const { v, r, s } = new SigningKey(key).sign(hash);
  await bringer[`${name}Signed`](...args, { sigV: v, sigR: r, sigS: s });
  hashes.push(hash);
}
console.log(JSON.stringify(hashes));
provider.destroy();
