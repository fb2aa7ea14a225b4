// URLs of downloads filled in with values: each stays where it stands. Told on real folders.
import assert from "node:assert/strict";
import { test } from "node:test";
import { inProject, type Project, planned, stepOf } from "../rig/datafile.js";
import { failureOf, must } from "../rig/world.js";

const story = (name: string, work: (project: Project) => Promise<void>) => test(name, () => inProject(work));

const loading = (project: Project, url: string, value: string) =>
  project.datafile(`
    import { download } from "dmake";
    const any = (value: unknown): any => value;
    const where = { a: ${JSON.stringify([value])} };
    export default [download("x/{a}", { where, url: any(${JSON.stringify(url)}) })];
  `);

// A value must stay where it stands in the URL: otherwise it asks for another file, or another host gets the passwords.
const urls: readonly (readonly [string, string, RegExp | string])[] = [
  ["https://e.org/{a}.csv", "2021-01", "https://e.org/2021-01.csv"],
  ["https://e.org/{a}.csv", "a b&c=%20:@;+", "https://e.org/a b&c=%20:@;+.csv"],
  ["https://{a}.e.org/x", "eu-1.west", "https://eu-1.west.e.org/x"],
  ["https://e.org/x?m={a}", "2021-01", "https://e.org/x?m=2021-01"],
  ["file:data/{a}", "a:b", "file:data/a:b"],
  [
    "https://e.org/{a}.csv",
    "a#b",
    /with the value `a#b` of `\{a\}`, .* would be another URL: it would end the path/,
  ],
  ["https://e.org/{a}.csv", "a?b", /would end the path/],
  ["https://e.org/{a}/x", "a\\..", /would end the path/],
  ["file:data/{a}", "a#b", /would end the path/],
  ["https://{a}.e.org/x", "evil.org#", /could change the host that is asked/],
  ["https://{a}.e.org/x", "evil.org\\", /could change the host/],
  ["https://{a}.e.org/x", "evil.org?", /could change the host/],
  ["https://user:pass@{a}/x", "me@evil.org:80", /could change the host/],
  ["https://e.org{a}/x", ":80", /could change the host/],
  ["https://e.org{a}/x", "@evil.org", /could change the host/],
  ["{a}://e.org/x", "file:", /could change the host/],
];
for (const [url, value, expected] of urls)
  story(
    `in \`${url}\`, the value \`${value}\` ${typeof expected === "string" ? "stays" : "is refused"}`,
    async (project) => {
      const datafile = must(await loading(project, url, value));
      const [name = ""] = must(datafile.defaults());
      if (typeof expected !== "string") {
        const failure = failureOf(planned(datafile, name), "bad-rule");
        assert.match(failure.problem, expected);
        assert.match(failure.help ?? "", /encodeURIComponent\(a\)/);
        return;
      }
      const { recipe } = stepOf(datafile, name);
      assert(recipe.kind === "download");
      assert.equal(recipe.url, expected);
    },
  );

story("what is wrong with a URL is said without the passwords in it", async (project) => {
  for (const [url, value] of [
    ["https://ann:s3cret@e.org/{a}?token=s3cret", "a#b"],
    ["https://ann:s3cret@{a}.e.org/", "x#"],
    ["https://ann:s3cret@e.org/{b}", "a"],
    ["https://ann:s3cret@e.org/{a", "a"],
  ] as const) {
    const loaded = await loading(project, url, value);
    const result = loaded.ok ? planned(loaded.value, ...must(loaded.value.defaults())) : loaded;
    assert(!result.ok && /e\.org/.test(JSON.stringify(result.error)));
    assert.doesNotMatch(JSON.stringify(result.error), /s3cret/);
  }
});
