// Binds a rule to values: names filled in, inputs listed, the recipe made. Knows nothing of other steps or of order.
import { ok, type Result } from "./failure.js";
import { expandInputs, type Globs } from "./inputs.js";
import { fill } from "./pattern.js";
import type { Binding, InputSpec, Recipe, Rule, Step } from "./rule.js";
import { type Container, containers, type RuleSet } from "./rule-set.js";

/** What a plan asks of the world. */
export interface Surroundings {
  readonly globs: Globs;
  readonly localSource: LocalSource;
}

/** The name of a file of this machine that a recipe reads without it being declared, as the file of a `file:` URL. */
export type LocalSource = (recipe: Recipe) => string | undefined;

/** What steps of one plan are made with. */
export interface Project {
  readonly rules: RuleSet;
  readonly surroundings: Surroundings;
  readonly around: (name: string) => Container | undefined;
  /** The directory that is made whole and that a name is, or lies in. */
  readonly directory: (name: string) => string | undefined;
  /** Whether what a rule makes of these values is still going on. */
  readonly isOpen: (rule: Rule, binding: Binding) => boolean;
}

export function projectOf(rules: RuleSet, surroundings: Surroundings): Project {
  const around = containers(rules.find);
  const directory: Project["directory"] = (name) => {
    const maker = rules.find(name);
    if (maker.ok && maker.value?.pattern.directory) return name;
    const container = around(name);
    return container?.pattern.directory ? container.name : undefined;
  };
  const hasOpen = new Set(
    rules.rules.filter(({ domains }) => Object.values(domains).some(({ open }) => open)),
  );
  const isOpen: Project["isOpen"] = (rule, binding) =>
    hasOpen.has(rule) &&
    Object.entries(binding).some(([name, value]) => rule.domains[name]?.open?.includes(value));
  return { rules, surroundings, around, directory, isOpen };
}

/** Binds a rule: its names filled in, its recipe made. */
export function instantiate(rule: Rule, binding: Binding, project: Project): Result<Step> {
  const { rules, surroundings, directory, isOpen } = project;
  const recipe = rule.bind(binding);
  if (!recipe.ok) return recipe;
  const outputs = rule.outputs.map((pattern) => fill(pattern, binding));
  const expanding = {
    binding,
    globs: surroundings.globs,
    declared: rules.declared,
    directory,
    pending: rules.pendingBelow,
  };
  const expand = (specs: readonly InputSpec[]) => expandInputs(specs, expanding, { rule, outputs });
  const [inputs, uses, after] = [expand(rule.inputs), expand(rule.uses ?? []), expand(rule.after)];
  if (!inputs.ok) return inputs;
  if (!uses.ok) return uses;
  if (!after.ok) return after;
  const source = surroundings.localSource(recipe.value);
  const names = source === undefined ? inputs.value.names : [...new Set([...inputs.value.names, source])];
  const used = uses.value.names.filter((name) => !names.includes(name));
  const usedOptionally = used.filter((name) => uses.value.optional.has(name));
  const directories = outputs.filter((_, i) => rule.outputs[i]?.directory);
  return ok({
    id: outputs[0] ?? "",
    rule,
    binding,
    inputs: names,
    uses: used,
    after: after.value.names,
    optional:
      usedOptionally.length === 0
        ? inputs.value.optional
        : new Set([...inputs.value.optional, ...usedOptionally]),
    outputs,
    directories: directories.length === 0 ? none : new Set(directories),
    recipe: recipe.value,
    ...(isOpen(rule, binding) && { open: true }),
  });
}

const none: ReadonlySet<string> = new Set();
