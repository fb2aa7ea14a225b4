// A process of its own that starts commands for dmake and tells how they go. Knows nothing of what they are for.
import type { ChildProcess } from "node:child_process";
import { Socket } from "node:net";
import { send } from "../system/orphans.js";
import { type Command, commandOf } from "./shell-command.js";
import { type Environment, inherited, lineOf, listener, type News, type Order } from "./shell-orders.js";
import { start } from "./shell-start.js";

/** The number of a command is seldom asked for while it runs: it waits so long for other news to go with. */
const beginMs = 5;

const inlet = new Socket({ fd: 0, readable: true, writable: false });
const outlet = new Socket({ fd: 1, readable: false, writable: true });
const going = new Map<number, { readonly child: ChildProcess; readonly command: Command }>();
let environment: Environment = {};
let descriptors: readonly number[] = [];
let untold = "";
let telling: NodeJS.Timeout | undefined;
let isTelling = false;

tell(["ready"]);
inlet.setEncoding("utf8").on("data", listener<Order>(carryOut));
// dmake has ended, or was killed: nobody waits for what runs any more.
inlet.on("close", () => {
  for (const { command } of going.values()) if (command.pid !== undefined) send(-command.pid, "SIGTERM");
  for (const { child } of going.values()) letGo(child);
  outlet.destroy();
});
for (const socket of [inlet, outlet]) socket.on("error", () => inlet.destroy());

function carryOut(order: Order): void {
  switch (order[0]) {
    case "given":
      environment = order[1];
      descriptors = inherited(order[2]);
      return;
    case "start":
      begin(order[1], order[2], { ...environment, ...order[3] });
      return;
    case "hear": {
      const id = order[1];
      void going
        .get(id)
        ?.command.heard()
        .then(() => over(id));
    }
  }
}

function begin(
  id: number,
  text: string,
  variables: Readonly<Record<string, string | null | undefined>>,
): void {
  const env: NodeJS.ProcessEnv = {};
  for (const name in variables) {
    const value = variables[name];
    if (typeof value === "string") env[name] = value;
  }
  const child = start({ command: text, env, descriptors, terminal: undefined });
  if (child instanceof Error) {
    failed(id, child);
    return;
  }
  const command = commandOf(child, (text) => {
    tell(["text", id, text]);
    // What dmake has not read yet is not to become a heap of ours.
    if (outlet.writableLength > outlet.writableHighWaterMark) hold();
  });
  if (child.pid !== undefined) {
    going.set(id, { child, command });
    tell(["begun", id, child.pid]);
  }
  child.once("exit", (code, killedBy) => tell(["ended", id, code, killedBy]));
  child.once("close", () => over(id));
  child.once("error", (error) => failed(id, error));
}

function failed(id: number, error: NodeJS.ErrnoException): void {
  tell(["failed", id, error.message, error.code]);
}

function over(id: number): void {
  if (going.delete(id)) tell(["heard", id]);
}

function hold(): void {
  const streams = [...going.values()].flatMap(({ child }) => [child.stdout, child.stderr]);
  for (const stream of streams) stream?.pause();
  outlet.once("drain", () => {
    for (const stream of streams) stream?.resume();
  });
}

function letGo(child: ChildProcess): void {
  for (const stream of child.stdio) stream?.destroy();
  child.unref();
}

/** All news of one turn in one write. */
function tell(news: News): void {
  untold += lineOf(news);
  if (isTelling) return;
  if (news[0] === "begun") {
    telling ??= setTimeout(flush, beginMs);
    return;
  }
  isTelling = true;
  // The ends of what it printed are read a turn after its own: told together they are one answer, and not two and a question.
  setImmediate(() => (news[0] === "ended" ? setImmediate(flush) : flush()));
}

function flush(): void {
  clearTimeout(telling);
  telling = undefined;
  isTelling = false;
  outlet.write(untold);
  untold = "";
}
