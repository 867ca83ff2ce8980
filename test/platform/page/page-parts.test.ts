import { describe, expect, test } from "bun:test";
import { safeHref, safeText } from "#platform/page/safe-text.ts";
import { createEventParser } from "#platform/page/stream-client.ts";
import { matchPath } from "#platform/page/url-state.ts";
import { hostileText, steering } from "../../fakes/hostile-text.ts";

describe("texts of others", () => {
  test("steer nothing and are cut", () => {
    expect(safeText(hostileText)).not.toMatch(steering);
    expect(safeText("x".repeat(10_000)).length).toBe(300);
    expect(safeText("<b>&amp;")).toBe("<b>&amp;");
  });

  test.each([
    ["https://board-1:8080/", "https://board-1:8080/"],
    ["http://10.0.0.1", "http://10.0.0.1/"],
    ["/agents/a", "/agents/a"],
    ["javascript:alert(1)", null],
    [" javascript:alert(1)", null],
    ["java\nscript:alert(1)", null],
    ["data:text/html,x", null],
    ["//evil.example/", null],
    ["/\\evil.example/", null],
    ["board", null],
    ["", null],
    [null, null],
  ])("address %p becomes the link %p", (address, href) => {
    expect(safeHref(address)).toBe(href);
  });
});

describe("paths", () => {
  test.each([
    ["/agents/:id", "/agents/a%20b", { id: "a b" }],
    ["/agents/:id", "/agents/a%20b/", { id: "a b" }],
    ["/agents/:id", "/agents/", null],
    ["/agents/:id", "/agents/%E0%A4%A", null],
    ["/agents/:id", "/agents/a/b", null],
    ["/", "/", {}],
    ["/cost", "/costs", null],
  ])("%p by %p: %p", (pattern, path, values) => {
    expect(matchPath(pattern, path)).toEqual(values);
  });
});

describe("a stream of events", () => {
  const whole =
    'retry: 2000\n\nevent: change\nid: a-1\ndata: {"x":\ndata: 1}\n\n: still here\n\nevent: end\ndata: bye\n\n';
  const expected = [
    { event: "change", data: '{"x":\n1}', id: "a-1" },
    { event: "end", data: "bye", id: "a-1" },
  ];

  test("is the same however it is cut into pieces", () => {
    for (let size = 1; size <= whole.length; size += 1) {
      const parse = createEventParser();
      const found = [];
      for (let at = 0; at < whole.length; at += size) found.push(...parse(whole.slice(at, at + size)));
      expect(found).toEqual(expected);
    }
  });

  test("may have other line ends, and what is not complete is no event", () => {
    expect(createEventParser()(whole.replaceAll("\n", "\r\n"))).toEqual(expected.map((event) => ({ ...event })));
    expect(createEventParser()("event: change\ndata: 1\n")).toEqual([]);
  });
});
