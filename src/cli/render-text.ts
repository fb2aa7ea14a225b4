// Shows the events of a build as lines of text, and on a terminal what goes on right now. Knows nothing of building.
import type { BuildEvent } from "../core/event.js";
import type { Failure, Holder, Place } from "../core/failure.js";
import { diagnose, diagnoseInShort } from "./diagnose.js";
import { HeldScreen } from "./held-screen.js";
import { type Renderer, type Screen, waitingText } from "./render.js";
import { Mishaps, summaryText } from "./summary.js";
import { warningText } from "./warn.js";
import { clockText, durationText, factsText, holderText, onOneLine, reasonsText } from "./words.js";

/** What a step that is not settled does at the moment. Times are those of `performance.now()`. */
type Going =
  | { readonly kind: "waiting"; readonly since: number; readonly holder: Holder }
  | { readonly kind: "running"; readonly since: number; readonly tries: string; readonly holds: boolean }
  | { readonly kind: "retrying"; readonly until: number; readonly tries: string };

const refreshMs = 100;

/** One line a finished step, failures at once and whole, at the end what went wrong and how much. On a terminal a line for what runs. */
export class TextRenderer implements Renderer {
  readonly #screen: HeldScreen;
  readonly #timer: NodeJS.Timeout | undefined;
  readonly #going = new Map<string, Going>();
  /** Step → what its recipe has printed, and how far it says it is. */
  readonly #outputs = new Map<string, string>();
  readonly #progress = new Map<string, string>();
  /** Step → of how many tries the next one is which. */
  readonly #tries = new Map<string, string>();
  readonly #mishaps = new Mishaps();
  #width = 0;
  #notice = "";
  #total = 0;
  #settled = 0;

  constructor(screen: Screen) {
    this.#screen = new HeldScreen(screen);
    if (screen.transient) this.#timer = setInterval(() => this.#refresh(), refreshMs).unref();
  }

  readonly expect: Renderer["expect"] = (steps) => {
    for (const { id } of steps) this.#width = Math.max(this.#width, Math.min(64, id.length));
  };

  readonly event = (event: BuildEvent): void => {
    switch (event.event) {
      case "resuming":
        this.#screen.out(resumingText(event));
        break;
      case "started":
        this.#total = event.steps;
        this.#settled = 0;
        break;
      case "grown":
        this.#total = event.steps;
        break;
      case "warning":
        this.#screen.err(warningText(event));
        break;
      case "waiting":
        this.#end(event.step);
        this.#going.set(event.step, { kind: "waiting", since: performance.now(), holder: event.holder });
        this.#screen.err(waitingText(event, Date.now()));
        break;
      case "running":
        this.#run(event);
        break;
      case "retrying":
        this.#retry(event);
        break;
      case "progress":
        this.#progress.set(event.step, progressText(event));
        break;
      case "output":
        this.#outputs.set(event.step, (this.#outputs.get(event.step) ?? "") + event.text);
        break;
      case "fresh":
        this.#settled += 1;
        this.#going.delete(event.step);
        break;
      case "blocked":
        this.#settled += 1;
        this.#mishaps.blocked(event);
        break;
      case "not-started":
        this.#mishaps.notStarted(event);
        break;
      case "done":
        this.#settled += 1;
        this.#end(event.step);
        this.#screen.out(this.#doneLine(event));
        break;
      case "failed":
        this.#fail(event);
        break;
      case "would-run":
        this.#foreseen("would run", event.step, reasonsText(event.reasons));
        break;
      case "may-run":
        this.#foreseen("may run", event.step, `depends on \`${onOneLine(event.dependsOn)}\``);
        break;
      case "finished":
        this.close();
        for (const line of this.#mishaps.lines(event, this.#screen.lines)) this.#screen.err(line);
        this.#screen.out(summaryText(event));
    }
  };

  readonly failure = (failure: Failure, at?: Place): void => {
    this.close();
    this.#screen.err(diagnose(failure, at));
  };

  readonly notice = (text: string): void => {
    this.#notice = text;
    this.#refresh();
  };

  readonly close = (): void => {
    clearInterval(this.#timer);
    for (const step of [...this.#going.keys()]) this.#end(step);
    this.#screen.transient?.("");
  };

  #run({ step, tries = 1, terminal }: Extract<BuildEvent, { event: "running" }>): void {
    this.#end(step);
    const holds = terminal === true;
    const text = tries > 1 ? (this.#tries.get(step) ?? String(tries)) : "";
    this.#going.set(step, { kind: "running", since: performance.now(), tries: text, holds });
    if (holds) this.#screen.hold();
  }

  #retry({ step, failure, tries, of, inMs }: Extract<BuildEvent, { event: "retrying" }>): void {
    const output = outputText(this.#outputs.get(step));
    this.#end(step);
    const text = `${tries}/${of}`;
    this.#tries.set(step, text);
    this.#going.set(step, { kind: "retrying", until: performance.now() + inMs, tries: text });
    const when = inMs > 0 ? ` in ${durationText(inMs)}` : "";
    this.#screen.err(
      `retrying: ${onOneLine(step)}, try ${text}${when}: ${diagnoseInShort(failure)}\n${output}`.trimEnd(),
    );
  }

  #fail(event: Extract<BuildEvent, { event: "failed" }>): void {
    const { step, failure, at } = event;
    this.#settled += 1;
    const output = outputText(this.#outputs.get(step));
    this.#end(step);
    if (failure.reason === "interrupted") return;
    this.#screen.err(`failed: ${onOneLine(step)}\n${output}${diagnose(failure, at)}`);
    this.#mishaps.failed(event, this.#screen.lines);
  }

  /** Forgets what a step did until now. */
  #end(step: string): void {
    const going = this.#going.get(step);
    this.#going.delete(step);
    this.#outputs.delete(step);
    this.#progress.delete(step);
    if (going?.kind === "running" && going.holds) this.#screen.letGo();
  }

  #refresh(): void {
    this.#screen.transient?.(this.#going.size > 0 ? this.#goingText() : this.#notice);
  }

  #goingText(): string {
    const now = performance.now();
    return [...this.#going]
      .map(([step, going]) => onOneLine(`${step} ${this.#doing(step, going, now)}`))
      .join(" · ");
  }

  #doing(step: string, going: Going, now: number): string {
    switch (going.kind) {
      case "waiting": {
        const { since: _, ...holder } = going.holder;
        return `waits for ${holderText(holder, 0)} ${elapsedText(now - going.since)}`;
      }
      case "retrying":
        return `try ${going.tries} in ${elapsedText(Math.max(0, going.until - now))}`;
      case "running": {
        const words = [going.tries && `try ${going.tries}`, this.#progress.get(step) ?? ""];
        return [...words.filter((word) => word !== ""), elapsedText(now - going.since)].join(" ");
      }
    }
  }

  #foreseen(how: string, step: string, why: string): void {
    this.#screen.out(`${how.padEnd(9)}  ${onOneLine(step).padEnd(this.#width)}  ${why}`);
  }

  #doneLine(event: Extract<BuildEvent, { event: "done" }>): string {
    const count = `${String(this.#settled).padStart(String(this.#total).length)}/${this.#total}`;
    return `${count}  ${onOneLine(event.step).padEnd(this.#width)}  ${doneText(event)}`;
  }
}

const resumingText = ({ startedAt, targets, fresh }: Extract<BuildEvent, { event: "resuming" }>): string =>
  `resuming ${targets} ${targets === 1 ? "target" : "targets"} of the run of ${clockText(startedAt, Date.now())}: ${fresh} fresh`;

const elapsedText = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;

function doneText({ how, facts, durationMs }: Extract<BuildEvent, { event: "done" }>): string {
  // How long it took is for the other to say.
  if (how === "already") return "made by another dmake meanwhile";
  const text = factsText(facts);
  const said = {
    made: text,
    unchanged: `not modified ${text}`,
    amended: text === "" ? "amended" : `amended, ${text} kept`,
  }[how];
  return `${said.trimEnd().padEnd(24)}  ${durationText(durationMs)}`;
}

/** What a recipe has printed, whole, each line marked as not ours. */
function outputText(output = ""): string {
  const shown = output.trimEnd();
  return shown === "" ? "" : `${shown.replace(/^/gm, "  | ")}\n`;
}

function progressText({ done, total, unit, phase }: Extract<BuildEvent, { event: "progress" }>): string {
  if (total !== undefined && total > 0) return `${Math.min(100, Math.floor((100 * done) / total))}%`;
  return done > 0 ? factsText(unit === "rows" ? { rows: done } : { bytes: done }) : phase;
}
