// Writes recorded work as a Chrome trace, the JSON that Perfetto and chrome://tracing open. Knows nothing of clocks, files or who recorded it.

/** What is shown with a piece of work. */
export type TraceArgs = Readonly<Record<string, string | number>>;

/** Where work is shown: with this process's own, among the hashing threads, or as a part of the job of that number. */
export type Row = "engine" | "hashing" | number;

/** One piece of work. Times are in milliseconds since the program began; from and until may be the same. */
export interface Worked {
  readonly name: string;
  readonly row: Row;
  readonly from: number;
  readonly until: number;
  readonly args: TraceArgs;
  /** The job itself; all else of its row is a part of it. */
  readonly isJob?: true;
}

/** The time for which a step waited before it became a job. */
export interface Waited {
  readonly target: string;
  readonly from: number;
  readonly until: number;
}

export interface Recorded {
  readonly pid: number;
  readonly worked: readonly Worked[];
  readonly waited: readonly Waited[];
}

/** How each of our traces begins, by which one is known again. */
export const traceOpening = '{"displayTimeUnit":"ms","otherData":{"program":"dmake"';

/**
 * The trace as lines of JSON, to be joined by line ends: the object form of the Trace Event Format. Work is told by
 * complete events (`X`), waiting for places by asynchronous ones (`b`, `e`): thousands may wait at once, and each of
 * these has a place of its own wherever it is shown.
 */
export function* traceLines({ pid, worked, waited }: Recorded): Generator<string> {
  const lanes = new Lanes();
  const laid = laidOut(worked, lanes);
  yield `${traceOpening}},"traceEvents":[`;
  const about = (tid: number, name: string, args: TraceArgs) =>
    JSON.stringify({ name, ph: "M", ts: 0, pid, tid, args });
  yield about(lanes.engine.tid, "process_name", { name: "dmake" });
  for (const { name, tid, place } of lanes.all) {
    yield `,${about(tid, "thread_name", { name })}`;
    yield `,${about(tid, "thread_sort_index", { sort_index: place })}`;
  }
  for (const { work, lane, from, until } of laid) {
    const { name, args } = work;
    const times = { ts: from, dur: until - from };
    yield `,${JSON.stringify({ name, cat: categoryOf(work), ph: "X", ...times, pid, tid: lane.tid, args })}`;
  }
  for (const [i, { target, from, until }] of waited.entries()) {
    const one = { name: "queue", cat: "queue", id: i + 1, pid, tid: lanes.engine.tid };
    yield `,${JSON.stringify({ ...one, ph: "b", ts: micros(from), args: { target } })}`;
    yield `,${JSON.stringify({ ...one, ph: "e", ts: micros(until), args: {} })}`;
  }
  yield "]}";
}

function categoryOf({ row, isJob }: Worked): string {
  if (isJob) return "job";
  return typeof row === "number" ? "recipe" : row;
}

/** Beginnings and ends are rounded, and not durations: what was inside stays inside. */
const micros = (ms: number): number => Math.round(ms * 1000);

interface Timed {
  readonly work: Worked;
  /** In microseconds. */
  readonly from: number;
  readonly until: number;
}

type Laid = Timed & { readonly lane: Lane };

/** The earliest first; of those that begin together the longest, and a job before its parts. */
const byBeginning = (one: Timed, other: Timed): number =>
  one.from - other.from ||
  other.until - one.until ||
  Number(other.work.isJob === true) - Number(one.work.isJob === true);

/** Jobs take the first lane that is free, their parts that of their job; what fits there no more, one beside it. */
function laidOut(worked: readonly Worked[], lanes: Lanes): readonly Laid[] {
  const jobs = new Map<Row, Lane>();
  const timed = worked.map((work) => ({ work, from: micros(work.from), until: micros(work.until) }));
  return timed.sort(byBeginning).map((one) => {
    const { row, isJob } = one.work;
    const own = isJob ? undefined : jobs.get(row);
    const group = typeof row === "string" ? row : isJob ? "job" : "beside";
    const lane = own?.takes(one) ? own : lanes.take(group, one);
    if (isJob) jobs.set(row, lane);
    lane.open(one);
    return { ...one, lane };
  });
}

type Group = "engine" | "job" | "beside" | "hashing";
/** From the top of the picture to its end. */
const groups: readonly Group[] = ["engine", "job", "beside", "hashing"];

/** In one lane any two pieces of work are one inside the other, or one after the other. */
class Lane {
  readonly tid: number;
  readonly name: string;
  /** Where it stands among the others. */
  readonly place: number;
  /** The ends of what was open where the last piece began, the innermost last. */
  readonly #ends: number[] = [];

  constructor(tid: number, group: Group, count: number) {
    this.tid = tid;
    this.name = group === "engine" && count === 0 ? group : `${group} ${count + 1}`;
    this.place = groups.indexOf(group) * 10_000 + count;
  }

  /** Whether there is room for it: of what begins there, in the order of beginnings. */
  takes({ from, until }: Timed): boolean {
    const end = this.#endAt(from);
    return end === undefined || until <= end;
  }

  isFreeAt(from: number): boolean {
    return this.#endAt(from) === undefined;
  }

  open({ until }: Timed): void {
    this.#ends.push(until);
  }

  #endAt(from: number): number | undefined {
    while ((this.#ends.at(-1) ?? Number.POSITIVE_INFINITY) <= from) this.#ends.pop();
    return this.#ends.at(-1);
  }
}

/** All lanes of one trace. */
class Lanes {
  readonly all: Lane[] = [];
  readonly #groups: Record<Group, Lane[]> = { engine: [], job: [], beside: [], hashing: [] };
  readonly engine = this.#added("engine");

  take(group: Group, one: Timed): Lane {
    const nests = group === "engine" || group === "beside";
    const lane = this.#groups[group].find((lane) => (nests ? lane.takes(one) : lane.isFreeAt(one.from)));
    return lane ?? this.#added(group);
  }

  #added(group: Group): Lane {
    const lane = new Lane(this.all.length + 1, group, this.#groups[group].length);
    this.all.push(lane);
    this.#groups[group].push(lane);
    return lane;
  }
}
