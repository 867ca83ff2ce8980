import type { ServerUnaryCall, ServerWritableStream, sendUnaryData, UntypedServiceImplementation } from "@grpc/grpc-js";
import { ServiceError } from "#platform/errors.ts";
import { toGrpcError } from "./grpc-error.ts";
import type { Protos } from "./protos.ts";
import type { Answer, ServiceRules } from "./service-definition.ts";

export const healthServiceName = "grpc.health.v1.Health";

/** Probes have no key. */
export const healthRules: ServiceRules = { openMethods: ["Check", "Watch"] };

type ServingStatus = "SERVING" | "NOT_SERVING" | "SERVICE_UNKNOWN";
type Watch = ServerWritableStream<Buffer, Answer>;

export interface HealthService {
  readonly implementation: UntypedServiceImplementation;
  /** Tells those who watch that nothing is served any more, and ends their calls, which would otherwise last for ever. */
  stop(): void;
}

/** How soon those who watch learn of a change. The reasons lie in many parts (role, model, a stop): asking them is cheap. */
const watchPeriodMs = 100;
/** A watch that has lasted for so long is ended; its client asks again. */
const maxWatchMs = 60 * 60_000;

/**
 * The standard health service.
 * @param ready whether requests for vectors are answered now
 * @param services the full names that may be asked for, beside "" for the server as a whole
 */
export function healthService(protos: Protos, services: readonly string[], ready: () => boolean): HealthService {
  const requestType = protos.type("grpc.health.v1.HealthCheckRequest");
  const statusEnum = protos.type("grpc.health.v1.HealthCheckResponse").lookupEnum("ServingStatus").values;
  const known = new Set(["", ...services]);
  /** Told: what the client was sent last. Taken: whether it has taken that; of what changes meanwhile it is told the last. */
  const watches = new Map<
    Watch,
    { readonly service: string; readonly untilMs: number; told: ServingStatus | null; taken: boolean }
  >();
  let stopped = false;
  let timer: ReturnType<typeof setInterval> | undefined;

  const readService = (bytes: Buffer): string => {
    try {
      return requestType.toObject(requestType.decode(bytes), { defaults: true })["service"];
    } catch (cause) {
      throw new ServiceError("INVALID_REQUEST", "the request is not a valid HealthCheckRequest message", { cause });
    }
  };

  const statusOf = (service: string): ServingStatus => {
    if (!known.has(service)) return "SERVICE_UNKNOWN";
    return !stopped && ready() ? "SERVING" : "NOT_SERVING";
  };
  const answer = (status: ServingStatus): Answer => ({ status: statusEnum[status] });

  const check = (call: ServerUnaryCall<Buffer, Answer>, send: sendUnaryData<Answer>) => {
    try {
      const service = readService(call.request);
      const status = statusOf(service);
      if (status !== "SERVICE_UNKNOWN") return send(null, answer(status));
      const names = [...known].filter((name) => name !== "").join(", ");
      throw new ServiceError("NOT_FOUND", `service: expected one of ${names} or nothing, got "${service}"`);
    } catch (error) {
      send(toGrpcError(error as ServiceError));
    }
  };

  const tellAll = () => {
    const now = performance.now();
    for (const [call, watch] of watches) {
      if (now > watch.untilMs) {
        forget(call);
        call.emit("error", overlong());
        continue;
      }
      const status = statusOf(watch.service);
      if (status === watch.told || !watch.taken) continue;
      watch.told = status;
      watch.taken = false;
      call.write(answer(status), () => {
        watch.taken = true;
      });
    }
  };

  const forget = (call: Watch) => {
    watches.delete(call);
    if (watches.size > 0) return;
    clearInterval(timer);
    timer = undefined;
  };

  const stopping = () => toGrpcError(new ServiceError("SHUTTING_DOWN", "this agent is stopping", { retryAfterS: 1 }));

  const overlong = () =>
    toGrpcError(
      new ServiceError("SHUTTING_DOWN", "the watch ended after an hour: start a new one", { retryAfterS: 1 }),
    );

  const watch = (call: Watch) => {
    try {
      const untilMs = performance.now() + maxWatchMs;
      watches.set(call, { service: readService(call.request), untilMs, told: null, taken: true });
    } catch (error) {
      call.emit("error", toGrpcError(error as ServiceError));
      return;
    }
    call.on("cancelled", () => forget(call));
    call.on("close", () => forget(call));
    tellAll();
    if (stopped) {
      call.emit("error", stopping());
      return;
    }
    timer ??= setInterval(tellAll, watchPeriodMs);
  };

  return {
    implementation: { Check: check, Watch: watch },
    stop() {
      stopped = true;
      for (const watch of watches.values()) watch.taken = true;
      tellAll();
      for (const call of [...watches.keys()]) {
        forget(call);
        call.emit("error", stopping());
      }
    },
  };
}
