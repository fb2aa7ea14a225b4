// Reads the targets that list values for a query, which builds nothing: what they say now, and whether that may change. Knows nothing of showing.
import type { Warning } from "../core/event.js";
import { ok, type Result } from "../core/failure.js";
import type { Graph } from "../core/graph.js";
import type { Stores } from "../engine/facts.js";
import { type Previewed, preview } from "../engine/preview.js";
import { checkSources } from "../engine/sources.js";
import { type Listed, type NeedsManifest, type Plan, plan, type ReadList, readManifest } from "./plan.js";
import type { Renderer } from "./render.js";
import type { Run } from "./run.js";
import { filesBeside } from "./world.js";

/** A target that lists values, as a query found it. */
export interface List {
  readonly asked: NeedsManifest;
  readonly graph: Graph;
  /** Everything that it needs, and itself. */
  readonly previewed: readonly Previewed[];
  readonly standing: "fresh" | "would-run" | "may-run" | "missing";
}

export interface Query {
  readonly stores: Stores;
  readonly forced: boolean;
  readonly signal: () => AbortSignal;
}

/** Reads lists as they are on disk and notes in `lists`, in the order in which they were asked for, how they stand. */
export function listReader(query: Query): { readonly readList: ReadList; readonly lists: readonly List[] } {
  const lists: List[] = [];
  const readList: ReadList = async (asked, plan) => {
    const previewed = await previewAll(plan, query);
    if (!previewed.ok) return previewed;
    const text = readManifest(asked.manifest);
    if (!text.ok) return text;
    const maker = plan.graph.makers.get(asked.manifest);
    const own = previewed.value.find(({ step }) => step === maker)?.standing.kind ?? "fresh";
    const standing = text.value === undefined ? "missing" : own;
    lists.push({ asked, graph: plan.graph, previewed: previewed.value, standing });
    return ok<Listed>(text.value === undefined ? { kind: "unknown" } : { kind: "read", text: text.value });
  };
  return { readList, lists };
}

/** What a verb that builds nothing looks at the world with. */
export const queryOf = ({ wired, around }: Run): Query => ({
  stores: wired.stores,
  forced: false,
  signal: around.interruptible,
});

export interface PlannedQuery {
  readonly planned: Result<Plan | undefined>;
  readonly lists: readonly List[];
}

/** The plan for a verb that builds nothing, with its lists as they are now. With `unknown: "over"` there is none where one is not known yet. */
export async function planQuery(
  run: Run,
  { unknown = "unknown" }: { readonly unknown?: "unknown" | "over" } = {},
): Promise<PlannedQuery> {
  const { readList, lists } = listReader(queryOf(run));
  const planned = await plan({
    ...run.planning,
    warn: () => undefined,
    readList: async (...list) => {
      const listed = await readList(...list);
      run.around.mortal();
      return listed.ok && listed.value.kind === "unknown" ? ok({ kind: unknown }) : listed;
    },
  });
  return { planned, lists };
}

/** Tells of the lists that are not up to date. */
export function warnOfLists(lists: readonly List[], renderer: Renderer): void {
  for (const list of lists) {
    const warning = listWarning(list);
    if (warning) renderer.event({ event: "warning", ...warning });
  }
}

/** How every step of a plan stands, in order. */
export async function previewAll(
  { graph, datafile }: Plan,
  { stores, forced, signal }: Query,
): Promise<Result<readonly Previewed[]>> {
  const there = await checkSources(graph, datafile.rules, { stores, nearby: filesBeside });
  if (!there.ok) return there;
  const previewed: Previewed[] = [];
  const tell = (one: Previewed) => previewed.push(one);
  const summary = await preview(graph, { forced, question: false }, { stores, signal: signal(), tell });
  return summary.ok ? ok(previewed) : summary;
}

/** What a person should know of a list that is not up to date. */
export const listWarning = ({ asked, standing }: List): Warning | undefined =>
  standing === "fresh"
    ? undefined
    : { warning: "list-open", wildcard: asked.wildcard, manifest: asked.manifest, standing };
