// From arguments to a checked command. Knows nothing of most flags, or of carrying a command out.
import type { Result } from "../core/failure.js";
import { type BuildCommand, type CommandLine, checked, partsOf, verbs } from "./options.js";

/** Reads the arguments after the program's name. */
export async function readCommandLine(
  args: readonly string[],
  version: string,
): Promise<Result<CommandLine>> {
  const plain = plainBuild(args);
  if (plain) return checked(plain);
  const { parseArguments } = await import("./arguments.js");
  const parsed = await parseArguments(args, version);
  return parsed.ok ? checked(parsed.value) : parsed;
}

/** The flags of shell loops and cron. */
const usual: Readonly<Record<string, Partial<BuildCommand>>> = {
  "-n": { mode: "dry-run" },
  "-k": { keepGoing: true },
  "-B": { forced: true },
  "--no-wait": { noWait: true },
  "--json": { json: true },
};

/** A build with no flags but these. Others, and verbs, are for yargs: it takes 60 to 90 ms to load. */
function plainBuild(args: readonly string[]): BuildCommand | undefined {
  const words: string[] = [];
  let said: Partial<BuildCommand> = {};
  for (let i = 0; i < args.length; i += 1) {
    const arg = args[i] ?? "";
    const jobs = /^-j(\d*)$/.exec(arg)?.[1];
    if (jobs !== undefined) {
      const number = jobs === "" ? (args[++i] ?? "") : jobs;
      if (!/^\d+$/.test(number)) return undefined;
      said = { ...said, jobs: Number(number) };
    } else if (Object.hasOwn(usual, arg)) said = { ...said, ...usual[arg] };
    else if (arg === "" || arg.startsWith("-")) return undefined;
    else words.push(arg);
  }
  // Wherever it stands, yargs takes it for one.
  if (words.some((word) => verbs.some((verb) => verb === word))) return undefined;
  return {
    verb: "build",
    ...{ directory: undefined, datafile: undefined, ...partsOf(words) },
    ...{ jobs: undefined, load: undefined, mode: "build", only: undefined },
    ...{ keepGoing: false, noWait: false, forced: false, newestFirst: false, resume: false, json: false },
    ...said,
  };
}
