// A project drawn at random, and an independent memory of what each of its recipes has read: from it follows what has to run, and nothing else. Knows nothing of verdicts or records.
import { digestOf } from "../../src/core/fingerprint.js";
import type { InputSpec, Rule } from "../../src/core/rule.js";
import type { Job } from "../../src/engine/ports.js";
import { type Change, loose, type Node, nameOf, outputsOf, sources } from "./random-nodes.js";
import { type Desk, fails, glob, made, makes, maybe, put, type Work } from "./recipes.js";
import { World } from "./world.js";

/** What a step had read and made when it last ended well. */
interface Memory {
  readonly version: number;
  /** Names with contents, in order: declared, and what it asked for. */
  readonly declared: readonly (readonly [string, string])[];
  /** How many of the declared ones the recipe was given; it only uses the others. */
  readonly given: number;
  readonly asked: readonly (readonly [string, string])[];
  readonly made: string;
}

/** Lives for one run of a property. */
export class RandomProject {
  readonly world: World;
  readonly broken = new Set<number>();
  readonly #memory = new Map<string, Memory>();
  /** The recipe that an interrupt comes in, counted down, and what it aborts. */
  #interrupt: { left: number; readonly stop: AbortController } | undefined;
  /** In which order rules are declared and targets asked for. */
  readonly #turn: number;
  #nodes: readonly Node[];

  constructor(all: readonly Node[], turn = 0) {
    this.#nodes = all;
    this.#turn = turn;
    this.world = new World(this.#rules());
    for (const name of [...sources, "g1"]) this.world.edit(name, "a");
  }

  /** One target of every step. */
  get goals(): readonly string[] {
    const all = this.#nodes.flatMap((node, i) =>
      node.form === "pattern" ? outputsOf(node, i) : [outputsOf(node, i)[0]!],
    );
    return turned(all, this.#turn);
  }

  apply(change: Change): void {
    const { world } = this;
    switch (change.kind) {
      case "edit":
        world.edit(change.name, change.text);
        return;
      case "touch":
        if (world.read(change.name) !== undefined) world.touch(change.name);
        return;
      case "there-and-back": {
        const before = world.read(change.name);
        world.edit(change.name, "elsewhere");
        if (before === undefined) world.remove(change.name);
        else world.edit(change.name, before);
        return;
      }
      case "drop":
        world.remove(change.name);
        return;
      case "poison": {
        const [output] = this.#outputs(change.node);
        world.edit(output.startsWith("d") ? `${output}/z` : output, "by hand");
        return;
      }
      case "remove":
        world.remove(this.#outputs(change.node)[0]);
        return;
      case "break":
        this.broken.add(change.node % this.#nodes.length);
        return;
      case "version":
        this.#redeclare(change.node, { version: change.version });
        return;
      case "rewire":
        this.#redeclare(change.node, { from: change.from });
        return;
      case "mend":
        this.broken.clear();
    }
  }

  #outputs(node: number): readonly [string, ...string[]] {
    const i = node % this.#nodes.length;
    return outputsOf(this.#nodes[i]!, i);
  }

  #redeclare(node: number, change: Partial<Node>): void {
    const at = node % this.#nodes.length;
    this.#nodes = this.#nodes.map((one, i) => (i === at ? { ...one, ...change } : one));
    this.world.declare(this.#rules());
  }

  /** Lets an interrupt come in the midst of the recipe that is the so manieth to run. */
  interruptAt(recipe: number, stop: AbortController): void {
    this.#interrupt = { left: recipe, stop };
  }

  /** The same rules and sources, never built. */
  fromScratch(): RandomProject {
    const other = new RandomProject(this.#nodes, this.#turn);
    for (const name of loose) other.world.remove(name);
    for (const name of [...sources, ...loose]) {
      const text = this.world.read(name);
      if (text !== undefined) other.world.edit(name, text);
    }
    return other;
  }

  /** Everything that can be read in the end. */
  contents(): unknown {
    const all = [...this.world.files.content, ...this.world.tables.content];
    return Object.fromEntries(all.sort(([a], [b]) => (a < b ? -1 : 1)));
  }

  /** What is remembered now, for asking later what had to run. */
  remembered(): { readonly memory: ReadonlyMap<string, Memory>; readonly made: ReadonlyMap<string, string> } {
    const made = new Map(this.#steps().map(({ id, outputs }) => [id, this.#readAll(outputs)]));
    return { memory: new Map(this.#memory), made };
  }

  /**
   * The steps that a whole build had to run, going by what was remembered before it and by what all inputs hold after
   * it: those that had never ended well, whose output was not what they had made, whose rule had changed, or of whose
   * inputs any holds something else than they had read.
   */
  hadToRun({ memory, made }: ReturnType<RandomProject["remembered"]>): readonly string[] {
    return this.#steps().flatMap(({ id, node, inputs }) => {
      const before = memory.get(id);
      const now = JSON.stringify(inputs.names.map((name) => [name, this.#read(name)]));
      const same =
        before !== undefined &&
        made.get(id) === before.made &&
        node.version === before.version &&
        inputs.given === before.given &&
        now === JSON.stringify(before.declared) &&
        before.asked.every(([name, text]) => this.#read(name) === text);
      return same ? [] : [id];
    });
  }

  #steps() {
    return this.#nodes.flatMap((node, i) => {
      const values = node.form === "pattern" ? ["1", "2"] : [""];
      return values.map((x) => {
        const outputs = node.form === "pattern" ? [`p${i}_${x}`] : outputsOf(node, i);
        return { id: outputs[0]!, node, outputs, inputs: this.#inputsOf(node, i, x) };
      });
    });
  }

  /** All that a step reads, in order, and how many of these are given to its recipe. */
  #inputsOf(node: Node, i: number, x: string): { readonly names: readonly string[]; readonly given: number } {
    const globbed = loose.filter((name) => name.startsWith("g") && this.world.read(name) !== undefined);
    const named = (list: readonly number[]) => list.map((pick) => nameOf(pick, i, this.#nodes));
    const given = new Set([
      ...named(node.from),
      ...(x ? [`s${x}`] : []),
      ...(node.optional ? ["o1"] : []),
      ...(node.glob ? globbed : []),
    ]);
    return { names: [...new Set([...given, ...named(node.uses)])], given: given.size };
  }

  #rules(): Rule[] {
    const rules = this.#nodes.map((node, i) => {
      const named = (list: readonly number[]) => list.map((pick) => nameOf(pick, i, this.#nodes));
      const from: (string | InputSpec)[] = named(node.from);
      if (node.form === "pattern") from.push("s{x}");
      if (node.optional) from.push(maybe("o1"));
      if (node.glob) from.push(maybe(glob("g*")));
      return makes(
        node.form === "directory" ? [`d${i}/`] : node.form === "pattern" ? [`p${i}_{x}`] : outputsOf(node, i),
        {
          ...{ from, uses: named(node.uses), after: named(node.after), version: String(node.version) },
          ...(node.form === "pattern" && { where: { x: ["1", "2"] } }),
          work: this.#work(node, i),
        },
      );
    });
    return turned(rules, this.#turn);
  }

  #work(node: Node, i: number): Work {
    return async (job, desk) => {
      if (this.broken.has(i)) return fails(job, desk);
      if (this.#interrupt && this.#interrupt.left-- === 0) this.#interrupt.stop.abort();
      const { step } = job;
      const declared = [...step.inputs, ...step.uses].map((name) => [name, this.#read(name)] as const);
      const asked =
        node.needs.length === 0
          ? undefined
          : nameOf(node.needs[weigh(declared) % node.needs.length]!, i, this.#nodes);
      if (asked !== undefined) {
        const answer = await job.need([asked]);
        if (!answer.ok) return answer;
      }
      const extra = asked === undefined ? [] : [[asked, this.#read(asked)] as const];
      const read = [...declared.filter(([, text]) => text !== ""), ...extra];
      await write(
        job,
        desk,
        (output) =>
          `${output}/${node.version}(${node.lossy ? weigh(read) % 2 : digestOf(JSON.stringify(read)).slice(7, 15)})`,
      );
      const known = new Set(declared.map(([name]) => name));
      this.#remember(job, {
        version: node.version,
        declared,
        given: step.inputs.length,
        asked: extra.filter(([name]) => !known.has(name)),
      });
      return made;
    };
  }

  /** What it is about to publish: nothing can come between in memory. */
  #remember(job: Job, memory: Omit<Memory, "made">): void {
    const { stage, step } = job;
    const staged = stage.kind === "files" ? this.world.files.staged : this.world.tables.staged;
    const written = [...staged].filter(([path]) =>
      stage.kind === "files"
        ? stage.paths.some((one) => path === one || path.startsWith(`${one}/`))
        : path.startsWith(`${step.id}.dmake-`),
    );
    this.#memory.set(step.id, { ...memory, made: written.map(([, text]) => text).join() });
  }

  #readAll(outputs: readonly string[]): string {
    return outputs
      .flatMap((output) => {
        const whole = this.world.read(output);
        if (whole !== undefined) return [whole];
        return [...this.world.files.content]
          .filter(([name]) => name.startsWith(`${output}/`))
          .map(([, text]) => text);
      })
      .join();
  }

  /** A directory is what is in it; what is not there is nothing. */
  #read(name: string): string {
    return this.world.read(name) ?? this.#readAll([name]);
  }
}

/** A directory has one file always, and another one sometimes. */
async function write(job: Job, desk: Desk, text: (output: string) => string): Promise<void> {
  const [output = ""] = job.step.outputs;
  if (!job.step.directories.has(output) || job.stage.kind !== "files") return put(job, desk, text);
  desk.write(`${job.stage.paths[0]}/a`, text(output));
  if (weigh(text(output)) % 2 === 1) desk.write(`${job.stage.paths[0]}/b`, `more of ${text(output)}`);
}

const weigh = (value: unknown): number =>
  [...JSON.stringify(value)].reduce((sum, character) => sum + character.charCodeAt(0), 0);

/** The same things in another order. */
const turned = <T>(list: readonly T[], turn: number): T[] => {
  const at = list.length === 0 ? 0 : turn % list.length;
  const moved = [...list.slice(at), ...list.slice(0, at)];
  return turn % 2 === 1 ? moved.reverse() : moved;
};
