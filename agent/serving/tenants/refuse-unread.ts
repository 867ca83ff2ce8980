import type { RefusedRequests } from "#agent/serving/refusal/refused-requests.ts";
import { announcedBytes } from "#platform/http/body/request-bodies.ts";
import type { RequestGuard } from "#platform/http/guard/guard-request.ts";
import { callerOf } from "#platform/http/guard/request-caller.ts";
import type { TenantLimits } from "./tenant-limits.ts";

export interface UnreadParts {
  readonly limits: Pick<TenantLimits, "refusal">;
  readonly refused: Pick<RefusedRequests, "refuseUnread">;
}

/** Refuses what a guard has let in and a tenant's limits don't, before any of its body is read: a flood that is refused costs little. */
export function refusingUnread(guard: RequestGuard, { limits, refused }: UnreadParts): RequestGuard {
  const judge = (request: Request, decision: Awaited<ReturnType<RequestGuard>>): ReturnType<RequestGuard> => {
    if (decision.kind !== "pass" || request.method !== "POST") return decision;
    const tenant = callerOf(request)?.tenant ?? null;
    const error = tenant === null ? null : limits.refusal(tenant);
    if (tenant === null || error === null) return decision;
    const unread = { tenant, bytes: announcedBytes(request.headers) ?? 0, signal: request.signal };
    return refused.refuseUnread(unread, error).then((told) => ({ kind: "refuse", error: told, headers: {} }));
  };
  return (request, address) => {
    const decision = guard(request, address);
    return decision instanceof Promise ? decision.then((decided) => judge(request, decided)) : judge(request, decision);
  };
}
