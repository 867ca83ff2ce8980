import { describe, expect, test } from "bun:test";
import { maxBytesBeforeAdmission, PacketScanner } from "#controller/broker/limit-packets.ts";

/** The fixed header of a packet of this kind that announces `length` bytes. */
const header = (type: number, length: number) => {
  const bytes = [type << 4];
  let rest = length;
  do {
    bytes.push((rest % 128) | (rest >= 128 ? 0x80 : 0));
    rest = Math.floor(rest / 128);
  } while (rest > 0);
  return bytes;
};
const packet = (type: number, length: number) => [...header(type, length), ...new Array<number>(length).fill(0xff)];
const connect = packet(1, 20);
const after = (...bytes: number[]) => [...connect, ...bytes];

/** Returns the verdict on these bytes, in pieces of one size. */
const feed = (bytes: readonly number[], chunkSize: number, isAdmitted = true, nowMs = () => 0) => {
  const scanner = new PacketScanner(nowMs);
  if (isAdmitted) scanner.admitted();
  for (let at = 0; at < bytes.length; at += chunkSize) {
    const mistake = scanner.accept(Uint8Array.from(bytes.slice(at, at + chunkSize)));
    if (mistake !== null) return mistake.reason;
  }
  return null;
};

describe("packets of a connection", () => {
  test.each<[string, number[], string | null]>([
    ["nothing", [], null],
    ["CONNECT", connect, null],
    ["the longest CONNECT", packet(1, 16_384), null],
    ["a CONNECT that is longer", header(1, 16_385), "packet"],
    ["two of them", after(...connect), "packet"],
    ["something else first", packet(3, 10), "packet"],
    ["HTTP", [...Buffer.from("GET / HTTP/1.1\r\n")], "packet"],
    ["TLS", [0x16, 0x03, 0x01, 0x02, 0x00], "packet"],
    ["publishes of all lengths", after(...packet(3, 5), ...packet(3, 0), ...packet(3, 266_240), ...packet(3, 2)), null],
    ["one that is too long", after(...packet(3, 5), ...header(3, 266_241)), "packet"],
    ["a length field of five bytes", after(0x30, 0x80, 0x80, 0x80, 0x80, 0x01), "packet"],
    ["the longest SUBSCRIBE and UNSUBSCRIBE", after(...packet(8, 4096), ...packet(10, 4096)), null],
    ["an UNSUBSCRIBE of many filters", after(...header(10, 4097)), "packet"],
    ["a PUBACK with more than an id", after(...header(4, 3)), "packet"],
    ["a SUBSCRIBE of many filters", after(...header(8, 4097)), "packet"],
    ["a PINGREQ with a body", after(...header(12, 1)), "packet"],
    ["a hundred questions", after(...new Array(100).fill([0xc0, 0]).flat()), null],
    ["a hundred UNSUBSCRIBEs", after(...new Array(100).fill([0xa0, 0]).flat()), null],
    ["one more UNSUBSCRIBE within the second", after(...new Array(101).fill([0xa0, 0]).flat()), "flood"],
    ["a length field of four bytes, as long as there may be", after(0x30, 0x81, 0x80, 0x80, 0x00, 0xff), null],
    ["one more within the second", after(...new Array(101).fill([0xc0, 0]).flat()), "flood"],
    ...[0, 2, 5, 6, 7, 9, 11, 13, 15].map((type): [string, number[], string] => [
      `kind ${type}, which no client here sends`,
      after(...header(type, 2)),
      "packet",
    ]),
  ])("%s", (_name, bytes, expected) => {
    for (const chunkSize of [1, 2, 3, 7, 1000, 300_000]) expect(feed(bytes, chunkSize)).toBe(expected as never);
  });

  test("questions over a longer time are no flood", () => {
    let now = 0;
    const bytes = after(...new Array(1000).fill([0xc0, 0]).flat());
    expect(feed(bytes, 2, true, () => (now += 11))).toBeNull();
  });

  test("before it is let in a client says little, whatever its packets", () => {
    const bytes = after(...packet(3, 30_000));
    expect(feed(bytes, 1000, true)).toBeNull();
    expect(feed(bytes, 1000, false)).toBe("packet");
    expect(feed(after(...packet(8, 500)), 1000, false)).toBeNull();
    const rest = maxBytesBeforeAdmission - connect.length - 4;
    const longest = after(...packet(3, rest));
    expect([longest.length, feed(longest, 1000, false)]).toEqual([maxBytesBeforeAdmission, null]);
    expect(feed(after(...packet(3, rest + 1)), 1000, false)).toBe("packet");
  });
});
