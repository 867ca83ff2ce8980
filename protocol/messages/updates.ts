import { type Static, Type } from "@sinclair/typebox";
import { literals, orNull, strictObject } from "#platform/schema-parts.ts";
import { TimeMs, text } from "../bounds.ts";
import { versionPattern } from "../release/version-order.ts";
import { described } from "./fields.ts";

const ProgramVersion = Type.String({ pattern: versionPattern, maxLength: 64, title: "a version such as 1.2.0" });

/** Version of the program that the controller wants an agent to run. */
export const OrderedUpdate = strictObject(
  {
    version: described(ProgramVersion, "of the program; the device takes it from its own address of releases, signed"),
    orderedAtMs: described(TimeMs, "when it was ordered, by the controller's clock"),
  },
  { description: "version that the device is to run, if its owner lets the fleet update it; absent: as it is" },
);
export type OrderedUpdate = Static<typeof OrderedUpdate>;

/** Progress of an update at the device. */
export const UpdateReport = strictObject(
  {
    allowed: Type.Boolean({ description: "the device's owner lets the fleet update it (update.allowFleet)" }),
    wanted: orNull(ProgramVersion, "version that was ordered; null: none"),
    state: described(
      literals("none", "refused", "under-way", "failed", "done"),
      "none: nothing is ordered; refused: not allowed here; failed: it was given up, and the version before runs",
    ),
    reason: described(text(512), "why, for people"),
  },
  { description: "updates by the fleet at this device; absent from earlier versions" },
);
export type UpdateReport = Static<typeof UpdateReport>;
