// What a build is told: how it is to go about it, and what it works with. Knows nothing of building.
import type { Emit } from "../core/event.js";
import type { Step } from "../core/rule.js";
import type { Spans } from "../core/spans.js";
import type { Stores } from "./facts.js";
import type { History, Lineage, Runners, Slots } from "./ports.js";

export interface BuildOptions {
  /** Recipes at once: the places of the pool `cpu`. */
  readonly jobs: number;
  /** The places of all other pools. */
  readonly pools?: ReadonlyMap<string, number>;
  /** After a failure, go on with what does not depend on it. */
  readonly keepGoing: boolean;
  /** Run every step, fresh or not. */
  readonly forced: boolean;
  /** Processor threads to share among the jobs. */
  readonly cores: number;
  /** What somebody else makes right now fails with `locked`, instead of being waited for. */
  readonly noWait?: boolean;
  /** Which of our streams a recipe with the terminal prints to. */
  readonly terminal?: "stdout" | "stderr";
}

export interface World {
  readonly stores: Stores;
  readonly runners: Runners;
  readonly emit: Emit;
  readonly signal: AbortSignal;
  /** Left out, a recipe may run whenever the pools have places. */
  readonly slots?: Slots;
  readonly history?: History;
  /** By which the processes of this run are found. */
  readonly run?: string;
  readonly lineage?: Lineage;
  /** Told where time goes, if somebody wants to know. */
  readonly spans?: Spans;
  /** Steps that are known to be fresh: told of, and not judged. */
  readonly untouched?: ReadonlySet<Step>;
}
