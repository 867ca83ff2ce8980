/** A server in front of a controller that answers the live stream itself, as a test says; everything else is the controller's. */
export interface ScriptedStream {
  readonly url: string;
  /** Sends an event to every page that listens. */
  send(event: string, data: object, id?: string): void;
  /** Number of pages that listen. */
  readonly listeners: number;
  close(): Promise<void>;
}

type Listener = ReadableStreamDefaultController<Uint8Array>;

/** @param first events that a page is sent as it begins to listen */
export function startScriptedStream(
  controllerUrl: string,
  first: readonly (readonly [event: string, data: object])[],
): ScriptedStream {
  const encoder = new TextEncoder();
  const textOf = (event: string, data: object, id = "00000000-1") =>
    encoder.encode(`event: ${event}\nid: ${id}\ndata: ${JSON.stringify(data)}\n\n`);
  const listeners = new Set<Listener>();
  const stream = () => {
    let own: Listener | undefined;
    return new ReadableStream<Uint8Array>({
      start(listener) {
        own = listener;
        listeners.add(listener);
        for (const [event, data] of first) listener.enqueue(textOf(event, data));
      },
      cancel() {
        if (own !== undefined) listeners.delete(own);
      },
    });
  };
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    idleTimeout: 0,
    async fetch(request) {
      const { pathname, search } = new URL(request.url);
      if (pathname === "/api/v1/fleet/stream" && request.method === "GET")
        return new Response(stream(), { headers: { "content-type": "text/event-stream" } });
      const answer = await fetch(controllerUrl + pathname + search, { method: request.method, decompress: false });
      return new Response(await answer.arrayBuffer(), { status: answer.status, headers: answer.headers });
    },
  });
  return {
    url: `http://127.0.0.1:${server.port}`,
    send(event, data, id) {
      for (const listener of listeners) listener.enqueue(textOf(event, data, id));
    },
    get listeners() {
      return listeners.size;
    },
    async close() {
      for (const listener of listeners) listener.close();
      await server.stop(true);
    },
  };
}
