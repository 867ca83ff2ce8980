/** A body that was read before its request reached the app. */
export interface ReceivedBody {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** To be called when the bytes are of no more use: others wait for their memory. */
  parsed(): void;
}

const bodies = new WeakMap<Request, ReceivedBody>();

/** Remembers the body of a request, whose own one is empty then, until a route takes it. */
export function noteReceivedBody(request: Request, body: ReceivedBody): void {
  bodies.set(request, body);
}

/** Takes the body that was read already, once; undefined where it is still to be read. */
export function takeReceivedBody(request: Request): ReceivedBody | undefined {
  const body = bodies.get(request);
  bodies.delete(request);
  return body;
}
