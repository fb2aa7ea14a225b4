// Shows the events of a command, as lines of JSON or as messages alone. Knows nothing of building.
import type { BuildEvent } from "../core/event.js";
import type { Failure, Holder, Place } from "../core/failure.js";
import { diagnose } from "./diagnose.js";
import { warningText } from "./warn.js";
import { holderText, onOneLine } from "./words.js";

/** Where lines go. `transient` replaces the last transient line, and is nothing where there is no terminal. */
export interface Screen {
  readonly out: (line: string) => void;
  readonly err: (line: string) => void;
  readonly transient: ((line: string) => void) | undefined;
  /** Whether what goes to `out` may be coloured. */
  readonly coloured: boolean;
}

export interface Renderer {
  /** The steps that will be told of next, for columns that line up. */
  readonly expect: (steps: readonly { readonly id: string }[]) => void;
  readonly event: (event: BuildEvent) => void;
  readonly failure: (failure: Failure, at?: Place) => void;
  /** What is being waited for while nothing runs. */
  readonly notice: (text: string) => void;
  readonly close: () => void;
}

/** Every event as one line of JSON on stdout; an error that ends the run as `{"event":"error"}`. */
export function jsonRenderer(screen: Screen): Renderer {
  const write = (value: unknown) => screen.out(JSON.stringify(value));
  return {
    expect: () => undefined,
    event: write,
    failure: (failure, at) => write({ event: "error", failure, ...(at && { at }) }),
    notice: () => undefined,
    close: () => undefined,
  };
}

/** Errors, warnings and whom it waits for: for verbs whose answer is no build. */
export function messageRenderer(screen: Screen): Renderer {
  const event = (one: BuildEvent) => {
    if (one.event === "warning") screen.err(warningText(one));
    if (one.event === "waiting") screen.err(waitingText(one, Date.now()));
  };
  return { ...quietRenderer(screen), event };
}

/** A line that says who makes a step right now. */
export const waitingText = (
  { step, holder }: { readonly step: string; readonly holder: Holder },
  nowMs: number,
): string => `waiting for ${holderText(holder, nowMs)}: ${onOneLine(step)}`;

/** Nothing but errors: `-q` answers with its exit code. */
export function quietRenderer(screen: Screen): Renderer {
  return {
    expect: () => undefined,
    event: () => undefined,
    failure: (failure, at) => screen.err(diagnose(failure, at)),
    notice: () => undefined,
    close: () => undefined,
  };
}
