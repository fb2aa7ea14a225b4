// Tells the same stories on every PostgreSQL that is here, under its name; one that is missing is a declared skip. Knows nothing of the stories.
import { after, before, describe } from "node:test";
import { servers, type TestServer } from "./postgres.js";

/** `tell` declares tests; `server` may be called in them. */
export function onEachServer(
  tell: (server: () => TestServer) => void,
  extra: Readonly<Record<string, string>> = {},
): void {
  for (const one of servers())
    describe(one.name, { skip: one.missing ?? false }, () => {
      let server: TestServer | undefined;
      before(async () => {
        server = await one.start(extra);
      });
      after(() => server?.stop());
      tell(() => server!);
    });
}
