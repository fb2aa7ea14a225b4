// Wires stores and runners to the engine's ports, each loaded when first needed. Knows nothing of what they do.
import { randomBytes } from "node:crypto";
import { existsSync, readdirSync } from "node:fs";
import { hostname } from "node:os";
import { dirname, join, normalize } from "node:path";
import { pid } from "node:process";
import type { Warning } from "../core/event.js";
import { ok, type Result } from "../core/failure.js";
import { redactAll } from "../core/redact.js";
import type { Spans } from "../core/spans.js";
import type { Stores } from "../engine/facts.js";
import type { History, Runners, Store } from "../engine/ports.js";
import type { Database } from "../postgres/connect.js";
import { createFiles, type FileStore } from "../stores/files.js";
import { createHistory, lastAttempts } from "../stores/history.js";
import { Presence } from "../system/presence.js";
import type { BuildCommand } from "./options.js";
import type { Places } from "./places.js";
import type { Surroundings } from "./project.js";

/** dmake's own files, in the project's root. */
export const ownFolder = ".dmake";

export interface Place {
  /** The project's root, absolute; the current directory. */
  readonly root: string;
  readonly env: NodeJS.ProcessEnv;
  readonly writable: boolean;
}

/** Everything that a build needs from outside. `close` leaves nothing running. */
export interface Wired {
  readonly stores: Stores;
  /** The store of files, for what only it can answer. */
  readonly files: FileStore;
  readonly runners: Runners;
  /** The id of this run, which everything is named after that it leaves behind. */
  readonly run: string;
  readonly history: History;
  readonly spans?: Spans;
  /** The places for recipes of a build; asked again, the same. */
  readonly placesFor: (command: BuildCommand, around: Surroundings) => Promise<Places>;
  /** Puts in order what runs that died have left. */
  readonly recover: (signal: AbortSignal) => Promise<Result<void>>;
  readonly close: () => Promise<void>;
}

const runnersIn = (env: NodeJS.ProcessEnv): Runners => ({
  download: () => import("../recipes/download.js").then((room) => room.runDownload),
  parquet: () => import("../recipes/parquet.js").then((room) => room.runParquet),
  load: () => import("../recipes/load.js").then((room) => room.runLoad),
  sh: () => import("../recipes/shell.js").then((room) => room.createShell(env)),
  script: () => import("../recipes/script.js").then((room) => room.runScript),
  sql: () => import("../recipes/sql.js").then((room) => room.runSql),
});

/** Says what is being waited for while no recipe runs; nothing when it is over. */
export type Notice = (text: string) => void;

/** Opens the database of a project once, when somebody first asks. */
export function lazyDatabase(
  { root, env }: Pick<Place, "root" | "env">,
  notice: Notice = () => undefined,
  spans?: Spans,
) {
  let opened: Promise<Result<Database>> | undefined;
  const open = async (): Promise<Result<Database>> => {
    const end = spans?.begin("open database");
    const { openDatabase } = await import("../postgres/connect.js");
    notice("opening the database");
    const database = await openDatabase({ root, env });
    notice("");
    end?.();
    return database;
  };
  return {
    open: (): Promise<Result<Database>> => {
      opened ??= open();
      return opened;
    },
    close: async (): Promise<void> => {
      const database = await opened;
      if (database?.ok) await database.value.close();
    },
  };
}

/** What the world has to say while it works. */
export interface Told {
  readonly notice: Notice;
  readonly warn: (warning: Warning) => void;
  /** What is to be recorded nowhere. Filled while the Datafile is evaluated. */
  readonly secrets: ReadonlySet<string>;
  /** Told where time goes, if somebody wants to know. */
  readonly spans?: Spans;
}

export function wire(place: Place, { notice, warn, secrets, spans }: Told): Wired {
  const database = lazyDatabase(place, notice, spans);
  const run = { id: randomBytes(8).toString("hex"), pid, host: hostname() };
  const presence = new Presence(ownFolder, run.id);
  const ends = createHistory({ directory: ownFolder, run: run.id, later: setImmediate });
  const history: History = {
    note: (ended) => ends.note(secrets.size > 0 || ended.failure ? redactAll(ended, secrets) : ended),
  };
  let places: Promise<Places> | undefined;
  const placesFor: Wired["placesFor"] = (command, around) => {
    places ??= import("./places.js").then(({ openPlaces }) => openPlaces(command, around, warn));
    return places;
  };
  const files = createFiles({
    directory: ownFolder,
    writable: place.writable,
    warn,
    presence,
    history,
    ...(spans && { spans }),
    sayTheSame: async (...files) => (await import("../duckdb/same.js")).sayTheSame(...files),
  });
  const tables = lazyStore(async () => {
    if (!place.writable && (await hasNoDatabase(place))) return emptyStore;
    const { createTables } = await import("../stores/tables.js");
    return createTables({ database: database.open, run, ...(spans && { spans }) });
  });
  const close = async () => {
    if (places) (await places).slots.close();
    await files.close();
    await tables.close();
    ends.flush();
    await database.close();
    // Last: as long as anything of ours may be found, others must see that we live.
    presence.leave();
  };
  const recover: Wired["recover"] = (signal) => files.recover(signal);
  return {
    stores: { files, tables },
    files,
    runners: runnersIn(place.env),
    run: run.id,
    history,
    ...(spans && { spans }),
    placesFor,
    recover,
    close,
  };
}

/** Whether the project's database would have to be made first: then nothing is loaded, and a query need not make it. */
async function hasNoDatabase({ root, env }: Place): Promise<boolean> {
  return !existsSync(join(root, ownFolder, "postgres")) && (await usesEmbedded(env));
}

/** Whether the environment chooses no server, so that the project's own is meant. */
export async function usesEmbedded(env: NodeJS.ProcessEnv): Promise<boolean> {
  const { readAddress } = await import("../postgres/server-address.js");
  const address = readAddress(env);
  return address.ok && address.value === undefined;
}

const unwritable = (): never => {
  throw new Error("bug: a query writes nothing");
};

const emptyStore: Store = {
  observe: async (names) => ok(names.map(() => ({ kind: "absent" }))),
  stamps: async (names) => ok(names.map(() => undefined)),
  traces: async (steps) => ok(steps.map(() => undefined)),
  adopt: unwritable,
  stage: unwritable,
  publish: unwritable,
  discard: unwritable,
  close: async () => undefined,
};

/** A store whose module is loaded with its first use: a build of files alone never loads a database client. */
function lazyStore(load: () => Promise<Store>): Store {
  let loaded: Promise<Store> | undefined;
  const store = () => {
    loaded ??= load();
    return loaded;
  };
  return {
    observe: async (names) => (await store()).observe(names),
    stamps: async (names) => (await store()).stamps(names),
    traces: async (steps) => (await store()).traces(steps),
    adopt: async (attempt, waiting) => (await store()).adopt(attempt, waiting),
    stage: async (attempt, waiting) => (await store()).stage(attempt, waiting),
    publish: async (...given) => (await store()).publish(...given),
    amend: async (...given) => (await store()).amend?.(...given) ?? ok(undefined),
    verify: async (names, report, signal) => (await store()).verify?.(names, report, signal) ?? ok(undefined),
    discard: async (attempt, stage) => (await store()).discard(attempt, stage),
    close: async () => {
      if (loaded) await (await loaded).close();
    },
  };
}

/** Step → its last attempt in this project. */
export const attemptsOf = (): ReturnType<typeof lastAttempts> => lastAttempts(ownFolder);

/** The files beside a name, for "did you mean". */
export function filesBeside(name: string): readonly string[] {
  const folder = dirname(name);
  try {
    return readdirSync(folder).map((entry) => normalize(join(folder, entry)));
  } catch {
    return [];
  }
}
