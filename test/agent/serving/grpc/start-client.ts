import { join } from "node:path";
import type { Answer } from "../start-serving.ts";

export interface GrpcFailure {
  readonly code: number;
  readonly details: string;
  readonly metadata: Record<string, string>;
}

/** One line of the client's output. */
export interface ClientLine {
  readonly answer?: Answer;
  readonly error?: GrpcFailure;
  readonly ended?: true;
}

export interface CallOptions {
  readonly metadata?: Record<string, string>;
  readonly deadlineMs?: number;
}

export interface RunningCall {
  /** The next thing that came of the call. */
  next(): Promise<ClientLine>;
  cancel(): void;
}

/** A Node process that calls a server. */
export interface GrpcClient {
  /** @param method e.g. `akidb.embedding.v1.EmbeddingService/Embed`; a method of the embedding service may be named alone. */
  call(method: string, request: unknown, options?: CallOptions): RunningCall;
  /** The answer of a call that is expected to have one. */
  answer(method: string, request: unknown, options?: CallOptions): Promise<Answer>;
  /** The failure of a call that is expected to fail. */
  failure(method: string, request: unknown, options?: CallOptions): Promise<GrpcFailure>;
  /** Takes a service's methods from the server's reflection, and calls it by these from then on. */
  learn(service: string): Promise<string[]>;
  stop(): Promise<void>;
}

export const embeddingService = "akidb.embedding.v1.EmbeddingService";

/**
 * @param address `host:port`
 * @param contract .proto file of the embedding service that the client was built from; default: the current one
 * @param authority file with the certificate of the authority that the server must have; default: it does not encrypt
 */
export function startGrpcClient(address: string, contract?: string, authority?: string): GrpcClient {
  const args = [address, contract].filter((arg) => arg !== undefined);
  const child = Bun.spawn(["node", join(import.meta.dir, "node-client.mjs"), ...args], {
    stdin: "pipe",
    stdout: "pipe",
    stderr: "inherit",
    ...(authority === undefined ? {} : { env: { ...process.env, GRPC_AUTHORITY: authority } }),
  });
  const lines = new Map<number, { readonly came: ClientLine[]; wake: () => void }>();
  let calls = 0;
  const reading = (async () => {
    let rest = "";
    const decoder = new TextDecoder();
    for await (const chunk of child.stdout) {
      const parts = (rest + decoder.decode(chunk, { stream: true })).split("\n");
      rest = parts.pop() ?? "";
      for (const part of parts) {
        const { id, ...line } = JSON.parse(part) as ClientLine & { id: number };
        const call = lines.get(id);
        call?.came.push(line);
        call?.wake();
      }
    }
  })();

  const order = (what: Record<string, unknown>): RunningCall => {
    calls += 1;
    const id = calls;
    const state = { came: [] as ClientLine[], wake: () => {} };
    lines.set(id, state);
    const send = (line: Record<string, unknown>) => {
      child.stdin.write(`${JSON.stringify(line)}\n`);
      child.stdin.flush();
    };
    send({ id, ...what });
    return {
      async next() {
        while (state.came.length === 0) {
          const ended = await Promise.race([
            new Promise<false>((resolve) => {
              state.wake = () => resolve(false);
            }),
            child.exited.then(() => true),
          ]);
          if (ended && state.came.length === 0) throw new Error("the client ended");
        }
        return state.came.shift() as ClientLine;
      },
      cancel: () => send({ cancel: id }),
    };
  };

  const call: GrpcClient["call"] = (method, request, options = {}) =>
    order({ call: method.includes("/") ? method : `${embeddingService}/${method}`, request, ...options });
  return {
    call,
    async answer(method, request, options) {
      const line = await call(method, request, options).next();
      if (line.answer === undefined) throw new Error(`the call failed: ${JSON.stringify(line)}`);
      return line.answer;
    },
    async failure(method, request, options) {
      const line = await call(method, request, options).next();
      if (line.error === undefined) throw new Error(`the call did not fail: ${JSON.stringify(line).slice(0, 500)}`);
      return line.error;
    },
    async learn(service) {
      const line = await order({ learn: service }).next();
      if (line.answer === undefined) throw new Error(`learning failed: ${JSON.stringify(line)}`);
      return line.answer as unknown as string[];
    },
    async stop() {
      child.stdin.end();
      await child.exited;
      await reading;
    },
  };
}
