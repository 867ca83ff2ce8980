import type { Socket } from "bun";

/** A connection to another process of this machine, without Node's streams: their layers cost a lone question more than the kernel does. */
export interface ByteSocket {
  /** Sends bytes, which are not to be changed afterwards. After the connection has closed it does nothing. */
  write(bytes: Uint8Array): void;
  /** Closes the connection when all is sent. */
  end(): void;
  /** Closes the connection at once. */
  destroy(): void;
  readonly closed: boolean;
}

export interface ByteHandlers {
  /** @param bytes valid during the call only */
  data(bytes: Uint8Array): void;
  /** Called once, however the connection ends. */
  close(): void;
}

/** The bytes that a socket has not taken yet, and what is to be done after them. */
class Connection implements ByteSocket {
  #socket: Socket<Connection> | undefined;
  #unsent: Uint8Array[] = [];
  #ending = false;
  #closed = false;
  handlers: ByteHandlers | undefined;

  get closed(): boolean {
    return this.#closed;
  }

  write(bytes: Uint8Array): void {
    if (this.#closed || this.#ending) return;
    this.#unsent.push(bytes);
    if (this.#unsent.length === 1) this.flush();
  }

  end(): void {
    this.#ending = true;
    this.flush();
  }

  destroy(): void {
    this.#socket?.terminate();
    this.ended();
  }

  opened(socket: Socket<Connection>): void {
    this.#socket = socket;
    this.flush();
  }

  /** Sends as much as the kernel takes. */
  flush(): void {
    const socket = this.#socket;
    if (socket === undefined || this.#closed) return;
    while (this.#unsent.length > 0) {
      const [bytes] = this.#unsent as [Uint8Array];
      const taken = Math.max(0, socket.write(bytes));
      if (taken < bytes.byteLength) {
        this.#unsent[0] = bytes.subarray(taken);
        return;
      }
      this.#unsent.shift();
    }
    if (this.#ending) socket.end();
  }

  ended(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#unsent = [];
    this.handlers?.close();
  }
}

const handlers = {
  open: (socket: Socket<Connection>) => socket.data.opened(socket),
  data: (socket: Socket<Connection>, bytes: Buffer) => socket.data.handlers?.data(bytes),
  drain: (socket: Socket<Connection>) => socket.data.flush(),
  close: (socket: Socket<Connection>) => socket.data.ended(),
  // "close" follows.
  error() {},
};

/**
 * Waits for connections at a path.
 * @param onConnection receives each; returns what handles it
 * @returns stops waiting; connections stay open
 */
export function listenBytes(path: string, onConnection: (socket: ByteSocket) => ByteHandlers): () => void {
  const server = Bun.listen<Connection>({
    unix: path,
    socket: {
      ...handlers,
      open(socket) {
        const connection = new Connection();
        socket.data = connection;
        connection.opened(socket);
        connection.handlers = onConnection(connection);
      },
    },
  });
  return () => server.stop(false);
}

/** Connects to a path. A failure is reported like the end of the connection; earlier writes wait for the connection. */
export function connectBytes(path: string, handle: ByteHandlers): ByteSocket {
  const connection = new Connection();
  connection.handlers = handle;
  Bun.connect<Connection>({ unix: path, data: connection, socket: handlers }).catch(() => connection.ended());
  return connection;
}
