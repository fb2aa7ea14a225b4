// The process that starts commands for dmake: who talks to it is answered for each command alone, and it ends with dmake. Told with a real one.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { failureOf, must } from "../rig/world.js";
import { elsewhere, gone, isAlive, run, story } from "./shells.js";

elsewhere();

/** The numbers of the shell, and of the process that has started it, in what `echo "$$ $PPID"` says. */
const numbersIn = (text: string): readonly [number, number] => {
  const [shell = 0, starter = 0] = text.trim().split(" ").map(Number);
  return [shell, starter];
};

story("hundreds of commands at once have each what they printed, and how they ended", async () => {
  const starters = new Set<number>();
  const one = async (i: number) => {
    const { ended, logged } = await run(
      ({ $ }) => $`echo "[${i} $PPID]"; printf '%*s' ${i * 100} ''; exit ${i % 200}`,
    );
    const result = await ended;
    if (i % 200 === 0) must(result);
    else assert.equal(failureOf(result, "exit").code, i % 200);
    const [, said, starter, blanks = ""] = /^\[(\d+) (\d+)\]\n( *)$/.exec(logged()) ?? [];
    assert.deepEqual([said, blanks.length], [String(i), i * 100]);
    starters.add(Number(starter));
  };
  const all = Array.from({ length: 400 }, (_, i) => i);
  const work = async () => {
    for (let i = all.pop(); i !== undefined; i = all.pop()) await one(i);
  };
  await Promise.all(Array.from({ length: 16 }, work));
  assert.equal(starters.size, 1);
  assert.notEqual([...starters][0], process.pid);
});

story("what they print is heard whole, however slow dmake is to read it", async () => {
  const slow = setInterval(() => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 150), 1);
  const one = async (i: number) => {
    const { ended, logged } = await run(({ $ }) => $`printf '%*s' 60000 ''; echo ${i}`);
    must(await ended);
    assert.equal(logged().length, 60_000 + String(i).length + 1, `of ${i}`);
  };
  const all = Array.from({ length: 48 }, (_, i) => i);
  const work = async () => {
    for (let i = all.pop(); i !== undefined; i = all.pop()) await one(i);
  };
  await Promise.all(Array.from({ length: 16 }, work)).finally(() => clearInterval(slow));
});

story("a signal is told from an exit code that looks like it", async () => {
  for (const [name, number] of [
    ["SIGSEGV", 11],
    ["SIGINT", 2],
    ["SIGPIPE", 13],
    ["SIGKILL", 9],
  ] as const) {
    const killed = await (await run(({ $ }) => $`kill -${number} $$; sleep 5`)).ended;
    assert.deepEqual(
      [failureOf(killed, "exit").code, failureOf(killed, "exit").signal],
      [null, name],
      `${number}`,
    );
    const exit = await (await run(({ $ }) => $`exit ${128 + number}`)).ended;
    assert.deepEqual([failureOf(exit, "exit").code, failureOf(exit, "exit").signal], [128 + number, null]);
  }
});

story(
  "nothing of one command is left for the next: variables, folder, mask, traps, descriptors",
  async () => {
    const { ended } = await run(
      ({ $ }) => $`X=1; export X; cd /; umask 077; trap 'echo trapped' EXIT; set +e; exec 7>&1; ulimit -n 50`,
    );
    must(await ended);
    const next = await run(
      ({ $ }) =>
        $`echo "[$X]" "$(pwd)" "$(umask)" "$(ulimit -n)"; (: >&7) 2>/dev/null || echo no 7; case $- in *e*) echo strict;; esac`,
    );
    must(await next.ended);
    const { logged } = await run(({ $ }) => $`true`);
    assert.equal(logged(), "");
    assert.match(next.logged(), new RegExp(`^\\[\\] ${process.cwd()} \\d+ \\d+\\nno 7\\nstrict\\n$`));
    assert.doesNotMatch(next.logged(), / 0?077 | 50\n/);
  },
);

story("each command has the variables that there are when it starts", async () => {
  const saying = async () => {
    const { ended, logged } = await run(({ $ }) => $`echo "[$ONE] [$TWO] [$THREE]"`);
    must(await ended);
    return logged();
  };
  try {
    Object.assign(process.env, { ONE: "1", TWO: "2" });
    assert.equal(await saying(), "[1] [2] []\n");
    delete process.env.ONE;
    Object.assign(process.env, { TWO: "two\nlines", THREE: "'$3'" });
    assert.equal(await saying(), "[] [two\nlines] ['$3']\n");
  } finally {
    for (const name of ["ONE", "TWO", "THREE"]) delete process.env[name];
  }
});

story("killed in the middle of a command it takes that along, and the next one runs", async () => {
  const { says, ended, logged } = await run(({ $ }) => $`echo "$$ $PPID"; sleep 1000`);
  await says("\n");
  const [shell, starter] = numbersIn(logged());
  process.kill(starter, "SIGKILL");
  assert.equal(failureOf(await ended, "exit").signal, "SIGKILL");
  await gone(shell);
  const again = await run(({ $ }) => $`echo "$$ $PPID"`);
  must(await again.ended);
  assert.notEqual(numbersIn(again.logged())[1], starter);
});

story("also a command of which it had not told yet that it has begun", async (folder) => {
  const { ended } = await run(({ $ }) => $`echo "$$ $PPID" > pids; kill -9 $PPID; sleep 1000`);
  assert.equal(failureOf(await ended, "exit").signal, "SIGKILL");
  await gone(numbersIn(folder.read("pids"))[0]);
});

story("it ends with dmake, killed or not, and so does what it has started", async (folder) => {
  const child = join(import.meta.dirname, "shell-child.ts");
  const tsx = ["--import", import.meta.resolve("tsx")];
  const command = 'echo "$$ $PPID" > next; ps -o ppid= -p $PPID > above; mv next pids; sleep 1000';
  const dmake = spawn(process.execPath, [...tsx, child, "elsewhere", command], { stdio: "ignore" });
  while (!existsSync("pids")) await setImmediate();
  const [shell, outer] = numbersIn(folder.read("pids"));
  assert.equal(isAlive(outer), true);
  const starter = Number(folder.read("above"));
  dmake.kill("SIGKILL");
  for (const pid of [shell, outer, starter]) await gone(pid);
  const well = spawn(process.execPath, [...tsx, child, "elsewhere", "echo $PPID > pid"], { stdio: "ignore" });
  const [code] = await new Promise<unknown[]>((resolve) => well.once("exit", (...all) => resolve(all)));
  assert.equal(code, 0);
  await gone(Number(folder.read("pid")));
});
