// Secrets of a Datafile: where their values come from, and that no part of a recipe holds one.
import assert from "node:assert/strict";
import { test } from "node:test";
import { recipeParts } from "../../src/core/fingerprint.js";
import { commandOf, inProject, stepOf } from "../rig/datafile.js";
import { failureOf, must } from "../rig/world.js";

const datafile = `import { param, secret, sh } from "dmake";
const [key, token, place] = [secret("FEED"), param("token", "t0ken-value"), param("place", "paris")];
sh("a", {}, ({ $ }) => $\`fetch \${key} \${token} \${place}\`);
`;

test("a secret is the variable of its name, or what the command line says instead", () =>
  inProject(async (project) => {
    project.write("Datafile.ts", datafile);
    const command = async (options: object) => commandOf(must(await project.load(options)), "a");
    const env = { FEED: "from-env" };
    assert.equal(await command({ env }), "fetch from-env t0ken-value paris");
    assert.equal(await command({ env, parameters: { FEED: "given" } }), "fetch given t0ken-value paris");
  }));

test("a secret that nobody gives is asked for, and an empty one is none", () =>
  inProject(async (project) => {
    project.write("Datafile.ts", datafile);
    for (const env of [{}, { FEED: "" }]) {
      const failure = failureOf(await project.load({ env }), "usage");
      assert.deepEqual(
        [failure.message, failure.help],
        ["the Datafile needs the secret `FEED`", "export FEED=…"],
      );
    }
  }));

test("no part of a recipe holds a secret, nor a parameter that is one by its name; another value is no other recipe", () =>
  inProject(async (project) => {
    project.write("Datafile.ts", datafile);
    const parts = async (FEED: string) =>
      must(recipeParts(stepOf(must(await project.load({ env: { FEED } })), "a"), []));
    assert.deepEqual((await parts("one/secret")).command, "fetch *** *** paris");
    assert.deepEqual(await parts("one/secret"), await parts("another"));
  }));

test("whoever loads a Datafile is told its secrets, also where it fails", () =>
  inProject(async (project) => {
    project.write("Datafile.ts", 'import { secret } from "dmake";\nthrow new Error(secret("FEED"));\n');
    const secrets = new Set<string>();
    failureOf(await project.load({ env: { FEED: "a b" }, secrets }), "datafile-threw");
    assert.deepEqual([...secrets], ["a b", "a%20b"]);
  }));
