// The verb `status`: one line a target, how it stands and why. Knows nothing of how that is found out, and changes nothing.
import type { Graph } from "../core/graph.js";
import type { Rule, Step } from "../core/rule.js";
import { isRelationName } from "../core/target.js";
import { diagnoseInShort } from "./diagnose.js";
import { type List, planQuery, warnOfLists } from "./lists.js";
import { type StatusCommand, states } from "./options.js";
import type { Plan } from "./plan.js";
import type { Ending, Surroundings } from "./project.js";
import { messageRenderer } from "./render.js";
import { aligned } from "./rows.js";
import { ended, inProject, type Run, refused } from "./run.js";
import { type Stated, statesOf, type Why } from "./state.js";
import { onOneLine, reasonsText } from "./words.js";
import { attemptsOf } from "./world.js";

export const runStatus = (command: StatusCommand, around: Surroundings): Promise<Ending> =>
  inProject(command, { around, renderer: messageRenderer(around.screen), writable: false }, tellAll);

async function tellAll(run: Run<StatusCommand>): Promise<Ending> {
  const { command, around, renderer } = run;
  const { stores } = run.wired;
  const { planned, lists } = await planQuery(run);
  if (!planned.ok) return refused(renderer, planned.error);
  warnOfLists(lists, renderer);
  if (!planned.value) return "failed";
  const known = { stores, signal: around.interruptible(), attempts: attemptsOf() };
  const lines: Line[] = [];
  for (const one of plansOf(planned.value, { command, lists })) {
    const stated = await statesOf(one.graph, known);
    if (!stated.ok) return ended(renderer, stated.error);
    if (known.signal.aborted) return "failed";
    const told = new Set(lines.map(({ target }) => target));
    lines.push(...linesOf(one, stated.value).filter(({ target }) => !told.has(target)));
  }
  const { only } = command;
  const all = only ? lines.filter(({ stated }) => only.some((state) => stated.is.has(state))) : lines;
  for (const line of command.json ? jsonLines(all) : textLines(all)) around.screen.out(line);
  return "good";
}

/** A graph, and what is to be told of it. */
interface Told {
  readonly graph: Graph;
  readonly names: readonly string[];
}

/** The targets that were named; with no names, all that the default goals need, and before it what the lists do that say what they are. */
function plansOf(
  { graph, wanted }: Plan,
  { command, lists }: { readonly command: StatusCommand; readonly lists: readonly List[] },
): readonly Told[] {
  if (command.words.length > 0) return [{ graph, names: wanted }];
  const graphs = [...lists.map((list) => list.graph), graph];
  return graphs.map((one) => ({ graph: one, names: byRule(one.steps).flatMap(({ outputs }) => outputs) }));
}

/** A target and the step that makes it; a source has none. */
interface Line {
  readonly target: string;
  readonly stated: Stated;
}

/** Sources are no targets. */
const linesOf = ({ graph, names }: Told, stated: ReadonlyMap<Step, Stated>): readonly Line[] =>
  names.flatMap((target) => {
    const maker = graph.makers.get(target);
    const one = maker && stated.get(maker);
    return one ? [{ target, stated: one }] : [];
  });

/** The steps of one rule together, the rules in the order in which they are needed. */
function byRule(steps: readonly Step[]): readonly Step[] {
  const groups = new Map<Rule, Step[]>();
  for (const step of steps) {
    const group = groups.get(step.rule);
    if (group) group.push(step);
    else groups.set(step.rule, [step]);
  }
  return [...groups.values()].flat();
}

const jsonLines = (lines: readonly Line[]): string[] =>
  lines.map(({ target, stated: { state, is, because, trace } }) => {
    const { rows, rejects } = isRelationName(target) ? (trace?.facts ?? {}) : {};
    const counted = { ...(rows !== undefined && { rows }), ...(rejects !== undefined && { rejects }) };
    return JSON.stringify({ target, state, is: [...is], ...counted, because });
  });

/** State, target, rows and why, in columns; then how many there are of each. */
function textLines(lines: readonly Line[]): string[] {
  const rows = lines.map(({ target, stated: { state, because, trace } }) => {
    const counted = isRelationName(target) ? trace?.facts.rows : undefined;
    return [
      state,
      target,
      counted === undefined ? "" : `${counted.toLocaleString("en-US")} ${counted === 1 ? "row " : "rows"}`,
      whyText(because, state),
    ];
  });
  return [...aligned(rows, { right: new Set([2]), widest: 64 }), countsText(lines)];
}

function whyText(because: Why, state: string): string {
  switch (because.kind) {
    case "nothing":
      return state === "open" ? "its month is still open" : "";
    case "reasons":
      return reasonsText(because.reasons);
    case "depends-on":
      return `depends on \`${onOneLine(because.step)}\``;
    case "failure":
      return because.failure ? diagnoseInShort(because.failure) : "its recipe failed";
    case "needs": {
      const problem = { failed: "which failed", absent: "which is not there" }[because.problem];
      return `needs \`${onOneLine(because.name)}\`, ${problem}`;
    }
  }
}

/** `60 targets: 41 fresh, 12 missing`. */
function countsText(lines: readonly Line[]): string {
  const counts = states.flatMap((state) => {
    const many = lines.filter(({ stated }) => stated.state === state).length;
    return many > 0 ? [`${many} ${state}`] : [];
  });
  const some = `${lines.length} ${lines.length === 1 ? "target" : "targets"}`;
  return counts.length === 0 ? some : `${some}: ${counts.join(", ")}`;
}
