// The places that running steps hold: in the pools of this build, and among all that share the machine. Knows nothing of what they are held for.
import type { Places, Pools } from "../core/pools.js";
import type { Step } from "../core/rule.js";
import type { Slot, Slots } from "./ports.js";

interface Held {
  readonly places: Places;
  readonly slot: Slot | undefined;
}

/** More would only make the disk's queue longer, and what was made wait longer for its record. */
const restingAtMost = 16;

/** Lives for one build. */
export class Seats {
  readonly #pools: Pools;
  readonly #slots: Slots | undefined;
  readonly #resting = new Set<Step>();
  readonly #held = new Map<Step, Held>();
  readonly #jobs: number;
  /** Told when places are given back before their step has ended. */
  readonly #free: () => void;

  constructor(pools: Pools, slots: Slots | undefined, jobs: number, free: () => void) {
    this.#pools = pools;
    this.#slots = slots;
    this.#jobs = jobs;
    this.#free = free;
  }

  /**
   * How many threads a step with these places may use: shared among those that run and those that are about to, so that a
   * lone job gets the whole machine.
   */
  threadsFor(
    { cpu = 1 }: Places,
    { cores, queued }: { readonly cores: number; readonly queued: number },
  ): number {
    const busy = Math.min(this.#jobs, this.#pools.takenOf("cpu") + queued);
    return Math.max(1, Math.min(cores, Math.max(cpu, Math.floor(cores / busy))));
  }

  /** Answers what a step now holds, for which the pools have room; nothing where others have taken the machine. */
  take(step: Step): Places | undefined {
    const places = this.#pools.placesOf(step);
    const slot = this.#slots?.take(places.cpu ?? 1);
    if (this.#slots && !slot) return undefined;
    this.#pools.take(places);
    this.#held.set(step, { places, slot });
    return places;
  }

  /**
   * Gives back the places of a step that has not ended, but only waits for the disk. Without that, two jobs of 1 ms
   * each spend more time on the disk than at work. Answers whether there was room for that.
   */
  rest(step: Step): boolean {
    // With one job at a time, one target after the other is what people expect.
    if (this.#jobs < 2 || this.#resting.size >= restingAtMost) return false;
    this.release(step);
    this.#resting.add(step);
    this.#free();
    return true;
  }

  /** Of a step that may have given everything back already. */
  release(step: Step): void {
    this.#resting.delete(step);
    const held = this.#held.get(step);
    if (!held) return;
    this.#held.delete(step);
    this.#pools.give(held.places);
    if (held.slot) this.#slots?.give(held.slot);
  }
}
