// Tells a command that is only the name of a program and its arguments from one that needs a shell. Knows nothing of starting either.
import { accessSync, closeSync, constants, openSync, readSync, statSync } from "node:fs";
import { resolve } from "node:path";

/** A word of characters that no shell does anything with, and of single quotes with whatever is in them. */
const word = String.raw`(?:[A-Za-z0-9_@%+:,./=-]|'[^'\0]*')+`;
const words = new RegExp(word, "g");
const simple = new RegExp(String.raw`^[ \t\n]*${word}(?:[ \t]+${word})*[ \t\n]*$`);
/** A name without quotes, and none that assigns a variable or names a job. */
const name = /^[A-Za-z0-9_@+:,./-]+$/;

/**
 * What POSIX, dash, bash or ksh keep for themselves: reserved words, and commands that the shell carries out itself, even
 * where there is a program of that name.
 */
const shellsOwn = new Set(
  `. : alias autoload bg bind break builtin caller case cd chdir command compgen complete compopt continue coproc declare
  dirs disown do done echo elif else enable esac eval exec exit export false fc fg fi for function getopts hash help
  history if in integer jobs kill let local logout mapfile newgrp popd print printf pushd pwd read readarray readonly
  return select set shift shopt source stop suspend test then time times trap true type typeset ulimit umask unalias unset
  until wait whence while`.split(/\s+/),
);

/** The words of a command that any shell would run as one program with these arguments; nothing where a shell may do more. */
export function plainWords(command: string): readonly [string, ...string[]] | undefined {
  if (!simple.test(command)) return undefined;
  const [program = "", ...others] = command.match(words) ?? [];
  if (!name.test(program) || shellsOwn.has(program)) return undefined;
  return [program, ...others.map((one) => one.replaceAll("'", ""))];
}

/**
 * Where the file of a program is, by the `PATH` of an environment; nothing where a shell is to look for it, and to say so if
 * it is nowhere.
 */
export function programOf(name: string, env: NodeJS.ProcessEnv): string | undefined {
  if (hasFunctions(env)) return undefined;
  if (name.includes("/")) return isProgram(name) ? name : undefined;
  // An empty part is the current directory.
  const folders = env.PATH === undefined ? [] : env.PATH.split(":");
  return folders.map((folder) => `${folder === "" ? "." : folder}/${name}`).find(isProgram);
}

/** bash hands on functions in the environment, and as `sh` calls them in the place of programs. */
const hasFunctions = (env: NodeJS.ProcessEnv): boolean =>
  Object.keys(env).some((one) => one.startsWith("BASH_FUNC_"));

/** Whether the system can run a file itself. What is neither ELF nor begins with `#!` a shell may take for its own. */
function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    if (!statSync(path).isFile()) return false;
    const file = openSync(path, "r");
    try {
      const head = Buffer.alloc(4);
      readSync(file, head);
      return head.equals(elf) || head.subarray(0, 2).toString() === "#!";
    } finally {
      closeSync(file);
    }
  } catch {
    return false;
  }
}

const elf = Buffer.from("\x7fELF", "latin1");

/** An environment as a shell hands it on: with `PWD`, the current directory, called as it was if that is right. */
export function handedOn(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const { PWD = "" } = env;
  if (PWD.startsWith("/") && isHere(PWD)) return env;
  return { ...env, PWD: resolve(".") };
}

function isHere(path: string): boolean {
  try {
    const [there, here] = [statSync(path), statSync(".")];
    return there.dev === here.dev && there.ino === here.ino;
  } catch {
    return false;
  }
}
