// The verb `adopt`: has what is there recorded as if it had just been made. Knows nothing of records.
import { fail, ok } from "../core/failure.js";
import { adopt } from "../engine/adopt.js";
import type { AdoptCommand } from "./options.js";
import { type Plan, plan, readManifest } from "./plan.js";
import type { Ending, Surroundings } from "./project.js";
import { messageRenderer } from "./render.js";
import { ended, inProject, type Run, refused, waitingFor } from "./run.js";

export const runAdopt = (command: AdoptCommand, around: Surroundings): Promise<Ending> =>
  inProject(command, { around, renderer: messageRenderer(around.screen), writable: true }, async (run) => {
    const { renderer, planning, refusal } = run;
    if (refusal) return ended(renderer, refusal);
    const planned = await plan({
      ...planning,
      warn: () => undefined,
      // Nothing is built here: a list that is not there has to be made first.
      readList: async (asked) => {
        const text = readManifest(asked.manifest);
        if (!text.ok) return text;
        return text.value === undefined ? fail(asked) : ok({ kind: "read", text: text.value });
      },
    });
    if (!planned.ok) return refused(renderer, planned.error);
    // What is missing was a failure above.
    if (!planned.value) return "refused";
    const { wanted, graph } = planned.value;
    const source = wanted.find((name) => !graph.makers.has(name));
    if (source === undefined) return vouch(run, planned.value);
    const message = `no rule makes \`${source}\`, so there is nothing to record`;
    const help = "adopt what a rule makes: its sources are read as they are";
    return refused(renderer, { reason: "usage", message, help });
  });

/** One after the other, each told when it is recorded; what cannot be holds up no other. */
async function vouch(run: Run<AdoptCommand>, { graph, wanted }: Plan): Promise<Ending> {
  const { command, around, renderer, wired } = run;
  const { screen } = around;
  const signal = around.interruptible();
  const steps = new Set(wanted.flatMap((name) => graph.makers.get(name) ?? []));
  let failed = 0;
  let busy = 0;
  for (const step of steps) {
    const waiting = waitingFor(step.id, run, signal);
    const adopted = signal.aborted
      ? fail({ reason: "interrupted" })
      : await adopt(step, wired.stores, waiting);
    if (!adopted.ok) {
      renderer.failure(adopted.error, step.rule.at);
      if (adopted.error.reason === "interrupted") return "failed";
      failed += 1;
      if (adopted.error.reason === "locked") busy += 1;
      continue;
    }
    const names = step.outputs;
    screen.out(command.json ? JSON.stringify({ adopted: names }) : `adopted  ${names.join(", ")}`);
  }
  if (!command.json && failed < steps.size) screen.out(`adopted ${steps.size - failed}`);
  if (failed === 0) return "good";
  return busy === failed ? "busy" : "failed";
}
