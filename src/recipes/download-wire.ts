// The socket of one request: it can be held while nobody takes what it brings, and is listened to after the body. Knows nothing of requests.
import type { Socket } from "node:net";
import type { buildConnector as Connector } from "undici";
import { buildConnector, errors } from "./download-client.js";

/** We ask for the connection to be closed, so its end is as near as its last byte. A server that keeps it has this long to say more. */
const lingerMs = 300;

/** Made for one connection, before it is there. */
export class Wire {
  #socket: Socket | undefined;
  #held = false;
  #more: Promise<boolean> | undefined;

  connector(options: Connector.BuildOptions): Connector.connector {
    const connect = buildConnector(options);
    return (to, done) =>
      connect(to, (...made) => {
        if (made[1]) this.#tame(made[1]);
        done(...made);
      });
  }

  /** Hands out nothing more, neither bytes nor the end. A parser that is paused instead falls over an end that comes meanwhile (undici 7.30). */
  hold(): void {
    this.#held = true;
  }

  release(): void {
    this.#held = false;
    if (this.#socket && !this.#socket.destroyed) this.#socket.emit("readable");
  }

  /** Whether anything came after the body, up to the end of the connection. */
  async exceeded(): Promise<boolean> {
    return (await this.#more) ?? false;
  }

  #tame(socket: Socket): void {
    this.#socket = socket;
    // undici (7.30) takes a reset for the end of a body that has no length of its own. Our listener is the first.
    socket.prependListener("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "ECONNRESET") error.code = "UND_ERR_SOCKET";
    });
    const { read, destroy } = socket;
    socket.read = (size) => (this.#held ? null : read.call(socket, size));
    socket.destroy = (error) => {
      if (this.#more || !isEndOfBody(error)) return destroy.call(socket, error);
      this.#more = listen(socket, () => read.call(socket)).finally(() => destroy.call(socket));
      return socket;
    };
  }
}

/** undici closes a socket with the last byte of its body, and nobody would see what a server sends beyond it. */
const isEndOfBody = (error: Error | undefined): boolean =>
  error instanceof errors.InformationalError && error.message === "reset";

/** Answers as soon as it is clear: a byte, the end, or silence. */
function listen(socket: Socket, read: () => unknown): Promise<boolean> {
  return new Promise((resolve) => {
    const settle = (more: boolean) => {
      clearTimeout(timer);
      socket.off("readable", look);
      resolve(more);
    };
    const look = () => {
      if (read() !== null) settle(true);
      else if (socket.readableEnded || socket.destroyed) settle(false);
    };
    const timer = setTimeout(settle, lingerMs, false);
    socket.on("readable", look);
    for (const end of ["end", "error", "close"]) socket.once(end, () => settle(false));
    // undici gives back what it has read too much of, later in this turn.
    queueMicrotask(look);
  });
}
