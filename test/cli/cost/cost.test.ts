import { afterEach, describe, expect, spyOn, test } from "bun:test";
import { costCommand } from "#cli/cost/cost.ts";
import { type CostRow, costToText } from "#cli/cost/cost-to-text.ts";

const row = (name: string, totalCost: number): CostRow => ({
  ...{ name, totalCost, start: "2026-11-24T00:00:00Z", end: "2026-12-01T00:00:00Z" },
});
const answer = (...rows: readonly CostRow[]) => ({ data: [Object.fromEntries(rows.map((each) => [each.name, each]))] });

describe("bars", () => {
  test("the dearest first, on lines of 80 characters", () => {
    const shown = costToText({
      ...answer(
        row("shop/minilm", 6),
        row("__idle__", 12.5),
        row("ops/a-model-whose-name-is-longer-than-a-column", 1_000_000.008),
        row("__unallocated__/e5", 0.001),
        row("/e5", 0),
      ),
      warning: "the energy of 60 agent-minutes is unknown: the true cost is higher than shown",
    });
    expect(shown).toBe(
      [
        "2026-11-24T00:00:00Z to 2026-12-01T00:00:00Z",
        "",
        "OF                                     US$    SHARE",
        "ops/a-model-whose-name-is-lon…  1000000.01  100.0 %  ████████████████████████",
        "idle                                 12.50    0.0 %  ▏",
        "shop/minilm                           6.00    0.0 %  ▏",
        "(none)/e5                             0.00    0.0 %  ▏",
        "(none)/e5                             0.00    0.0 %",
        "total                           1000018.51",
        "",
        "the energy of 60 agent-minutes is unknown: the true cost is higher than shown",
      ].join("\n"),
    );
    expect(Math.max(...shown.split("\n").map((line) => line.length))).toBeLessThanOrEqual(80);
  });

  test.each([
    [1.5, "1.50"],
    [0.5, "0.5000"],
    [0.0005, "0.000500"],
    [0, "0.000000"],
  ])("a total of %p has as many places as tell amounts apart", (total, text) => {
    expect(costToText(answer(row("", total)))).toMatch(new RegExp(`all +${text}`));
  });

  test("beyond twenty rows the rest is one", () => {
    const many = Array.from({ length: 25 }, (_, index) => row(`t${index}`, 25 - index));
    const lines = costToText(answer(...many)).split("\n");
    expect(lines).toHaveLength(3 + 20 + 1 + 1);
    expect(lines.at(-2)).toMatch(/^5 others +15\.00 +4\.6 %/);
    expect(lines.at(-1)).toMatch(/^total +325\.00$/);
  });

  test("an empty window says so", () => expect(costToText({ data: [] })).toBe("no minute is on record in this window"));
});

describe("the command", () => {
  let fetched: ReturnType<typeof Bun.serve> | null = null;
  afterEach(async () => {
    await fetched?.stop(true);
  });

  test("asks for what its options say, and prints bars or JSON", async () => {
    const asked: string[] = [];
    fetched = Bun.serve({
      ...{ port: 0, hostname: "127.0.0.1" },
      fetch: ({ url }) => {
        asked.push(decodeURIComponent(url.slice(url.indexOf("/allocation"))));
        return Response.json(answer(row("red", 2)));
      },
    });
    const log = spyOn(console, "log").mockImplementation(() => {});
    try {
      const url = `http://127.0.0.1:${fetched.port}`;
      expect(await costCommand.run({ url }, [])).toBe(0);
      const options = {
        by: "region,tenant",
        window: "24h offset 1d",
        filter: 'tenant:"a"+node:"b"',
        "share-idle": "even",
      };
      await costCommand.run({ url, ...options, json: true }, []);
      expect(asked).toEqual([
        "/allocation/summary?window=7d&aggregate=tenant&filter=&shareIdle=false&includeIdle=true",
        '/allocation/summary?window=24h offset 1d&aggregate=region,tenant&filter=tenant:"a"+node:"b"&shareIdle=even&includeIdle=true',
      ]);
      await costCommand.run({ url, share: "ops,it", fixed: "dns:0.07", overhead: "500", json: true }, []);
      expect(asked.at(-1)).toEndWith("&shareNamespaces=ops,it&shareHourlyCosts=dns:0.07&sharedOverhead=500");
      await expect(costCommand.run({ url, share: "ops" }, ["daily"])).rejects.toThrow(
        "--share does not apply to cost daily",
      );
      expect(log.mock.calls[0]?.[0]).toMatch(/red +2\.00 +100\.0 %/);
      expect(JSON.parse(log.mock.calls[1]?.[0])).toEqual(answer(row("red", 2)));
      await expect(costCommand.run({ url, "share-idle": "half" }, [])).rejects.toThrow(/weighted.*even.*half/);
    } finally {
      log.mockRestore();
    }
  });
});
