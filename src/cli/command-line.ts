// From arguments to a checked command. Knows nothing of flags, or of carrying a command out.
import { ok, type Result } from "../core/failure.js";
import { type BuildCommand, type CommandLine, checked, partsOf, verbs } from "./options.js";

/** Reads the arguments after the program's name. Without flags and verbs there is nothing to parse: yargs takes 60 to 90 ms to load. */
export async function readCommandLine(
  args: readonly string[],
  version: string,
): Promise<Result<CommandLine>> {
  const isPlain =
    !args.some((arg) => arg === "" || arg.startsWith("-")) && !verbs.some((verb) => verb === args[0]);
  if (isPlain) return ok(plainBuild(args));
  const { parseArguments } = await import("./arguments.js");
  const parsed = await parseArguments(args, version);
  return parsed.ok ? checked(parsed.value) : parsed;
}

const plainBuild = (args: readonly string[]): BuildCommand => ({
  verb: "build",
  ...{ directory: undefined, datafile: undefined, ...partsOf(args) },
  ...{ jobs: undefined, load: undefined, mode: "build", only: undefined },
  ...{ keepGoing: false, noWait: false, forced: false, newestFirst: false, resume: false, json: false },
});
