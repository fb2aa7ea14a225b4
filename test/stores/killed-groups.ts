// The steps that are made by processes which are killed, by name. Knows nothing of how.
import type { Step } from "../../src/core/rule.js";
import { stepFor } from "./files-rig.js";

export const groups: Readonly<Record<string, Step>> = {
  "a group of three files": stepFor("a.csv", "data/b.csv", "data/c.csv"),
  "a directory and a file": stepFor("data/parts/", "data/index.csv"),
};
