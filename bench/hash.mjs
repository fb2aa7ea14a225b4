// SHA-256 of files by two workers, a megabyte at a time: `node hash.mjs FILE…`. Knows nothing of dmake.
import { createHash } from "node:crypto";
import { closeSync, openSync, readSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { isMainThread, Worker, workerData } from "node:worker_threads";

function digestOf(path) {
  const [hash, block, file] = [createHash("sha256"), Buffer.allocUnsafeSlow(1 << 20), openSync(path, "r")];
  for (let read = readSync(file, block); read > 0; read = readSync(file, block))
    hash.update(block.subarray(0, read));
  closeSync(file);
  return hash.digest("hex");
}

if (isMainThread) {
  const names = process.argv.slice(2);
  for (const which of [0, 1])
    new Worker(fileURLToPath(import.meta.url), { workerData: names.filter((_, n) => n % 2 === which) });
} else {
  for (const name of workerData) process.stdout.write(`${digestOf(name)}  ${name}\n`);
}
