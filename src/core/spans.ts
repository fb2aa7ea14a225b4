// Where time goes: pieces of work with a beginning and an end, told to whoever wants to know. Knows nothing of clocks or of who that is.

/** What is known of a piece of work besides its name, for people. Never a value that may be secret: names and counts. */
export interface SpanFacts {
  /** The step that it is for, by its first output. While that step runs, the work is shown as a part of it. */
  readonly target?: string;
  readonly file?: string;
  readonly bytes?: number;
  readonly rows?: number;
  readonly files?: number;
  readonly steps?: number;
  readonly targets?: number;
  readonly recipe?: string;
}

/** Ends the work, once. What has become known of it meanwhile is added. */
export type EndSpan = (facts?: SpanFacts) => void;

/**
 * Is told where time goes. Whoever works is given one only where somebody has asked for it, so that a run which nobody
 * watches pays for a comparison with `undefined`, a few times a batch of steps, and for nothing else.
 */
export interface Spans {
  /** Work that begins now. */
  readonly begin: (name: string, facts?: SpanFacts) => EndSpan;
  /** Work that others do beside this thread, as reading a file in a thread of its own. */
  readonly beside: (name: string, facts?: SpanFacts) => EndSpan;
  /** A step is to run and waits for places. That is over when its store is asked for a stage. */
  readonly queued: (target: string) => void;
}
