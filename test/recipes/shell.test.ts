// Shell commands: every value one word, the first failure the end. Told with a real shell.
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import fc from "fast-check";
import { failureOf, must } from "../rig/world.js";
import { run, story } from "./shells.js";

/** What a shell takes these values for, word by word. */
async function words(values: readonly (string | number)[]): Promise<string[]> {
  const { ended } = await run(({ $, output }) => $`printf '%s\\0' ${values} > ${output}`);
  must(await ended);
  return readFileSync("out.tmp", "utf8").split("\0").slice(0, -1);
}

const nasty = [
  "",
  " ",
  "a b",
  "'",
  '"',
  "''",
  "it's",
  "$HOME",
  "$(date)",
  "`date`",
  "\\",
  "\\n",
  "a\\'b",
  "\n",
  "a\nb\n",
  "\t",
  "-rf",
  "--",
  "*",
  "?",
  "[a-z]",
  "{a,b}",
  "~",
  "~root",
  "!",
  "#",
  "a#b",
  ";",
  "&",
  "|",
  "<",
  ">",
  "(",
  ")",
  "a=b",
  "A=1",
  "%s",
  "ü",
  "日本語",
  "😀",
  "\u2028",
  "\r",
  "\u0001",
  "\u007f",
  "$'x'",
  "$$",
  "${x}",
  "if",
  "x".repeat(5_000),
];

story("every value is one word, whatever it holds", async () => {
  assert.deepEqual(await words(nasty), nasty);
  assert.deepEqual(await words([42, -1, 1.5, 1e21]), ["42", "-1", "1.5", "1e+21"]);
});

story("values that nobody thought of are words as well", async () => {
  const value = fc.string({ unit: "binary", maxLength: 12 }).filter((text) => !text.includes("\0"));
  await fc.assert(
    fc.asyncProperty(fc.array(value, { minLength: 1, maxLength: 200 }), async (values) => {
      assert.deepEqual(await words(values), values);
    }),
    { numRuns: 25 },
  );
});

story("a value in the place of a command is a word and no assignment", async () => {
  const { ended, logged } = await run(({ $ }) => $`${"A=1"} || echo is no command; echo "[$A]"`);
  must(await ended);
  assert.match(logged(), /is no command\n\[\]/);
});

story("names of files are words too, and none is taken for an option", async (folder) => {
  const names = ["a b", "-n", "q'u\"o", "$x", "new\nline", "*"];
  for (const name of names) folder.write(name, `${name};`);
  const { ended } = await run(({ $, inputs, output }) => $`cat ${inputs} > ${output}`, names);
  must(await ended);
  assert.equal(folder.read("out.tmp"), names.map((name) => `${name};`).join(""));
});

story("commands are put together from commands, and from nothing else that has a text", async () => {
  const { ended, logged } = await run(({ $ }) => $`${$`echo one`} && ${$`echo ${"two three"}`}`);
  must(await ended);
  assert.equal(logged(), "one\ntwo three\n");
  for (const value of [
    { text: "echo injected" },
    undefined,
    null,
    true,
    ["a", undefined],
    [{ text: "x" }],
    () => 1,
  ]) {
    const { ended } = await run(({ $ }) => $`echo ${value as unknown as string}`);
    assert.match(failureOf(await ended, "datafile-threw").message, /stands in a command/);
  }
});

story("a value that no program can be given is refused", async () => {
  const { ended } = await run(({ $ }) => $`echo ${"a\0b"}`);
  assert.match(failureOf(await ended, "datafile-threw").message, /NUL/);
});

story("a backslash that JavaScript drops is refused, and not run as `undefined`", async () => {
  const { ended } = await run(({ $ }) => $`echo ab | sed 's/\(a\)/\1/'`);
  assert.match(failureOf(await ended, "datafile-threw").message, /backslash/);
});

story("what a command prints is logged, both streams of it, and its input is empty", async () => {
  const { ended, logged } = await run(({ $ }) => $`echo out; echo err >&2; cat; echo end`);
  must(await ended);
  assert.deepEqual(logged().split("\n").sort(), ["", "end", "err", "out"]);
});

story("the first line that fails ends the command", async () => {
  const { ended } = await run(
    ({ $, output }) => $`
    false
    echo late > ${output}
  `,
  );
  const failure = failureOf(await ended, "exit");
  assert.deepEqual([failure.code, failure.signal], [1, null]);
  assert.equal(existsSync("out.tmp"), false);
});

story("a failure tells the exit code, or the signal, and the command with its final names", async () => {
  const exit = failureOf(await (await run(({ $, output }) => $`exit 3 > ${output}`)).ended, "exit");
  assert.deepEqual(exit, { reason: "exit", command: "exit 3 > out", code: 3, signal: null });
  const killed = failureOf(await (await run(({ $ }) => $`kill -KILL $$`)).ended, "exit");
  assert.deepEqual([killed.code, killed.signal], [null, "SIGKILL"]);
  const unknown = failureOf(await (await run(({ $ }) => $`${"no-such-program-here"}`)).ended, "exit");
  assert.equal(unknown.code, 127);
});

story("a failure shows neither a password nor more of a command than can be read", async () => {
  const { ended } = await run(({ $ }) => $`false postgres://me:hunter2@db/taxi ${"x".repeat(1_000)}`);
  const { command } = failureOf(await ended, "exit");
  assert.equal(command.includes("hunter2"), false);
  assert(command.length <= 401);
});

story("a command may begin with a dash, and be a comment", async () => {
  assert.equal(failureOf(await (await run(({ $ }) => $`-no-such-program`)).ended, "exit").code, 127);
  must(await (await run(({ $ }) => $`# nothing`)).ended);
});

story(
  "a command with the names of ten thousand inputs runs, with -e and its input empty as any other",
  async () => {
    const inputs = Array.from({ length: 10_000 }, (_, i) => `data/raw/green_tripdata_${i}.csv.gz`);
    const long = await run(
      ({ $, inputs, output }) => $`cat; printf '%s\\n' ${inputs} | wc -l > ${output}`,
      inputs,
    );
    must(await long.ended);
    assert.equal(readFileSync("out.tmp", "utf8").trim(), "10000");
    const failing = await run(
      ({ $, inputs }) => $`${$`false`}
echo ${inputs}`,
      inputs,
    );
    assert.equal(failureOf(await failing.ended, "exit").code, 1);
    assert.equal(failing.logged(), "");
  },
);
