// The one door to undici. Knows nothing of downloads.

// Several modules that import a CommonJS package while it is loaded for the first time get empty names now and then
// (Node 20.20, every second build under load; never through one door).
// biome-ignore lint/performance/noBarrelFile: see above
export { buildConnector, Client, type Dispatcher, errors } from "undici";
