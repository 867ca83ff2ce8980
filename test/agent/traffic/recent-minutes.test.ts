import { expect, test } from "bun:test";
import { minuteRoutes, RecentMinutes } from "#agent/traffic/recent-minutes.ts";
import { minuteMs } from "#platform/time.ts";
import { aMinute, aPower } from "../../fakes/builders.ts";

test("the newest two hours are kept, with role and power mode", async () => {
  const recent = new RecentMinutes();
  for (let minute = 0; minute < 130; minute += 1)
    recent.add(
      aMinute({ minuteStartMs: minute * minuteMs, requests: 60 * minute, power: minute === 129 ? null : aPower() }),
    );
  const minutes = recent.list();
  expect(minutes.map(({ minuteStartMs }) => minuteStartMs / minuteMs)).toEqual(
    Array.from({ length: 120 }, (_, index) => index + 10),
  );
  expect(minutes[0]).toMatchObject({ qps: 10, offeredQps: 10, watts: 30, role: "active", powerMode: "MAXN" });
  expect(minutes.at(-1)).toMatchObject({ qps: 129, watts: null, powerMode: null, maxTemperatureC: null });
  const answer = await minuteRoutes(() => ({ nowMs: 7, minutes })).handle(new Request("http://agent/api/v1/minutes"));
  expect(await answer.json()).toEqual({ nowMs: 7, minutes });
});
