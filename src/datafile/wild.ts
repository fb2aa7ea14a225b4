// The types by which the compiler checks wildcards. Knows nothing at run time: there is no code here.

/** The wildcards of a pattern: `Wild<"data/{color}_{month}.csv">` is `"color" | "month"`. Of a text not known before run time, none. */
export type Wild<P> = P extends string
  ? string extends P
    ? never
    : P extends `${string}{${infer Name}}${infer Rest}`
      ? Name | Wild<Rest>
      : never
  : P extends readonly (infer One)[]
    ? Wild<One>
    : never;

/** The wildcards that a target binds. Of a text not known before run time, any: they are checked when it is declared. */
export type Bound<P> = P extends string
  ? string extends P
    ? string
    : Wild<P>
  : P extends readonly (infer One)[]
    ? Bound<One>
    : never;

/** Values by wildcard, as recipes, `url` and friends get them. */
export type Values<W extends string> = { readonly [Name in W]: string };

declare const wildcards: unique symbol;

/** Something another rule can take `from`: carries, for the compiler only, the wildcards that the taker must bind. */
export interface Reads<W extends string> {
  readonly [wildcards]?: W;
}

type Picks<W extends string> = { readonly [Name in W]?: string | readonly string[] };

/** A finite set of another rule's targets. */
export interface Selection<W extends string = never> extends Reads<W> {
  readonly kind: "selection";
}

/** Names that a glob finds. */
export interface Glob<W extends string = never> extends Reads<W> {
  readonly kind: "glob";
}

/** An input that need not be there. */
export interface Optional<W extends string = never> extends Reads<W> {
  readonly kind: "optional";
}

/**
 * A declared rule. As an input it stands for the target with the same wildcards.
 *
 * @example
 * from: raw                                           // same color, same month
 * from: raw({ color: "yellow", month: "2021-01" })    // one target
 * from: raw.all({ color: "yellow" })                  // all months of yellow
 */
export interface RuleHandle<W extends string = never> extends Reads<W> {
  /** One target: a value for every wildcard. A value may use wildcards of the rule that takes it, as `"{month}"`. */
  <const V extends Values<W>>(values: V & CheckPicks<V, W>): Selection<Wild<V[keyof V]>>;
  /** Every target, or those with the values picked. Needs a domain for each wildcard that is not picked. */
  all<const S extends Picks<W>>(picks?: S & CheckPicks<S, W>): Selection<Wild<S[keyof S]>>;
}

type CheckPicks<S, W extends string> =
  Exclude<keyof S, W> extends never
    ? unknown
    : { readonly "this rule has no such wildcard": Exclude<keyof S, W> };

/** An input: a name with wildcards, a rule, a selection of a rule's targets, a glob, or an optional one of these. */
export type Input = string | Reads<string>;

/** The wildcards that an input needs bound. */
export type InputWild<I> = I extends string
  ? Wild<I>
  : I extends readonly (infer One)[]
    ? InputWild<One>
    : I extends Reads<infer W>
      ? string extends W
        ? never
        : W
      : never;

/** `unknown` where the target binds all wildcards of the input; otherwise a type that nothing fits, whose text says what is wrong. */
export type CheckInput<Bound extends string, I> = [Exclude<InputWild<I>, Bound>] extends [never]
  ? unknown
  : { readonly "the target does not bind this wildcard": Exclude<InputWild<I>, Bound> };

/** What JSON can say of `V`: elsewhere a type that nothing fits. What is known only at run time is checked then. */
export type CheckValues<V> = { readonly [Name in keyof V]: Sayable<V[Name]> };

type Sayable<T> = unknown extends T
  ? T
  : T extends string | number | boolean | null | undefined
    ? T
    : T extends Unsayable
      ? { readonly "JSON cannot say this": T }
      : { readonly [Name in keyof T]: Sayable<T[Name]> };

type Unsayable =
  | ((...given: never) => unknown)
  | symbol
  | bigint
  | Date
  | RegExp
  | ReadonlyMap<unknown, unknown>
  | ReadonlySet<unknown>
  | PromiseLike<unknown>;

/** One path for each name that is a file; tables have none. */
export type Paths<N extends readonly string[]> = N extends readonly [
  infer First extends string,
  ...infer Rest extends readonly string[],
]
  ? string extends First
    ? readonly string[]
    : First extends `table:${string}`
      ? Paths<Rest>
      : readonly [string, ...Paths<Rest>]
  : N extends readonly []
    ? readonly []
    : readonly string[];
