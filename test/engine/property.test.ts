// What holds of every project, every series of edits and failures, and every -j: drawn at random by fast-check, in memory.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Rule } from "../../src/core/rule.js";
import { fails, made, makes, put, type Work } from "../rig/recipes.js";
import { type Report, World } from "../rig/world.js";

const sources = ["s0", "s1", "s2"];

/** One step: what it reads of the sources and of the steps before it, its edition, whether it loses detail, and what it only waits for. */
interface Node {
  readonly from: readonly number[];
  readonly after: readonly number[];
  readonly table: boolean;
  readonly twins: boolean;
  readonly version: number;
  /** Its output hides most differences of its inputs, so that changes often stop here. */
  readonly lossy: boolean;
}

type Change =
  | { readonly kind: "edit"; readonly source: number; readonly text: string }
  | { readonly kind: "touch"; readonly source: number }
  | { readonly kind: "poison"; readonly node: number }
  | { readonly kind: "remove"; readonly node: number }
  | { readonly kind: "version"; readonly node: number; readonly version: number }
  | { readonly kind: "break"; readonly node: number }
  | { readonly kind: "mend" };

const nodes = fc.array(
  fc.record<Node>({
    from: fc.uniqueArray(fc.nat(40), { minLength: 1, maxLength: 3 }),
    after: fc.uniqueArray(fc.nat(40), { maxLength: 1 }),
    table: fc.boolean(),
    twins: fc.boolean(),
    version: fc.nat(2),
    lossy: fc.boolean(),
  }),
  { minLength: 1, maxLength: 12 },
);

const index = fc.nat(11);
const change: fc.Arbitrary<Change> = fc.oneof(
  fc.record({ kind: fc.constant("edit" as const), source: fc.nat(2), text: fc.constantFrom("a", "b", "cc") }),
  fc.record({ kind: fc.constant("touch" as const), source: fc.nat(2) }),
  fc.record({ kind: fc.constant("poison" as const), node: index }),
  fc.record({ kind: fc.constant("remove" as const), node: index }),
  fc.record({ kind: fc.constant("version" as const), node: index, version: fc.nat(2) }),
  fc.record({ kind: fc.constant("break" as const), node: index }),
  fc.record({ kind: fc.constant("mend" as const) }),
);

const history = fc.array(fc.array(change, { maxLength: 4 }), { minLength: 1, maxLength: 4 });
const build = fc.record({ jobs: fc.constantFrom(1, 2, 8), keepGoing: fc.boolean() });

const outputsOf = (node: Node, i: number): string[] =>
  node.table ? [`table:t${i}`] : node.twins ? [`f${i}`, `f${i}b`] : [`f${i}`];

/** Reads only backwards, so that there are no cycles. */
const inputOf = (pick: number, i: number, all: readonly Node[]): string => {
  const chosen = pick % (sources.length + i);
  return sources[chosen] ?? outputsOf(all[chosen - sources.length]!, chosen - sources.length).at(-1)!;
};

/** A project whose rules, sources and broken recipes a series of changes works on. */
class Project {
  readonly world: World;
  readonly broken = new Set<string>();
  #nodes: readonly Node[];

  constructor(all: readonly Node[]) {
    this.#nodes = all;
    this.world = new World(this.rules());
    for (const source of sources) this.world.edit(source, "a");
  }

  get goals(): readonly string[] {
    return this.#nodes.map((node, i) => outputsOf(node, i)[0]!);
  }

  rules(): Rule[] {
    return this.#nodes.map((node, i) =>
      makes(outputsOf(node, i), {
        from: node.from.map((pick) => inputOf(pick, i, this.#nodes)),
        after: node.after.map((pick) => inputOf(pick, i, this.#nodes)),
        version: String(node.version),
        work: this.#work(node),
      }),
    );
  }

  #work(node: Node): Work {
    return async (job, desk) => {
      if (this.broken.has(job.step.id)) return fails(job, desk);
      const read = job.step.inputs.map(desk.read).join("+");
      await put(job, desk, (output) => `${output}/${node.version}(${node.lossy ? read.length % 2 : read})`);
      return made;
    };
  }

  apply(change: Change): void {
    switch (change.kind) {
      case "edit":
        this.world.edit(sources[change.source]!, change.text);
        return;
      case "touch": {
        const source = sources[change.source]!;
        this.world.edit(source, this.world.read(source)!);
        return;
      }
      case "poison":
        this.world.edit(this.goals[change.node % this.goals.length]!, "by hand");
        return;
      case "remove":
        this.world.remove(this.goals[change.node % this.goals.length]!);
        return;
      case "version": {
        const at = change.node % this.#nodes.length;
        this.#nodes = this.#nodes.map((node, i) => (i === at ? { ...node, version: change.version } : node));
        this.world.declare(this.rules());
        return;
      }
      case "break":
        this.broken.add(this.goals[change.node % this.goals.length]!);
        return;
      case "mend":
        this.broken.clear();
    }
  }

  /** Everything that can be read in the end. */
  contents(): unknown {
    const all = [...this.world.files.content, ...this.world.tables.content];
    return Object.fromEntries(all.sort(([a], [b]) => (a < b ? -1 : 1)));
  }

  /** The same rules and sources, built for the first time. */
  async fromScratch(): Promise<Project> {
    const other = new Project(this.#nodes);
    for (const source of sources) other.world.edit(source, this.world.read(source)!);
    await other.world.build(other.goals);
    return other;
  }

  /** Everything below some names, through inputs. */
  below(names: Iterable<string>): Set<string> {
    const reached = new Set(names);
    this.#nodes.forEach((node, i) => {
      const inputs = node.from.map((pick) => inputOf(pick, i, this.#nodes));
      if (inputs.some((name) => reached.has(name))) for (const name of outputsOf(node, i)) reached.add(name);
    });
    return reached;
  }
}

const everyStepOnce = ({ ran, fresh, blocked, summary }: Report, goals: readonly string[]) => {
  const seen = [...ran, ...fresh, ...Object.keys(blocked)];
  assert.equal(new Set(seen).size, seen.length);
  assert.equal(seen.length + summary.notStarted, goals.length);
};

test("after any series of edits, failures and builds, the next whole build equals one from scratch", async () => {
  await fc.assert(
    fc.asyncProperty(
      nodes,
      fc.array(fc.tuple(fc.array(change, { maxLength: 4 }), build), { maxLength: 4 }),
      build,
      async (all, series, last) => {
        const project = new Project(all);
        for (const [changes, options] of series) {
          for (const one of changes) project.apply(one);
          everyStepOnce(await project.world.build(project.goals, options), project.goals);
          assert.equal(project.world.files.staged.size, 0);
        }
        project.broken.clear();
        assert.equal((await project.world.build(project.goals, last)).summary.failed, 0);
        const scratch = await project.fromScratch();
        assert.deepEqual(project.contents(), scratch.contents());
        assert.deepEqual(project.world.records(), scratch.world.records());
        const again = await project.world.build(project.goals, last);
        assert.deepEqual([again.ran, again.summary.fresh], [[], project.goals.length]);
      },
    ),
    { numRuns: 150 },
  );
});

test("an edit runs nothing but what is below it", async () => {
  await fc.assert(
    fc.asyncProperty(nodes, fc.nat(2), fc.constantFrom(1, 8), async (all, source, jobs) => {
      const project = new Project(all);
      await project.world.build(project.goals);
      project.apply({ kind: "edit", source, text: "edited" });
      const below = project.below([sources[source]!]);
      const promised = Object.keys((await project.world.preview(project.goals)).because);
      const { ran } = await project.world.build(project.goals, { jobs });
      assert.deepEqual(
        ran.filter((step) => !below.has(step)),
        [],
      );
      assert.deepEqual(
        promised.filter((step) => !ran.includes(step)),
        [],
        "what would run runs",
      );
    }),
    { numRuns: 100 },
  );
});

test("-j 1 and -j 8 leave the same contents and the same records", async () => {
  await fc.assert(
    fc.asyncProperty(nodes, history, async (all, series) => {
      const [one, eight] = [new Project(all), new Project(all)];
      for (const changes of series) {
        for (const [project, jobs] of [
          [one, 1],
          [eight, 8],
        ] as const) {
          for (const change of changes) project.apply(change);
          await project.world.build(project.goals, { jobs, keepGoing: true });
        }
        assert.deepEqual(eight.contents(), one.contents());
        assert.deepEqual(eight.world.records(), one.world.records());
      }
    }),
    { numRuns: 100 },
  );
});

test("a build that is interrupted at any recipe converges in the next", async () => {
  await fc.assert(
    fc.asyncProperty(nodes, fc.nat(11), fc.constantFrom(1, 2, 8), async (all, at, jobs) => {
      const project = new Project(all);
      const stop = new AbortController();
      const stopping = project
        .rules()
        .map((rule, i) => (i === at % all.length ? interrupting(rule, stop) : rule));
      project.world.declare(stopping);
      await project.world.build(project.goals, { jobs, signal: stop.signal });
      assert.equal(project.world.files.staged.size, 0);
      project.world.declare(project.rules());
      await project.world.build(project.goals, { jobs });
      assert.deepEqual(project.contents(), (await project.fromScratch()).contents());
    }),
    { numRuns: 60 },
  );
});

const interrupting = (rule: Rule, stop: AbortController): Rule => ({
  ...rule,
  bind: (binding) => {
    const other = makes(
      rule.outputs.map(({ text }) => text),
      {
        work: async (job, desk) => {
          await put(job, desk, () => "cut");
          stop.abort();
          return made;
        },
      },
    );
    return other.bind(binding);
  },
});
