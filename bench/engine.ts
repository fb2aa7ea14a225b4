// Builds a workload by dmake and its peers, in turn: everything, nothing, one touched, one changed, a dry run; and sees to it that what came out is right. Knows nothing of how the tools work.
import { strict as assert } from "node:assert";
import { mkdirSync, readFileSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Benchmark, type Context, Figures, inRounds, inScratch } from "./context.js";
import { writeProject } from "./languages.js";
import { phasesOf } from "./phases.js";
import { type Player, playersFor, wipe } from "./players.js";
import { type Command, type Ran, runOnce } from "./process.js";
import type { Comparison, Floor, Report } from "./report.js";
import { scalingOf } from "./scaling.js";
import { expected, type Workload, type WorkloadName, workloadOf } from "./workloads.js";

/** What is measured, as its column is called. */
export const measures = {
  full: "full build",
  each: "full build, a target",
  null: "null build",
  touched: "touched",
  changed: "one changed",
  dry: "dry run",
} as const;

/** A null build takes so many rounds at least: it is short, and what everything else is held against. */
const roundsOfNull = 7;

/** 100,000 targets are built in passing only if that takes no longer than this. */
const patienceSeconds = 150;
const largest = 100_000;

/** One benchmark a workload: a report a size and one of its phases, and one on how it grows. */
export const benchEngine = (name: WorkloadName): Benchmark =>
  async function* (context) {
    const sizes = [...context.plan.sizes];
    const reports: { readonly size: number; readonly report: Report }[] = [];
    for (let next = sizes.shift(); next !== undefined; next = sizes.shift()) {
      const size = next;
      yield* inScratch(async function* (folder) {
        const report = await new Contest(workloadOf(name, size), size, folder, context).held();
        reports.push({ size, report });
        yield report;
        yield await phasesOf(report, join(folder, "dmake"), context);
      });
      const { report } = reports.at(-1)!;
      if (sizes.length === 0 && name === "wide" && !context.plan.sized && size < largest)
        if (isSoon(report, size)) sizes.push(largest);
    }
    if (reports.length > 1) yield scalingOf(name, reports);
  };

/** Whether the largest size would be built soon enough, going by this one. */
function isSoon({ figures }: Report, size: number): boolean {
  const full = figures.find(({ who, measure }) => who === "dmake" && measure === measures.full);
  return size >= 10_000 && (Math.max(...full!.values) * largest) / size < patienceSeconds;
}

/** One workload of one size, and all who build it, each in a folder of its own with the same files. */
class Contest {
  readonly #figures = new Figures();
  readonly #players: Player[];
  readonly #skipped: string[];
  /** What is in the sources of each folder now. */
  readonly #sources = new Map<string, Map<string, string>>();
  #edits = 0;

  constructor(
    private readonly workload: Workload,
    private readonly size: number,
    private readonly scratch: string,
    private readonly context: Context,
  ) {
    const { players, skipped } = playersFor(workload, size, context);
    this.#players = [...players];
    this.#skipped = skipped;
  }

  async held(): Promise<Report> {
    const { workload, size, context } = this;
    const say = (what: string) => context.say(`${workload.name} ${size}: ${what}`);
    say("writing files");
    for (const language of new Set(this.#players.map((player) => player.language))) {
      mkdirSync(this.#folder({ language }), { recursive: true });
      writeProject(this.#folder({ language }), language, workload);
      this.#sources.set(language, new Map(workload.sources));
    }
    say(measures.full);
    await inRounds(context, (round) => this.#each((player) => this.#full(player), round));
    say(measures.null);
    if (!context.plan.quick) await this.#each((player) => this.#look(player).then(() => undefined));
    const wanted = context.plan.quick ? 1 : Math.max(roundsOfNull, context.plan.rounds);
    await inRounds(
      context,
      (round) => this.#each((player) => this.#null(player), round).then(() => this.#empty()),
      wanted,
    );
    say(`${measures.touched}, ${measures.changed}, ${measures.dry}`);
    for (const edited of [this.#touched, this.#changed, this.#dry])
      await inRounds(context, (round) =>
        this.#each((player) => (player.edits ? edited.call(this, player) : Promise.resolve()), round),
      );
    return this.#report();
  }

  #folder({ language }: Pick<Player, "language">): string {
    return join(this.scratch, language);
  }

  /** Each in turn. A peer that fails is out, and that is said; dmake must not. */
  async #each(work: (player: Player) => Promise<void>, round = 0): Promise<void> {
    for (const player of this.#players.filter(({ rounds = Infinity }) => round < rounds))
      try {
        await work(player);
      } catch (error) {
        if (!(error instanceof PeerFailed)) throw error;
        this.#players.splice(this.#players.indexOf(player), 1);
        this.#skipped.push(`${player.who}: ${error.message}`);
      }
  }

  async #run(player: Player, command: Command): Promise<Ran> {
    const ran = await runOnce(command, this.context.signal);
    if (ran.code === 0) return ran;
    const text = `${command.args.join(" ")}: exit ${ran.code}: ${ran.output.trim().slice(-1000)}`;
    if (player.who === "dmake" || player.who === "bare node") assert.fail(`${player.who}: ${text}`);
    throw new PeerFailed(text.split("\n").at(-1));
  }

  async #full(player: Player): Promise<void> {
    const folder = this.#folder(player);
    wipe(folder, player, this.workload);
    const ran = await this.#run(player, player.build(folder));
    this.#figures.addRun(player.who, measures.full, ran);
    const targets = this.workload.steps.length;
    if (targets > 1) this.#figures.add(player.who, measures.each, "ms", (ran.seconds * 1000) / targets);
    this.#compare(player);
  }

  #look(player: Player): Promise<Ran> {
    const folder = this.#folder(player);
    return this.#run(player, (player.look ?? player.build)(folder));
  }

  async #null(player: Player): Promise<void> {
    const before = this.#stamps(player);
    this.#figures.addRun(player.who, measures.null, await this.#look(player));
    assert.equal(this.#made(player, before), 0, `${player.who} made something of nothing`);
  }

  /** What a process of node costs that does nothing. */
  async #empty(): Promise<void> {
    const command = { program: process.execPath, args: ["-e", "0"], cwd: this.scratch };
    this.#figures.addRun("node -e 0", measures.null, await runOnce(command, this.context.signal));
  }

  async #touched(player: Player): Promise<void> {
    const source = join(this.#folder(player), this.workload.edited.source);
    utimesSync(source, new Date(), new Date());
    const before = this.#stamps(player);
    this.#figures.add(player.who, measures.touched, "s", (await this.#look(player)).seconds);
    const made = this.#made(player, before);
    this.#figures.add(player.who, `${measures.touched}, recipes`, "", made);
    if (player.who === "dmake") assert.equal(made, 0, "the same bytes made something stale");
  }

  async #changed(player: Player): Promise<void> {
    this.#edit(player);
    const before = this.#stamps(player);
    this.#figures.add(player.who, measures.changed, "s", (await this.#look(player)).seconds);
    this.#figures.add(player.who, `${measures.changed}, recipes`, "", this.#mustMake(player, before));
    this.#compare(player);
  }

  /** Of one changed source, which is then built, so that the next one finds all fresh. */
  async #dry(player: Player): Promise<void> {
    this.#edit(player);
    const before = this.#stamps(player);
    const ran = await this.#run(player, player.dryRun!(this.#folder(player)));
    assert.equal(this.#made(player, before), 0, `the dry run of ${player.who} made something`);
    this.#figures.add(player.who, measures.dry, "s", ran.seconds);
    if (player.who === "dmake") {
      const said = ran.output.match(/^(would|may) run /gm)?.length;
      assert.equal(said, this.workload.edited.recipes, ran.output);
    }
    await this.#look(player);
    this.#mustMake(player, before);
  }

  #mustMake(player: Player, before: readonly string[]): number {
    const made = this.#made(player, before);
    assert.equal(made, this.workload.edited.recipes, `${player.who} after one change`);
    return made;
  }

  /** Other bytes in one source. */
  #edit(player: Player): void {
    const { source } = this.workload.edited;
    const line = `edit ${this.#edits++}`;
    writeFileSync(join(this.#folder(player), source), `${line}\n`);
    this.#sources.get(player.language)!.set(source, line);
  }

  #stamps(player: Player): readonly string[] {
    return this.workload.steps.map(({ target }) => {
      const stat = statSync(join(this.#folder(player), target), { bigint: true, throwIfNoEntry: false });
      return stat === undefined ? "none" : `${stat.ino} ${stat.mtimeNs}`;
    });
  }

  /** The number of targets that were made since. */
  #made(player: Player, before: readonly string[]): number {
    return this.#stamps(player).filter((stamp, n) => stamp !== before[n]).length;
  }

  /** Every target holds what follows from the sources, so that all tools have made the same bytes. */
  #compare(player: Player): void {
    for (const [target, line] of expected(this.workload, this.#sources.get(player.language)!))
      assert.equal(
        readFileSync(join(this.#folder(player), target), "utf8"),
        `${line}\n`,
        `${player.who}: ${target}`,
      );
  }

  #report(): Report {
    const { workload, size } = this;
    const figures = this.#figures.all;
    const peers = figures.filter(({ measure }) => measure === measures.full).length - 2;
    return {
      name: `${workload.name} ${size}`,
      what: workload.what,
      subject: "dmake",
      figures,
      comparisons: comparisonsOf(workload, size),
      floors: floorsOf(workload),
      notes: [
        `all targets had the right bytes, of dmake and ${peers} others; a null build ran 0 recipes, a change ${workload.edited.recipes}, a touch 0 by dmake`,
      ],
      skipped: this.#skipped,
    };
  }
}

class PeerFailed extends Error {}

const mine = (measure: string) => ({ who: "dmake", measure });

/** The bars, where the size is the one that they are set for. */
function comparisonsOf({ edited, name }: Workload, size: number): readonly Comparison[] {
  const byNull = { of: mine(measures.null) };
  const memory = { of: mine(`${measures.null}, peak`), by: "value" } as const;
  const full = { of: mine(measures.each), by: "value" } as const;
  // The recipes that must run: one after another, each with its start, its sync and its record, 10 ms.
  const change = { of: mine(measures.changed), by: "difference", to: mine(measures.null) } as const;
  if (size === 10_000)
    return [
      { ...byNull, by: "value", limit: 0.2 },
      { ...change, limit: 0.01 * edited.recipes },
      // One recipe has nothing to run beside.
      ...(name === "deep" || name === "fanin" ? [] : [{ ...full, limit: 0.5 }]),
    ];
  if (size === largest)
    return [
      { ...byNull, by: "ratio", to: { who: "ninja", measure: measures.null }, limit: 2 },
      { ...memory, limit: 300 },
    ];
  return [];
}

function floorsOf({ what, sources, steps }: Workload): readonly Floor[] {
  const files = (sources.size + steps.length).toLocaleString("en-US");
  const floor = (measure: string) => ({ of: mine(measure), floor: { who: "bare node", measure } });
  return [
    {
      what: `nothing to do, ${what}`,
      is: `start of node, the names from JSON, ${files} stats`,
      ...floor(measures.null),
    },
    {
      what: `everything, ${what}`,
      is: "the same, and the recipes in two shells that live on; nothing synced, nothing recorded",
      ...floor(measures.full),
    },
  ];
}
