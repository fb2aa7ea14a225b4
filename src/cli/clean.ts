// The verb `clean`: lists what dmake made and no rule makes any more, and removes it when told to. Knows nothing of how it knows.
import { type Failure, ok } from "../core/failure.js";
import { matcher } from "../core/pattern.js";
import type { RuleSet } from "../core/rule-set.js";
import { foldersAbove } from "../core/target.js";
import type { Orphan } from "../stores/files.js";
import { globsBelow } from "./globs.js";
import type { CleanCommand } from "./options.js";
import { loadWithLists } from "./plan.js";
import type { Ending, Surroundings } from "./project.js";
import { messageRenderer } from "./render.js";
import { ended, inProject, type Run, refused, waitingFor } from "./run.js";
import { bytesText, onOneLine } from "./words.js";
import { ownFolder } from "./world.js";

export const runClean = (command: CleanCommand, around: Surroundings): Promise<Ending> => {
  const renderer = messageRenderer(around.screen);
  return inProject(command, { around, renderer, writable: command.yes }, async (run) => {
    if (run.refusal) return ended(renderer, run.refusal);
    const datafile = await loadWithLists({ ...run.planning, writable: false, warn: () => undefined });
    return datafile.ok ? tidy(run, isMadeBy(datafile.value.rules)) : refused(renderer, datafile.error);
  });
};

/**
 * Whether a rule makes a name, or a directory that it lies in. Where rules cannot tell, as for a list that is not there
 * or for two that tie, the answer is yes: it is not for `clean` to decide.
 */
function isMadeBy(rules: RuleSet): (name: string) => boolean {
  const isMade = (name: string, what: "any" | "directory") => {
    const maker = rules.find(name);
    return (
      !maker.ok || (what === "any" ? maker.value !== undefined : maker.value?.pattern.directory === true)
    );
  };
  const reads = readersOf(rules);
  return (name) =>
    isMade(name, "any") ||
    [...foldersAbove(name)].some((folder) => isMade(folder, "directory")) ||
    [name, ...foldersAbove(name)].some(reads);
}

/** Whether a rule takes a name as its input: what nobody makes any more has become a source then. */
function readersOf(rules: RuleSet): (name: string) => boolean {
  const specs = rules.rules.flatMap(({ inputs, uses = [], after }) => [...inputs, ...uses, ...after]);
  const fits = specs.flatMap((spec) => (spec.kind === "pattern" ? [matcher(spec.pattern, {})] : []));
  const globs = specs.flatMap((spec) =>
    spec.kind === "glob" ? [spec.pattern.text.replace(/\{[^}]*\}/g, "*")] : [],
  );
  const { among } = globsBelow(".", ownFolder);
  return (name) =>
    fits.some((fit) => fit(name) !== undefined) || globs.some((glob) => among(glob, [name]).length > 0);
}

async function tidy(run: Run<CleanCommand>, isMade: (name: string) => boolean): Promise<Ending> {
  const { command, around, renderer, wired } = run;
  const { files } = wired;
  const { yes, json } = command;
  const { screen } = around;
  const failed = (failure: Failure): Ending => {
    renderer.failure(failure);
    return failure.reason === "locked" ? "busy" : "failed";
  };
  const signal = around.interruptible();
  const found = await files.orphans(isMade);
  if (!found.ok) return failed(found.error);
  const orphans = found.value;
  const width = orphans.reduce(
    (widest, { name }) => Math.max(widest, Math.min(64, onOneLine(name).length)),
    0,
  );
  const counts = { removed: 0, kept: 0, bytes: 0 };
  for (const orphan of orphans) {
    if (signal.aborted) return "failed";
    const waiting = waitingFor(orphan.name, run, signal);
    const removed =
      yes && orphan.state === "unmodified" ? await files.removeOrphan(orphan, waiting) : ok(false);
    if (!removed.ok) return failed(removed.error);
    counts[removed.value ? "removed" : "kept"] += 1;
    if (removed.value || !yes) counts.bytes += orphan.bytes;
    const { name, state, bytes } = orphan;
    if (json) screen.out(JSON.stringify({ name, state, bytes, removed: removed.value }));
    else screen.out(orphanLine(orphan, yes ? (removed.value ? "removed" : "kept") : "orphan", width));
  }
  if (!json) for (const line of summaryLines(orphans, { yes, ...counts })) screen.out(line);
  return "good";
}

const orphanLine = ({ name, state, bytes }: Orphan, done: string, width: number): string =>
  `${done.padEnd(8)} ${onOneLine(name).padEnd(width)}  ${state.padEnd(10)}  ${bytesText(bytes)}`;

function summaryLines(
  orphans: readonly { readonly state: string }[],
  { yes, removed, kept, bytes }: { yes: boolean; removed: number; kept: number; bytes: number },
): string[] {
  if (orphans.length === 0) return ["no orphans: a rule makes everything that dmake has made"];
  if (yes) {
    const edited = kept > 0 ? `, kept ${kept} that somebody has changed` : "";
    return [`removed ${removed} (${bytesText(bytes)})${edited}`];
  }
  const going = orphans.filter(({ state }) => state === "unmodified").length;
  const summary = `${orphans.length} ${orphans.length === 1 ? "orphan" : "orphans"} (${bytesText(bytes)})`;
  return [
    going > 0 ? `${summary}; \`dmake clean --orphans --yes\` removes ${going} as dmake made them` : summary,
  ];
}
