// A process that ends all that carry the mark it is given, itself and its parents included if it were wrong. Knows nothing of what a test expects.
import { killMarked, stopMarked } from "../../src/system/orphans.js";

const mark = process.argv[2]!;
const found = await stopMarked([mark], { graceMs: 5_000 });
killMarked([mark]);
console.log([...found.values()].flat().join());
