// The proof that two loaders may meet: whoever they are and whatever they bring, the rows are there once, and so is the record.
import { strict as assert } from "node:assert";
import { after, test } from "node:test";
import { onEachServer } from "../rig/each-server.js";
import type { TestServer } from "../rig/postgres.js";
import type { Rows } from "../stores/table-loads.js";
import { generationIn, generationOf, type Sight, sightSql, type Way, ways } from "./loads.js";
import { compileLoaders, emptyWorld, type Loader, type World } from "./rig.js";

const rounds = 10;
/** Of different rows both have to be loaded: that takes twice as long. */
const roundsOfTwo = 3;
/** Of a year, by two loaders that take so many at once. */
const jobs = 8;
const months = Array.from({ length: 12 }, (_, n) => `2023-${String(n + 1).padStart(2, "0")}`);

const loaders = await compileLoaders();
after(() => loaders.remove());
const two: readonly [Loader, Loader] = [loaders.start(), loaders.start()];

/** Both at once, and what each has to say. */
const together = async (world: World, one: readonly Rows[], other: readonly Rows[], jobs = 1) =>
  Promise.all([
    two[0].load({ url: world.url, loads: one, jobs }),
    two[1].load({ url: world.url, loads: other, jobs }),
  ]);

const sightOf = async (world: World, way: Way): Promise<Sight> =>
  (await world.sql<Sight & Record<string, unknown>>(sightSql(way)))[0]!;

const historyOf = (world: World, target: string) =>
  world.sql<{ attempt: string }>("SELECT attempt FROM dmake.history WHERE target = $1 ORDER BY id", [target]);

/** A server counts them when a connection has ended. */
async function deadlocksOf(world: World): Promise<unknown> {
  const [row] = await world.sql(
    "SELECT deadlocks::int AS deadlocks FROM pg_stat_database WHERE datname = current_database()",
  );
  return row?.deadlocks;
}

async function inWorld(server: TestServer, story: (world: World) => Promise<void>): Promise<void> {
  const world = await emptyWorld(server);
  try {
    await Promise.all(two.map(({ ready }) => ready));
    await story(world);
  } finally {
    await world.end();
  }
}

onEachServer((server) => {
  for (const way of ways) {
    test(`${way.strategy}: two loaders of the same rows, ${rounds} rounds: one loads, the other finds it done`, () =>
      inWorld(server(), async (world) => {
        for (let round = 1; round <= rounds; round++) {
          const [one, other] = ["-one", "-other"].map((by) => [generationOf(way, round, { by })]);
          const answers = await together(world, one!, other!);
          assert.deepEqual(answers.flat().sort(), ["already", "loaded"], `round ${round}`);
          assert.equal(generationIn(way, await sightOf(world, way)), round);
          const history = await historyOf(world, way.target);
          assert.equal(history.length, round);
          const winner = answers[0]?.[0] === "loaded" ? "one" : "other";
          assert.equal(history.at(-1)?.attempt, `generation-${round}-${winner}`);
        }
        assert.equal(await deadlocksOf(world), 0);
      }));

    test(`${way.strategy}: two loaders of different rows, ${roundsOfTwo} rounds: the rows and the record are those of one`, () =>
      inWorld(server(), async (world) => {
        for (let round = 1; round <= roundsOfTwo; round++) {
          const pair = [2 * round, 2 * round + 1];
          const [one, other] = pair.map((generation) => [generationOf(way, generation)]);
          assert.deepEqual((await together(world, one!, other!)).flat(), ["loaded", "loaded"]);
          const there = generationIn(way, await sightOf(world, way));
          assert.ok(pair.includes(there!), `round ${round}: ${there}`);
          assert.equal((await historyOf(world, way.target)).length, 2 * round);
        }
        assert.equal(await deadlocksOf(world), 0);
      }));
  }

  for (const way of ways.filter(({ target }) => target.includes("/")))
    test(`${way.strategy}: a year into one table, by two loaders at -j ${jobs}, the first time and again: each month once, no deadlock`, () =>
      inWorld(server(), async (world) => {
        const wayOf = (month: string): Way => ({ ...way, target: way.target.replace(/[^/]+$/, month) });
        for (let round = 1; round <= 2; round++) {
          const year = (by: string) =>
            months.map((month) => generationOf(wayOf(month), round, { rows: 20, by }));
          // The other way round, so that they meet in the middle.
          const [one, other] = await together(world, year("-one"), year("-other").reverse(), jobs);
          other
            ?.slice()
            .reverse()
            .forEach((said, n) => {
              assert.deepEqual(
                [said, one?.[n]].sort(),
                ["already", "loaded"],
                `round ${round}: ${months[n]}`,
              );
            });
          const [found] = await world.sql(
            `SELECT count(*)::int AS rows, count(DISTINCT (month, id))::int AS ids FROM ${/:(\w+)/.exec(way.target)![1]}`,
          );
          const all = 12 * (20 + (round % 7));
          assert.deepEqual(found, { rows: all, ids: all });
          const [recorded] = await world.sql(
            "SELECT (SELECT count(*)::int FROM dmake.loads) AS loads, (SELECT count(*)::int FROM dmake.history) AS history",
          );
          assert.deepEqual(recorded, { loads: 12, history: 12 * round });
        }
        assert.equal(await deadlocksOf(world), 0);
      }));
});
