// Loaded before the program: counts every change that it makes to the disk or sends to the database, and dies at one of them. Knows nothing of the program.
import childProcess from "node:child_process";
import fs from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import net from "node:net";
import { relative } from "node:path";
import process from "node:process";
import { isMainThread } from "node:worker_threads";

/** The point to die at, from 1; `how` is `before`, `half` or `after`. Without one, all points are only listed. */
const { DMAKE_FAULT_AT: at, DMAKE_FAULT_HOW: how, DMAKE_FAULT_LIST: list } = process.env;
/** What is written to this port is counted. */
const { DMAKE_FAULT_PORT: port } = process.env;

const real = { ...fs };
const { appendFileSync, lstatSync, readdirSync, readFileSync, rmSync, writeFileSync, writeSync } = real;
const dieAt = Number(at ?? 0);
const root = process.cwd();
const descriptors = new Map();
let count = 0;

/** SIGKILL is delivered before the call returns, so that nothing after it happens. */
const die = () => {
  process.kill(process.pid, "SIGKILL");
  for (;;);
};

const nameOf = (path) =>
  relative(root, path instanceof URL ? path.pathname : String(path))
    .replace(/[0-9a-f]{16,64}/g, "*")
    .replace(new RegExp(String.raw`\b${process.pid}\b`, "g"), "PID");

/** Functions of Node call one another: what happens inside one is part of it. */
let isInside = false;

function inside(work) {
  isInside = true;
  try {
    return work();
  } finally {
    isInside = false;
  }
}

const note = (what, halves) =>
  inside(() => appendFileSync(list, `${count}\t${halves ? "halves" : ""}\t${what}\n`));

/** Counts one change, and answers what is to happen at it. */
function arrive(what, halves) {
  count += 1;
  if (dieAt === 0) note(what, halves);
  if (count !== dieAt) return "go";
  note(`${how} ${what}`, halves);
  if (how === "before") die();
  return how;
}

/** Puts a counted function in place of `module[name]`. `half` does half of the work. */
function watch(module, name, { what, half, counts = () => true, done = () => {} }) {
  const original = module[name];
  if (typeof original !== "function") return;
  const watched = function (...args) {
    if (isInside) return original.apply(this, args);
    if (!counts(args, this)) return followed(original.apply(this, args), args);
    const fate = arrive(`${name} ${what(args, this)}`, half !== undefined);
    if (fate === "half") {
      inside(() => half?.(args, this));
      die();
    }
    if (fate === "go")
      return followed(
        inside(() => original.apply(this, args)),
        args,
      );
    const last = args.at(-1);
    if (typeof last === "function") return original.apply(this, [...args.slice(0, -1), die]);
    const answer = inside(() => original.apply(this, args));
    return answer instanceof Promise ? answer.then(die, die) : die();
  };
  const followed = (answer, args) => {
    done(args, answer);
    return answer;
  };
  Object.defineProperty(watched, "name", { value: name });
  // `util.promisify` finds the promise form of some functions there.
  for (const symbol of Object.getOwnPropertySymbols(original)) watched[symbol] = original[symbol];
  module[name] = watched;
}

const halfOf = (data) => {
  const bytes = Buffer.isBuffer(data)
    ? data
    : Buffer.from(data.buffer ?? String(data), data.byteOffset, data.byteLength);
  return bytes.subarray(0, bytes.length >> 1);
};
const firstPath = ([path]) => nameOf(path);
const bothPaths = ([from, to]) => `${nameOf(from)} → ${nameOf(to)}`;
const byDescriptor = ([descriptor]) => descriptors.get(descriptor) ?? "a descriptor";
const isWriting = ([, flags]) => (typeof flags === "number" ? (flags & 3) !== 0 : /[wa+]/.test(flags ?? "r"));

/** Of a directory with something in it, half is removed. */
const halfGone = ([path]) => {
  if (!lstatSync(path, { throwIfNoEntry: false })?.isDirectory()) return;
  const names = readdirSync(path);
  for (const name of names.slice(0, Math.ceil(names.length / 2)))
    rmSync(`${path}/${name}`, { recursive: true, force: true });
};
const halfWritten = ([path, data]) => {
  if (typeof path === "number") writeSync(path, halfOf(data));
  else writeFileSync(path, halfOf(data));
};
const halfCopied = ([from, to]) => writeFileSync(to, halfOf(readFileSync(from)));

const one = { what: firstPath };
const two = { what: bothPaths };
const tree = { what: firstPath, half: halfGone };
const whole = {
  what: ([path]) => (typeof path === "number" ? byDescriptor([path]) : nameOf(path)),
  half: halfWritten,
};
const ofPaths = {
  rename: two,
  link: two,
  symlink: { what: ([, path]) => nameOf(path) },
  copyFile: { ...two, half: halfCopied },
  cp: two,
  mkdir: one,
  mkdtemp: one,
  rmdir: one,
  unlink: one,
  rm: tree,
  truncate: one,
  utimes: one,
  chmod: one,
  writeFile: whole,
  appendFile: whole,
};
const ofDescriptors = {
  write: { what: byDescriptor, half: ([descriptor, data]) => writeSync(descriptor, halfOf(data)) },
  writev: {
    what: byDescriptor,
    half: ([descriptor, all]) => writeSync(descriptor, halfOf(Buffer.concat(all))),
  },
  ftruncate: { what: byDescriptor },
  futimes: { what: byDescriptor },
  fsync: { what: byDescriptor },
  fdatasync: { what: byDescriptor },
};
/** What the program prints is no change of the disk. */
const ofFiles = ([descriptor]) => descriptors.has(descriptor);

function watchFiles() {
  const opened = { what: firstPath, counts: isWriting };
  watch(fs, "openSync", {
    ...opened,
    done: ([path], descriptor) => descriptors.set(descriptor, nameOf(path)),
  });
  watch(fs.promises, "open", opened);
  for (const [name, point] of Object.entries(ofPaths)) {
    watch(fs, `${name}Sync`, point);
    watch(fs, name, point);
    watch(fs.promises, name, point);
  }
  for (const [name, point] of Object.entries(ofDescriptors)) {
    watch(fs, `${name}Sync`, { ...point, counts: ofFiles });
    watch(fs, name, { ...point, counts: ofFiles });
  }
}

/** Handles are named by no path: one of them is opened to find what they have in common. */
async function watchHandles() {
  const handle = await real.promises.open("/dev/null", "r");
  const shared = Object.getPrototypeOf(handle);
  await handle.close();
  const what = () => "a file handle";
  for (const name of ["truncate", "sync", "datasync", "appendFile", "utimes"]) watch(shared, name, { what });
  watch(shared, "write", { what, half: ([data], { fd }) => writeSync(fd, halfOf(data)) });
  watch(shared, "writeFile", { what, half: ([data], { fd }) => writeSync(fd, halfOf(data)) });
  watch(shared, "writev", {
    what,
    half: ([all, position], { fd }) => writeSync(fd, halfOf(Buffer.concat(all)), 0, undefined, position),
  });
}

/** What goes to the database leaves at once; the half of a message too. */
function watchSockets() {
  const original = net.Socket.prototype.write;
  net.Socket.prototype.write = function (data, ...rest) {
    if (String(this.remotePort) !== port) return original.call(this, data, ...rest);
    const fate = arrive(`send ${messageIn(data)}`, data.length > 1);
    if (fate === "go") return original.call(this, data, ...rest);
    // The last that this connection says, and hears.
    this.write = () => true;
    this.removeAllListeners("data");
    return original.call(this, fate === "half" ? halfOf(data) : data, die);
  };
}

/** The statement in a message of the protocol, or what else it is. */
function messageIn(data) {
  const text = (typeof data === "string" ? data : Buffer.from(data).toString("latin1")).replace(
    /[^ -~]+/g,
    " ",
  );
  const secret = /^p /.test(text) || /SCRAM|password/.test(text);
  return secret ? "credentials" : text.trim().slice(0, 60);
}

/** A recipe that was started outlives us. */
function watchProcesses() {
  const words = ([command, args]) => `${nameOf(command)} ${args?.at(-1) ?? ""}`.replace(/\s+/g, " ");
  watch(childProcess, "spawn", {
    what: (given) =>
      words(given)
        .slice(0, 80)
        .replace(/dmake-.*/, "…"),
  });
}

if (isMainThread) {
  watchFiles();
  await watchHandles();
  if (port !== undefined) watchSockets();
  watchProcesses();
  syncBuiltinESMExports();
}
