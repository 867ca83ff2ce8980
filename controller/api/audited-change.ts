import { Type } from "@sinclair/typebox";
import { callerOf, senderOf } from "#platform/http/guard/request-caller.ts";
import type { AuditSource } from "../audit/audit-log.ts";

/** Header in which a caller may give the reason for a change, percent-encoded where it is not ASCII. */
export const reasonHeader = "x-thormesh-reason";

/** Headers of a route that changes something. */
export const withReason = {
  headers: Type.Object({
    [reasonHeader]: Type.Optional(
      Type.String({ maxLength: 2048, description: "reason, for the audit log; percent-encoded" }),
    ),
  }),
};

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** Returns the sender of a request, its address, and the reason that came with it. */
export function auditSourceOf(request: Request): AuditSource {
  const { name = "unknown", role } = callerOf(request) ?? {};
  const reason = request.headers.get(reasonHeader);
  return {
    name,
    ...(role === undefined ? {} : { role }),
    from: senderOf(request) ?? "unknown",
    reason: reason === null || reason === "" ? null : decoded(reason),
  };
}
