// Functions of a Datafile that find out while they run what they need. Told with needs that a test lets come true or not.
import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { type Failure, fail, ok, type Result } from "../../src/core/failure.js";
import { script } from "../../src/index.js";
import { runScript } from "../../src/recipes/script.js";
import { failureOf, must } from "../rig/world.js";
import { declared, jobFor, stepFor } from "./jobs.js";

type Run = Parameters<typeof script<"out">>[2];

/** What a function asked for, and the doors behind which it waits. */
class Needed {
  readonly asked: string[] = [];
  readonly #doors = new Map<string, (answer: Result<void>) => void>();

  readonly need = (names: readonly string[]): Promise<Result<void>> => {
    this.asked.push(names.join(" "));
    return new Promise((resolve) => this.#doors.set(names.join(" "), resolve));
  };

  async answer(names: string, failure?: Failure): Promise<void> {
    while (!this.#doors.has(names)) await setImmediate();
    this.#doors.get(names)?.(failure ? fail(failure) : ok(undefined));
  }
}

async function run(body: Run, signal = new AbortController().signal) {
  const { step, recipe } = stepFor(await declared(() => script("out", {}, body)), "script");
  const needed = new Needed();
  const { job, logged } = jobFor(step, { need: needed.need, signal });
  let over = false;
  const ended = runScript(recipe, job).finally(() => {
    over = true;
  });
  return { needed, logged, ended, isOver: () => over };
}

const noRule = (target: string): Failure => ({ reason: "no-rule", target, suggestions: [] });
/** Enough for whatever does not wait for anybody. */
const aWhile = async () => {
  for (let turns = 0; turns < 10; turns++) await setImmediate();
};

test("a function goes on once what it needs is there", async () => {
  const { needed, logged, ended } = await run(async ({ need, log }) => {
    await need("a.csv", "b.csv");
    log("read a and b");
    await need("c.csv");
    log("read c");
  });
  await aWhile();
  assert.deepEqual([needed.asked, logged()], [["a.csv b.csv"], ""]);
  await needed.answer("a.csv b.csv");
  await needed.answer("c.csv");
  assert.deepEqual(must(await ended), { kind: "made", facts: {} });
  assert.equal(logged(), "read a and b\nread c\n");
});

test("a function is given the inputs that are there", async () => {
  const rule = await declared(() => script("out", {}, ({ inputs, log }) => log(inputs.join(" "))));
  const { step, recipe } = stepFor(rule, "script", ["in.csv", "maybe.csv"]);
  const { job, logged } = jobFor(step, { inputs: ["in.csv"] });
  must(await runScript(recipe, job));
  assert.equal(logged(), "in.csv\n");
});

test("what cannot be needed fails the function with that very failure, however it waits", async () => {
  const ways: readonly Run[] = [
    async ({ need }) => {
      await need("a.csv");
    },
    ({ need }) => need("a.csv").then(() => {}),
    async ({ need }) => {
      await Promise.all([need("b.csv"), need("a.csv")]);
    },
    async ({ need, log }) => {
      try {
        await need("a.csv");
      } finally {
        log("tidied up");
      }
    },
  ];
  const failures: readonly Failure[] = [
    noRule("a.csv"),
    { reason: "need-failed", needed: "a.csv" },
    { reason: "cycle", path: ["out", "a.csv", "out"], at: { file: "Datafile.ts", line: 1 } },
  ];
  for (const body of ways)
    for (const failure of failures) {
      const { needed, ended } = await run(body);
      await needed.answer("a.csv", failure);
      if (needed.asked.includes("b.csv")) await needed.answer("b.csv");
      assert.deepEqual(failureOf(await ended, failure.reason), failure);
    }
});

test("a function may go on without it, or say in its own words what that means", async () => {
  const { needed, logged, ended } = await run(async ({ need, log }) => {
    await need("a.csv").catch((error: Error) => log(error.message));
  });
  await needed.answer("a.csv", noRule("a.csv"));
  must(await ended);
  assert.equal(logged(), "cannot bring up to date: a.csv (no-rule)\n");

  const worded = await run(async ({ need }) => {
    await need("a.csv").catch((cause) => {
      throw new RangeError("no rates for that day", { cause });
    });
  });
  await worded.needed.answer("a.csv", noRule("a.csv"));
  assert.equal(failureOf(await worded.ended, "threw").message, "RangeError: no rates for that day");
});

test("a function that does not wait for what it needs fails: it may have read what was there before", async () => {
  const careless: readonly Run[] = [
    ({ need }) => {
      need("a.csv");
    },
    // Here it is there long before the function ends.
    async ({ need }) => {
      need("a.csv");
      await aWhile();
    },
    async ({ need }) => {
      need("a.csv").then(() => {});
    },
    ({ need }) => {
      Promise.all([need("a.csv")]);
    },
  ];
  for (const body of careless) {
    const { needed, ended } = await run(body);
    await needed.answer("a.csv");
    assert.match(failureOf(await ended, "threw").message, /did not wait for `need`/);
  }
});

test("a recipe has not ended before all that it asked for has come, whatever became of it", async () => {
  const { needed, ended, isOver } = await run(({ need }) => {
    need("a.csv").catch(() => {});
    throw new Error("too early");
  });
  await aWhile();
  assert.equal(isOver(), false);
  await needed.answer("a.csv");
  assert.equal(failureOf(await ended, "threw").message, "Error: too early");
});

test("what nobody waits for may fail, and harms nobody else", async () => {
  const { needed, ended } = await run(async ({ need }) => {
    need("a.csv");
    await aWhile();
  });
  await needed.answer("a.csv", noRule("a.csv"));
  // The test runner fails a test for a rejection that nobody handles.
  failureOf(await ended, "threw");
  await aWhile();
});

test("nothing is brought up to date for a function that has ended", async () => {
  let late: () => Promise<unknown> = async () => {};
  const { needed, ended } = await run(({ need }) => {
    late = () => need("late.csv");
  });
  must(await ended);
  await assert.rejects(late(), /`need` was called after its function had ended: late\.csv/);
  assert.deepEqual(needed.asked, []);
});

test("an interrupt while a function waits for what it needs is an interrupt", async () => {
  const stop = new AbortController();
  const { needed, ended } = await run(async ({ need }) => {
    await need("a.csv");
  }, stop.signal);
  stop.abort();
  await needed.answer("a.csv", { reason: "interrupted" });
  failureOf(await ended, "interrupted");
});

test("after an interrupt what it needs has ten seconds as well", async () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  try {
    const stop = new AbortController();
    const { needed, ended, isOver } = await run(async ({ need }) => {
      await need("a.csv");
    }, stop.signal);
    stop.abort();
    mock.timers.tick(9_999);
    await aWhile();
    assert.equal(isOver(), false);
    mock.timers.tick(1);
    failureOf(await ended, "interrupted");
    await needed.answer("a.csv");
  } finally {
    mock.timers.reset();
  }
});
