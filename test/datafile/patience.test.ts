// How long recipes may take, how often they are tried, and which write in place. Told on real folders.
import assert from "node:assert/strict";
import { stepOf } from "../rig/datafile.js";
import { kinds, kindsText, load, parts, refused, rule, story, target } from "../rig/rule-kinds.js";

story("how long and how often: numbers as people write them", async (project) => {
  for (const [kind, call] of kindsText.filter(([one]) => one !== "download")) {
    const of = async (options: string) => {
      const { timeoutMs, retries } = rule(await load(project, call(options)), target(kind));
      return [timeoutMs, retries];
    };
    assert.deepEqual(await of('{ timeout: "10 min" }'), [600_000, undefined]);
    assert.deepEqual(await of("{ timeout: 1500 }"), [1500, undefined]);
    assert.deepEqual(await of("{ retries: 3 }"), [undefined, { times: 3, pauseMs: 1000 }]);
    assert.deepEqual(await of('{ retries: { times: 2, pause: "5 s" } }'), [
      undefined,
      { times: 2, pauseMs: 5000 },
    ]);
    assert.deepEqual(await of('{ retries: { times: 2, pause: "0 s" } }'), [
      undefined,
      { times: 2, pauseMs: 0 },
    ]);
    assert.deepEqual(await of('{ retries: { times: 2, pause: "1 min" } }'), [
      undefined,
      { times: 2, pauseMs: 60_000 },
    ]);
    for (const options of ["{}", "{ retries: 0 }", "{ retries: { times: 0 } }", "{ timeout: undefined }"])
      assert.deepEqual(await of(options), [undefined, undefined], options);
  }
});

story("a download means something else by both, and sees to it itself", async (project) => {
  const text = 'download("a", { url: "https://e.org", timeout: "2 min", retries: 7 });';
  const { recipe, rule: declared } = stepOf(await load(project, text), "a");
  assert(recipe.kind === "download");
  assert.deepEqual([recipe.timeoutMs, recipe.retries], [120_000, 7]);
  assert.deepEqual([declared.timeoutMs, declared.retries], [undefined, undefined]);
  for (const [retries, problem] of [
    ["{ times: 3 }", /is a number: how long it waits between its tries is for the server to say/],
    ["-1", /whole number from 0, and not `-1`/],
    ["1.5", /not `1.5`/],
    ['"3"', /whole number/],
  ] as const)
    assert.match(
      (await refused(project, kinds.download?.(`any({ retries: ${retries} })`) ?? "")).problem,
      problem,
    );
});

const impatient: readonly (readonly [string, RegExp])[] = [
  ["timeout: 0", /leaves no time at all/],
  ['timeout: "0 s"', /leaves no time at all/],
  ['timeout: "25 days"', /at most 24 days/],
  ["timeout: Infinity", /at most 24 days/],
  ["timeout: NaN", /no length of time/],
  ['timeout: "soon"', /no length of time/],
  ["retries: -1", /whole number from 0, and not `-1`/],
  ["retries: 1.5", /not `1.5`/],
  ["retries: Infinity", /not `Infinity`/],
  ['retries: "3"', /whole number/],
  ["retries: null", /not `null`/],
  ["retries: {}", /^`times` of `retries` is a whole number from 0, and not `undefined`/],
  ['retries: { times: "3" }', /`times` of `retries`/],
  ["retries: { time: 3 }", /^`retries` has no `time`: did you mean `times`\?/],
  ["retries: { times: 3, wait: 1 }", /^`retries` has no `wait`$/],
  ['retries: { times: 3, pause: "2 min" }', /at most a minute/],
  ["retries: { times: 3, pause: -1 }", /no length of time/],
];
for (const [option, problem] of impatient)
  story(`\`${option}\` is refused`, async (project) => {
    for (const [kind, call] of kindsText.filter(([one]) => one !== "download")) {
      const failure = await refused(project, call(`any({ ${option} })`));
      assert.match(failure.problem, problem, kind);
      assert.equal(failure.at.line, 4);
    }
  });

story(
  "only commands and functions write in place, and then bytes decide what is the same",
  async (project) => {
    for (const [kind, call] of kindsText) {
      const text = call("any({ inPlace: true })");
      if (kind === "sh" || kind === "script") {
        const { inPlace, sameness } = rule(await load(project, text), "a");
        assert.deepEqual([inPlace, sameness], [true, "bytes"]);
        assert.equal(rule(await load(project, call("any({ inPlace: false })")), "a").inPlace, undefined);
        for (const value of ['"yes"', "1", "null"])
          assert.match(
            (await refused(project, call(`any({ inPlace: ${value} })`))).problem,
            /^`inPlace` is `true` or nothing/,
          );
        const both = await refused(project, call('{ inPlace: true, sameness: "values" }'));
        assert.match(both.problem, /the old file is written over/);
        assert.equal(
          rule(await load(project, call('{ inPlace: true, sameness: "bytes" }')), "a").inPlace,
          true,
        );
      } else assert.equal((await refused(project, text)).problem, `\`${kind}\` has no option \`inPlace\``);
    }
  },
);

story("a directory may be written in place, and several outputs", async (project) => {
  const datafile = await load(
    project,
    'sh(["mirror/", "list.txt"], { inPlace: true }, ({ $, outputs }) => $`x ${outputs}`);',
  );
  const { rule: declared, directories } = stepOf(datafile, "mirror");
  assert.deepEqual([declared.inPlace, [...directories]], [true, ["mirror"]]);
});

story(
  "nothing of this is a reason to build again, but whether a recipe starts from what was there",
  async (project) => {
    for (const [kind, call] of kindsText) {
      const with_ = async (options: string) =>
        parts(await load(project, `const net = pool("net", 9); ${call(options)}`), target(kind));
      const plain = await with_("{}");
      const others = ["{ pool: net }", "{ pool: { cpu: 9 } }", '{ timeout: "9 min" }', "{ retries: 9 }"];
      for (const options of others) assert.deepEqual(await with_(options), plain, `${kind} ${options}`);
      if (kind !== "sh" && kind !== "script") continue;
      assert.deepEqual(await with_("{ inPlace: true }"), { ...plain, inPlace: "true" });
      assert.deepEqual(await with_('{ inPlace: true, version: "1" }'), {
        kind,
        version: "1",
        inPlace: "true",
      });
    }
  },
);
