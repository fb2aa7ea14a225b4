// Says in words what a recipe did not do, or did wrong. Knows nothing of streams or colours.
import type { RecipeFailure } from "../core/failure.js";
import { ioDiagnosis } from "./diagnose-io.js";
import { type Diagnosis, placeText } from "./diagnosis.js";
import { durationText, holderText } from "./words.js";

export function recipeDiagnosis(failure: RecipeFailure): Diagnosis {
  switch (failure.reason) {
    case "exit": {
      const how = failure.signal ? `was ended by ${failure.signal}` : `exited with ${failure.code}`;
      return { message: `the command ${how}`, notes: failure.command.split("\n").map((line) => `$ ${line}`) };
    }
    case "cannot-run":
      return { message: `the command cannot be run: ${failure.message}` };
    case "threw":
      return { message: `the recipe threw: ${failure.message}`, ...(failure.at && { at: failure.at }) };
    case "output-missing":
      return {
        message: `the recipe ended well but did not write \`${failure.output}\``,
        help: "write to `output`, the path that the recipe is given",
      };
    case "output-kind": {
      const { output, found } = failure;
      return found === "file"
        ? {
            message: `the recipe made a file where \`${output}/\` is a folder`,
            help: "write files into `output`, or drop the `/` at the end of the target",
          }
        : {
            message: `the recipe made a folder where \`${output}\` is a file`,
            help: `write a file, or declare the folder: \`${output}/\``,
          };
    }
    case "need-failed":
      return { message: `it needs \`${failure.needed}\`, which could not be made` };
    case "undeclared-input": {
      const { input, maker } = failure;
      return {
        message: `the recipe read \`${input}\`, which a rule makes and which was not brought up to date before`,
        notes: [`made by --> ${placeText(maker)}`],
        help: `list it in \`from\` or \`uses\`: \`${JSON.stringify(input)}\``,
      };
    }
    case "bad-depfile":
      return {
        message: `the depfile of \`${failure.path}\` cannot be read: ${failure.problem}`,
        help: "the command writes it in the syntax of Make, as `cc -MD -MF` does",
      };
    case "changed-while-read":
      return {
        message: `\`${failure.path}\` kept changing while it was read`,
        help: "run dmake again when whoever writes it is done",
      };
    case "wrote-final-path": {
      const help =
        "write to `output`, the path that the recipe is given: dmake puts it in place when it is whole";
      return { message: `\`${failure.output}\` itself changed while its recipe ran`, help };
    }
    case "locked": {
      const { target, holder } = failure;
      return {
        message: `\`${target}\` is being made by ${holderText(holder, Date.now())}`,
        help: "without `--no-wait` dmake waits for it",
      };
    }
    case "recursion":
      return {
        message: `the recipe that makes \`${failure.target}\` has started this dmake, which is to make the same`,
        help: "neither can end before the other: let the recipe build only what it reads",
      };
    case "lock-lost":
      return {
        message: `another dmake took over \`${failure.target}\`, because this one had shown no sign of life: nothing was published`,
        help: "run dmake again: it waits for the other one, and makes only what is still stale",
      };
    case "timed-out":
      return {
        message: `the recipe was not done after ${durationText(failure.afterMs)} and was ended`,
        help: "if it may take longer, raise the rule's `timeout`",
      };
    case "interrupted":
      return { message: "interrupted" };
    case "io":
      return ioDiagnosis(failure);
  }
}
