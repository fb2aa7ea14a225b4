// What dmake and the process that starts commands for it say to each other: a line of JSON each. Knows nothing of either.

export type Environment = Readonly<Record<string, string | undefined>>;

export type Order =
  /** First of all: what every command is given, variables and so many descriptors. */
  | readonly ["given", Environment, descriptors: number]
  /** Starts a command, in that environment but for these changes; null takes a variable away. */
  | readonly ["start", id: number, command: string, changes: Readonly<Record<string, string | null>>]
  /** Reads what an ended command has printed, though somebody may hold its pipes. */
  | readonly ["hear", id: number];

export type News =
  /** It reads from now on. */
  | readonly ["ready"]
  | readonly ["begun", id: number, pid: number]
  | readonly ["text", id: number, text: string]
  | readonly ["ended", id: number, code: number | null, killedBy: NodeJS.Signals | null]
  | readonly ["failed", id: number, message: string, code: string | undefined]
  /** All that it printed was told. */
  | readonly ["heard", id: number];

/** Where the process that starts commands finds descriptors that they are given: after its own two, one unused and one that is closed. */
export const inherited = (count: number): readonly number[] => Array.from({ length: count }, (_, i) => 4 + i);

export const lineOf = (said: Order | News): string => `${JSON.stringify(said)}\n`;

/** Takes chunks of text, and gives on the messages in it. */
export function listener<T extends Order | News>(take: (said: T) => void): (chunk: string) => void {
  let rest = "";
  return (chunk) => {
    const lines = (rest + chunk).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) take(JSON.parse(line) as T);
  };
}
