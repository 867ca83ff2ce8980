import { otherFiles, type watchOpenFiles } from "#platform/process/open-files.ts";
import type { ServingConfig } from "./serving-config.ts";

/** Files that the configuration lets clients use: a connection for each request that waits, and those of gRPC. */
export function clientFiles({ queueRequests, grpc }: ServingConfig): Parameters<typeof watchOpenFiles>[0] {
  if (!grpc.enabled) return { files: queueRequests + otherFiles, by: "serving.queueRequests" };
  const by = "serving.queueRequests and serving.grpc.maxConnections";
  return { files: queueRequests + grpc.maxConnections + otherFiles, by };
}
