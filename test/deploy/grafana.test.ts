import { describe, expect, test } from "bun:test";
import { dashboards } from "./prometheus-files.ts";

test("there is a dashboard for each subject, under its own id", () => {
  expect(
    dashboards()
      .map(({ uid }) => uid)
      .sort(),
  ).toEqual(["thormesh-cost", "thormesh-fleet", "thormesh-forecast", "thormesh-serving"]);
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
