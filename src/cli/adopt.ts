// The verb `adopt`: has what is there recorded as if it had just been made. Knows nothing of records.
import { type Failure, fail } from "../core/failure.js";
import { adopt } from "../engine/adopt.js";
import { diagnose } from "./diagnose.js";
import type { AdoptCommand } from "./options.js";
import { type Plan, plan, readManifest } from "./plan.js";
import { type Ending, enterProject, type Surroundings } from "./project.js";
import { warningText } from "./warn.js";
import { wire } from "./world.js";

export async function runAdopt(command: AdoptCommand, around: Surroundings): Promise<Ending> {
  const { screen, env } = around;
  const refused = (failure: Failure): Ending => {
    screen.err(diagnose(failure));
    return "refused";
  };
  const path = enterProject(command, around.changeDirectory);
  if (!path.ok) return refused(path.error);
  const planned = await plan({
    path: path.value,
    asked: command,
    env,
    writable: true,
    warn: () => undefined,
    // Nothing is built here: a list that is not there has to be made first.
    readList: async (asked) => {
      const text = readManifest(asked.manifest);
      return text.ok && text.value === undefined ? fail(asked) : text;
    },
  });
  if (!planned.ok) return refused(planned.error);
  // What is missing was a failure above.
  if (!planned.value) return "refused";
  const source = planned.value.wanted.find((name) => !planned.value?.graph.makers.has(name));
  if (source !== undefined) {
    const message = `no rule makes \`${source}\`, so there is nothing to record`;
    return refused({
      reason: "usage",
      message,
      help: "adopt what a rule makes: its sources are read as they are",
    });
  }
  return vouch(command, planned.value, around);
}

/** One after the other, each told when it is recorded, so that a failure leaves no doubt about those before it. */
async function vouch(command: AdoptCommand, { graph, wanted }: Plan, around: Surroundings): Promise<Ending> {
  const { screen, env } = around;
  const warn = (warning: Parameters<typeof warningText>[0]) => screen.err(warningText(warning));
  const signal = around.interruptible();
  const place = { root: process.cwd(), env, writable: true };
  const { stores, close } = wire(place, { notice: () => undefined, warn });
  const steps = [...new Set(wanted.flatMap((name) => graph.makers.get(name) ?? []))];
  try {
    for (const step of steps) {
      const adopted = await adopt(graph, [step.id], { stores, signal });
      if (!adopted.ok) {
        screen.err(diagnose(adopted.error, step.rule.at));
        return "failed";
      }
      screen.out(
        command.json ? JSON.stringify({ adopted: step.outputs }) : `adopted  ${step.outputs.join(", ")}`,
      );
    }
    if (!command.json) screen.out(`adopted ${steps.length}`);
    return "good";
  } finally {
    await close();
  }
}
