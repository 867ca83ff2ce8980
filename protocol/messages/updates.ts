import { type Static, Type } from "@sinclair/typebox";
import { literals, orNull, strictObject } from "#platform/schema-parts.ts";
import { TimeMs, text } from "../bounds.ts";
import { versionPattern } from "../release/version-order.ts";
import { described } from "./fields.ts";

const ProgramVersion = Type.String({ pattern: versionPattern, maxLength: 64, title: "a version such as 1.2.0" });

/** Version of the program that the controller wants an agent to run. */
export const OrderedUpdate = strictObject(
  {
    version: described(
      ProgramVersion,
      "version of the program; the device fetches it, signed, from its own address of releases",
    ),
    orderedAtMs: described(TimeMs, "when it was ordered, by the controller's clock"),
  },
  { description: "version that the device should run, if its owner allows updates by the fleet; absent: no change" },
);
export type OrderedUpdate = Static<typeof OrderedUpdate>;

/** Progress of an update at the device. */
export const UpdateReport = strictObject(
  {
    allowed: Type.Boolean({ description: "true: the device's owner allows updates by the fleet (update.allowFleet)" }),
    wanted: orNull(ProgramVersion, "version that was ordered; null: none"),
    state: described(
      literals("none", "refused", "under-way", "failed", "done"),
      "none: nothing is ordered; refused: not allowed here; failed: it was rolled back, and the previous version runs",
    ),
    reason: described(text(512), "reason, for people to read"),
  },
  { description: "updates of this device by the fleet; absent from earlier versions" },
);
export type UpdateReport = Static<typeof UpdateReport>;
