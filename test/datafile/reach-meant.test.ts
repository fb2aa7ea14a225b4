// What an imported name stands for is a part of the fingerprint, however it is called where it is used. Told on real projects.
import assert from "node:assert/strict";
import { test } from "node:test";
import { changed, recipe, type Sources } from "../rig/reach.js";

const lib = { "lib/clean.ts": "export const tidy = (text: string) => text.trim();" };

/** The parts that differ where one import is written in another way. */
const importing = (from: string, to: string, body: string, files: Sources = {}) =>
  changed({ ...files, "Datafile.ts": recipe(body, from) }, { ...files, "Datafile.ts": recipe(body, to) });

test("another thing under the same name is noticed, wherever it is imported from", async () => {
  const f = ["imports Datafile.ts f"];
  const differs = (from: string, to: string) => importing(from, to, "log(f);");
  assert.deepEqual(
    await differs('import { gzip as f } from "node:zlib";', 'import { deflate as f } from "zlib";'),
    f,
  );
  assert.deepEqual(await differs('import f from "node:path/posix";', 'import f from "node:path/win32";'), f);
  assert.deepEqual(await differs('import { a as f } from "zed";', 'import { b as f } from "zed";'), f);
  assert.deepEqual(await differs('import f from "zed/a.js";', 'import f from "zed/b.js";'), f);
  assert.deepEqual(await differs('import f from "zed";', 'import * as f from "zed";'), f);
  const lib = (name: string) => ({
    "lib.ts": `import { ${name} as last } from "node:path";\nexport const clean = (path: string) => last(path);`,
  });
  const text = recipe("clean(output);", 'import { clean } from "./lib.js";');
  assert.deepEqual(await changed({ ...lib("basename"), "Datafile.ts": text }, lib("dirname")), [
    "imports lib.ts last",
  ]);
});

test("names of the project that change places are noticed", async () => {
  const files = {
    "x.ts": "export const a = 1;\nexport const b = 2;\nexport default 3;",
    "y.ts": "export const a = 4;\nexport default 5;",
    "one.json": "1",
    "two.json": "2",
  };
  const swapped = (from: string, to: string) => importing(from, to, "log(p - q);", files);
  const both = ["imports Datafile.ts p", "imports Datafile.ts q"];
  assert.deepEqual(
    await swapped('import { a as p, b as q } from "./x.js";', 'import { b as p, a as q } from "./x.js";'),
    both,
  );
  assert.deepEqual(
    await swapped(
      'import p from "./x.js";\nimport q from "./y.js";',
      'import q from "./x.js";\nimport p from "./y.js";',
    ),
    both,
  );
  assert.deepEqual(
    await swapped(
      'import p from "./one.json";\nimport q from "./two.json";',
      'import q from "./one.json";\nimport p from "./two.json";',
    ),
    both,
  );
  const spaces = (one: string, other: string) =>
    `import * as one from "./${one}.js";\nimport * as other from "./${other}.js";`;
  assert.deepEqual(await importing(spaces("x", "y"), spaces("y", "x"), "log(one.a - other.a);", files), [
    "imports Datafile.ts one.a",
    "imports Datafile.ts other.a",
  ]);
});

test("the same imports in another order, or written otherwise, are the same", async () => {
  const same = async (from: string, to: string) =>
    assert.deepEqual(await importing(from, to, "log(join(basename(output)), tidy);", lib), []);
  const tidy = 'import { tidy } from "./lib/clean.js";';
  const path = 'import { basename, join } from "node:path";';
  await same(`${tidy}\n${path}`, `${path}\n${tidy}`);
  await same(`${tidy}\n${path}`, `${tidy}\nimport { join, basename } from "path";`);
  await same(
    `${tidy}\n${path}`,
    `import { tidy } from "./lib/clean";\nimport { join } from "node:path";\nimport { basename } from "node:path";`,
  );
});

test("modules that fill one list count in the order in which they are evaluated", async () => {
  const fills = (what: string) => `import { list } from "./list.js";\nlist.push("${what}");`;
  const files = {
    "list.ts": "export const list: string[] = [];",
    "a.ts": fills("a"),
    "b.ts": fills("b"),
    "both.ts": 'import "./a.js";\nimport "./b.js";',
    "Datafile.ts": recipe("log(list);", 'import { list } from "./list.js";\nimport "./both.js";'),
  };
  assert.deepEqual(await changed(files, { "both.ts": 'import "./b.js";\nimport "./a.js";' }), [
    "reaches list.ts list",
  ]);
  assert.deepEqual(await changed(files, { "both.ts": '\n// first\nimport "./a.js";\nimport "./b.js"' }), []);
});
