import { type Static, Type } from "@sinclair/typebox";
import { strict } from "#platform/schema-parts.ts";
import { Identifier, TimeMs, text } from "../bounds.ts";
import { described, envelope, Version } from "./fields.ts";

/** Maximum runs of records, and max refused records, of one acknowledgement. */
export const maxAckItems = 16;

const StoredRun = Type.Object(
  {
    bootId: described(Identifier, "boot of the records"),
    fromSeq: described(Version, "seq of the first"),
    toSeq: described(Version, "seq of the last; those in between are stored as well"),
  },
  strict,
);

const RefusedRecord = Type.Object(
  {
    bootId: described(Identifier, "boot of the record"),
    seq: described(Version, "seq of the record"),
    reason: described(text(512), "reason, for people to read"),
  },
  strict,
);

export const Ack = Type.Object(
  {
    v: envelope.v,
    agentId: described(Identifier, "agent it is for"),
    sentAtMs: described(TimeMs, "when it was made, by the controller's clock"),
    stored: Type.Array(StoredRun, { maxItems: maxAckItems, description: "records that are in the controller's store" }),
    refused: Type.Array(RefusedRecord, {
      maxItems: maxAckItems,
      description: "records that the controller can't read and will never store",
    }),
  },
  strict,
);
export type Ack = Static<typeof Ack>;
