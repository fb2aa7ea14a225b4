// A screen that can be kept still while a recipe has the terminal to itself. Knows nothing of what is written.
import type { Screen } from "./render.js";

/** Passes lines on, or keeps them, in order, until it is let go. Lives for one command. */
export class HeldScreen implements Screen {
  readonly transient: Screen["transient"];
  readonly coloured: boolean;
  readonly #screen: Screen;
  readonly #kept: (() => void)[] = [];
  #holders = 0;
  #lines = 0;

  constructor(screen: Screen) {
    this.#screen = screen;
    this.coloured = screen.coloured;
    const { transient } = screen;
    if (transient)
      this.transient = (line) => {
        if (this.#holders === 0) transient(line);
      };
  }

  /** How many lines it was given by now. */
  get lines(): number {
    return this.#lines;
  }

  readonly out = (line: string): void => this.#pass(line, this.#screen.out);
  readonly err = (line: string): void => this.#pass(line, this.#screen.err);

  /** From now on nothing is shown. */
  hold(): void {
    this.#screen.transient?.("");
    this.#holders += 1;
  }

  /** Shows what was kept, if this was the last that held it. */
  letGo(): void {
    this.#holders = Math.max(0, this.#holders - 1);
    if (this.#holders === 0) for (const show of this.#kept.splice(0)) show();
  }

  #pass(line: string, show: (line: string) => void): void {
    this.#lines += line.split("\n").length;
    if (this.#holders > 0) this.#kept.push(() => show(line));
    else show(line);
  }
}
