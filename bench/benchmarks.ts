// The names of all benchmarks, in the order in which they run. Knows nothing of what they measure.
import type { Benchmark } from "./context.js";
import type { WorkloadName } from "./workloads.js";

const engine = (name: WorkloadName) => () =>
  import("./engine.js").then(({ benchEngine }) => benchEngine(name));

/**
 * Imported when their turn comes: each process that is started costs more the larger the one is that starts it, and DuckDB
 * is large. So engines come first, and data after them.
 */
export const benchmarks: Readonly<Record<string, () => Promise<Benchmark>>> = {
  start: () => import("./start.js").then((all) => all.benchStart),
  wide: engine("wide"),
  deep: engine("deep"),
  fanin: engine("fanin"),
  parts: engine("parts"),
  explicit: engine("explicit"),
  hashing: () => import("./hashing.js").then((all) => all.benchHashing),
  download: () => import("./download.js").then((all) => all.benchDownload),
  "first-run": () => import("./first-run.js").then((all) => all.benchFirstRun),
  parquet: () => import("./parquet.js").then((all) => all.benchParquet),
  load: () => import("./load.js").then((all) => all.benchLoad),
  months: () => import("./months.js").then((all) => all.benchMonths),
  memory: () => import("./memory.js").then((all) => all.benchMemory),
};
