// Says in words what is wrong with rules, and with names that no rule makes. Knows nothing of streams or colours.
import type { RuleFailure } from "../core/failure.js";
import { shellWord } from "../core/word.js";
import { type Diagnosis, namesText, placeText } from "./diagnosis.js";

export function ruleDiagnosis(failure: RuleFailure): Diagnosis {
  switch (failure.reason) {
    case "bad-pattern":
      return { message: `\`${failure.pattern}\`: ${failure.problem}`, at: failure.at };
    case "bad-rule":
      return { message: failure.problem, at: failure.at, ...(failure.help && { help: failure.help }) };
    case "unbound-wildcard": {
      const { wildcard, where, target, at } = failure;
      const help =
        target === ""
          ? "use only wildcards of the target"
          : `\`{${wildcard}}\` must stand in \`${target}\` too`;
      return { message: `${where} uses \`{${wildcard}}\`, which the target does not bind`, at, help };
    }
    case "outside-root": {
      const help = "paths are relative to the Datafile's folder and stay inside it";
      return {
        message: `\`${failure.path}\` is outside the project`,
        help,
        ...(failure.at && { at: failure.at }),
      };
    }
    case "two-producers": {
      const { output, first, second } = failure;
      const notes = [`--> ${placeText(second)}`];
      return {
        message: `two rules make \`${output}\``,
        at: first,
        notes,
        help: "each file has one maker: rename or remove one",
      };
    }
    case "ambiguous": {
      const [first, ...others] = failure.rules;
      const notes = others.map(({ at }) => `--> ${placeText(at)}`);
      const message = `\`${failure.target}\` fits ${failure.rules.map(({ pattern }) => `\`${pattern}\``).join(" and ")} equally well`;
      return {
        message,
        notes,
        help: "narrow one with `where`, or give it more literal text",
        ...(first && { at: first.at }),
      };
    }
    case "overlap": {
      const { output, inside, first, second } = failure;
      return {
        message: `\`${output}\` lies inside \`${inside}\`, which another rule makes whole`,
        at: second,
        notes: [`--> ${placeText(first)}`],
        help: "put it beside the folder, or let one rule make both",
      };
    }
    case "needs-manifest": {
      const { manifest, wildcard, at } = failure;
      const message = `the values of \`{${wildcard}}\` are listed in \`${manifest}\`, which is not built yet`;
      return { message, at, help: `\`dmake ${shellWord(manifest)}\`` };
    }
    case "glob-empty": {
      const { glob, neededBy, at } = failure;
      const message = `\`${neededBy}\` needs \`${glob}\`, which no file and no target fits`;
      return { message, at, help: "is its path right? If there need not be any, say `optional(…)`" };
    }
    case "cycle":
      return {
        message: `a cycle: ${failure.path.map((name) => `\`${name}\``).join(" needs ")}`,
        at: failure.at,
      };
    case "no-rule":
      return noRuleDiagnosis(failure);
  }
}

function noRuleDiagnosis(failure: Extract<RuleFailure, { reason: "no-rule" }>): Diagnosis {
  const { target, neededBy, at, suggestions, outsideDomain } = failure;
  const needed =
    neededBy === undefined
      ? `nothing makes \`${target}\`, and it is not there`
      : `\`${neededBy}\` needs \`${target}\`, which no rule makes and is not there`;
  if (outsideDomain) {
    const { wildcard, value, domain } = outsideDomain;
    const listed = domain.length > 6 ? [...domain.slice(0, 2), "…", ...domain.slice(-1)] : domain;
    const message = `\`${value}\` is no \`${wildcard}\` of the rule for \`${target}\``;
    return { message, at: outsideDomain.at, help: `it has ${listed.join(", ")}` };
  }
  const help = suggestions.length > 0 ? `did you mean ${namesText(suggestions)}?` : undefined;
  return { message: needed, ...(at && { at }), ...(help && { help }) };
}
