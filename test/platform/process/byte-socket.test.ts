import { afterAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type ByteSocket, connectBytes, listenBytes } from "#platform/process/byte-socket.ts";

const directory = mkdtempSync(join(tmpdir(), "thormesh-test-"));
afterAll(() => rmSync(directory, { recursive: true }));
let paths = 0;

/** One end of a connection: what it received, and its end. */
function createEnd() {
  const pieces: Uint8Array[] = [];
  const closed = Promise.withResolvers<void>();
  let bytes = 0;
  let wanted = { bytes: Number.POSITIVE_INFINITY, resolve: () => {} };
  return {
    handlers: {
      data(piece: Uint8Array) {
        pieces.push(piece.slice());
        bytes += piece.byteLength;
        if (bytes >= wanted.bytes) wanted.resolve();
      },
      close: () => closed.resolve(),
    },
    closed: closed.promise,
    /** Resolves with all that came once it is so many bytes. */
    async received(count: number): Promise<Buffer> {
      await new Promise<void>((resolve) => {
        wanted = { bytes: count, resolve };
        if (bytes >= count) resolve();
      });
      return Buffer.concat(pieces);
    },
  };
}

async function connect() {
  paths += 1;
  const path = join(directory, `socket-${paths}`);
  const [near, far] = [createEnd(), createEnd()];
  const accepted = Promise.withResolvers<ByteSocket>();
  const stop = listenBytes(path, (socket) => {
    stop();
    accepted.resolve(socket);
    return far.handlers;
  });
  const socket = connectBytes(path, near.handlers);
  return { near: { ...near, socket }, far: { ...far, socket: await accepted.promise } };
}

const numbered = (bytes: number) => Uint8Array.from({ length: bytes }, (_, i) => (i * 31) % 251);

describe("a connection", () => {
  test("carries bytes both ways, in order", async () => {
    const { near, far } = await connect();
    for (const part of ["one ", "two ", "three"]) near.socket.write(Buffer.from(part));
    expect((await far.received(13)).toString()).toBe("one two three");
    far.socket.write(Buffer.from("back"));
    expect((await near.received(4)).toString()).toBe("back");
    near.socket.destroy();
    await Promise.all([near.closed, far.closed]);
  });

  test("carries more than the kernel takes at once, and closes when all is sent", async () => {
    const { near, far } = await connect();
    const bytes = numbered(5_000_000);
    near.socket.write(bytes.subarray(0, 3_000_000));
    near.socket.write(bytes.subarray(3_000_000));
    near.socket.end();
    expect(Buffer.compare(await far.received(bytes.length), bytes)).toBe(0);
    await far.closed;
    await near.closed;
    expect([near.socket.closed, far.socket.closed]).toEqual([true, true]);
  });

  test("takes what is written before it is open", async () => {
    paths += 1;
    const path = join(directory, `socket-${paths}`);
    const [near, far] = [createEnd(), createEnd()];
    const stop = listenBytes(path, () => far.handlers);
    const socket = connectBytes(path, near.handlers);
    socket.write(Buffer.from("early"));
    expect((await far.received(5)).toString()).toBe("early");
    stop();
    socket.destroy();
    await far.closed;
  });

  test("that is closed tells both ends once, and ignores what is written", async () => {
    const { near, far } = await connect();
    far.socket.destroy();
    await Promise.all([near.closed, far.closed]);
    near.socket.write(Buffer.from("late"));
    near.socket.end();
    near.socket.destroy();
    far.socket.destroy();
    expect(near.socket.closed).toBe(true);
  });

  test("to nothing ends", async () => {
    const end = createEnd();
    const socket = connectBytes(join(directory, "nothing"), end.handlers);
    await end.closed;
    expect(socket.closed).toBe(true);
  });
});
