import { rmSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { describeError } from "#platform/errors.ts";
import type { LogEvent, Logger } from "#platform/log.ts";
import { clearSocket, closeSocketToOthers } from "#platform/service/local-socket.ts";
import type { AgentStatus } from "../agent-status.ts";
import type { RecentMinute } from "../traffic/recent-minutes.ts";

/** Name of the socket in the agent's state directory. */
export const doorName = "agent.socket";

/** Answer of a local door. */
export interface LocalView {
  readonly status: AgentStatus;
  /** Newest whole minute; null: none yet. */
  readonly minute: RecentMinute | null;
  /** Loaded models. */
  readonly models: readonly string[];
  /** Newest lines of the log, oldest first. */
  readonly events: readonly LogEvent[];
}

/**
 * Unix socket in the agent's state directory, which only the agent's user and root can reach: they get the agent's status without
 * a key. It reads nothing: it answers each connection with JSON and closes it.
 */
export class LocalDoor {
  readonly #path: string;
  readonly #view: () => LocalView;
  readonly #log: Logger;
  #server: Server | undefined;

  constructor(path: string, view: () => LocalView, log: Logger) {
    this.#path = path;
    this.#view = view;
    this.#log = log;
  }

  /** Resolves when it listens, or when it can't: the agent serves on without it. */
  async start(): Promise<void> {
    // The database's lock says that no other agent runs here.
    const flaw = clearSocket(this.#path);
    if (flaw !== null) {
      this.#log.warn({ path: this.#path, reason: flaw }, "no socket for thormesh status");
      return;
    }
    const server = createServer((socket) => {
      socket.on("error", () => socket.destroy());
      socket.end(JSON.stringify(this.#view()));
    });
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    server.once("error", reject);
    server.listen(this.#path, resolve);
    try {
      await promise;
      closeSocketToOthers(this.#path);
      server.on("error", (error) =>
        this.#log.warn({ err: describeError(error) }, "the socket for thormesh status failed"),
      );
      server.unref();
      this.#server = server;
    } catch (error) {
      this.#log.warn({ err: describeError(error), path: this.#path }, "no socket for thormesh status");
    }
  }

  stop(): void {
    this.#server?.close();
    if (this.#server !== undefined) rmSync(this.#path, { force: true });
    this.#server = undefined;
  }
}
