import type { ExternalBrokerFiles, ExternalBrokerParts } from "./certificate-files.ts";
import { emqxFiles } from "./emqx-config.ts";
import { mosquittoFiles } from "./mosquitto-config.ts";
import { natsFiles } from "./nats-config.ts";

export const externalBrokers = ["mosquitto", "emqx", "nats"] as const;
export type ExternalBrokerKind = (typeof externalBrokers)[number];

const writers: Readonly<Record<ExternalBrokerKind, (parts: ExternalBrokerParts) => ExternalBrokerFiles>> = {
  mosquitto: mosquittoFiles,
  emqx: emqxFiles,
  nats: natsFiles,
};

/** Writes what a broker needs to know the fleet's devices by their certificates, and to give each its own rights. */
export function externalBrokerFiles(kind: ExternalBrokerKind, parts: ExternalBrokerParts): ExternalBrokerFiles {
  return writers[kind](parts);
}
