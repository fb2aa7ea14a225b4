// Has commands started by a process of its own, once there are so many that it is worth one. Knows nothing of what they are for.
import { type ChildProcess, fork } from "node:child_process";
import type { Socket } from "node:net";
import { resolve } from "node:path";
import type { Command, Ended } from "./shell-command.js";
import { type Environment, lineOf, listener, type News } from "./shell-orders.js";

export interface Wanted {
  readonly command: string;
  readonly env: Environment;
  /** Is given what it prints. */
  readonly log: (text: string) => void;
}

/** What commands are given that are started in one way. */
interface Given {
  readonly env: Environment;
  /** Open descriptors of ours. */
  readonly descriptors: readonly number[];
  /** By which it is known whose the process that starts them is. */
  readonly marks: Readonly<Record<string, string | undefined>>;
}

/** Lives from when a command is asked for to when all that it printed is heard. */
class Distant implements Command {
  readonly #log: (text: string) => void;
  readonly #hear: () => void;
  readonly begun: Promise<void>;
  readonly exited: Promise<Ended>;
  readonly #heard: Promise<void>;
  pid: number | undefined;
  #isHeard = false;
  #begin = () => {};
  #exit = (_: Ended) => {};
  #hush = () => {};

  constructor(log: (text: string) => void, hear: () => void) {
    this.#log = log;
    this.#hear = hear;
    this.begun = new Promise((resolve) => {
      this.#begin = resolve;
    });
    this.exited = new Promise((resolve) => {
      this.#exit = resolve;
    });
    this.#heard = new Promise((resolve) => {
      this.#hush = resolve;
    });
  }

  take(news: News): void {
    switch (news[0]) {
      case "begun":
        this.pid = news[2];
        this.#begin();
        return;
      case "text":
        this.#log(news[2]);
        return;
      case "ended":
        this.#exit({ code: news[2], killedBy: news[3] });
        return;
      case "failed":
        this.#over({ error: Object.assign(new Error(news[2]), { code: news[3] }) });
        return;
      case "heard":
        this.#isHeard = true;
        this.#hush();
    }
  }

  lose(): void {
    this.#over({ lost: true });
  }

  heard(): Promise<void> {
    if (!this.#isHeard) this.#hear();
    return this.#heard;
  }

  #over(why: Pick<Ended, "error" | "lost">): void {
    this.#begin();
    this.#exit({ code: null, killedBy: why.lost ? "SIGKILL" : null, ...why });
    this.#hush();
  }
}

/**
 * Commands that we start ourselves before a process is worth its own start, of 60 ms. With 100 MB of ours a command
 * costs this process 3 ms to start, and one that has it started 0.1.
 */
const ownAtFirst = 32;
/** Where it is killed again and again, as where memory is short, we go without. */
const lossesAtMost = 3;

let starter: Starter | undefined;
let starts = 0;
let losses = 0;

/** Who starts a command in our place; nobody as long as few were asked for, or nobody is there yet. */
export function starterFor(given: Given, alone = ownAtFirst): Starter | undefined {
  starts += 1;
  if (starts <= alone || losses >= lossesAtMost) return undefined;
  // Neither folder nor descriptors can be handed on later. Those of a run stay the same.
  if (starter && !starter.isFor(given)) {
    starter.leave();
    starter = undefined;
  }
  if (!starter || starter.isGone) starter = new Starter(given);
  return starter.isReady || alone === 0 ? starter : undefined;
}

/** Ends it at once: of what it was asked for nothing begins any more. */
export function endStarter(): void {
  starter?.kill();
  starter = undefined;
}

/**
 * One process that starts commands. It ends with us: it reads what we say, and ends when nobody can say anything any
 * more. Our own exit does not wait for it while nothing runs.
 */
class Starter {
  readonly #child: ChildProcess;
  readonly #given: Given;
  readonly #going = new Map<number, Distant>();
  #last = 0;
  /** Whether it has begun to read. */
  isReady = false;
  isGone = false;
  #isKilled = false;
  #isLost = false;
  #isLeft = false;
  readonly #folder = resolve(".");

  constructor(given: Given) {
    this.#given = given;
    this.#child = forked(given);
    this.#child.on("error", () => this.#lost()).once("exit", () => this.#end());
    this.#child.stdin?.on("error", () => {});
    this.#child.stdout?.setEncoding("utf8").on(
      "data",
      listener<News>((news) => this.#take(news)),
    );
    this.#say(lineOf(["given", given.env, given.descriptors.length]));
    if (this.#child.connected) this.#child.disconnect();
    this.#hold(false);
  }

  isFor({ descriptors }: Given): boolean {
    const { descriptors: own } = this.#given;
    const isSame = own.length === descriptors.length && own.every((one, i) => one === descriptors[i]);
    return isSame && this.#folder === resolve(".");
  }

  /** Ends it when what it was asked for has ended. */
  leave(): void {
    this.#isLeft = true;
    if (this.#going.size === 0) this.#child.stdin?.end();
  }

  start({ command, env, log }: Wanted): Command {
    const id = ++this.#last;
    const distant = new Distant(log, () => this.#say(lineOf(["hear", id])));
    if (this.#going.size === 0) this.#hold(true);
    this.#going.set(id, distant);
    this.#say(lineOf(["start", id, command, changesOf(this.#given.env, env)]));
    return distant;
  }

  kill(): void {
    this.#isKilled = true;
    this.#child.kill("SIGKILL");
  }

  #say(line: string): void {
    this.#child.stdin?.write(line);
  }

  #take(news: News): void {
    if (news[0] === "ready") {
      this.isReady = true;
      return;
    }
    const [kind, id] = news;
    this.#going.get(id)?.take(news);
    if (kind === "heard" || kind === "failed") this.#forget(id);
  }

  #forget(id: number): void {
    this.#going.delete(id);
    if (this.#going.size > 0) return;
    this.#hold(false);
    if (this.#isLeft) this.leave();
  }

  /** Whether we stay for its sake. */
  #hold(stays: boolean): void {
    const { stdin, stdout } = this.#child as { stdin: Socket | null; stdout: Socket | null };
    for (const one of [this.#child, stdin, stdout]) {
      if (stays) one?.ref();
      else one?.unref();
    }
  }

  /** What it told before it ended is still read. */
  #end(): void {
    this.isGone = true;
    const { stdin, stdout } = this.#child;
    stdin?.destroy();
    if (!stdout || stdout.closed) this.#lost();
    else stdout.once("close", () => this.#lost());
  }

  #lost(): void {
    if (this.#isLost) return;
    this.isGone = true;
    this.#isLost = true;
    if (!this.#isKilled && !this.#isLeft) losses += 1;
    for (const distant of this.#going.values()) distant.lose();
    this.#going.clear();
  }
}

/** The process itself. It is given nothing but marks: commands bring their own environment. */
function forked({ marks, descriptors }: Given): ChildProcess {
  const extension = import.meta.url.endsWith(".ts") ? "ts" : "js";
  return fork(new URL(`../recipes/shell-starter.${extension}`, import.meta.url), {
    detached: true,
    env: marks,
    execArgv: extension === "ts" ? ["--import", import.meta.resolve("tsx")] : ["--v8-pool-size=0"],
    stdio: ["pipe", "pipe", "ignore", "ipc", ...descriptors],
  });
}

function changesOf(base: Environment, env: Environment): Readonly<Record<string, string | null>> {
  const changes: Record<string, string | null> = {};
  for (const name in env) {
    const value = env[name];
    if (value !== undefined && base[name] !== value) changes[name] = value;
  }
  for (const name in base) if (env[name] === undefined) changes[name] = null;
  return changes;
}
