// Places for recipes that run at once: who takes how many of what, and the order of those who wait. Knows nothing of recipes, or of what a pool stands for.
import type { Rule, Step } from "./rule.js";

/** Pool → places. All are taken at once, so that nobody holds some and waits for others. */
export type Places = Readonly<Record<string, number>>;

/** Lives for one build. */
export class Pools {
  readonly #sizes: ReadonlyMap<string, number>;
  readonly #taken = new Map<string, number>();
  readonly #byRule = new WeakMap<Rule, Places>();
  readonly #alike = new Map<string, Places>();

  /** `jobs` is the size of `cpu`. */
  constructor(jobs: number, sizes: ReadonlyMap<string, number>) {
    this.#sizes = new Map([...sizes, ["cpu", jobs]]);
  }

  /** What one run of a step takes: never more than there is. Equal places are one object. */
  placesOf({ rule }: Step): Places {
    const known = this.#byRule.get(rule);
    if (known) return known;
    const wanted = Object.entries({ cpu: 1, ...rule.pools });
    const places = wanted.map(([pool, count]) => [pool, Math.min(count, this.#sizeOf(pool))] as const).sort();
    const key = JSON.stringify(places);
    const alike = this.#alike.get(key) ?? Object.fromEntries(places);
    this.#alike.set(key, alike);
    this.#byRule.set(rule, alike);
    return alike;
  }

  /** The pools that have too few free places. */
  lacking(places: Places): readonly string[] {
    return Object.keys(places).filter(
      (pool) => this.takenOf(pool) + (places[pool] ?? 0) > this.#sizeOf(pool),
    );
  }

  takenOf(pool: string): number {
    return this.#taken.get(pool) ?? 0;
  }

  take(places: Places): void {
    for (const [pool, count] of Object.entries(places)) this.#taken.set(pool, this.takenOf(pool) + count);
  }

  give(places: Places): void {
    for (const [pool, count] of Object.entries(places)) this.#taken.set(pool, this.takenOf(pool) - count);
  }

  /** A pool that nobody has declared holds nobody up: whoever reads the Datafile refuses it. */
  #sizeOf(pool: string): number {
    return this.#sizes.get(pool) ?? Number.POSITIVE_INFINITY;
  }
}

interface Waiter {
  readonly step: Step;
  /** The lower, the earlier its turn. */
  readonly turn: number;
}

/** Steps that wait for the same places, the first from `from` on. */
interface Line {
  readonly places: Places;
  waiters: Waiter[];
  from: number;
}

/** Where a turn comes in a line, by halving. */
function placeIn({ waiters, from }: Line, turn: number): number {
  let [low, high] = [from, waiters.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (waiters[middle]!.turn <= turn) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Steps that wait for places, each in its turn. Lives for one build. */
export class Queue {
  /** Few, however many steps: all that take the same places are one line. */
  readonly #lines = new Map<Places, Line>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** The lower its `turn`, the earlier it is; of equals the one that came first. */
  add(step: Step, pools: Pools, turn: number): void {
    const places = pools.placesOf(step);
    const line = this.#lines.get(places) ?? { places, waiters: [], from: 0 };
    this.#lines.set(places, line);
    this.#size += 1;
    const index = placeIn(line, turn);
    // What follows a step that has just ended is next in its line, and there room was left: nothing has to move.
    if (index === line.from && line.from > 0) {
      line.from -= 1;
      line.waiters[line.from] = { step, turn };
    } else line.waiters.splice(index, 0, { step, turn });
  }

  /**
   * Whose turn it is: the first that fits. One that does not fit is overtaken only by those who take nothing of what it
   * lacks, so that it gets its places in the end.
   */
  next(pools: Pools): Step | undefined {
    const heads = [...this.#lines.values()].flatMap((line) => {
      const head = line.waiters[line.from];
      return head ? [{ ...head, places: line.places }] : [];
    });
    const short = new Set<string>();
    for (const { step, places } of heads.sort((a, b) => a.turn - b.turn)) {
      const lacking = pools.lacking(places);
      if (lacking.length === 0 && !Object.keys(places).some((pool) => short.has(pool))) return step;
      for (const pool of lacking) short.add(pool);
    }
    return undefined;
  }

  remove(step: Step, pools: Pools): void {
    const line = this.#lines.get(pools.placesOf(step));
    const index = line?.waiters.findIndex((waiter, i) => i >= line.from && waiter.step === step) ?? -1;
    if (!line || index < 0) throw new Error(`bug: ${step.id} does not wait for places`);
    this.#size -= 1;
    if (index !== line.from) line.waiters.splice(index, 1);
    else {
      line.from += 1;
      // Now and then, so that taking the first of 100 000 does not move all the others; with room for one in front.
      if (line.from < 1_000) return;
      line.waiters = line.waiters.slice(line.from - 1);
      line.from = 1;
    }
  }
}
