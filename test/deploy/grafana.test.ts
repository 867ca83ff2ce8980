import { describe, expect, test } from "bun:test";
import { dashboards } from "./prometheus-files.ts";

test("there is a dashboard for each subject, under its own id", () => {
  expect(
    dashboards()
      .map(({ uid }) => uid)
      .sort(),
  ).toEqual(["thormesh-cost", "thormesh-fleet", "thormesh-forecast", "thormesh-serving"]);
});

/** Panels that users of such fleets look for by name. */
const expectedPanels = {
  "thormesh-serving": [
    ...["Request rate", "p95 latency", "Error rate", "Model-cache hit rate", "GPU memory", "GPU utilisation"],
    "Batch size (p95)",
  ],
  "thormesh-cost": [
    ...["Projected monthly cost", "Cost per request", "Cost by service", "Cost by region", "Cost by tenant"],
    ...["GPU cost x utilisation", "Over-provisioned waste", "Daily trend of 7 days", "against the day before"],
    ...["Saving against the baseline", "Upstream spend"],
  ],
  "thormesh-fleet": ["Replicas against rate and forecast", "Power mode by device", "Watts", "Forecast against actual"],
};

test.each(Object.entries(expectedPanels))("%s has the panels that are looked for", (uid, names) => {
  const titles =
    dashboards()
      .find((each) => each.uid === uid)
      ?.panels.map(({ title }) => title) ?? [];
  expect(names.filter((name) => !titles.some((title) => title.includes(name)))).toEqual([]);
});

describe.each([...dashboards()])("$title", ({ panels, templating }) => {
  test("each panel has a unit and a legend, and takes the data source that is chosen", () => {
    expect(templating.list[0]?.name).toBe("datasource");
    for (const { title, datasource, fieldConfig, targets } of panels) {
      expect({ title, uid: datasource.uid, unit: fieldConfig.defaults.unit }).toEqual({
        title: expect.stringMatching(/\S/),
        uid: `\${datasource}`,
        unit: expect.stringMatching(/\S/),
      });
      for (const { legendFormat } of targets)
        expect([title, legendFormat]).toEqual([title, expect.stringMatching(/\S/)]);
    }
  });

  test("panels lie beside each other within 24 columns, none upon another", () => {
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
    const taken = new Set<string>();
    for (const { gridPos } of panels)
      for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++)
        for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
          expect(x).toBeLessThan(24);
          expect(taken.has(`${x} ${y}`)).toBe(false);
          taken.add(`${x} ${y}`);
        }
  });
});
