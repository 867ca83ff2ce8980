import { Metadata, type ServerUnaryCall, status } from "@grpc/grpc-js";
import { withTrace } from "#platform/request-trace.ts";
import type { Tracing } from "../tracing/tracing.ts";

/** Statuses that count as the server's fault, by OpenTelemetry's conventions for server spans. */
const failures: ReadonlySet<number> = new Set([
  status.UNKNOWN,
  status.DEADLINE_EXCEEDED,
  status.UNIMPLEMENTED,
  status.INTERNAL,
  status.UNAVAILABLE,
  status.DATA_LOSS,
]);

function textOf(metadata: Metadata, name: string): string | undefined {
  const [value] = metadata.get(name);
  return typeof value === "string" ? value : undefined;
}

/**
 * Answers a call within a server span with the attributes of OpenTelemetry's RPC conventions. `traceresponse` in the initial metadata identifies it.
 * @param answer sends the answer or the failure, and resolves with the status
 */
export function traceCall(
  tracing: Tracing,
  call: ServerUnaryCall<unknown, unknown>,
  answer: () => Promise<number>,
): void {
  const path = call.getPath().slice(1);
  const [service = "", method = ""] = path.split("/");
  const agent = textOf(call.metadata, "user-agent");
  const trace = tracing.begin({
    name: path,
    attributes: {
      "rpc.system": "grpc",
      "rpc.service": service,
      "rpc.method": method,
      ...(agent === undefined ? {} : { "user_agent.original": agent }),
    },
    header: (name) => textOf(call.metadata, name),
  });
  const metadata = new Metadata();
  metadata.set("traceresponse", trace.traceparent);
  call.sendMetadata(metadata);
  void withTrace(trace, answer).then((code) => {
    trace.end({ failed: failures.has(code), attributes: { "rpc.grpc.status_code": code } });
  });
}
