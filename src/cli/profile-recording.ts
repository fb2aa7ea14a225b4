// Records where the time of one run goes: what it is told of, and what follows from the events of a build. Knows nothing of files, or of how a trace is written.
import type { BuildEvent } from "../core/event.js";
import type { EndSpan, SpanFacts, Spans } from "../core/spans.js";
import type { Row, TraceArgs, Waited, Worked } from "./profile-trace.js";

/** Work that may not be over yet. */
interface Piece {
  readonly name: string;
  readonly row: Row;
  readonly from: number;
  until: number | undefined;
  args: TraceArgs;
  readonly isJob?: true;
}

/** A step that has its places, from its first stage to its last word. */
interface Job {
  readonly row: number;
  readonly piece: Piece;
  /** What goes on until something else of the job begins or ends: a phase that its recipe tells of, or a wait. */
  passing: Piece | undefined;
  /** When something of it last began or ended. */
  last: number;
  /** Set once it has waited for another dmake, until it has its places again. */
  hasWaited: boolean;
}

/** Lives for one run. */
export class Recording implements Spans {
  readonly #now: () => number;
  readonly #pieces: Piece[] = [];
  readonly #jobs = new Map<string, Job>();
  readonly #queue = new Map<string, number>();
  readonly #waited: Waited[] = [];
  #count = 0;

  /** `now` answers milliseconds since the program began. */
  constructor(now: () => number) {
    this.#now = now;
  }

  readonly begin: Spans["begin"] = (name, facts = {}) => {
    const job = facts.target === undefined ? undefined : this.#jobs.get(facts.target);
    return job ? this.#beginIn(job, name, facts) : this.#ending(this.#piece(name, "engine", facts));
  };

  readonly beside: Spans["beside"] = (name, facts) => this.#ending(this.#piece(name, "hashing", facts));

  readonly queued: Spans["queued"] = (target) => {
    if (!this.#queue.has(target)) this.#queue.set(target, this.#now());
  };

  /** What was over before anybody could tell of it. */
  past(name: string, { from, until }: { readonly from: number; readonly until: number }): void {
    this.#pieces.push({ name, row: "engine", from, until, args: {} });
  }

  /** The step has its places now, if it had none yet. */
  started(target: string, facts: SpanFacts): void {
    if (this.#jobs.has(target)) return;
    const now = this.#now();
    const since = this.#queue.get(target);
    this.#queue.delete(target);
    if (since !== undefined) this.#waited.push({ target, from: since, until: now });
    const row = this.#count++;
    const queued = since === undefined ? {} : { "queued ms": Math.round(now - since) };
    const piece: Piece = {
      ...{ name: target, row, from: now, until: undefined, isJob: true },
      args: { target, ...facts, ...queued },
    };
    this.#pieces.push(piece);
    this.#jobs.set(target, { row, piece, passing: undefined, last: now, hasWaited: false });
  }

  /** A place to write was waited for, or not: if it was, places are waited for anew until the recipe runs. */
  staged(target: string): void {
    const job = this.#jobs.get(target);
    if (job?.hasWaited) this.#pass(job, "queue");
  }

  event(event: BuildEvent): void {
    const job = "step" in event ? this.#jobs.get(event.step) : undefined;
    if (!job) return;
    switch (event.event) {
      case "waiting":
        job.hasWaited = true;
        this.#pass(job, "wait for another dmake");
        break;
      case "running":
        job.hasWaited = false;
        this.#passed(job);
        break;
      case "progress":
        this.#progress(job, event);
        break;
      case "retrying":
        this.#pass(job, "wait for the next try");
        break;
      case "done": {
        const { rows, bytes } = event.facts;
        this.#over(job, {
          ended: event.how,
          ...(rows !== undefined && { rows }),
          ...(bytes !== undefined && { bytes }),
        });
        break;
      }
      case "failed":
        this.#over(job, { ended: `failed: ${event.failure.reason}` });
        break;
    }
  }

  /** All that was recorded. What is not over ends now; a step that was given up, with the last that it did. */
  recorded(): { readonly worked: readonly Worked[]; readonly waited: readonly Waited[] } {
    const now = this.#now();
    const isCut = new Set(
      this.#pieces.filter(({ until, isJob }) => until === undefined && !isJob).map(({ row }) => row),
    );
    const ends = new Map(
      [...this.#jobs.values()].map(({ row, last }) => [row as Row, isCut.has(row) ? now : last]),
    );
    const worked = this.#pieces.map((piece) => ({
      ...piece,
      until: piece.until ?? (piece.isJob ? ends.get(piece.row) : undefined) ?? now,
    }));
    const waiting = [...this.#queue].map(([target, from]) => ({ target, from, until: now }));
    return { worked, waited: [...this.#waited, ...waiting] };
  }

  #piece(name: string, row: Row, facts: SpanFacts = {}): Piece {
    const piece: Piece = { name, row, from: this.#now(), until: undefined, args: { ...facts } };
    this.#pieces.push(piece);
    return piece;
  }

  /** What is inside ends `first`. */
  #ending(piece: Piece, first?: () => void): EndSpan {
    return (facts) => {
      first?.();
      piece.until ??= this.#now();
      if (facts) piece.args = { ...piece.args, ...facts };
    };
  }

  #beginIn(job: Job, name: string, facts: SpanFacts): EndSpan {
    this.#passed(job);
    return this.#ending(this.#piece(name, job.row, facts), () => this.#passed(job));
  }

  /** Begins what goes on until something else of the job begins or ends. */
  #pass(job: Job, name: string): Piece {
    this.#passed(job);
    job.passing = this.#piece(name, job.row, { target: job.piece.name });
    return job.passing;
  }

  #passed(job: Job): void {
    job.last = this.#now();
    if (job.passing) job.passing.until = job.last;
    job.passing = undefined;
  }

  #progress(job: Job, { phase, done, unit }: Extract<BuildEvent, { event: "progress" }>): void {
    const piece = job.passing?.name === phase ? job.passing : this.#pass(job, phase);
    piece.args = { ...piece.args, [unit]: done };
  }

  #over(job: Job, args: TraceArgs): void {
    this.#passed(job);
    job.piece.until = job.last;
    job.piece.args = { ...job.piece.args, ...args };
    this.#jobs.delete(job.piece.name);
  }
}
