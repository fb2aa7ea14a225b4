// Checks a Chrome trace as its viewers read one, and answers what is in it. Knows nothing of what a test expects.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";

/** An event of the Trace Event Format. */
export interface TraceEvent {
  readonly name: string;
  readonly ph: string;
  readonly pid: number;
  readonly tid: number;
  /** Microseconds. */
  readonly ts: number;
  readonly dur?: number;
  readonly cat?: string;
  readonly id?: number;
  readonly args: Readonly<Record<string, unknown>>;
}

/** One piece of work, with what it is a part of in its lane, the outermost first. */
export interface Slice {
  readonly name: string;
  readonly lane: string;
  readonly within: readonly string[];
  readonly from: number;
  readonly until: number;
  readonly args: Readonly<Record<string, unknown>>;
}

export interface Trace {
  readonly events: readonly TraceEvent[];
  readonly slices: readonly Slice[];
  /** Names of lanes, from the top of the picture. */
  readonly lanes: readonly string[];
  /** Target → microseconds for which it waited for places. */
  readonly queued: ReadonlyMap<string, number>;
}

export const readTrace = (path: string): Trace => checkTrace(readFileSync(path, "utf8"));

/** Fails unless the text is a trace that a viewer takes without a complaint. */
export function checkTrace(text: string): Trace {
  const { traceEvents: events } = JSON.parse(text) as { readonly traceEvents: readonly TraceEvent[] };
  for (const event of events) checkEvent(event);
  const { names, places } = checkMetadata(events);
  const lanes = [...names.keys()].sort((a, b) => (places.get(a) ?? 0) - (places.get(b) ?? 0));
  const slices = lanes.flatMap((tid) => slicesOf(tid, names.get(tid) ?? "", events));
  return { events, slices, lanes: lanes.map((tid) => names.get(tid) ?? ""), queued: pairsOf(events) };
}

function checkEvent(event: TraceEvent): void {
  const said = JSON.stringify(event);
  assert.equal(typeof event.name, "string", said);
  assert.notEqual(event.name, "", said);
  assert.ok(["M", "X", "b", "e"].includes(event.ph), said);
  for (const number of [event.pid, event.tid, event.ts])
    assert.ok(Number.isSafeInteger(number) && number >= 0, said);
  assert.equal(typeof event.args, "object", said);
  if (event.ph === "X") assert.ok(Number.isSafeInteger(event.dur) && Number(event.dur) >= 0, said);
  else assert.equal(event.dur, undefined, said);
  if (event.ph === "b" || event.ph === "e") assert.ok(Number.isInteger(event.id) && event.cat, said);
}

/** One process, each of its lanes named once, and nothing in a lane without a name. */
function checkMetadata(events: readonly TraceEvent[]) {
  const about = (name: string) => events.filter((event) => event.ph === "M" && event.name === name);
  assert.equal(new Set(events.map(({ pid }) => pid)).size, 1);
  assert.deepEqual(
    about("process_name").map(({ args }) => args),
    [{ name: "dmake" }],
  );
  const names = new Map(about("thread_name").map(({ tid, args }) => [tid, String(args.name)]));
  const places = new Map(about("thread_sort_index").map(({ tid, args }) => [tid, Number(args.sort_index)]));
  assert.equal(about("thread_name").length, names.size);
  assert.equal(new Set(names.values()).size, names.size, "no two lanes are called the same");
  assert.equal(new Set(places.values()).size, names.size);
  for (const { tid } of events) assert.ok(names.has(tid), `lane ${tid} has no name`);
  return { names, places };
}

/** In one lane any two pieces are disjoint, or one is inside the other. */
function slicesOf(tid: number, lane: string, events: readonly TraceEvent[]): Slice[] {
  const mine = events.filter((event) => event.ph === "X" && event.tid === tid);
  const open: { readonly name: string; readonly until: number }[] = [];
  return [...mine]
    .sort((a, b) => a.ts - b.ts || Number(b.dur) - Number(a.dur))
    .map(({ name, ts: from, dur, args }) => {
      const until = from + Number(dur);
      while ((open.at(-1)?.until ?? Number.POSITIVE_INFINITY) <= from) open.pop();
      const around = open.at(-1);
      assert.ok(!around || until <= around.until, `in ${lane}, ${name} goes on after ${around?.name} ends`);
      const within = open.map((one) => one.name);
      open.push({ name, until });
      return { name, lane, within, from, until, args };
    });
}

/** Each beginning has its end, not before it. */
function pairsOf(events: readonly TraceEvent[]): ReadonlyMap<string, number> {
  const begun = events.filter(({ ph }) => ph === "b");
  const ended = new Map(events.filter(({ ph }) => ph === "e").map((event) => [event.id, event]));
  assert.equal(new Set(begun.map(({ id }) => id)).size, ended.size);
  assert.equal(begun.length, ended.size);
  return new Map(
    begun.map(({ id, name, ts, args }) => {
      const end = ended.get(id);
      assert.ok(end && end.ts >= ts && end.name === name, `${name} ${id} has no end`);
      return [String(args.target), end.ts - ts];
    }),
  );
}

/** How often each name stands in what was recorded, but for jobs, which are called as their targets. */
export const namesIn = ({ slices, events }: Trace): ReadonlySet<string> => {
  const jobs = new Set(events.filter(({ cat }) => cat === "job").map(({ name }) => name));
  return new Set(slices.map(({ name }) => name).filter((name) => !jobs.has(name)));
};
