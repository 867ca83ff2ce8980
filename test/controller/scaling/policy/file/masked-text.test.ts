import { describe, expect, test } from "bun:test";
import { showPolicyText, unmaskPolicy } from "#controller/scaling/policy/file/masked-text.ts";
import { parseYaml } from "#platform/files/parse-yaml.ts";

const secret = {
  name: "factory",
  triggers: [
    { name: "queue", kind: "http-json", url: "https://ada:pw@queue.example/depth", headers: { "x-key": "s3cret" } },
    { name: "orders", kind: "prometheus", url: "https://prom.example", headers: { authorization: "Bearer other" } },
  ],
};

test("a text without secrets is shown as it was written, comments included", () => {
  const text = "# by Ada\nname: factory\nminReplicas: 3\n";
  expect(showPolicyText(text, { name: "factory", minReplicas: 3 })).toEqual({ text, isMasked: false });
});

test("a text with secrets is shown without them", () => {
  const { text, isMasked } = showPolicyText("whatever", secret);
  expect(isMasked).toBe(true);
  expect(text).toContain("queue.example/depth");
  for (const hidden of ["s3cret", "pw@", "Bearer other"]) expect(text).not.toContain(hidden);
});

describe("a masked text that comes back", () => {
  const masked = () => parseYaml(showPolicyText("", secret).text, "the test") as typeof secret;

  test("gets its secrets back", () => {
    expect(unmaskPolicy(masked(), secret)).toEqual({ input: secret, isChanged: true, unknown: [] });
  });

  test("gets them back by the triggers' names, whatever their order, and keeps what was changed", () => {
    const given = masked();
    given.triggers.reverse();
    given.triggers[1]!.kind = "agents";
    const { input } = unmaskPolicy(given, secret) as unknown as { input: typeof secret };
    expect(input.triggers.map(({ headers }) => headers)).toEqual([
      secret.triggers[1]!.headers,
      secret.triggers[0]!.headers,
    ]);
    expect(input.triggers[1]!.kind).toBe("agents");
  });

  test("keeps a secret that was typed anew", () => {
    const given = masked();
    given.triggers[0]!.headers["x-key"] = "new";
    const { input, unknown } = unmaskPolicy(given, secret) as unknown as { input: typeof secret; unknown: string[] };
    expect(input.triggers[0]!.headers["x-key"]).toBe("new");
    expect(unknown).toEqual([]);
  });

  test("is told which placeholders stand for nothing known", () => {
    const given = masked();
    given.triggers[0]!.name = "renamed";
    expect(unmaskPolicy(given, secret).unknown).toEqual(["triggers.0.headers.x-key"]);
    expect(unmaskPolicy(masked(), null).unknown).toHaveLength(2);
  });

  test("gets no secret back that was meant for another address", () => {
    const given = masked();
    given.triggers[0]!.url = "https://elsewhere.example/depth";
    const { input, unknown } = unmaskPolicy(given, secret);
    expect(unknown).toEqual(["triggers.0.headers.x-key"]);
    expect(JSON.stringify(input)).not.toContain("s3cret");
  });

  test("without any is left as it is", () => {
    const plain = { name: "factory", minReplicas: 3, pause: null };
    expect(unmaskPolicy(plain, secret)).toEqual({ input: plain, isChanged: false, unknown: [] });
  });
});
