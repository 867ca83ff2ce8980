/** Body that was read before its request reached the app. */
interface ReceivedBody {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Call it when the bytes are parsed: other requests wait for their memory. */
  parsed(): void;
}

const bodies = new WeakMap<Request, ReceivedBody>();

/** Keeps the body of a request, whose own body is empty by then, until a route reads it. */
export function noteReceivedBody(request: Request, body: ReceivedBody): void {
  bodies.set(request, body);
}

/** Returns the body that was read, once; undefined where the request's own body is still unread. */
export function takeReceivedBody(request: Request): ReceivedBody | undefined {
  const body = bodies.get(request);
  bodies.delete(request);
  return body;
}
