// Goes on with the list of the last build: what it was asked for, and what of it is left. Knows nothing of building.
import { existsSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { fail, ok, type Result } from "../core/failure.js";
import { marks } from "../engine/ports.js";
import { attemptsIn } from "../stores/history.js";
import type { BuildCommand } from "./options.js";
import type { Plan } from "./plan.js";
import type { Run } from "./run.js";
import {
  keepSelection,
  readSelection,
  type Selection,
  selectionVersion,
  withoutSecrets,
} from "./selection.js";
import { type Known, statesOf } from "./state.js";
import { clockText } from "./words.js";
import { ownFolder } from "./world.js";

/** The run as it is asked for by the stored list: what the command line says besides goes before it. */
export function resumed(run: Run<BuildCommand>): Result<Run<BuildCommand>> {
  const { command, planning } = run;
  const read = readSelection(ownFolder);
  if (!read.ok) return read;
  const selection = read.value;
  const { secrets, words, names, keepGoing, jobs, load } = selection;
  const missing = secrets.filter((name) => !Object.hasOwn(command.parameters, name));
  if (missing.length > 0) return fail(asksFor(missing, selection));
  const path = pathOf(selection, run);
  if (!path.ok) return path;
  const parameters = { ...selection.parameters, ...command.parameters };
  return ok({
    ...run,
    selection,
    command: {
      ...command,
      words,
      parameters,
      keepGoing: command.keepGoing || keepGoing,
      jobs: command.jobs ?? jobs,
      load: command.load ?? load,
    },
    planning: { ...planning, path: path.value, asked: { words, parameters }, ...(names && { names }) },
  });
}

function asksFor(missing: readonly string[], { startedAt }: Selection) {
  const names = missing.map((name) => `\`${name}\``).join(", ");
  const [it, is] = missing.length === 1 ? ["a secret", "is"] : ["secrets", "are"];
  const message = `the run of ${clockText(startedAt, Date.now())} was given ${names}, ${it}, which ${is} kept nowhere`;
  const help = `dmake --resume ${missing.map((name) => `${name}=…`).join(" ")}`;
  return { reason: "usage", message, help } as const;
}

/** A run by another Datafile of the same folder goes on by that, unless one is named. */
function pathOf({ datafile }: Selection, { command, planning }: Run<BuildCommand>): Result<string> {
  if (command.datafile !== undefined || basename(planning.path) === datafile) return ok(planning.path);
  const path = join(dirname(planning.path), basename(datafile));
  if (existsSync(path)) return ok(path);
  const message = `the last build was of \`${datafile}\`, which is not there any more`;
  return fail({ reason: "usage", message, help: "name the targets again: `dmake TARGET…`" });
}

/**
 * Keeps what this build was asked for. `names` is left out as long as it is not known. One that a recipe has started is part
 * of a build that is kept already.
 */
export function keep(run: Run<BuildCommand>, names?: readonly string[]): void {
  const { command, around, wired, planning, selection } = run;
  if (around.env[marks.lineage]) return;
  const { words, keepGoing, forced, jobs, load } = command;
  const list = selection?.names ?? names;
  // Of nothing there is nothing to go on with: `--only failed` after all is well leaves the last list alone.
  if (list?.length === 0) return;
  // What is forced once more is forced from the beginning.
  const before = forced ? undefined : selection;
  keepSelection(
    ownFolder,
    {
      version: selectionVersion,
      datafile: basename(planning.path),
      words,
      ...(list && { names: list }),
      ...withoutSecrets(command.parameters, planning.secrets),
      keepGoing,
      forced: forced || before?.forced === true,
      ...(jobs !== undefined && { jobs }),
      ...(load !== undefined && { load }),
      runs: [...(before?.runs ?? []), wired.run],
      startedAt: before?.startedAt ?? run.startedAt,
    },
    wired.run,
  );
}

/** What is left of a list, and how much of it is done. */
export interface Left {
  readonly plan: Plan;
  readonly forced: boolean;
  readonly fresh: number;
}

/**
 * Of a list that is to be built fresh or not (`-B`), what those who built it have made is done, and the rest is forced;
 * of any other, what is fresh.
 */
export async function leftOf(
  plan: Plan,
  selection: Selection,
  known: Pick<Known, "stores" | "signal">,
): Promise<Result<Left>> {
  if (selection.forced) return forcedLeft(plan, selection);
  const stated = await statesOf(plan.graph, { ...known, attempts: new Map() });
  if (!stated.ok) return stated;
  const isOpen = (name: string) => {
    const maker = plan.graph.makers.get(name);
    const is = maker && stated.value.get(maker)?.is;
    return is?.has("stale") || is?.has("missing");
  };
  return ok({ plan, forced: false, fresh: plan.wanted.filter((name) => !isOpen(name)).length });
}

function forcedLeft(plan: Plan, { runs }: Selection): Result<Left> {
  const done = madeBy(new Set(runs));
  const left = plan.wanted.filter((name) => !done.has(plan.graph.makers.get(name)?.id ?? name));
  const narrowed = plan.narrowed(left);
  const fresh = plan.wanted.length - left.length;
  return narrowed.ok ? ok({ plan: narrowed.value, forced: true, fresh }) : narrowed;
}

function madeBy(runs: ReadonlySet<string>): ReadonlySet<string> {
  const made = new Set<string>();
  for (const { run, step, outcome } of attemptsIn(ownFolder))
    if (
      run !== undefined &&
      runs.has(run) &&
      (outcome === "made" || outcome === "unchanged" || outcome === "amended")
    )
      made.add(step);
  return made;
}
