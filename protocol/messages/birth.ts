import { type Static, Type } from "@sinclair/typebox";
import { literals, orNull, strict } from "#platform/schema-parts.ts";
import { amount, bounds, count, HttpUrl, record, TimeMs, text } from "../bounds.ts";
import { described, envelope, ModeId, Qps } from "./fields.ts";

const Watts = amount(bounds.watts);

export const PowerModeProfile = Type.Object(
  {
    id: described(ModeId, "the board's number of the mode"),
    name: described(text(64), "the board's name of the mode"),
    capacityQps: orNull(Qps, "texts per second that the mode carries; null: unknown"),
    profileQps: Type.Optional(
      described(
        Qps,
        "texts per second in the board's profile, if capacityQps was measured instead; absent: capacityQps is the profile's",
      ),
    ),
    busyWatts: orNull(Watts, "power at full load; null: unknown"),
    idleWatts: orNull(Watts, "power without load; null: unknown"),
  },
  strict,
);
export type PowerModeProfile = Static<typeof PowerModeProfile>;

const ModeFigures = Type.Object(
  {
    kind: described(
      literals("calibrated", "board"),
      "calibrated: measured on this board; board: stated by the board or its simulation",
    ),
    model: orNull(text(128), "the model that was measured; null: not measured"),
    texts: orNull(text(64), "kind of texts measured; null: not measured"),
    targetP95Ms: orNull(amount(bounds.durationMs), "95th percentile latency that was kept, ms; null: not measured"),
    calibratedAtMs: orNull(TimeMs, "when it was measured; null: not measured"),
  },
  { ...strict, description: "source of the modes' figures; absent from earlier versions" },
);

const Board = Type.Object(
  {
    kind: described(literals("jetson", "simulated", "none"), "none: no board whose power can be read or controlled"),
    name: described(text(128), "type of the board"),
    release: Type.Optional(described(text(64), "of the board's system software; absent: unknown")),
    powerModes: Type.Array(PowerModeProfile, { maxItems: 32, description: "the most capable mode first" }),
    figures: Type.Optional(ModeFigures),
    faults: Type.Optional(
      Type.Array(
        Type.Object(
          {
            fault: described(text(64), "constant for what does not work"),
            reason: described(text(512), "reason, for people to read"),
          },
          strict,
        ),
        { maxItems: 16, description: "what does not work in the board's power control; absent: nothing" },
      ),
    ),
  },
  { ...strict, description: "the device's board" },
);

const ServedModel = Type.Object(
  {
    id: described(text(128), "name by which requests ask for it"),
    dimension: described(count(65_536), "length of its vectors"),
    revision: described(text(128), "revision of its files"),
  },
  strict,
);

export const Birth = Type.Object(
  {
    ...envelope,
    url: described(HttpUrl, "base address of the agent's HTTP API, as others reach it"),
    region: described(text(64), "where the device stands"),
    version: described(text(64), "of the program"),
    board: Board,
    models: Type.Array(ServedModel, { maxItems: 64, description: "models that are loaded" }),
    prices: Type.Object(
      {
        tariffUsdPerKwh: orNull(amount(bounds.tariffUsdPerKwh), "price of electricity; null: the fleet's"),
        amortisationUsdPerHour: orNull(
          amount(bounds.usdPerHour),
          "cost of an hour of owning the device; null: the fleet's",
        ),
      },
      { ...strict, description: "prices that differ from the fleet's" },
    ),
    tags: { ...record(64, text(256), 64), description: "labels set by the operator" },
  },
  strict,
);
export type Birth = Static<typeof Birth>;
