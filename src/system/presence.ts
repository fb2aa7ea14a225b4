// Shows other runs of dmake that this one lives, and finds out whether they do. Knows nothing of what a run does.
import {
  closeSync,
  mkdirSync,
  openSync,
  renameSync,
  rmdirSync,
  rmSync,
  statfsSync,
  statSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import type { Server } from "node:net";
import { join } from "node:path";
import { type Identity, identityOf, ownIdentity, type Token, unknownIdentity, viewOf } from "./identity.js";
import { codeOf, isAlive, startTimeOf } from "./process.js";
import { firstLineOf, signOf } from "./sign.js";

export interface PresenceOptions {
  /** How long a run of another machine may show no sign of life. Two minutes unless said; a test's affair. */
  readonly leaseMs?: number;
  /** Milliseconds of a clock that never jumps. */
  readonly clock?: () => number;
  /** Whether the disk is of this machine alone, asked of it unless said. */
  readonly isLocal?: boolean;
}

const defaultLeaseMs = 120_000;
/** Four beats a lease: NFS may show a file's time a minute late. */
const beatsPerLease = 4;
/** A run of another machine without a sign of life for so long, by the file system's own clock, is not waited for at all. */
const abandonedMs = 24 * 3_600_000;
/** Addresses of sockets have 108 bytes on Linux and 104 on macOS. Ours are relative to the project and short. */
const longestAddress = 100;

/**
 * File systems that one machine at a time can use, by `statfs`: ext, XFS, Btrfs, tmpfs, overlay, ZFS, F2FS, bcachefs.
 * There, a run of another boot of a machine of our name is one from before a restart. On NFS it may as well be a run
 * of another machine that has the same name.
 */
const localTypes: ReadonlySet<number> = new Set([
  0xef53, 0x58465342, 0x9123683e, 0x01021994, 0x794c7630, 0x2fc12fc1, 0xf2f52010, 0xca451a4e,
]);

interface Seen {
  readonly sign: string;
  readonly atMs: number;
  readonly isAbandoned: boolean;
}

type Life = "alive" | "gone" | "unknown";
type Answer = Life | "absent";

/**
 * One run among those that share a folder `.dmake`. Lives for one process.
 *
 * In `.dmake/runs` it keeps `<run>.ndjson`, whose first line is its identity and whose time moves every half minute,
 * and `<run>.sock`, on which it listens. Both are for others: whoever wants to know whether we live looks at our
 * process if it can see it, asks our socket if it shares our kernel, and watches the time of our file otherwise.
 */
export class Presence {
  readonly #directory: string;
  readonly #folder: string;
  readonly #run: string;
  readonly #leaseMs: number;
  readonly #clock: () => number;
  /** Run → the last sign of life and when we first saw it, by our own clock: those of two machines need not agree. */
  readonly #seen = new Map<string, Seen>();
  #local: boolean | undefined;
  #self: Identity | undefined;
  #view: string | undefined;
  #entered: Promise<void> | undefined;
  #server: Server | undefined;
  #beats: NodeJS.Timeout | undefined;

  constructor(
    directory: string,
    run: string,
    { leaseMs = defaultLeaseMs, clock = () => performance.now(), isLocal }: PresenceOptions = {},
  ) {
    this.#directory = directory;
    this.#folder = join(directory, "runs");
    this.#run = run;
    this.#leaseMs = leaseMs;
    this.#clock = clock;
    this.#local = isLocal;
  }

  get self(): Identity {
    this.#self ??= ownIdentity(this.#run, this.#device());
    return this.#self;
  }

  /** The folder of all runs. */
  get folder(): string {
    return this.#folder;
  }

  /** The file that says who we are, there from `enter` to `leave`; others may append lines to it. */
  get file(): string {
    return this.#fileOf(this.#run);
  }

  /** Makes us seen. To be called before anything is made that others may find; free once done. */
  enter(): Promise<void> {
    this.#entered ??= this.#enter().catch((error: unknown) => {
      // The disk may have room again when the next step begins.
      this.#entered = undefined;
      throw error;
    });
    return this.#entered;
  }

  /** Takes away what shows us. Nothing of ours may be left for others to find by then, as locks. */
  leave(): void {
    if (!this.#entered) return;
    clearInterval(this.#beats);
    // Takes its file with it, at once. It goes first: where there is a socket there is a file.
    this.#server?.close();
    rmSync(this.file, { force: true });
    this.#server = undefined;
    this.#entered = undefined;
    try {
      rmdirSync(this.#folder);
    } catch {
      // Others are there, or have just come.
    }
  }

  /**
   * Whether a run is over. Where nothing can be known for certain, it lives.
   *
   * One of this machine, seen at once: its process, or its socket where that is in another pid namespace, as that of a
   * container. One of another machine: when it has shown no sign of life for the lease since we first asked, so who
   * wants to know must go on asking.
   */
  async isGone(other: Identity): Promise<boolean> {
    const { self } = this;
    const isSameKernel = other.boot === self.boot && (self.boot !== "" || other.host === self.host);
    if (isSameKernel) {
      const life = other.namespace === self.namespace ? lifeOf(other) : "unknown";
      if (life !== "unknown") return life === "gone";
      const answer = await this.#ask(other, other.device === self.device);
      if (answer === "alive" || answer === "gone") return answer === "gone";
    } else if (this.#isLocal()) {
      if (other.host === self.host) return true;
      // A file that does not say whose it is: those of living runs do, so a power cut has taken what it said.
      if (other.host === "") {
        const answer = await this.#ask(other, true);
        if (answer !== "unknown") return answer !== "alive";
      }
    }
    return this.#hasStopped(other.run);
  }

  /** All that is known of the holder of a lock. Its file is only read if it is not of our own kernel and namespace. */
  whole({ view, ...token }: Token): Identity {
    this.#view ??= viewOf(this.self);
    if (view === this.#view) return { ...this.self, ...token };
    const known = identityOf(firstLineOf(this.#fileOf(token.run))) ?? unknownIdentity(token.run);
    return { ...known, ...token };
  }

  async #enter(): Promise<void> {
    this.#makeFile();
    await this.#listen();
    this.#beats = setInterval(() => this.#beat(), this.#leaseMs / beatsPerLease).unref();
  }

  #makeFile(): void {
    const next = `${this.file}.next`;
    for (let tries = 1; ; tries += 1) {
      mkdirSync(this.#folder, { recursive: true });
      try {
        writeFileSync(next, `${JSON.stringify(this.self)}\n`);
        // Nobody ever sees half of it.
        renameSync(next, this.file);
        return;
      } catch (error) {
        // The last one to leave has removed the folder between our two steps.
        if (codeOf(error) !== "ENOENT" || tries === 10) throw error;
      }
    }
  }

  /** A file system that refuses sockets, as those of shared folders of virtual machines do, leaves us with the beats. */
  async #listen(): Promise<void> {
    const path = this.#socketOf(this.#run);
    if (Buffer.byteLength(path) > longestAddress) return;
    const { createServer } = await import("node:net");
    const server = createServer((visitor) => visitor.on("error", () => undefined).destroy());
    await new Promise<void>((done) => {
      server.on("error", () => done());
      // Other users of the folder may ask too; there is nothing to hear but that we are here.
      server.listen({ path, readableAll: true, writableAll: true }, () => {
        this.#server = server.unref();
        done();
      });
    });
  }

  /** Moves the time of our file. By writing, so that it is the file server's time and not that of our own clock. */
  #beat(): void {
    try {
      const descriptor = openSync(this.file, "r+");
      try {
        writeSync(descriptor, "{", 0);
      } finally {
        closeSync(descriptor);
      }
    } catch (error) {
      // Otherwise a disk that refuses: others may take over what we hold, which we notice before we publish.
      if (codeOf(error) === "ENOENT") this.#comeBack();
    }
  }

  /** Somebody has removed our file, as after a day without a beat: whoever looks must see that we live. */
  #comeBack(): void {
    try {
      this.#makeFile();
    } catch {
      // At the next beat, perhaps.
    }
  }

  /** Asks the socket of a run of this kernel. A refusal is believed only where its file is the same to both. */
  async #ask({ run }: Identity, isSameDisk: boolean): Promise<Answer> {
    const { connect } = await import("node:net");
    return new Promise((answer) => {
      const socket = connect(this.#socketOf(run));
      socket.on("connect", () => {
        socket.destroy();
        answer("alive");
      });
      socket.on("error", (error) => {
        const code = codeOf(error);
        if (code === "ECONNREFUSED") answer(isSameDisk ? "gone" : "unknown");
        else if (code === "ENOENT") answer("absent");
        // Too many ask at once.
        else answer(code === "EAGAIN" ? "alive" : "unknown");
      });
    });
  }

  #hasStopped(run: string): boolean {
    const sign = signOf(this.#fileOf(run));
    if (!sign) return false;
    const nowMs = this.#clock();
    const last = this.#seen.get(run);
    if (last && last.sign === sign.text) return last.isAbandoned || nowMs - last.atMs >= this.#leaseMs;
    const isAbandoned = sign.atMs !== undefined && this.#isAbandoned(sign.atMs);
    this.#seen.set(run, { sign: sign.text, atMs: nowMs, isAbandoned });
    return isAbandoned;
  }

  #isAbandoned(atMs: number): boolean {
    if (!this.#entered) return false;
    this.#beat();
    const own = signOf(this.file)?.atMs;
    return own !== undefined && own - atMs > abandonedMs;
  }

  #isLocal(): boolean {
    this.#local ??= localTypes.has(statfsSync(this.#directory).type);
    return this.#local;
  }

  #device(): string {
    mkdirSync(this.#directory, { recursive: true });
    return String(statSync(this.#directory).dev);
  }

  readonly #fileOf = (run: string): string => join(this.#folder, `${run}.ndjson`);
  readonly #socketOf = (run: string): string => join(this.#folder, `${run}.sock`);
}

/** What our own process table says. The number alone is not enough: it may be another's by now. */
function lifeOf({ pid, started }: Identity): Life {
  if (!isAlive(pid)) return "gone";
  const now = startTimeOf(pid);
  if (started === "" || now === undefined) return "unknown";
  return now === started ? "alive" : "gone";
}
