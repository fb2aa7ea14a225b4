// The command line as a value: flags, words, parameters; and what `--help` says. Knows nothing of carrying it out.
import yargs, { type Argv } from "yargs";
import { fail, ok, type Result } from "../core/failure.js";
import { type Argued, asked, databaseVerbs, listed, noWaitFlag, profileFlag, targetVerbs } from "./verbs.js";

export interface Where {
  /** As given with `-C`, or nothing. */
  readonly directory: string | undefined;
  /** As given with `-f`, or nothing. */
  readonly datafile: string | undefined;
}

/** Targets, goals and ranges, and the Datafile's parameters, as `name=value`. */
export interface Asked extends Where {
  readonly words: readonly string[];
  readonly parameters: Readonly<Record<string, string>>;
  /** As given with `--profile`, or nothing. */
  readonly profile?: string | undefined;
}

export interface BuildCommand extends Asked {
  readonly verb: "build";
  /** As given with `-j`, or nothing: then whoever started us may say, or else the machine. */
  readonly jobs: number | undefined;
  /** As given with `-l`, or nothing. */
  readonly load: number | undefined;
  readonly mode: "build" | "dry-run" | "question";
  readonly keepGoing: boolean;
  readonly noWait: boolean;
  readonly forced: boolean;
  /** Of the names, those that stand so; left out, all. */
  readonly only: readonly Only[] | undefined;
  readonly newestFirst: boolean;
  /** The list of the last build, in place of words. */
  readonly resume: boolean;
  readonly json: boolean;
}

/**
 * How a target stands.
 *
 * - `fresh`: nothing would run.
 * - `open`: as good as it can be yet; it is asked for again as long as its month is open.
 * - `stale`: it is there, and would run, or may.
 * - `missing`: it is not there, or was never made.
 * - `failed`: its last attempt in this project failed, and nobody has made it since.
 * - `blocked`: something that it waits for has failed, or is a source that is not there.
 */
export const states = ["fresh", "open", "stale", "missing", "failed", "blocked"] as const;
export type State = (typeof states)[number];

/** What `--only` of a build can be. */
export const onlys = ["missing", "failed", "stale"] as const;
export type Only = (typeof onlys)[number];

export interface StatusCommand extends Asked {
  readonly verb: "status";
  readonly only: readonly State[] | undefined;
  readonly json: boolean;
}

export interface VerifyCommand extends Asked {
  readonly verb: "verify";
  readonly json: boolean;
}

export interface WhyCommand extends Asked {
  readonly verb: "why";
  readonly json: boolean;
}

export interface AdoptCommand extends Asked {
  readonly verb: "adopt";
  readonly noWait: boolean;
  readonly json: boolean;
}

export interface CleanCommand extends Asked {
  readonly verb: "clean";
  readonly orphans: boolean;
  /** Remove, and not only list. */
  readonly yes: boolean;
  readonly noWait: boolean;
  readonly json: boolean;
}

export interface DbCommand extends Where {
  readonly verb: "db";
  /** Words that the verb does not take. */
  readonly rest: readonly string[];
  readonly stop: boolean;
}

export interface SqlCommand extends Where {
  readonly verb: "sql";
  /** Words that the verb does not take: a statement that was not quoted. */
  readonly rest: readonly string[];
  readonly statement: string;
  readonly json: boolean;
}

/** What was asked for; `shown` is help or the version, to be printed as it is. */
export type CommandLine =
  | BuildCommand
  | StatusCommand
  | VerifyCommand
  | WhyCommand
  | AdoptCommand
  | CleanCommand
  | DbCommand
  | SqlCommand
  | { readonly verb: "shown"; readonly text: string };

/** Reads the arguments after the program's name. */
export async function readCommandLine(
  args: readonly string[],
  version: string,
): Promise<Result<CommandLine>> {
  let command: CommandLine | undefined;
  let text = "";
  const parser = describe(version, (found) => {
    command = found;
  });
  try {
    await parser.parseAsync([...args], {}, (_error, _argv, output) => {
      text = output;
    });
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    return fail({ reason: "usage", message: lowered(error.message), help: "dmake --help" });
  }
  if (text !== "") return ok({ verb: "shown", text });
  return command
    ? checked(command)
    : fail({ reason: "usage", message: "nothing was asked for", help: "dmake --help" });
}

const lowered = (message: string): string => message.charAt(0).toLowerCase() + message.slice(1);

const buildFlags = (parser: Argv<Argued>) =>
  parser
    .option("jobs", {
      alias: "j",
      type: "number",
      requiresArg: true,
      describe: "recipes at once, if not one a processor",
    })
    .option("load", {
      alias: "l",
      type: "number",
      requiresArg: true,
      describe: "start no recipe beside others while the machine's load is above this",
    })
    .option("dry-run", { alias: "n", type: "boolean", describe: "say what would run, and what may" })
    .option("question", {
      alias: "q",
      type: "boolean",
      describe: "say nothing; exit 3 if anything is stale",
    })
    .option("keep-going", {
      alias: "k",
      type: "boolean",
      describe: "after a failure, build what does not need it",
    })
    .option("no-wait", noWaitFlag)
    .option("only", {
      type: "string",
      requiresArg: true,
      describe: "of the names, those that are missing, failed, stale (a,b)",
    })
    .option("newest-first", { type: "boolean", describe: "the latest month first, and what it needs" })
    .option("resume", { type: "boolean", describe: "go on with the list of the last build" })
    .option("always-make", { alias: "B", type: "boolean", describe: "run every recipe, fresh or not" })
    .option("json", { type: "boolean", describe: "one JSON event a line" })
    .option("profile", profileFlag);

function describe(version: string, found: (command: CommandLine) => void) {
  const parser = yargs()
    .scriptName("dmake")
    .usage(
      "dmake [TARGET | GOAL | NAME=VALUE]…\n\nBuilds what is stale of a Datafile.ts, and loads it exactly once.",
    )
    .option("directory", {
      alias: "C",
      type: "string",
      requiresArg: true,
      describe: "change to this folder first",
      global: true,
    })
    .option("file", {
      alias: "f",
      type: "string",
      requiresArg: true,
      describe: "the Datafile, if not ./Datafile.ts",
      global: true,
    })
    .command(
      "$0",
      false,
      (y) =>
        buildFlags(y)
          .example("$0", "build the default goals of ./Datafile.ts")
          .example("$0 data/yellow_2021-01.parquet", "bring one file up to date")
          .example("$0 'table:green_trips/{2023-01..2023-03}'", "load three months")
          .example("$0 -n loaded source=file:data/new", "what would run with another parameter")
          .example("$0 -k --no-wait loaded", "from cron: skip what another makes now")
          .example("$0 -k 'table:green_trips/{2023-12..2019-01}'", "a backfill, the newest month first")
          .example("$0 --resume", "what is left of it")
          .example("$0 -k --only failed,missing loaded", "once more what did not come through")
          .example("$0 --profile out.json loaded", "where the time goes: open it in Perfetto")
          .example("$0 -- -odd.csv", "a target whose name begins with a dash")
          .example("$0 ./why", "a target that is called as a verb is"),
      (argv) =>
        found({
          verb: "build",
          ...asked(argv),
          jobs: argv.jobs,
          load: argv.load,
          mode: argv.question ? "question" : argv.dryRun ? "dry-run" : "build",
          keepGoing: argv.keepGoing === true,
          noWait: argv.noWait === true,
          forced: argv.alwaysMake === true,
          only: listed(argv.only) as readonly Only[] | undefined,
          newestFirst: argv.newestFirst === true,
          resume: argv.resume === true,
          json: argv.json === true,
        }),
    );
  return databaseVerbs(targetVerbs(parser, found), found)
    .version(version)
    .help()
    .alias("help", "h")
    .epilog(
      "exit codes: 0 built or fresh · 1 a target failed · 2 usage or Datafile · 3 -q and stale · 75 --no-wait and held · 129, 130, 141, 143 signals",
    )
    .parserConfiguration({
      "populate--": true,
      "parse-positional-numbers": false,
      // As in Make, the last of several wins.
      "duplicate-arguments-array": false,
      // Otherwise `--no-wait` would be a flag `wait`, denied.
      "boolean-negation": false,
    })
    .strictOptions()
    .recommendCommands()
    .exitProcess(false)
    .wrap(100)
    .fail(false);
}

/** What no flag alone can say: numbers that are none, words that a verb does not take, words that it needs. */
function checked(command: CommandLine): Result<CommandLine> {
  switch (command.verb) {
    case "build":
      if (command.jobs !== undefined && !(Number.isInteger(command.jobs) && command.jobs >= 1))
        return refused("`-j` takes a whole number from 1", "dmake -j 4");
      if (command.resume && command.words.length > 0)
        return refused(
          `\`--resume\` goes on with the list of the last build, and takes no \`${command.words.join(" ")}\``,
          "dmake --resume",
        );
      if (command.only && !areAmong(command.only, onlys))
        return refused(wrongOnly(onlys), "dmake --only missing");
      return command.load === undefined || command.load > 0
        ? ok(command)
        : refused("`-l` takes a number above 0", "dmake -l 4");
    case "db":
    case "sql": {
      if (command.rest.length === 0) return ok(command);
      const help = command.verb === "sql" ? 'quote the statement: dmake sql "select …"' : "dmake db --help";
      return refused(`\`dmake ${command.verb}\` does not take \`${command.rest.join(" ")}\``, help);
    }
    case "adopt":
      return command.words.length > 0
        ? ok(command)
        : refused("`dmake adopt` needs the names of what it is to vouch for", "dmake adopt --help");
    case "clean":
      if (command.words.length > 0)
        return refused(`\`dmake clean\` does not take \`${command.words.join(" ")}\``, "dmake clean --help");
      return command.orphans
        ? ok(command)
        : refused("`dmake clean` removes nothing by itself", "dmake clean --orphans");
    case "status":
      return command.only && !areAmong(command.only, states)
        ? refused(wrongOnly(states), "dmake status --only failed,blocked")
        : ok(command);
    case "why":
    case "verify":
    case "shown":
      return ok(command);
  }
}

const areAmong = (given: readonly string[], known: readonly string[]): boolean =>
  given.length > 0 && given.every((one) => known.includes(one));

const wrongOnly = (known: readonly string[]): string =>
  `\`--only\` takes ${known.slice(0, -1).join(", ")} and ${known.at(-1)}, several with commas`;

const refused = (message: string, help: string): Result<never> => fail({ reason: "usage", message, help });
