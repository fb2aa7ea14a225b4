// The verb `verify`: compares what is there with what was recorded when it was made. Knows nothing of how tables are compared, and writes nothing.
import { ok, type Result } from "../core/failure.js";
import { isRelationName } from "../core/target.js";
import { shellWord } from "../core/word.js";
import type { Verified } from "../engine/ports.js";
import { planQuery } from "./lists.js";
import type { VerifyCommand } from "./options.js";
import type { Plan } from "./plan.js";
import type { Ending, Surroundings } from "./project.js";
import { messageRenderer } from "./render.js";
import { ended, inProject, type Run, refused } from "./run.js";
import { durationText, onOneLine, rowsText } from "./words.js";

export const runVerify = (command: VerifyCommand, around: Surroundings): Promise<Ending> =>
  inProject(command, { around, renderer: messageRenderer(around.screen), writable: false }, verifyAll);

async function verifyAll(run: Run<VerifyCommand>): Promise<Ending> {
  const { command, around, renderer } = run;
  const { planned } = await planQuery(run);
  if (!planned.ok) return refused(renderer, planned.error);
  if (!planned.value) return "failed";
  const started = performance.now();
  const found = await compareAll(run, planned.value);
  around.screen.transient?.("");
  if (!found.ok) return ended(renderer, found.error);
  const wrong = found.value.filter(({ state }) => isWrong(state, command));
  if (!command.json) {
    around.screen.out(`${countsText(found.value)} (${durationText(performance.now() - started)})`);
    if (wrong.length > 0) around.screen.err(helpText(wrong));
  }
  return wrong.length > 0 ? "failed" : "good";
}

/** What was named and has no record cannot be vouched for. */
const isWrong = (state: Verified["state"], { words }: VerifyCommand): boolean =>
  state === "changed" || state === "missing" || (state === "unrecorded" && words.length > 0);

/** Each is told of when it is known. Without names, what nobody has made yet is left out. */
async function compareAll(
  { command, around, wired }: Run<VerifyCommand>,
  { graph, wanted }: Plan,
): Promise<Result<readonly Verified[]>> {
  const { screen } = around;
  const isNamed = command.words.length > 0;
  const made = isNamed
    ? wanted.filter((name) => graph.makers.has(name))
    : graph.steps.flatMap(({ outputs }) => outputs);
  const found: Verified[] = [];
  let seen = 0;
  const tell = (one: Verified) => {
    seen += 1;
    if (one.state !== "unrecorded" || isNamed) {
      found.push(one);
      if (command.json) screen.out(JSON.stringify(one));
      else if (one.state === "unknown") screen.err(unknownText(one));
      else if (one.state !== "same") screen.out(lineOf(one));
    }
    screen.transient?.(`${seen}/${made.length} compared`);
  };
  const signal = around.interruptible();
  const files = await compareFiles(made, { graph, wired, tell });
  if (!files.ok) return files;
  const tables = made.filter(isRelationName);
  if (tables.length === 0) return ok(found);
  const told = new Set<string>();
  const compared = await wired.stores.tables.verify?.(
    tables,
    (one) => {
      told.add(one.name);
      tell(one);
    },
    signal,
  );
  if (compared && !compared.ok) return compared;
  // A project whose database was never made.
  for (const name of tables) if (!told.has(name)) tell({ name, state: "unrecorded" });
  return ok(found);
}

/** A file that nobody has written since is not read again: what it is judged by is what a build judges it by. */
async function compareFiles(
  made: readonly string[],
  {
    graph,
    wired: { stores },
    tell,
  }: {
    readonly graph: Plan["graph"];
    readonly wired: Run["wired"];
    readonly tell: (one: Verified) => void;
  },
): Promise<Result<void>> {
  const names = made.filter((name) => !isRelationName(name));
  const steps = [...new Set(names.flatMap((name) => graph.makers.get(name) ?? []))];
  const [facts, traces] = [await stores.files.observe(names), await stores.files.traces(steps)];
  if (!facts.ok) return facts;
  if (!traces.ok) return traces;
  const recorded = new Map(
    traces.value.flatMap((trace) => trace?.outputs ?? []).map((one) => [one.name, one]),
  );
  for (const [i, name] of names.entries()) {
    const [fact, record] = [facts.value[i], recorded.get(name)];
    if (!record) tell({ name, state: "unrecorded" });
    else if (fact?.kind !== "present") tell({ name, state: "missing" });
    else tell({ name, state: fact.digest === record.digest ? "same" : "changed" });
  }
  return ok(undefined);
}

const lineOf = (one: Verified): string => {
  const { name, state, recordedRows, foundRows } = one;
  const isTable = isRelationName(name);
  const found = foundRows === undefined ? "" : `${foundRows.toLocaleString("en-US")} found`;
  const recorded = recordedRows === undefined ? "" : `${rowsText(recordedRows)} recorded`;
  const said = {
    changed: !isTable
      ? "written by somebody else since it was made"
      : recordedRows === foundRows
        ? [recorded, "as many found, and not the same"].filter(Boolean).join(", ")
        : [recorded, found].filter(Boolean).join(", "),
    missing: recorded === "" ? "it is not there" : `${recorded}, and it is not there`,
    unrecorded: "nothing is recorded of it",
    same: "",
    unknown: "",
  }[state];
  const problem = one.problem === undefined ? "" : `: ${one.problem}`;
  return `${state}: ${onOneLine(name)}  ${said}${problem}`;
};

const unknownText = ({ name, problem }: Verified): string =>
  `warning: \`${onOneLine(name)}\` cannot be compared${problem === undefined ? "" : `: ${problem}`}`;

/** `60 compared: 57 same, 2 changed, 1 missing`. */
function countsText(found: readonly Verified[]): string {
  const kinds = ["same", "changed", "missing", "unrecorded", "unknown"] as const;
  const counts = kinds.flatMap((kind) => {
    const many = found.filter(({ state }) => state === kind).length;
    return many > 0 ? [`${many} ${kind}`] : [];
  });
  return `${found.length} compared${counts.length === 0 ? ": nothing is recorded" : `: ${counts.join(", ")}`}`;
}

/** More names than this do not help. */
const mostNames = 20;

/** What differs is fresh to a build, which compares no rows: it has to be forced. */
function helpText(wrong: readonly Verified[]): string {
  const force = wrong.some(({ state, name }) => state === "changed" && isRelationName(name));
  const names = wrong.slice(0, mostNames).map(({ name }) => shellWord(name));
  const more = wrong.length - names.length;
  const rest = more > 0 ? `, and ${more} more` : "";
  return `help: to make ${wrong.length === 1 ? "it" : "them"} anew: \`dmake ${force ? "-B " : ""}${names.join(" ")}\`${rest}`;
}
