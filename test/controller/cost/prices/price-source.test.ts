import { afterAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { explainGaps, openPrices } from "#controller/cost/prices/price-source.ts";
import { aBirth } from "../../../fakes/builders.ts";

const fleet = { tariffUsdPerKwh: 0.15, amortisationUsdPerHour: 0.133 };
const directory = mkdtempSync(join(tmpdir(), "thormesh-prices-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));
const file = (text: string) => {
  const path = join(directory, "prices.yaml");
  writeFileSync(path, text);
  return path;
};
const atMs = Date.UTC(2026, 5, 1);
const own = { tariffUsdPerKwh: null, amortisationUsdPerHour: null };

describe("prices of an agent", () => {
  const catalogue = `
currency: USD
electricity:
  - { from: 2026-01-01, perKwh: 0.2 }
  - { region: eu, from: 2026-01-01, perKwh: 0.3 }
devices:
  - { model: thor-9, from: 2026-01-01, purchase: 730, lifetimeMonths: 10 }
  - { model: ${JSON.stringify(aBirth().board.name)}, from: 2026-01-01, purchase: 7300, lifetimeMonths: 10 }
`;

  test("are its own, else the catalogue's by its region, and by its id or its board", async () => {
    const source = (await openPrices(file(catalogue), fleet))();
    const birth = aBirth({ region: "eu", prices: own });
    expect(source.at("thor-1", birth, atMs)).toEqual({ tariffUsdPerKwh: 0.3, amortisationUsdPerHour: 1 });
    expect(source.at("thor-9", birth, atMs)).toEqual({ tariffUsdPerKwh: 0.3, amortisationUsdPerHour: 0.1 });
    expect(source.at("thor-9", null, atMs)).toEqual({ tariffUsdPerKwh: 0.2, amortisationUsdPerHour: 0.1 });
    const priced = aBirth({ region: "eu", prices: { tariffUsdPerKwh: 0, amortisationUsdPerHour: 2 } });
    expect(source.at("thor-1", priced, atMs)).toEqual({ tariffUsdPerKwh: 0, amortisationUsdPerHour: 2 });
    expect(source.gaps()).toEqual([]);
  });

  test("are the configured ones where the catalogue has none, which is counted", async () => {
    const source = (await openPrices(file("currency: USD"), fleet))();
    const birth = aBirth({ region: "eu", prices: own });
    for (const minute of [0, 1, 1]) expect(source.at("thor-1", birth, atMs + minute * 60_000)).toEqual(fleet);
    expect(source.at("thor-2", null, atMs)).toEqual(fleet);
    expect(explainGaps(source.gaps())).toBe(
      `no price in the catalogue for eu (electricity, 3 agent-minutes), ${birth.board.name} (devices, 3 agent-minutes), ` +
        "any region (electricity, 1 agent-minutes), thor-2 (devices, 1 agent-minutes): the configured price counts instead",
    );
  });

  test("are the configured ones without a catalogue", async () => {
    const source = (await openPrices(null, fleet))();
    expect(source.at("thor-1", aBirth({ prices: own }), atMs)).toEqual(fleet);
    expect(explainGaps(source.gaps())).toBeNull();
  });
});

test("a file that is no catalogue, or of another currency, is refused by name", async () => {
  await expect(openPrices(file("currency: USX"), fleet)).rejects.toThrow(/prices\.yaml is not valid:[\s\S]*USX/);
  await expect(openPrices(file("currency: EUR"), fleet)).rejects.toThrow(/currency: expected USD.*got "EUR"/);
  await expect(openPrices(join(directory, "none.yaml"), fleet)).rejects.toThrow(/none\.yaml/);
});
