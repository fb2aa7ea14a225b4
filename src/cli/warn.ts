// Says every warning in words. Knows nothing of streams or colours.
import type { Warning } from "../core/event.js";
import { parseTarget } from "../core/target.js";
import { shellWord } from "../core/word.js";
import { rejectText } from "./diagnose-data.js";
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
    case "rows-rejected":
      return rowsRejected(warning);
    case "table-changed": {
      const { step, changes } = warning;
      const [only] = changes;
      const isChanged = !changes.every((change) => / was left out/.test(change));
      const message = `the table of \`${onOneLine(step)}\` ${isChanged ? "was changed" : "stays as it is"}:`;
      return changes.length === 1 ? { message: `${message} ${only}` } : { message, notes: changes };
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

function rowsRejected({
  step,
  file,
  rows,
  first,
}: Extract<Warning, { warning: "rows-rejected" }>): Diagnosis {
  const [some, were] = rows === 1 ? ["1 row", "was"] : [`${rows.toLocaleString("en-US")} rows`, "were"];
  const columns = "line, column_name, value, reason";
  return {
    message: `${some} of \`${onOneLine(file)}\` did not fit and ${were} set aside`,
    notes: [`${rows === 1 ? "" : "the first: "}${rejectText(first)}`],
    help: `all of them: \`dmake sql ${quoted(`select ${columns} from dmake.rejects where ${ofTarget(step)}`)}\``,
  };
}

/** Readable although there are quotes of SQL in it. Within double quotes a shell may take `!` for a line of its history. */
const quoted = (sql: string): string =>
  sql.includes("!") ? shellWord(sql) : `"${sql.replace(/["\\$`]/g, "\\$&")}"`;

/** The rows of one table or partition in the ledger, as a condition. */
function ofTarget(step: string): string {
  const target = parseTarget(step);
  if (!target.ok || target.value.kind === "file") return "true";
  const { schema, table, partition } = target.value;
  const names = { schema_name: schema, table_name: table, partition };
  return Object.entries(names)
    .flatMap(([column, name]) => (name === undefined ? [] : [`${column} = '${name.replaceAll("'", "''")}'`]))
    .join(" and ");
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
