// Writes a workload into a folder, in the language of one tool. Knows nothing of how the tools are run.
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Workload } from "./workloads.js";

export type Language = "dmake" | "make" | "ninja" | "snakemake" | "floor";

export function writeProject(folder: string, language: Language, workload: Workload): void {
  for (const directory of directoriesOf(workload)) mkdirSync(join(folder, directory), { recursive: true });
  for (const [name, line] of workload.sources) writeFileSync(join(folder, name), `${line}\n`);
  const [name, text] = rulesOf(language, workload);
  writeFileSync(join(folder, name), text);
}

/** Of sources and of targets: most of the tools do not make them. */
export function directoriesOf({ sources, steps }: Workload): readonly string[] {
  return [...new Set([...sources.keys(), ...steps.map(({ target }) => target)].map((name) => dirname(name)))];
}

/** The name and the text of the file with the rules. */
export function rulesOf(language: Language, workload: Workload): readonly [name: string, text: string] {
  switch (language) {
    case "dmake":
      return ["Datafile.ts", workload.datafile];
    case "make":
      return ["Makefile", makefileOf(workload)];
    case "ninja":
      return ["build.ninja", ninjaOf(workload)];
    case "snakemake":
      return ["Snakefile", workload.snakefile ?? ""];
    case "floor":
      return ["floor.json", JSON.stringify(floorOf(workload))];
  }
}

function makefileOf({ goals, patterns, steps }: Workload): string {
  const dollars = (command: string) => command.replaceAll("$", "$$$$");
  const rules =
    patterns.length > 0
      ? patterns.map(([target, input]) => `${target}: ${input}\n\t@read x < $<; echo "$$x" > $@\n`)
      : steps.map(
          ({ target, inputs, command }) => `${target}: ${inputs.join(" ")}\n\t@${dollars(command)}\n`,
        );
  // Without .SECONDARY the targets in the middle of pattern rules are removed, and nothing is ever up to date.
  return `.PHONY: all\nall: ${goals.join(" ")}\n.SECONDARY:\n${rules.join("")}`;
}

function ninjaOf({ steps }: Workload): string {
  const copied = 'read x < $in; echo "$$x" > $out';
  const lines = steps.map(({ target, inputs, command }, n) => {
    const isCopy = inputs.length === 1 && command === `read x < ${inputs[0]}; echo "$x" > ${target}`;
    const own = isCopy ? "" : `rule r${n}\n  command = ${command.replaceAll("$", "$$$$")}\n`;
    return `${own}build ${target}: ${isCopy ? "copy" : `r${n}`} ${inputs.join(" ")}\n`;
  });
  return `rule copy\n  command = ${copied}\n${lines.join("")}`;
}

/** What `floor.mjs` reads: no rules, only names and lines. */
function floorOf({ sources, steps }: Workload) {
  return {
    sources: [...sources.keys()],
    targets: steps.map(({ target }) => target),
    commands: steps.map(({ command }) => command),
    chains: steps.map(({ chain }) => chain),
  };
}
