// The one door to undici's code. Knows nothing of downloads.
import { createRequire } from "node:module";
import type * as Undici from "undici";

// Imported, a CommonJS package has empty names now and then, where modules are loaded side by side for the first time
// (Node 20.20, under load; through one door more seldom, but still). Required, it is there whole.
const undici = createRequire(import.meta.url)("undici") as typeof Undici;

export const { buildConnector, Client, errors } = undici;
