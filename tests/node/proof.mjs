// Judges Merit's trees with OpenZeppelin's own library: `node proof.mjs vectors FILE` the vectors, and
// `node proof.mjs proof` a proof as the exchange serves it, on standard input. Exit 1 says what does not hold.
import { readFileSync } from "node:fs";
import { StandardMerkleTree } from "@openzeppelin/merkle-tree";
import { concat, keccak256, toBeHex } from "ethers";

const TYPES = {
  trade: ["uint256", "bytes32", "bytes32", "uint256", "int256", "bytes32"],
  order: ["uint256", "bytes32", "uint256", "uint256", "bool"],
};

function hold(holds, sentence) {
  if (!holds) {
    console.error(sentence);
    process.exit(1);
  }
}

function judgeVectors(path) {
  const vectors = JSON.parse(readFileSync(path, "utf8"));
  let proofs = 0;
  for (const tree of vectors.trees) {
    const types = vectors.types[tree.leaf];
    hold(JSON.stringify(types) === JSON.stringify(TYPES[tree.leaf]), `${tree.name}: other types`);
    const built = StandardMerkleTree.of(tree.values, types);
    hold(built.root === tree.root, `${tree.name}: the root is ${built.root}`);
    tree.values.forEach((value, index) =>
      hold(built.leafHash(value) === tree.leaves[index], `${tree.name}: leaf ${index}`),
    );
    for (const [index, proof] of Object.entries(tree.proofs)) {
      const verifies = StandardMerkleTree.verify(tree.root, types, tree.values[index], proof);
      hold(verifies, `${tree.name}: the proof of ${index} does not verify`);
      proofs += 1;
    }
  }
  return `${vectors.trees.length} trees, ${proofs} proofs`;
}

// The hash of what the nodes take: a word for each in the order of the way, last 1 bit, top 1, node 32, rate 48.
function hashOfFees({ fees, top }) {
  const words = fees.map(
    ({ node, rate_micro_per_kwh: rate }, index) =>
      (BigInt(index === fees.length - 1) << 81n) | (BigInt(node === top) << 80n) | (BigInt(node) << 48n) | BigInt(rate),
  );
  return keccak256(concat(words.map((word) => toBeHex(word, 32))));
}

// The values of the leaf, from the document alone. A session is market << 48 | product << 40 | delivery start.
function judgeProof(document) {
  const products = { spot: 1n };
  const session =
    (BigInt(document.market) << 48n) | (products[document.product] << 40n) | BigInt(document.delivery_start);
  const { trade, receipt } = document;
  const [values, root] =
    document.kind === "trade"
      ? [
          [session, trade.bid, trade.offer, trade.energy_wh, trade.rate_micro_per_kwh, hashOfFees(trade)],
          document.trade_root,
        ]
      : [[session, receipt.order, receipt.sequence, receipt.received_at, document.cancelled], document.order_root];
  const types = TYPES[document.kind];
  const verifies = StandardMerkleTree.verify(root, types, values, document.siblings);
  hold(verifies, `the ${document.kind} does not lead to ${root}`);
  return `the ${document.kind} leads to ${root}`;
}

const [what, path] = process.argv.slice(2);
console.log(what === "vectors" ? judgeVectors(path) : judgeProof(JSON.parse(readFileSync(0, "utf8"))));
