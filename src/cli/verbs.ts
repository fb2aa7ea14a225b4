// What `--help` says of each verb, and what its arguments become. Knows nothing of carrying a verb out.
import type { Argv } from "yargs";
import { type Asked, type CommandLine, partsOf, type State, type Where } from "./options.js";

type Found = (command: CommandLine) => void;

const jsonFlag = { type: "boolean", describe: "one JSON object a line" } as const;

export const noWaitFlag = {
  type: "boolean",
  describe: "fail with 75 where another dmake is at work, and do not wait for it",
} as const;

export const profileFlag = {
  type: "string",
  requiresArg: true,
  describe: "write where the time goes to this file, as a Chrome trace",
} as const;

/** The verbs that are about targets. */
export const targetVerbs = (parser: Argv<Argued>, found: Found) =>
  lookingVerbs(parser, found)
    .command(
      "why",
      "say why targets are stale, or what makes them fresh",
      (y) =>
        y
          .option("json", { ...jsonFlag, describe: "one JSON object a target" })
          .option("profile", profileFlag)
          .usage(
            "dmake why [TARGET | GOAL | NAME=VALUE]…\n\nSays why targets are stale, or what makes them fresh. Changes nothing.",
          )
          .example("$0 why data/yellow_2021-01.parquet", "what is recorded, and what is there now")
          .example("$0 why 'table:green_trips/{2023-01..2023-03}'", "three months")
          .example("$0 why loaded source=file:data/new", "with another parameter"),
      (argv) => found({ verb: "why", ...asked(argv, 1), json: argv.json === true }),
    )
    .command(
      "adopt",
      "record targets that are there as if they had just been made",
      (y) =>
        y
          .option("json", { ...jsonFlag, describe: "one JSON object a target" })
          .usage(
            "dmake adopt TARGET…\n\nRecords what is there as if it had just been made: you vouch for it, nothing runs.",
          )
          .option("no-wait", noWaitFlag)
          .example("$0 adopt data/yellow_2021-01.parquet", "a file that somebody else made")
          .example("$0 adopt 'data/yellow_{2021-01..2021-12}.parquet'", "a year of them"),
      (argv) =>
        found({
          verb: "adopt",
          ...asked(argv, 1),
          noWait: argv.noWait === true,
          json: argv.json === true,
        }),
    )
    .command(
      "clean",
      "list or remove the outputs of rules that are gone",
      (y) =>
        y
          .option("orphans", { type: "boolean", describe: "what dmake made, and no rule makes any more" })
          .option("yes", { type: "boolean", describe: "remove those that nobody has changed since" })
          .option("no-wait", noWaitFlag)
          .option("json", { ...jsonFlag, describe: "one JSON object an orphan" })
          .example("$0 clean --orphans", "list them")
          .example("$0 clean --orphans --yes", "remove those that are as dmake made them"),
      (argv) =>
        found({
          verb: "clean",
          ...asked(argv, 1),
          orphans: argv.orphans === true,
          yes: argv.yes === true,
          noWait: argv.noWait === true,
          json: argv.json === true,
        }),
    );

/** The verbs that say how things are. */
const lookingVerbs = (parser: Argv<Argued>, found: Found) =>
  parser
    .command(
      "status",
      "say of every target how it stands",
      (y) =>
        y
          .usage(
            [
              "dmake status [TARGET | GOAL | NAME=VALUE]…",
              "One line a target: of the default goals and all they need, or of those named. Changes nothing.",
              [
                "fresh    nothing would run",
                "open     its month is still open",
                "stale    it is there, and would run, or may",
                "missing  it is not there, or was never made",
                "failed   its last attempt in this project failed",
                "blocked  it needs one that failed, or a source that is not there",
              ].join("\n"),
            ].join("\n\n"),
          )
          .option("only", {
            type: "string",
            requiresArg: true,
            describe: "those that stand so; several with commas",
          })
          .option("json", { ...jsonFlag, describe: "one JSON object a target" })
          .option("profile", profileFlag)
          .example("$0 status", "everything that a bare dmake would bring up to date")
          .example("$0 status 'table:green_trips/{2023-01..2023-12}'", "a year of months")
          .example("$0 status --only failed,blocked loaded", "what did not come through"),
      (argv) =>
        found({
          verb: "status",
          ...asked(argv, 1),
          only: listed(argv.only) as readonly State[] | undefined,
          json: argv.json === true,
        }),
    )
    .command(
      "verify",
      "compare what is there with what was recorded when it was made",
      (y) =>
        y
          .usage(
            [
              "dmake verify [TARGET | GOAL | NAME=VALUE]…",
              "Compares targets with their records: those named, or all that the default goals need and that are recorded. Writes nothing, and may run beside a build.",
              "Of tables and partitions all rows are read: their number, and a checksum over every value that was loaded. Files that somebody has written since they were made are read; others are taken to be as they were. Exits with 1 if anything has changed or is missing; `dmake -B TARGET` makes it anew.",
            ].join("\n\n"),
          )
          .option("json", { ...jsonFlag, describe: "one JSON object a target" })
          .example("$0 verify", "everything that is recorded")
          .example("$0 verify 'table:green_trips/{2023-01..2023-12}'", "a year of months"),
      (argv) => found({ verb: "verify", ...asked(argv, 1), json: argv.json === true }),
    );

/** The verbs that reach the database. */
export const databaseVerbs = (parser: Argv<Argued>, found: Found) =>
  parser
    .command(
      "db",
      "start the embedded database, if it is used, and print the URL",
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
export interface Argued {
  directory: string | undefined;
  file: string | undefined;
}

/** The texts between the commas. */
export const listed = (text: string | undefined): readonly string[] | undefined =>
  text
    ?.split(",")
    .map((one) => one.trim())
    .filter((one) => one !== "");

const where = (argv: Argued): Where => ({
  directory: argv.directory,
  datafile: argv.file,
});

/** Words and parameters, those after `--` too, without the verb itself. */
export function asked(
  argv: Argued & { readonly _?: unknown; readonly "--"?: unknown; readonly profile?: string | undefined },
  verbs = 0,
): Asked {
  const { profile } = argv;
  const words = [argv._ ?? [], argv["--"] ?? []].map((some) => (some as unknown[]).map(String));
  const split = partsOf([...(words[0] ?? []).slice(verbs), ...(words[1] ?? [])]);
  return { ...where(argv), ...split, ...(profile !== undefined && { profile }) };
}
