// Values that recipes use and that are made while the Datafile is read: what is said of them counts. Told on real folders.
import assert from "node:assert/strict";
import { test } from "node:test";
import { digestOf } from "../../src/core/fingerprint.js";
import { inProject, type Project, partsOf, planned } from "../rig/datafile.js";
import { failureOf, must } from "../rig/world.js";

const story = (name: string, work: (project: Project) => Promise<void>) => test(name, () => inProject(work));

const head = `
  import { script, sh } from "dmake";
  const any = (value: unknown): any => value;
`;
const load = async (project: Project, text: string) => must(await project.datafile(head + text));

const valuesOf = async (project: Project, values: string, before = "") =>
  partsOf(await load(project, `${before} sh("a", { values: ${values} }, ({ $ }) => $\`x\`);`), "a");

story("values count by what they say, whatever the order in which they say it", async (project) => {
  const one = await valuesOf(
    project,
    '{ limit: 10, config: { a: [1, null, true], b: { c: "x", d: -0.5 } } }',
  );
  assert.deepEqual(one, {
    "values.limit": digestOf("10"),
    "values.config": digestOf('{"a":[1,null,true],"b":{"c":"x","d":-0.5}}'),
  });
  assert.deepEqual(
    await valuesOf(project, '{ config: { b: { d: -0.5, c: "x" }, a: [1, null, true] }, limit: 10 }'),
    one,
  );
  const others = [
    "{ a: [1, null, true], b: {} }",
    '{ a: "[1,null,true]" }',
    "{ a: [null, 1, true] }",
    '"{}"',
    "{}",
    "[]",
  ];
  const digests = new Set<string | undefined>([one["values.config"]]);
  for (const config of others)
    digests.add((await valuesOf(project, `{ config: ${config} }`))["values.config"]);
  assert.equal(digests.size, others.length + 1);
});

story("one value may stand in several places, and have no prototype", async (project) => {
  const before =
    "const shared = { a: 1 }; const bare = Object.assign(Object.create(null), { b: JSON.parse('{\"__proto__\":1}') });";
  const parts = await valuesOf(project, "{ all: [shared, shared, { shared }], bare }", before);
  assert.equal(parts["values.all"], digestOf('[{"a":1},{"a":1},{"shared":{"a":1}}]'));
  assert.equal(parts["values.bare"], digestOf('{"b":{"__proto__":1}}'));
});

story("values count as they are when the Datafile has been read", async (project) => {
  const text =
    'const config = { limit: 1 }; script("a", { values: { config } }, () => {}); config.limit = 2;';
  assert.equal(partsOf(await load(project, text), "a")["values.config"], digestOf('{"limit":2}'));
  const late = await load(project, `${text} (config as any).limit = undefined;`);
  assert.match(failureOf(planned(late, "a"), "bad-rule").problem, /`values.config.limit` is undefined/);
});

// What JSON cannot say, and what is said of it.
const unsayable: Readonly<Record<string, RegExp>> = {
  "{ a: undefined }": /^`values.a` is undefined, which JSON cannot say/,
  "{ a: { b: [1, () => 1] } }": /^`values.a.b\[1\]` is a function/,
  '{ a: Symbol("x") }': /is a symbol/,
  "{ a: 1n }": /is a bigint/,
  "{ a: NaN }": /^`values.a` is NaN/,
  "{ a: [-Infinity] }": /^`values.a\[0\]` is -Infinity/,
  "{ a: new Map([[1, 2]]) }": /^`values.a` is an object of the class `Map`/,
  "{ a: new Set() }": /class `Set`/,
  "{ a: new Date(0) }": /class `Date`/,
  "{ a: /x/ }": /class `RegExp`/,
  "{ a: Promise.resolve(1) }": /class `Promise`/,
  "{ a: new Uint8Array(2) }": /class `Uint8Array`/,
  "{ a: new (class Limits { #hidden = 1; })() }": /class `Limits`/,
  "{ a: new (class extends Array {})() }": /class `\(no name\)`/,
  "{ a: Object.create({ b: 1 }) }": /class `\(no name\)`/,
  "{ a: ((a: any) => { a.self = a; return a; })({}) }": /^`values.a.self` contains itself/,
  '{ a: { [Symbol("x")]: 1 } }': /^`values.a` has `Symbol\(x\)`, which JSON would leave out/,
  '{ a: Object.defineProperty({}, "b", { value: 1 }) }': /^`values.a` has `b`/,
  "{ a: Object.assign([1], { b: 1 }) }": /^`values.a` has `b`/,
  "{ a: [1, , 2] }": /^`values.a` has gaps/,
  "[1]": /^`values` is no object/,
  null: /^`values` is no object/,
  "() => 1": /^`values` is no object/,
};
for (const [values, problem] of Object.entries(unsayable))
  story(`the values \`${values}\` are refused where they stand`, async (project) => {
    for (const call of ['sh("a", O, ({ $ }) => $`x`);', 'script("a", O, () => {});']) {
      const failure = failureOf(
        await project.datafile(`${head}\n${call.replace("O", `any({ values: ${values} })`)}`),
        "bad-rule",
      );
      assert.match(failure.problem, problem);
      assert.equal(failure.at.line, 5);
    }
  });
