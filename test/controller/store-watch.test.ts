import { afterEach, expect, test } from "bun:test";
import { createIngestCounts } from "#controller/fleet/ingest-counts.ts";
import { StoreWatch } from "#controller/store-watch.ts";
import { createLogger } from "#platform/log.ts";

let watch: StoreWatch | undefined;
afterEach(() => watch?.stop());

function begin() {
  const counts = createIngestCounts();
  const state = { fault: null as string | null, looks: 0, told: 0, refusals: 0 };
  const store = {
    fault() {
      state.looks += 1;
      return state.fault;
    },
  };
  const announce = async () => {
    if (state.refusals > 0) {
      state.refusals -= 1;
      throw new Error("this controller does not lead");
    }
    state.told += 1;
  };
  watch = new StoreWatch({ store, counts, announce, log: createLogger("test", "silent"), eachMs: 1 });
  const until = async (isTrue: () => boolean) => {
    while (!isTrue()) await Bun.sleep(1);
  };
  return { counts, state, until };
}

test("agents are told once that records can be stored again, when the server answers and not before", async () => {
  const { counts, state, until } = begin();
  state.fault = "away";
  counts.noteStored("away");
  await until(() => state.looks > 3);
  expect(state.told).toBe(0);
  state.fault = null;
  await until(() => state.told === 1);
  counts.noteStored("away again");
  await until(() => state.told === 2);
});

test("what could not be told, as another controller led, is told later; without a minute that failed nothing is", async () => {
  const { counts, state, until } = begin();
  state.refusals = 2;
  counts.noteStored(null);
  counts.noteStored("away");
  await until(() => state.told === 1);
  expect(state.refusals).toBe(0);
});
