// Roots, leaves and proofs of merkle.json, by OpenZeppelin's own library. Trees of trades have beside the values, in
// `fees`, the words of the row of which the last value is the hash:
//   npm install @openzeppelin/merkle-tree && node merkle.mjs merkle.json
import { readFileSync, writeFileSync } from "node:fs";
import { StandardMerkleTree } from "@openzeppelin/merkle-tree";

const path = process.argv[2];
const vectors = JSON.parse(readFileSync(path, "utf8"));
for (const tree of vectors.trees) {
  const built = StandardMerkleTree.of(tree.values, vectors.types[tree.leaf]);
  tree.root = built.root;
  tree.leaves = tree.values.map((value) => built.leafHash(value));
  const few = tree.values.length > 13 ? [0, 49, 99] : tree.values.keys();
  tree.proofs = Object.fromEntries([...few].map((index) => [index, built.getProof(index)]));
}
writeFileSync(path, JSON.stringify(vectors, null, 1) + "\n");
