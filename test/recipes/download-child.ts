// A process of its own that downloads what it is given, tells what holds it after each, and ends by itself. Knows nothing of what a test expects.
import { setTimeout as sleep } from "node:timers/promises";
import type { DownloadRecipe } from "../../src/core/rule.js";
import type { Job } from "../../src/engine/ports.js";
import { runDownload } from "../../src/recipes/download.js";

const [directory, ...urls] = process.argv.slice(2);
const build = new AbortController();

async function download(url: string, signal: AbortSignal): Promise<string> {
  const sha256 = url.endsWith("/digest") ? "00".repeat(32) : undefined;
  const recipe: DownloadRecipe = {
    kind: "download",
    url,
    timeoutMs: 60_000,
    retries: 0,
    ...(sha256 && { sha256 }),
  };
  const step = { id: "trips.csv", outputs: ["trips.csv"], inputs: [], recipe } as never;
  const stage = {
    kind: "files" as const,
    paths: [`${directory}/${encodeURIComponent(url)}.tmp`],
    depfile: "",
  };
  const log = () => {};
  const never = () => new Promise<never>(() => {});
  const job: Job = {
    step,
    inputs: [],
    stage,
    previous: undefined,
    threads: 1,
    signal,
    log,
    progress: log,
    need: never,
  };
  const result = await runDownload(recipe, job);
  return result.ok ? result.value.kind : result.error.reason;
}

async function main() {
  for (const url of urls) {
    const stop = new AbortController();
    if (url.endsWith("/silent")) void sleep(50).then(() => stop.abort());
    const ended = await download(url, stop.signal);
    const sockets = process.getActiveResourcesInfo().filter((name) => name.startsWith("TCP"));
    console.log(new URL(url).pathname, ended, sockets.length);
  }
  const twenty = await Promise.all(
    Array.from({ length: 20 }, (_, i) => download(`${urls[0]}?${i}`, build.signal)),
  );
  console.log(
    "at once",
    new Set(twenty).size,
    process.getActiveResourcesInfo().filter((name) => name.startsWith("TCP")).length,
  );
}

void main();
