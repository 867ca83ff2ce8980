import { otherFiles, type watchOpenFiles } from "#platform/process/open-files.ts";
import type { ControllerConfig } from "./config.ts";

/** Files that the configuration lets clients use. */
export function clientFiles({ broker }: Pick<ControllerConfig, "broker">): Parameters<typeof watchOpenFiles>[0] {
  const { url, embedded, limits } = broker;
  const connections = url === null && embedded ? limits.maxConnections : 0;
  return { files: connections + otherFiles, by: "broker.limits.maxConnections" };
}
