// Says whether a value comes to be from the world while the Datafile is evaluated: from the clock, the environment, a file. Knows nothing of recipes.
import type { NodePath } from "@babel/traverse";
import type { Node } from "@babel/types";
import { iterating } from "./reach-change.js";
import { variablesIn } from "./reach-env.js";
import type { Links, Target } from "./reach-link.js";
import type { SourceModule, Unit } from "./reach-module.js";
import { declaresRule, dmakeCall } from "./reach-names.js";
import {
  argumentsOf,
  bare,
  calleeOf,
  callWith,
  chainOf,
  finds,
  importedBy,
  isCall,
  isMention,
  wrapped,
} from "./reach-tree.js";

/** Modules of Node whose functions give the same answer for the same arguments. */
const pureModules = new Set(
  "assert assert/strict buffer events path path/posix path/win32 punycode querystring string_decoder url util util/types zlib".split(
    " ",
  ),
);

/** Functions of the other modules that do. */
const pureFunctions = new Set(["crypto.createHash", "crypto.createHmac", "crypto.hash", "module.isBuiltin"]);

/** Globals whose every property is the world's. */
const worldly = new Set(["process", "navigator", "performance", "globalThis", "Bun", "Deno"]);

/** Globals that are asked by a call: with which property, or `""` for themselves. */
const asked = new Set(
  "Date.now Math.random crypto.randomUUID crypto.getRandomValues fetch. require. Temporal.Now".split(" "),
);

/** A piece of syntax and the module that it is in. */
export interface Piece {
  readonly path: NodePath;
  readonly module: SourceModule;
}

/** Lives for one compilation. */
export class LoadTime {
  readonly #links: Links;
  readonly #answers = new Map<Node, boolean>();
  /** What has been asked about since somebody outside asked. */
  #open: Node[] = [];
  /** Declarations whose calls are being judged: a circle of them has nothing more to say. */
  readonly #called = new Set<Node>();

  /** Where it is set, variables of the environment that are asked for by name are noted here, and are no answer. */
  readonly #variables: Set<string> | undefined;

  constructor(links: Links, variables?: Set<string>) {
    this.#links = links;
    this.#variables = variables;
  }

  /** The variables of the environment that evaluating it asks for, where it asks the world for nothing else. */
  variablesOf(piece: Piece): readonly string[] | undefined {
    const names = new Set<string>();
    const asksMore = new LoadTime(this.#links, names).asksWorld(piece);
    return asksMore || names.size === 0 ? undefined : [...names].sort();
  }

  /** Whether evaluating it asks the world for anything; what is in functions that nobody calls meanwhile does not count. */
  asksWorld({ path, module }: Piece): boolean {
    const known = this.#answers.get(path.node);
    if (known !== undefined) return known;
    // In a circle of calls the others are asked, and what they answer without this one is not believed later.
    this.#answers.set(path.node, false);
    const isOutermost = this.#open.length === 0;
    this.#open.push(path.node);
    const answer = finds(path, (one) => {
      if (one.node !== path.node && one.isFunction() && !this.#runsNow(one, module)) return "skip";
      if (isOfInstances(one)) return "skip";
      const variables = this.#variables && variablesIn({ path: one, module }, this.#links);
      for (const name of variables ?? []) this.#variables?.add(name);
      if (variables) return "skip";
      // The value of a parameter is looked at wherever it comes from.
      const isSeen =
        declaresRule(one, module, this.#links) || dmakeCall(one, module, this.#links) === "param";
      return isSeen ? "skip" : this.#asks({ path: one, module });
    });
    if (isOutermost) {
      if (answer) for (const node of this.#open) if (!this.#answers.get(node)) this.#answers.delete(node);
      this.#open = [];
    }
    this.#answers.set(path.node, answer);
    return answer;
  }

  #asks({ path, module }: Piece): boolean {
    if (path.isAwaitExpression()) return !isKnownImport(bare(path.get("argument")));
    if (path.isForOfStatement()) return path.node.await;
    if (importedBy(path) === null) return true;
    if (isMention(path)) return this.#isOfWorld(path, module);
    return (isCall(path) || path.isTaggedTemplateExpression()) && this.#callAsks(path, module);
  }

  /** `process`, however it is called: its properties differ from run to run. */
  #isOfWorld(path: NodePath, module: SourceModule): boolean {
    if (!isMention(path)) return false;
    const reference = this.#links.referenceOf(path, module);
    if (reference.kind === "global") return worldly.has(reference.name);
    return (
      reference.kind === "top" &&
      reference.targets.some((target) => target.kind === "builtin" && target.module === "process")
    );
  }

  #callAsks(call: NodePath, module: SourceModule): boolean {
    const own = dmakeCall(call, module, this.#links);
    // What a target lists differs from run to run, all else that dmake answers comes from the text.
    if (own !== undefined) return own === "valuesIn";
    const callee = bare(call.get(call.isTaggedTemplateExpression() ? "tag" : "callee") as NodePath);
    const { root, members } = chainOf(callee);
    if (this.#calledAsks({ path: root, module }, { members, call })) return true;
    const handsOver =
      iterating.has(members.at(-1) ?? "") ||
      (root.isIdentifier() && /^(Array|Promise)$/.test(root.node.name));
    return (
      handsOver &&
      argumentsOf(call).some((argument) => {
        const given = chainOf(argument);
        return (
          isMention(given.root) && this.#calledAsks({ path: given.root, module }, { members: given.members })
        );
      })
    );
  }

  /** Whether a call of `root.member` asks the world. */
  #calledAsks(
    { path: root, module }: Piece,
    { members, call }: { readonly members: readonly (string | undefined)[]; readonly call?: NodePath },
  ): boolean {
    if (root.isNewExpression()) return this.#methodAsks({ path: calleeOf(root), module }, members[0]);
    if (!isMention(root)) return false;
    const reference = this.#links.referenceOf(root, module);
    switch (reference.kind) {
      case "global":
        return globalAsks(reference.name, members[0] ?? "", call);
      case "inner":
        return this.#valueAsks({ path: reference.binding.path, module }, members[0]);
      case "top":
        return reference.targets.some((target) => this.#targetAsks(target, members));
    }
  }

  #targetAsks(target: Target, members: readonly (string | undefined)[]): boolean {
    switch (target.kind) {
      case "builtin":
        return (
          !pureModules.has(target.module) &&
          !pureFunctions.has(`${target.module}.${target.name}`) &&
          !pureFunctions.has(`${target.module}.${members[0]}`)
        );
      case "unit":
        return this.#valueAsks(target.unit, members[0]);
      case "dmake":
      case "file":
      case "package":
      case "passed":
      case "tool":
        return false;
    }
  }

  /** Whether calling what is declared here asks the world, or calling its method. */
  #valueAsks({ path, module }: Piece, method: string | undefined): boolean {
    if (this.#called.has(path.node)) return false;
    this.#called.add(path.node);
    const answer = this.#declaredAsks({ path, module }, method);
    this.#called.delete(path.node);
    return answer;
  }

  #declaredAsks({ path, module }: Piece, method: string | undefined): boolean {
    const value = path.isVariableDeclarator() ? bare(path.get("init") as NodePath) : path;
    if (!value.node || this.#answers.get(value.node) !== undefined)
      return this.#answers.get(value.node) ?? false;
    if (value.isFunction()) return this.asksWorld({ path: value, module });
    if (method !== undefined) return this.#methodAsks({ path: value, module }, method);
    if (value.isClass()) return this.#makingAsks({ path: value, module });
    const same = chainOf(value);
    if (isMention(same.root)) return this.#calledAsks({ path: same.root, module }, { members: same.members });
    // `const run = promisify(exec)`: whatever it was made from may be what is called.
    return finds(value, (one) => {
      if (one.node === value.node || !isMention(one)) return false;
      const inner = chainOf(one);
      return this.#calledAsks({ path: inner.root, module }, { members: [] });
    });
  }

  /** Whether a method asks the world, of an object or class written here or of one made by `new`. */
  #methodAsks({ path, module }: Piece, method: string | undefined): boolean {
    const value = bare(path);
    if (value.isNewExpression()) return this.#methodAsks({ path: calleeOf(value), module }, method);
    if (isMention(value)) {
      const reference = this.#links.referenceOf(value, module);
      if (reference.kind === "top")
        return reference.targets.some((target) => this.#targetAsks(target, [method]));
      return reference.kind === "global" && globalAsks(reference.name, method ?? "", undefined);
    }
    return bodyOf(value).some((one) => {
      if (!isNamed(one.node, method)) return false;
      const body = one.isFunction()
        ? one
        : bare(one.get(one.isObjectProperty() || one.isClassProperty() ? "value" : "body") as NodePath);
      return body.isFunction() ? this.asksWorld({ path: body, module }) : false;
    });
  }

  /** Whether `new` of a class asks the world: its constructor and the fields of its instances. */
  #makingAsks({ path, module }: Piece): boolean {
    return bodyOf(path).some((one) => {
      if (one.isClassMethod())
        return one.node.kind === "constructor" && this.asksWorld({ path: one, module });
      if (!one.isClassProperty() || one.node.static || !one.node.value) return false;
      return this.asksWorld({ path: one.get("value") as NodePath, module });
    });
  }

  /** Whether a function that is written here runs right here: handed to `map`, called, or given to one that calls it. */
  #runsNow(path: NodePath, module: SourceModule): boolean {
    const outer = wrapped(path);
    if (outer.key === "callee") return true;
    const call = callWith(path);
    if (!call) return false;
    const { root, members } = chainOf(calleeOf(call));
    if (members.length > 0 && iterating.has(members.at(-1) ?? "")) return true;
    if (root.isIdentifier() && /^(Array|Promise)$/.test(root.node.name)) return true;
    if (!isMention(root) || members.length > 0) return false;
    const reference = this.#links.referenceOf(root, module);
    const callees =
      reference.kind === "top"
        ? reference.targets.flatMap((target) => (target.kind === "unit" ? [target.unit] : []))
        : reference.kind === "inner"
          ? [{ path: reference.binding.path }]
          : [];
    return callees.some(callsItsParameter);
  }
}

function callsItsParameter({ path }: Pick<Unit, "path">): boolean {
  const callee = path.isVariableDeclarator() ? bare(path.get("init") as NodePath) : path;
  if (!callee.isFunction()) return false;
  return finds(callee, (one) => {
    if (one.node !== callee.node && one.isFunction()) return "skip";
    const called = isCall(one) ? calleeOf(one) : undefined;
    return called?.isIdentifier() === true && one.scope.getBinding(called.node.name)?.kind === "param";
  });
}

const bodyOf = (path: NodePath): readonly NodePath[] => {
  if (path.isObjectExpression()) return path.get("properties") as NodePath[];
  if (path.isClass()) return path.get("body").get("body") as NodePath[];
  if (!path.isTSModuleDeclaration()) return [];
  const statements = (path.get("body") as NodePath).get("body");
  return [statements].flat().map((one) => {
    const declaration = (one as NodePath).isExportNamedDeclaration()
      ? ((one as NodePath).get("declaration") as NodePath)
      : one;
    return declaration as NodePath;
  });
};

function isNamed(node: Node, name: string | undefined): boolean {
  const key = "key" in node ? node.key : "id" in node ? node.id : undefined;
  const found = key as { readonly name?: string; readonly value?: unknown } | null | undefined;
  return name !== undefined && (found?.name === name || found?.value === name);
}

/** Evaluated for each instance, and not with the class. */
const isOfInstances = (path: NodePath): boolean =>
  (path.isClassProperty() || path.isClassPrivateProperty() || path.isClassAccessorProperty()) &&
  !path.node.static;

const isKnownImport = (path: NodePath): boolean => typeof importedBy(path) === "string";

function globalAsks(name: string, member: string, call: NodePath | undefined): boolean {
  if (name === "require") return call !== undefined && importedBy(call) === null;
  if (asked.has(`${name}.${member}`)) return true;
  if (name !== "Date" || member !== "" || !call) return false;
  return !call.isNewExpression() || argumentsOf(call).length === 0;
}
