// Resolves DIDs as the world does: npm's `ethr-did-resolver`, over JSON-RPC.
// In: {"url", "registry", "chainId", "network", "questions": [[did, accept or null], …]} on standard input; out: the answers.
import { readFileSync } from "node:fs";
import { Resolver } from "did-resolver";
import { JsonRpcProvider } from "ethers";
import { getResolver } from "ethr-did-resolver";

const AT_ONCE = 8;

const { url, registry, chainId, network, questions } = JSON.parse(readFileSync(0, "utf8"));
const provider = new JsonRpcProvider(url, chainId, { staticNetwork: true, batchMaxCount: 1, cacheTimeout: -1 });
const resolver = new Resolver(getResolver({ networks: [{ name: network, chainId, provider, registry }] }));

const answers = new Array(questions.length);
let next = 0;
async function work() {
  while (next < questions.length) {
    const at = next++;
    const [did, accept] = questions[at];
    answers[at] = await resolver.resolve(did, accept ? { accept } : {});
  }
}
await Promise.all(Array.from({ length: AT_ONCE }, work));
console.log(JSON.stringify(answers));
provider.destroy();
