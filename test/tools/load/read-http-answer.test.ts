import { expect, test } from "bun:test";
import { HttpAnswerReader } from "#tools/load/read-http-answer.ts";

const ok = (headers: string, body: string) => `HTTP/1.1 200 OK\r\n${headers}\r\n\r\n${body}`;

test.each([
  ["a length", ok("Content-Length: 5", "hällo".slice(0, 4)), { status: 200, body: "häll", reusable: true }],
  ["no body", ok("content-length: 0", ""), { status: 200, body: "", reusable: true }],
  ["an error", "HTTP/1.1 429 Too Many\r\ncontent-length: 2\r\n\r\nno", { status: 429, body: "no", reusable: true }],
  ["no content", "HTTP/1.1 204 No Content\r\nx: y\r\n\r\n", { status: 204, body: "", reusable: true }],
  ["to be closed", ok("Connection: close\r\ncontent-length: 1", "a"), { status: 200, body: "a", reusable: false }],
  ["HTTP/1.0", "HTTP/1.0 200 OK\r\ncontent-length: 1\r\n\r\na", { status: 200, body: "a", reusable: false }],
  [
    "chunks with an extension and a trailer",
    ok("Transfer-Encoding: chunked", "3;x=1\r\nabc\r\nA\r\n0123456789\r\n0\r\nt: 1\r\n\r\n"),
    { status: 200, body: "abc0123456789", reusable: true },
  ],
  [
    "100 Continue first",
    `HTTP/1.1 100 Continue\r\n\r\n${ok("content-length: 1", "a")}`,
    { status: 200, body: "a", reusable: true },
  ],
])("%s, whole and in pieces of every size", (_, text, answer) => {
  const bytes = Buffer.from(text);
  for (let size = 1; size <= bytes.length; size += 1) {
    const reader = new HttpAnswerReader();
    expect(reader.empty).toBe(true);
    for (let at = 0; at < bytes.length; at += size) {
      const read = reader.push(bytes.subarray(at, at + size));
      if (at + size < bytes.length) expect(read).toBeUndefined();
      else expect(read).toEqual(answer);
    }
  }
});

test("without a length the answer ends with its connection", () => {
  const reader = new HttpAnswerReader();
  expect(reader.push(Buffer.from(ok("x: y", "abc")))).toBeUndefined();
  expect(reader.push(Buffer.from("def"))).toBeUndefined();
  expect(reader.end()).toEqual({ status: 200, body: "abcdef", reusable: false });
});

test("a connection that ends within an answer has no answer", () => {
  const reader = new HttpAnswerReader();
  reader.push(Buffer.from(ok("content-length: 9", "abc")));
  expect(reader.end()).toBeUndefined();
  expect(reader.empty).toBe(false);
});

test.each([
  ["SSH-2.0-OpenSSH\r\n\r\n", "not HTTP"],
  ["x".repeat(70_000), "not HTTP"],
  [ok("content-length: many", ""), "invalid content-length"],
  [ok("transfer-encoding: chunked", "zz\r\n"), "chunks"],
])("%# what is no HTTP", (text, message) => {
  expect(() => new HttpAnswerReader().push(Buffer.from(text))).toThrow(message);
});
