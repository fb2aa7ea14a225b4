// Values that the command line sets, and those of them that are secret. Knows nothing of rules.
import { isSecretName } from "../core/redact.js";
import { DeclarationError, session } from "./session.js";

/** The value of a parameter. One that is a secret by its name is kept as one. */
export function parameter(name: string, fallback: string | undefined): string {
  const { given, parameters } = session();
  const value = Object.hasOwn(given, name) ? given[name] : fallback;
  if (value === undefined) {
    const message = `the Datafile needs a value for \`${name}\``;
    throw new DeclarationError({ reason: "usage", message, help: `dmake ${name}=…` });
  }
  parameters.push({ name, value });
  if (isSecretName(name)) keep(value);
  return value;
}

/** The value of a secret: from the command line, or else from the environment. */
export function secretValue(name: string): string {
  const { given, parameters, env = {} } = session();
  const value = Object.hasOwn(given, name) ? given[name] : env[name];
  if (value === undefined || value === "") {
    const message = `the Datafile needs the secret \`${name}\``;
    throw new DeclarationError({ reason: "usage", message, help: `export ${name}=…` });
  }
  parameters.push({ name, value });
  keep(value);
  return value;
}

/** Also as it is written in a URL. */
function keep(value: string): void {
  session().secrets?.add(value).add(encodeURIComponent(value));
}
