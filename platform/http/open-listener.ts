import { describeError, ServiceError, UsageError } from "#platform/errors.ts";
import type { Logger } from "#platform/log.ts";
import { errorResponse } from "./error-response.ts";
import type { ServerCertificate } from "./tls/server-certificate.ts";

type Server = Bun.Server<undefined>;

export interface ListenerOptions {
  readonly host: string;
  /** 0 = any free port. */
  readonly port: number;
  readonly tls: ServerCertificate | undefined;
  readonly idleTimeoutS: number;
  readonly fetch: (request: Request, server: Server) => Promise<Response>;
  readonly log: Logger;
}

export interface Listener {
  readonly port: number;
  /** Number of requests that are being answered. */
  pendingRequests(): number;
  /** True for a server whose connections are to end: another one with a newer certificate listens. */
  isReplaced(server: Server): boolean;
  /** Accepts no more connections; with `closeAll` the open ones end, too. */
  stop(closeAll: boolean): Promise<void>;
}

/** Time in which clients of a replaced certificate are asked to open new connections, before their idle ones are closed. */
const handOverMs = 3_000;

function listenError(error: unknown, host: string, port: number): unknown {
  const denied = `not allowed to listen on port ${port} of ${host}`;
  const explained = new Map<unknown, string>([
    ["EADDRINUSE", `port ${port} on ${host} is in use: stop the program that uses it, or configure another port`],
    ["EACCES", denied],
    ["EPERM", denied],
    ["EADDRNOTAVAIL", `can't listen on ${host}: this machine has no such address`],
  ]).get((error as { code?: unknown }).code);
  return explained === undefined ? error : new UsageError(explained, { cause: error });
}

/**
 * Listens for HTTP, encrypted with a certificate or not. When the certificate changes, another server takes over the port: Bun's can't change
 * theirs. Requests in progress are answered, and connections of the one before end after their next answer.
 * @throws UsageError when the address or port can't be listened on.
 */
export function openListener({ host, port, tls, idleTimeoutS, fetch, log }: ListenerOptions): Listener {
  const serve = (at: number, shared: boolean): Server =>
    Bun.serve({
      hostname: host,
      port: at,
      // Without encryption never: two agents could share a port by mistake, each with half of the requests.
      reusePort: shared,
      // Bodies over the limit are refused by the handler; Bun's own answer has no explanation.
      maxRequestBodySize: Number.MAX_SAFE_INTEGER,
      idleTimeout: idleTimeoutS,
      fetch,
      error: () => errorResponse(new ServiceError("INTERNAL", "internal error"), "plain"),
      ...(tls === undefined ? {} : { tls: [tls.current(), ...(tls.named?.() ?? [])] }),
    });
  const open = (): Server => {
    try {
      if (tls === undefined) return serve(port, false);
      // Finds another program on the port, which one that can be shared would not notice.
      const alone = Bun.serve({ hostname: host, port, reusePort: false, fetch: () => new Response() });
      const { port: free = port } = alone;
      void alone.stop(true);
      return serve(free, true);
    } catch (error) {
      throw listenError(error, host, port);
    }
  };
  let current = open();
  const boundPort = current.port ?? port;
  const replaced = new Set<Server>();
  let stopped = false;
  tls?.onChange(() => {
    if (stopped) return;
    const before = current;
    try {
      current = serve(boundPort, true);
    } catch (error) {
      log.error({ err: describeError(error) }, "a new certificate can't be used, and the one before stays in force");
      return;
    }
    replaced.add(before);
    const end = async () => {
      await before.stop(false);
      while (before.pendingRequests > 0 && !stopped) await Bun.sleep(50);
      replaced.delete(before);
    };
    setTimeout(() => void end(), handOverMs).unref();
  });
  const all = () => [current, ...replaced];
  return {
    port: boundPort,
    pendingRequests: () => all().reduce((sum, { pendingRequests }) => sum + pendingRequests, 0),
    isReplaced: (server) => server !== current,
    async stop(closeAll) {
      stopped = true;
      await Promise.all(all().map((server) => server.stop(closeAll)));
    },
  };
}
