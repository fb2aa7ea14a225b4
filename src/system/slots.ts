// Places for recipes that run at once: tokens of a jobserver that is shared with others, and a limit on the machine's load. Knows nothing of recipes.
import { strict as assert } from "node:assert";
import { closeSync, constants, openSync, readFileSync } from "node:fs";
import { loadavg } from "node:os";
import type { Child, Slot, Slots } from "../engine/ports.js";
import {
  authIn,
  type Env,
  Fifo,
  fifoVariable,
  makeFifo,
  namesFifo,
  type OwnFifo,
  plus,
  writeMakeflags,
} from "./jobserver.js";
import { codeOf } from "./process.js";

/** A jobserver that cannot be shared: `auth` is what the environment says of it. */
export interface JobserverIgnored {
  readonly warning: "jobserver-ignored";
  readonly auth: string;
}

export interface SlotsOptions {
  /** All places together, at least 1. */
  readonly jobs: number;
  /** With a recipe running, no other is started while so many processes or more are busy on the machine. */
  readonly load?: number;
  readonly env: Env;
  /**
   * `client`: shares the jobserver that the environment names, and is a server where there is none. `server`: whatever the
   * environment names, shares our own with our recipes; for a `-j` that somebody has given. `none`: neither.
   */
  readonly jobserver: "client" | "server" | "none";
  readonly warn: (warning: JobserverIgnored) => void;
  /** How many processes are busy now. */
  readonly loadNow?: () => number;
}

/** Lives for one process; whoever ends it calls `close`, or `giveBack` where there is no time for more. */
export interface OpenSlots extends Slots {
  /** Every token, at once, and no FIFO of ours is left: for a process that is about to exit. What was taken counts as given then. */
  giveBack(): void;
  close(): void;
}

/** Nobody tells us of a token that comes back from another process. Ninja and make ask the kernel to wake them, which Node cannot. */
const tokenPollMs = 40;
/** As often as GNU make looks again. */
const loadPollMs = 1_000;
/** The place that each process of a jobserver has without a token. */
const implicit = -1;

export function createSlots(options: SlotsOptions): OpenSlots {
  return new SharedSlots(options, joined(options));
}

/** The FIFO of the jobserver above us. */
function joined({ jobserver, env, warn }: SlotsOptions): Fifo | undefined {
  const auth = jobserver === "client" ? authIn(env) : undefined;
  if (auth === undefined) return undefined;
  // Descriptors may have been closed on the way, and be something else of ours by now; Ninja refuses them for the same reason.
  const fifo = auth.startsWith("fifo:") ? Fifo.open(auth.slice("fifo:".length)) : undefined;
  if (!fifo) warn({ warning: "jobserver-ignored", auth });
  return fifo;
}

class SharedSlots implements OpenSlots {
  readonly #options: SlotsOptions;
  readonly #loadNow: () => number;
  /** Where tokens come from and go to. Until it is needed by a recipe, our own exists only as the count `#spare`. */
  #fifo: Fifo | undefined;
  #own: OwnFifo | undefined;
  #spare: number;
  #child: Child | undefined;
  readonly #taken = new Map<Slot, readonly number[]>();
  #ring = () => {};
  #poll: NodeJS.Timeout | undefined;
  #waits = false;
  #over = false;

  constructor(options: SlotsOptions, fifo: Fifo | undefined) {
    this.#options = options;
    this.#loadNow = options.loadNow ?? busyProcesses;
    this.#fifo = fifo;
    this.#spare = options.jobs - 1;
  }

  take(count: number): Slot | undefined {
    const first = this.#taken.size === 0;
    if (!first && this.#isTooBusy()) return this.#refuse("load");
    const tokens = this.#tokens(Math.min(count, this.#options.jobs));
    if (!tokens) return this.#refuse("tokens");
    this.#waits = false;
    const slot = { count: tokens.length };
    this.#taken.set(slot, tokens);
    return slot;
  }

  give(slot: Slot): void {
    const tokens = this.#taken.get(slot);
    if (this.#over) return;
    assert(tokens, "bug: a slot was given back that was not taken");
    this.#taken.delete(slot);
    for (const token of tokens) this.#put(token);
    if (this.#taken.size === 0) this.#refill();
    if (this.#waits) this.#awake();
  }

  onFree(ring: () => void): void {
    this.#ring = ring;
  }

  child(): Child {
    this.#child ??= this.#sharedIfPossible() ?? this.#alone();
    return this.#child;
  }

  /** Not where descriptors or the disk are at their end: recipes then do without. */
  #sharedIfPossible(): Child | undefined {
    try {
      return this.#shared();
    } catch (error) {
      if (codeOf(error) === undefined) throw error;
      return undefined;
    }
  }

  giveBack(): void {
    this.#over = true;
    clearTimeout(this.#poll);
    for (const tokens of this.#taken.values()) for (const token of tokens) this.#put(token);
    this.#taken.clear();
    this.#own?.remove();
  }

  close(): void {
    this.giveBack();
    for (const descriptor of new Set(this.#child?.descriptors)) closeSync(descriptor);
    this.#child = { env: {}, descriptors: [] };
    this.#fifo?.close();
    this.#fifo = undefined;
    this.#own = undefined;
  }

  /** All, or nothing: whoever holds some and waits for more stands in the way of another who does the same. The first is content with what there is. */
  #tokens(count: number): readonly number[] | undefined {
    const first = this.#taken.size === 0;
    const tokens = this.#implicitIsFree() ? [implicit] : [];
    while (tokens.length < count) {
      const token = this.#get();
      if (token === undefined) break;
      tokens.push(token);
    }
    if (tokens.length === count || first) return tokens;
    for (const token of tokens) this.#put(token);
    return undefined;
  }

  #implicitIsFree(): boolean {
    for (const tokens of this.#taken.values()) if (tokens.includes(implicit)) return false;
    return true;
  }

  #get(): number | undefined {
    if (this.#fifo) return this.#fifo.take();
    if (this.#spare === 0) return undefined;
    this.#spare--;
    return plus;
  }

  #put(token: number): void {
    if (token === implicit) return;
    if (this.#fifo) this.#fifo.give(token);
    else this.#spare++;
  }

  /** While no recipe runs nobody has a token of ours: those that a killed make has taken along are made up for. */
  #refill(): void {
    this.#own?.fifo.refill(this.#options.jobs - 1);
  }

  #isTooBusy(): boolean {
    const { load } = this.#options;
    return load !== undefined && this.#loadNow() >= load;
  }

  #refuse(why: "load" | "tokens"): undefined {
    this.#waits = true;
    // Where all places are ours, whoever gives one back says so.
    if (why === "load" || this.#fifo) this.#lookAgain(why);
    return undefined;
  }

  #lookAgain(why: "load" | "tokens"): void {
    clearTimeout(this.#poll);
    const look = () => {
      if (why === "load" ? this.#isTooBusy() : !this.#seesToken()) return this.#lookAgain(why);
      this.#awake();
    };
    this.#poll = setTimeout(look, why === "load" ? loadPollMs : tokenPollMs).unref();
  }

  /** Another may be faster before it is taken: then it is waited for again. */
  #seesToken(): boolean {
    const token = this.#fifo?.take();
    if (token === undefined) return false;
    this.#fifo?.give(token);
    return true;
  }

  #awake(): void {
    clearTimeout(this.#poll);
    this.#waits = false;
    this.#ring();
  }

  /** What a recipe is told of the FIFO that we share with it, which is made now if it is our own. */
  #shared(): Child | undefined {
    const { jobs, env, jobserver } = this.#options;
    if (!this.#fifo && jobserver !== "none" && jobs > 1) this.#open();
    if (!this.#fifo) return undefined;
    const { path } = this.#fifo;
    const told = (auth: string) => writeMakeflags(env.MAKEFLAGS, { jobs, auth });
    const byName = this.#own ? this.#own.named : namesFifo(env);
    return {
      env: { MAKEFLAGS: told(byName ? `fifo:${path}` : "4,5"), [fifoVariable]: `fifo:${path}` },
      // One for reading, one for writing: a make sets the first to what it likes for all that have it.
      descriptors: byName ? [] : [openSync(path, constants.O_RDWR), openSync(path, constants.O_RDWR)],
    };
  }

  #open(): void {
    this.#own = makeFifo(this.#options.env);
    this.#fifo = this.#own?.fifo;
    this.#fifo?.refill(this.#spare);
  }

  /** A recipe must not use a jobserver that we do not use ourselves: it would not find it, or take its places twice. */
  #alone(): Child {
    const { env } = this.#options;
    if (authIn(env) === undefined) return { env: {}, descriptors: [] };
    return { env: { MAKEFLAGS: writeMakeflags(env.MAKEFLAGS), [fifoVariable]: "" }, descriptors: [] };
  }
}

/**
 * The processes that are running or ready to run, ourselves not counted; GNU make asks the same since 4.4. The load average
 * lags a minute behind: a build would start everything before it rises, and nothing for a minute after it is over.
 */
function busyProcesses(): number {
  try {
    const running = /(\d+)\/\d+/.exec(readFileSync("/proc/loadavg", "latin1"))?.[1];
    if (running !== undefined) return Number(running) - 1;
  } catch (error) {
    if (codeOf(error) === undefined) throw error;
  }
  return loadavg()[0] ?? 0;
}
