// The command line as a value: flags, words, parameters. Knows nothing of how flags are told from words, or of carrying it out.
import { fail, ok, type Result } from "../core/failure.js";

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

const parameter = /^([A-Za-z_][A-Za-z0-9_]*)=(.*)$/s;

/** Parts parameters from words. */
export function partsOf(words: readonly string[]): Pick<Asked, "words" | "parameters"> {
  const parameters: Record<string, string> = {};
  const rest: string[] = [];
  for (const word of words) {
    const found = parameter.exec(word);
    if (found) parameters[found[1] ?? ""] = found[2] ?? "";
    else rest.push(word);
  }
  return { words: rest, parameters };
}

/** The verbs that a command line may begin with; anything else is a target, a goal or a parameter. */
export const verbs = ["adopt", "clean", "completion", "db", "sql", "status", "verify", "why"] as const;

/** What no flag alone can say: numbers that are none, words that a verb does not take, words that it needs. */
export function checked(command: CommandLine): Result<CommandLine> {
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
