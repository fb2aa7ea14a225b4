// Says on what a statement at the top of a module may act while the Datafile is evaluated, in doubt on more. Knows nothing of which function asks.
import type { NodePath } from "@babel/traverse";
import { changing, iterating, looking } from "./reach-change.js";
import type { Links, Target } from "./reach-link.js";
import type { SourceModule, Unit } from "./reach-module.js";
import { declaresRule, type Mentions, mentionsOf } from "./reach-names.js";
import {
  argumentsOf,
  bare,
  calleeOf,
  callWith,
  chainOf,
  importedBy,
  isCall,
  isMember,
  isMention,
  propertyOf,
  walk,
} from "./reach-tree.js";

export interface Effect {
  /** What it acts on by name. */
  readonly direct: Set<Unit>;
  /** What it may act on by another name: whatever cannot be changed does not count. */
  readonly touched: Set<Unit>;
  readonly packages: Set<string>;
  /** Whether it writes to what the whole process shares: `process.env.TZ = …`, `BigInt.prototype.toJSON = …`. */
  writesGlobal: boolean;
  /** Whether it calls what acts on the world: `process.chdir(…)`, `setDefaultResultOrder(…)`. */
  callsWorld: boolean;
}

/** Globals whose functions change nothing that others see, though some write into what they are given. */
const harmless = new Set([
  ...looking,
  ..."WeakMap WeakSet TypeError RangeError URL URLSearchParams Intl Buffer TextEncoder TextDecoder performance crypto decodeURIComponent decodeURI fetch module exports".split(
    " ",
  ),
]);

const lookingOfObject =
  /^(values|entries|keys|fromEntries|groupBy|is|hasOwn|has|get|ownKeys|getOwn\w+|getPrototypeOf|create)$/;

/** Of Node's modules: what they answer may differ, but nobody else's answer differs for it. */
const lookingModules = /^(path|url|util|querystring|assert|buffer|zlib|punycode|string_decoder|perf_hooks)\b/;
const lookingFunctions =
  /^(read|exists|f?l?stat|access|realpath|glob|open|create|hash|random|env|host|home|tmp|cpus|platform|type|arch|totalmem|freemem|exec|spawn|cwd|exit|hrtime|uptime|memoryUsage|is[A-Z]|get|promisify)/;

/** Methods of texts, lists and maps that leave them as they are. */
const lookingMethods =
  /^(to[A-Z]\w*|trim\w*|split|slice|substring|replace|replaceAll|join|includes|startsWith|endsWith|pad\w+|concat|repeat|(last)?[iI]ndexOf|at|charAt|charCodeAt|codePointAt|normalize|localeCompare|match|matchAll|test|exec|get|has|keys|values|entries|flat|map|filter|forEach|find\w*|every|some|flatMap|get[A-Z]\w*)$/;

/** What a call begins with, through the calls on the way: `m` in `m.get("a").n`. */
function rootOf(path: NodePath): NodePath {
  let root = chainOf(path).root;
  while (root.isCallExpression() || root.isOptionalCallExpression() || root.isAwaitExpression())
    root = chainOf(
      root.isAwaitExpression() ? (root.get("argument") as NodePath) : (root.get("callee") as NodePath),
    ).root;
  return root;
}

/** What the statements and declarations of a project act on. Lives for one compilation. */
export class Effects {
  readonly #links: Links;
  readonly #mentions: (unit: Unit) => Mentions;
  readonly #closures = new Map<Unit, ReadonlySet<Unit>>();

  constructor(links: Links, mentions: (unit: Unit) => Mentions) {
    this.#links = links;
    this.#mentions = mentions;
  }

  /** Nothing where it acts on nothing, as what only declares. */
  of(unit: Unit): Effect | undefined {
    const isNamed = unit.names.length > 0;
    if (isNamed && (!unit.path.isVariableDeclarator() || isFunctionUnit(unit))) return undefined;
    const effect: Effect = {
      direct: new Set(),
      touched: new Set(),
      packages: new Set(),
      writesGlobal: false,
      callsWorld: false,
    };
    new Reader(this.#links, (one) => this.#closure(one), effect).read(unit);
    // A declaration is there for its value, so that only what it plainly does besides counts.
    if (isNamed) {
      effect.packages.clear();
      effect.callsWorld = false;
    }
    for (const set of [effect.direct, effect.touched]) set.delete(unit);
    const { direct, touched, packages, writesGlobal, callsWorld } = effect;
    return direct.size + touched.size + packages.size > 0 || writesGlobal || callsWorld ? effect : undefined;
  }

  /** A unit and all that it mentions, in one step or more. */
  #closure(unit: Unit): ReadonlySet<Unit> {
    const known = this.#closures.get(unit);
    if (known) return known;
    const found = new Set([unit]);
    for (const one of found) for (const other of unitsOf(this.#mentions(one).targets)) found.add(other);
    this.#closures.set(unit, found);
    return found;
  }
}

const unitsOf = (targets: readonly Target[]): readonly Unit[] =>
  targets.flatMap((target) => (target.kind === "unit" ? [target.unit] : []));

/** Reads one statement, and the functions that it calls. */
class Reader {
  readonly #links: Links;
  readonly #closure: (unit: Unit) => ReadonlySet<Unit>;
  readonly #effect: Effect;
  readonly #seen = new Set<Unit>();

  constructor(links: Links, closure: (unit: Unit) => ReadonlySet<Unit>, effect: Effect) {
    this.#links = links;
    this.#closure = closure;
    this.#effect = effect;
  }

  read(unit: Unit): void {
    if (this.#seen.has(unit)) return;
    this.#seen.add(unit);
    const { module } = unit;
    const isValue = unit.path.isVariableDeclarator() && !isFunctionUnit(unit);
    walk(unit.path, (path) => {
      if (declaresRule(path, module, this.#links)) return "skip";
      // What is in a value is called later, if at all.
      if (isValue && path.isFunction() && path.key !== "callee" && !callWith(path)) return "skip";
      if (path.isAssignmentExpression()) this.#write(path.get("left"), unit);
      else if (path.isUpdateExpression() || path.isUnaryExpression({ operator: "delete" }))
        this.#write(path.get("argument") as NodePath, unit);
      else if (path.isForXStatement() && !path.get("left").isVariableDeclaration())
        this.#write(path.get("left") as NodePath, unit);
      else if (importedBy(path) !== undefined) this.#effect.callsWorld = true;
      else if (isCall(path)) this.#call(path, unit);
      else if (path.isTaggedTemplateExpression()) this.#touch(path.get("tag"), unit.module);
      return undefined;
    });
  }

  #write(path: NodePath, unit: Unit): void {
    const target = bare(path);
    const root = rootOf(target);
    if (!isMention(root)) {
      this.#touch(unit.path, unit.module);
      return;
    }
    const reference = this.#links.referenceOf(root, unit.module);
    if (reference.kind === "global") {
      if (!/^(module|exports)$/.test(reference.name)) this.#effect.writesGlobal = true;
    } else if (reference.kind === "inner") {
      if (target.node !== root.node) this.#touch(unit.path, unit.module);
    } else
      for (const one of reference.targets) {
        if (one.kind === "unit") this.#actOn(one.unit);
        else if (one.kind === "package") this.#effect.packages.add(one.name);
        else if (one.kind === "builtin") this.#effect.writesGlobal = true;
      }
  }

  #call(call: NodePath, unit: Unit): void {
    const { module } = unit;
    const callee = calleeOf(call);
    const method = isMember(callee) ? (propertyOf(callee) ?? "") : undefined;
    if (method !== undefined && iterating.has(method)) this.#callEach(argumentsOf(call), module);
    if (method !== undefined && lookingMethods.test(method) && !isOfGlobal(callee)) return;
    const root = rootOf(callee);
    if (!isMention(root)) {
      // A function that is written here, or a literal's method: what it does is read where it is written.
      const isPlain = root.isFunction() || root.isSuper() || root.isLiteral() || root.isNewExpression();
      if (!isPlain && method !== "join") this.#touch(unit.path, module);
      return;
    }
    const reference = this.#links.referenceOf(root, module);
    if (reference.kind === "global") this.#callGlobal(reference.name, call, unit);
    else if (reference.kind === "inner") {
      const { path } = reference.binding;
      const value = path.isVariableDeclarator() ? bare(path.get("init") as NodePath) : path;
      if (method !== undefined || !value.isFunction()) this.#touch(unit.path, module);
    } else for (const target of reference.targets) this.#callTarget(target, { call, method, unit });
  }

  #callGlobal(name: string, call: NodePath, unit: Unit): void {
    const { members } = chainOf(calleeOf(call));
    const method = members.at(-1) ?? "";
    if (/^(Object|Reflect)$/.test(name)) {
      if (lookingOfObject.test(method)) return;
      const first = argumentsOf(call)[0];
      const root = first && rootOf(first);
      if (root && isMention(root) && this.#links.referenceOf(root, unit.module).kind === "global")
        this.#effect.writesGlobal = true;
      if (first) this.#touch(first, unit.module);
    } else if (members.includes("prototype")) this.#touch(call, unit.module);
    else if (!harmless.has(name) && !(name === "process" && lookingFunctions.test(method)))
      this.#effect.callsWorld = true;
  }

  #callTarget(
    target: Target,
    {
      call,
      method,
      unit,
    }: { readonly call: NodePath; readonly method: string | undefined; readonly unit: Unit },
  ): void {
    const isNamed = unit.names.length > 0;
    if (target.kind === "builtin") {
      const isLooking = lookingModules.test(target.module) || lookingFunctions.test(method ?? target.name);
      if (!isLooking) this.#effect.callsWorld = true;
    } else if (target.kind === "package") {
      this.#effect.packages.add(target.name);
      for (const argument of argumentsOf(call)) this.#touch(argument, unit.module);
    } else if (target.kind === "unit") {
      if (isFunctionUnit(target.unit) && method === undefined) {
        this.read(target.unit);
        if (isNamed) return;
      } else if (method !== undefined && changing.has(method) && isOwnList(target.unit)) {
        this.#effect.direct.add(target.unit);
        return;
      } else this.#actOn(target.unit);
      for (const argument of argumentsOf(call)) this.#touch(argument, unit.module);
    }
  }

  /** `names.forEach(register)`. */
  #callEach(given: readonly NodePath[], module: SourceModule): void {
    for (const path of given) {
      if (!isMention(path)) continue;
      const reference = this.#links.referenceOf(path, module);
      if (reference.kind !== "top") continue;
      for (const unit of unitsOf(reference.targets)) {
        if (isFunctionUnit(unit)) this.read(unit);
        else this.#actOn(unit);
      }
    }
  }

  #actOn(unit: Unit): void {
    this.#effect.direct.add(unit);
    for (const one of this.#closure(unit)) this.#effect.touched.add(one);
  }

  /** Whatever is mentioned may be changed, and what is in it. */
  #touch(path: NodePath, module: SourceModule): void {
    for (const unit of unitsOf(mentionsOf(path, module, this.#links).targets))
      if (!isFunctionUnit(unit)) for (const one of this.#closure(unit)) this.#effect.touched.add(one);
  }
}

const isOfGlobal = (callee: NodePath): boolean => {
  const { root } = chainOf(callee);
  return root.isIdentifier() && /^(Object|Reflect|process|globalThis)$/.test(root.node.name);
};

function isFunctionUnit({ path }: Unit): boolean {
  return (path.isVariableDeclarator() ? bare(path.get("init") as NodePath) : path).isFunction();
}

/** A list, set or map that is made where it is declared: its methods change nothing else. */
function isOwnList({ path }: Unit): boolean {
  if (!path.isVariableDeclarator()) return false;
  const value = bare(path.get("init") as NodePath);
  return (
    value.isArrayExpression() || (value.isNewExpression() && /^(Set|Map)$/.test(nameOf(calleeOf(value))))
  );
}

const nameOf = (path: NodePath): string => (path.isIdentifier() ? path.node.name : "");

/** Whether anything can be changed in it, or it can be given another value. */
export function isMutable(unit: Unit): boolean {
  const { path, head } = unit;
  if (path.isFunctionDeclaration() || path.isTSEnumDeclaration() || isFunctionUnit(unit)) return false;
  if (!path.isVariableDeclarator() || !head.startsWith("const")) return true;
  const value = bare(path.get("init") as NodePath);
  return !(value.isLiteral() || value.isBinaryExpression() || value.isUnaryExpression());
}
