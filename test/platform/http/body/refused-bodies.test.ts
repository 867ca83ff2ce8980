import { expect, test } from "bun:test";
import { createRefusedBodies } from "#platform/http/body/refused-bodies.ts";

const bytes = new Uint8Array(100);

/** A body that has begun and is not at its end. */
function openBody() {
  const parts = new TransformStream<Uint8Array, Uint8Array>();
  const writer = parts.writable.getWriter();
  writer.write(bytes).catch(() => {});
  return { body: parts.readable, end: () => void writer.close().catch(() => {}) };
}

test("what comes is read and forgotten until its end", async () => {
  const { body, end } = openBody();
  const discarding = createRefusedBodies(1_000).discard(body);
  end();
  expect(await discarding).toBe(true);
});

test("no more than so much of one is read", async () => {
  expect(await createRefusedBodies(99).discard(openBody().body)).toBe(false);
});

test("of many at once some are read; the others are cut off unread, and all of them are garbage", async () => {
  let garbage = 0;
  const refused = createRefusedBodies(1_000, {
    note(more) {
      garbage += more;
    },
  });
  const read = Array.from({ length: 16 }, openBody);
  const discarding = read.map(({ body }) => refused.discard(body));
  const beyond = Array.from({ length: 100 }, openBody);
  for (const { body } of beyond) {
    expect(await refused.discard(body)).toBe(false);
    expect(body.locked).toBe(false);
  }
  expect(garbage).toBeGreaterThan(116 * 100_000);
  for (const { end } of read) end();
  expect(await Promise.all(discarding)).toEqual(read.map(() => true));
  const next = openBody();
  next.end();
  expect(await refused.discard(next.body)).toBe(true);
});
