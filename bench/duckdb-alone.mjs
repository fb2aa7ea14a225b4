// Runs one statement by DuckDB with its defaults: `node duckdb-alone.mjs STATEMENT`. Knows nothing of dmake.
import { DuckDBInstance } from "@duckdb/node-api";

const instance = await DuckDBInstance.create();
const connection = await instance.connect();
await connection.run(process.argv[2]);
