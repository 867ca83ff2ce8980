/** A place outside a fleet that answers `POST /v1/embeddings` as OpenAI does, for a price: so many texts per second, one after the other. */
export interface PricedUpstream {
  readonly url: string;
  /** Texts that it was asked for. */
  texts(): number;
  /** Ends its connections, and refuses others until it starts again. */
  stop(): Promise<void>;
  start(): void;
}

/** Starts one on a free loopback port. `latencyMs`: time of a text besides its wait. */
export function startPricedUpstream(parts: {
  readonly latencyMs: number;
  readonly capacityQps: number;
  readonly dimension: number;
}): PricedUpstream {
  const { latencyMs, capacityQps, dimension } = parts;
  const vector = new Float32Array(dimension).fill(1 / Math.sqrt(dimension));
  const embedding = Buffer.from(vector.buffer).toString("base64");
  let texts = 0;
  let freeAtMs = 0;
  const answer = async (request: Request) => {
    const { input } = (await request.json()) as { input: string | readonly string[] };
    const inputs = typeof input === "string" ? 1 : input.length;
    texts += inputs;
    const nowMs = performance.now();
    freeAtMs = Math.max(freeAtMs, nowMs) + (1000 * inputs) / capacityQps;
    await Bun.sleep(freeAtMs - nowMs + latencyMs);
    const data = Array.from({ length: inputs }, (_, index) => ({ object: "embedding", index, embedding }));
    const usage = { prompt_tokens: 8 * inputs, total_tokens: 8 * inputs };
    return Response.json({ object: "list", data, model: "upstream", usage });
  };
  const listen = (port: number) => Bun.serve({ port, hostname: "127.0.0.1", fetch: answer });
  let server: ReturnType<typeof listen> | null = listen(0);
  const port = server.port as number;
  return {
    url: `http://127.0.0.1:${port}`,
    texts: () => texts,
    async stop() {
      await server?.stop(true);
      server = null;
    },
    start() {
      server ??= listen(port);
    },
  };
}
