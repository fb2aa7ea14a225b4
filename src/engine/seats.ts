// The places that running steps hold: in the pools of this build, and among all that share the machine. Knows nothing of what they are held for.
import type { Places, Pools } from "../core/pools.js";
import type { Step } from "../core/rule.js";
import type { Slot, Slots } from "./ports.js";

interface Held {
  readonly places: Places;
  readonly slot: Slot | undefined;
}

/** Lives for one build. */
export class Seats {
  readonly #pools: Pools;
  readonly #slots: Slots | undefined;
  readonly #held = new Map<Step, Held>();

  constructor(pools: Pools, slots: Slots | undefined) {
    this.#pools = pools;
    this.#slots = slots;
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

  /** Of a step that may have given everything back already. */
  release(step: Step): void {
    const held = this.#held.get(step);
    if (!held) return;
    this.#held.delete(step);
    this.#pools.give(held.places);
    if (held.slot) this.#slots?.give(held.slot);
  }
}
