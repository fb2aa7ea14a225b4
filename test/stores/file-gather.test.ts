// What several attempts do together: nobody waits for nothing, and nobody is told before it is done. Knows nothing of files.
import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { fail, ok } from "../../src/core/failure.js";
import { Gate, Gathered } from "../../src/stores/file-gather.js";

test("who cannot wait lets all pass, and each is told when the work of all is done", async () => {
  const gate = new Gate();
  const begun: string[] = [];
  const told: string[] = [];
  let end = () => {};
  const slow = new Promise<void>((resolve) => {
    end = resolve;
  });
  const pass = async (name: string, work: Promise<unknown>, canWait: boolean) => {
    const begin = () => {
      begun.push(name);
      return work;
    };
    await gate.pass(begin, { canWait });
    told.push(name);
  };
  const patient = pass("patient", Promise.resolve(), true);
  await setImmediate();
  assert.deepEqual(begun, []);
  const hasty = pass("hasty", slow, false);
  assert.deepEqual(begun, ["patient", "hasty"]);
  await setImmediate();
  assert.deepEqual(told, []);
  end();
  await Promise.all([patient, hasty]);
  assert.deepEqual(told, ["patient", "hasty"]);
});

test("enough of those who can wait need nobody else, and few of them no more than a moment", async () => {
  const gate = new Gate();
  const canWait = true;
  let begun = 0;
  const work = async () => {
    begun += 1;
  };
  const all = Array.from({ length: 8 }, () => gate.pass(work, { canWait }));
  assert.equal(begun, 8);
  await Promise.all(all);
  await gate.pass(work, { canWait });
  assert.equal(begun, 9);
});

test("work that fails fails for nobody else", async () => {
  const gate = new Gate();
  const refused = gate.pass(() => Promise.reject(new Error("refused")), { canWait: true });
  const other = gate.pass(() => Promise.resolve("done"), { canWait: false });
  await assert.rejects(refused, /refused/);
  assert.equal(await other, "done");
});

test("what is given in one turn is written at once, before anybody is told, and what is given later on its own", async () => {
  const written: (readonly string[])[] = [];
  const gathered = new Gathered<string>((items) => {
    written.push(items);
    return items.includes("bad") ? fail({ reason: "interrupted" }) : ok(undefined);
  });
  const both = [gathered.add("a"), gathered.add("b")];
  assert.deepEqual(written, []);
  await Promise.all(both);
  const [bad, beside] = await Promise.all([gathered.add("bad"), gathered.add("c")]);
  assert.deepEqual(written, [
    ["a", "b"],
    ["bad", "c"],
  ]);
  assert(!bad.ok && !beside.ok);
  assert((await gathered.add("d")).ok);
});
