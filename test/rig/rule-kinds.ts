// One Datafile with a rule of each kind, whatever options it takes. Knows nothing of what the options mean.
import { test } from "node:test";
import { recipeParts } from "../../src/core/fingerprint.js";
import type { Datafile } from "../../src/datafile/load.js";
import { inProject, type Project, stepOf } from "./datafile.js";
import { failureOf, must } from "./world.js";

export const story = (name: string, work: (project: Project) => Promise<void>) =>
  test(name, () => inProject(work));

const head = `
  import { download, parquet, pool, script, sh, table } from "dmake";
  const any = (value: unknown): any => value;
`;
export const load = async (project: Project, text: string) => must(await project.datafile(head + text));
export const refused = async (project: Project, text: string) =>
  failureOf(await project.datafile(head + text), "bad-rule");
export const rule = (datafile: Datafile, name: string) => stepOf(datafile, name).rule;
export const parts = (datafile: Datafile, name: string) => must(recipeParts(stepOf(datafile, name), []));

/** Every kind of rule, each with the options `o`. */
export const kinds: Readonly<Record<string, (o: string) => string>> = {
  download: (o) => `download("a", { url: "https://e.org", ...${o} });`,
  parquet: (o) => `parquet("a", { from: "b.csv", ...${o} });`,
  table: (o) => `table("table:a", { from: "b.csv", ...${o} });`,
  sh: (o) => `sh("a", { ...${o} }, ({ $ }) => $\`x\`);`,
  script: (o) => `script("a", { ...${o} }, () => {});`,
};
export const kindsText = Object.entries(kinds);
export const target = (kind: string) => (kind === "table" ? "table:a" : "a");
