export interface ReadEvent {
  readonly event: string;
  readonly id: string | null;
  /** Parsed JSON; of a comment or `retry` its text. */
  readonly data: unknown;
}

/** Reads server-sent events from an answer, one at a time. */
export function eventReader(response: Response) {
  const reader = (response.body as ReadableStream<Uint8Array>).getReader();
  const decoder = new TextDecoder();
  let text = "";
  const parse = (block: string): ReadEvent => {
    const lines = block.split("\n");
    const of = (name: string) => lines.find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2) ?? null;
    const data = of("data");
    return { event: of("event") ?? "", id: of("id"), data: data === null ? block : JSON.parse(data) };
  };
  return {
    /** The next event; null at the end. */
    async next(): Promise<ReadEvent | null> {
      for (;;) {
        const end = text.indexOf("\n\n");
        if (end >= 0) {
          const block = text.slice(0, end);
          text = text.slice(end + 2);
          return parse(block);
        }
        const { value, done } = await reader.read();
        if (done) return null;
        text += decoder.decode(value, { stream: true });
      }
    },
    /** Reads until an event of this name; null at the end. */
    async until(name: string): Promise<ReadEvent | null> {
      for (;;) {
        const event = await this.next();
        if (event === null || event.event === name) return event;
      }
    },
    cancel: () => reader.cancel(),
  };
}
