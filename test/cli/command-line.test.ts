// Arguments that are read without yargs mean what they mean with it.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { parseArguments } from "../../src/cli/arguments.js";
import { readCommandLine } from "../../src/cli/command-line.js";
import { checked, verbs } from "../../src/cli/options.js";
import { holds } from "../rig/property.js";

async function byYargs(args: readonly string[]) {
  const parsed = await parseArguments(args, "0");
  return parsed.ok ? checked(parsed.value) : parsed;
}

test("words, parameters and the usual flags", async () => {
  const piece = fc.constantFrom(
    ..."loaded data/a.csv table:t/{1..3} word=1 a=b=c -n -k -B -q --json --no-wait -j2 -j 2 0 -j0 -j-1 why ./why -kn --dry-run all x-y".split(
      " ",
    ),
  );
  const property = fc.asyncProperty(fc.array(piece, { maxLength: 6 }), async (args) => {
    assert.deepEqual(await readCommandLine(args, "0"), await byYargs(args));
  });
  await holds(property, 300);
});

test("every verb of the help is known as one", async () => {
  const help = await parseArguments(["--help"], "0");
  assert(help.ok && help.value.verb === "shown");
  const told = [...help.value.text.matchAll(/^ {2}dmake ([a-z]+)(?: <[a-z]+>)? {2,}/gm)].map(
    ([, verb]) => verb,
  );
  assert(told.length > 5);
  for (const verb of told)
    assert(
      verbs.some((known) => known === verb),
      `${verb}`,
    );
});
