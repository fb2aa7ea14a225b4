// Tells flags, words and verbs apart, with yargs, and says what `--help` says. Knows nothing of carrying a command out.
import yargs, { type Argv } from "yargs";
import { fail, ok, type Result } from "../core/failure.js";
import type { CommandLine, Only } from "./options.js";
import { type Argued, asked, databaseVerbs, listed, noWaitFlag, profileFlag, targetVerbs } from "./verbs.js";

/** What the arguments after the program's name say, not checked yet. */
export async function parseArguments(args: readonly string[], version: string): Promise<Result<CommandLine>> {
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
    ? ok(command)
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
