// Says every warning in words. Knows nothing of streams or colours.
import type { Warning } from "../core/event.js";
import { shellWord } from "../core/word.js";
import { type Diagnosis, messageText } from "./diagnosis.js";
import { holderText, onOneLine } from "./words.js";

/** The whole message, some lines, without a line end. */
export const warningText = (warning: Warning): string => messageText("warning", worded(warning));

function worded(warning: Warning): Diagnosis {
  switch (warning.warning) {
    case "output-saved": {
      const { output, path } = warning;
      return {
        message: `\`${output}\` was changed by somebody else; it was made anew, and what it held is kept at \`${path}\``,
        help: `if the change was right, make it in the rule's recipe: \`diff ${shellWord(path)} ${shellWord(output)}\``,
      };
    }
    case "input-unsettled": {
      const { step, input } = warning;
      return {
        message: `\`${input}\` changed while \`${step}\` was made from it, which will be made again next time`,
      };
    }
    case "capture-unseen": {
      const { name, at } = warning;
      const message = `the recipe uses \`${name}\`, whose value comes to be at run time: nothing will notice when it changes`;
      return { message, at, help: sayingHelp(warning) };
    }
    case "state-damaged": {
      const { path, lines } = warning;
      const [some, it] = lines === 1 ? ["a line", "it"] : [`${lines} lines`, "they"];
      return { message: `${some} of \`${path}\` cannot be read: what ${it} recorded is made again` };
    }
    case "state-foreign": {
      const { path, kept } = warning;
      return {
        message: `\`${path}\` is of another version of dmake and is not used: everything is made again`,
        notes: [`it is kept at \`${kept}\``],
        help: "dmake adopt vouches for what is there without making it",
      };
    }
    case "future-time":
      return {
        message: `\`${warning.name}\` is dated in the future, so it is read on every run`,
        help: `\`touch ${shellWord(warning.name)}\``,
      };
    case "list-open":
      return openList(warning);
    case "list-lost": {
      const { wildcard, manifest, at } = warning;
      const message = `the values of \`{${wildcard}}\` are listed in \`${manifest}\`, which could not be made: what they lead to was not built`;
      return { message, at };
    }
    case "few-files": {
      const { limit, jobs } = warning;
      return {
        message: `a process may have ${limit} files open here, which is enough for ${jobs === 1 ? "one recipe" : `${jobs} recipes`} at once`,
        help: "allow more of them: `ulimit -n 4096`",
      };
    }
    case "orphans-stopped": {
      const { holder, pids } = warning;
      const [some, was] = pids.length === 1 ? ["a process", "was"] : [`${pids.length} processes`, "were"];
      const list =
        pids.length === 1
          ? `pid ${pids[0]}`
          : `pids ${pids.slice(0, 10).join(", ")}${pids.length > 10 ? "…" : ""}`;
      return {
        message: `${some} that a dead dmake had left running ${was} ended: ${list}, of ${holderText(holder, Date.now())}`,
      };
    }
    case "publish-resumed": {
      const { step, how } = warning;
      const ended = how === "completed" ? "that is completed now" : "it will be made again";
      return { message: `another dmake died while it put \`${step}\` in place: ${ended}` };
    }
    case "jobserver-ignored":
      return {
        message: `the jobserver that the environment names cannot be shared (\`${onOneLine(warning.auth)}\`): dmake counts its own recipes`,
        help: "GNU make 4.4 shares one that can, with a `+` before the line that calls dmake",
      };
  }
}

/** Only what can be pasted into the rule. */
function sayingHelp({ name, env, elsewhere }: Extract<Warning, { warning: "capture-unseen" }>): string {
  const otherwise = "say with `uses` or `version` what the recipe depends on";
  if (env)
    return `list it in \`env: ${JSON.stringify([...new Set(env)]).replaceAll(",", ", ")}\`, or ${otherwise}`;
  return elsewhere ? otherwise : `list it in \`values: { ${name} }\`, or ${otherwise}`;
}

function openList({ wildcard, manifest, standing }: Extract<Warning, { warning: "list-open" }>): Diagnosis {
  const listed = `the values of \`{${wildcard}}\` are listed in \`${manifest}\``;
  const message = {
    missing: `${listed}, which is not there yet: what they lead to is not known`,
    "would-run": `${listed}, which would run: the list may change`,
    "may-run": `${listed}, which may run: the list may change`,
  }[standing];
  return { message };
}
