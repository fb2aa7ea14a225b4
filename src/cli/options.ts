// The command line as a value: flags, words, parameters; and what `--help` says. Knows nothing of carrying it out.
import { availableParallelism } from "node:os";
import yargs, { type Argv } from "yargs";
import { fail, ok, type Result } from "../core/failure.js";

interface Where {
  /** As given with `-C`, or nothing. */
  readonly directory: string | undefined;
  /** As given with `-f`, or nothing. */
  readonly datafile: string | undefined;
}

export interface BuildCommand extends Where {
  readonly verb: "build";
  readonly words: readonly string[];
  readonly parameters: Readonly<Record<string, string>>;
  readonly jobs: number;
  readonly mode: "build" | "dry-run" | "question";
  readonly keepGoing: boolean;
  readonly forced: boolean;
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
  | DbCommand
  | SqlCommand
  | { readonly verb: "shown"; readonly text: string };

const parameter = /^([A-Za-z_][A-Za-z0-9_]*)=(.*)$/s;

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
      describe: "recipes at once",
      default: availableParallelism(),
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
    .option("always-make", { alias: "B", type: "boolean", describe: "run every recipe, fresh or not" })
    .option("json", { type: "boolean", describe: "one JSON event a line" });

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
          .example("$0 -n loaded source=file:data/new", "what would run with another parameter"),
      (argv) =>
        found({
          verb: "build",
          ...where(argv),
          ...split([argv._, argv["--"] ?? []].flat().map(String)),
          jobs: argv.jobs,
          mode: argv.question ? "question" : argv.dryRun ? "dry-run" : "build",
          keepGoing: argv.keepGoing === true,
          forced: argv.alwaysMake === true,
          json: argv.json === true,
        }),
    );
  return databaseVerbs(parser, found)
    .version(version)
    .help()
    .alias("help", "h")
    .epilog(
      "exit codes: 0 built or fresh · 1 a target failed · 2 usage or Datafile · 3 -q and stale · 130, 143 signals",
    )
    .parserConfiguration({
      "populate--": true,
      "parse-positional-numbers": false,
      // As in Make, the last of several wins.
      "duplicate-arguments-array": false,
    })
    .strictOptions()
    .recommendCommands()
    .exitProcess(false)
    .wrap(100)
    .fail(false);
}

const databaseVerbs = (parser: Argv<Argued>, found: (command: CommandLine) => void) =>
  parser
    .command(
      "db",
      "start the database if it is the embedded one, leave it running, and print its URL",
      (y) =>
        y
          .option("stop", { type: "boolean", describe: "stop the embedded server" })
          .example('psql "$(dmake db)"', "look around with psql"),
      (argv) =>
        found({ verb: "db", ...where(argv), rest: argv._.slice(1).map(String), stop: argv.stop === true }),
    )
    .command(
      "sql <statement>",
      "run SQL and print the rows",
      (y) =>
        y
          .positional("statement", { type: "string", demandOption: true })
          .option("json", { type: "boolean", describe: "one JSON object a row" })
          .example("$0 sql 'select month, count(*) from green_trips group by month'", ""),
      (argv) =>
        found({
          verb: "sql",
          ...where(argv),
          rest: argv._.slice(1).map(String),
          statement: argv.statement,
          json: argv.json === true,
        }),
    );

/** The flags of every verb. */
interface Argued {
  directory: string | undefined;
  file: string | undefined;
}

const where = (argv: Argued): Where => ({
  directory: argv.directory,
  datafile: argv.file,
});

function split(words: readonly string[]): Pick<BuildCommand, "words" | "parameters"> {
  const parameters: Record<string, string> = {};
  const rest: string[] = [];
  for (const word of words) {
    const found = parameter.exec(word);
    if (found) parameters[found[1] ?? ""] = found[2] ?? "";
    else rest.push(word);
  }
  return { words: rest, parameters };
}

function checked(command: CommandLine): Result<CommandLine> {
  if (command.verb === "build" && !(Number.isInteger(command.jobs) && command.jobs >= 1))
    return fail({ reason: "usage", message: "`-j` takes a whole number from 1", help: "dmake -j 4" });
  if ((command.verb === "sql" || command.verb === "db") && command.rest.length > 0) {
    const message = `\`dmake ${command.verb}\` does not take \`${command.rest.join(" ")}\``;
    const help = command.verb === "sql" ? 'quote the statement: dmake sql "select …"' : "dmake db --help";
    return fail({ reason: "usage", message, help });
  }
  return ok(command);
}
