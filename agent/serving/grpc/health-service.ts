import type { ServerUnaryCall, ServerWritableStream, sendUnaryData, UntypedServiceImplementation } from "@grpc/grpc-js";
import type protobuf from "protobufjs";
import { ServiceError } from "#platform/errors.ts";
import { hourMs } from "#platform/time.ts";
import { toGrpcError } from "./grpc-error.ts";
import type { Protos } from "./protos.ts";
import type { Answer, ServiceRules } from "./service-definition.ts";

export const healthServiceName = "grpc.health.v1.Health";

/** Probes have no key. */
export const healthRules: ServiceRules = { openMethods: ["Check", "Watch"] };

type ServingStatus = "SERVING" | "NOT_SERVING" | "SERVICE_UNKNOWN";
type WatchCall = ServerWritableStream<Buffer, Answer>;

interface Watch {
  readonly service: string;
  readonly untilMs: number;
  sent: ServingStatus | null;
  /** The client has read it; of changes in between it gets only the last. */
  read: boolean;
}

/** Interval at which watches look for a change. Polling is cheap, and the reasons lie in many parts (role, model, a stop). */
const watchPeriodMs = 100;
/** Maximum duration of a watch; its client starts a new one. */
const maxWatchMs = hourMs;

const shuttingDown = (why: string) => toGrpcError(new ServiceError("SHUTTING_DOWN", why, { retryAfterS: 1 }));
const stoppingError = () => shuttingDown("this agent is stopping");

export class HealthService {
  readonly implementation: UntypedServiceImplementation = {
    Check: (call: ServerUnaryCall<Buffer, Answer>, send: sendUnaryData<Answer>) => this.#check(call, send),
    Watch: (call: WatchCall) => this.#watch(call),
  };
  readonly #requestType: protobuf.Type;
  readonly #statusValues: Readonly<Record<string, number>>;
  readonly #known: ReadonlySet<string>;
  readonly #ready: () => boolean;
  readonly #watches = new Map<WatchCall, Watch>();
  #stopped = false;
  #timer: ReturnType<typeof setInterval> | undefined;

  /**
   * @param services full names that may be asked for, besides "" for the server as a whole
   * @param ready true while requests for vectors are answered
   */
  constructor(protos: Protos, services: readonly string[], ready: () => boolean) {
    this.#requestType = protos.type("grpc.health.v1.HealthCheckRequest");
    this.#statusValues = protos.type("grpc.health.v1.HealthCheckResponse").lookupEnum("ServingStatus").values;
    this.#known = new Set(["", ...services]);
    this.#ready = ready;
  }

  /** Tells the watches that nothing is served any more, and ends their calls, which would otherwise never end. */
  stop(): void {
    this.#stopped = true;
    for (const watch of this.#watches.values()) watch.read = true;
    this.#tellAll();
    for (const call of [...this.#watches.keys()]) {
      this.#forget(call);
      call.emit("error", stoppingError());
    }
  }

  #readService(bytes: Buffer): string {
    try {
      return this.#requestType.toObject(this.#requestType.decode(bytes), { defaults: true })["service"];
    } catch (cause) {
      throw new ServiceError("INVALID_REQUEST", "the request is not a valid HealthCheckRequest message", { cause });
    }
  }

  #statusOf(service: string): ServingStatus {
    if (!this.#known.has(service)) return "SERVICE_UNKNOWN";
    return !this.#stopped && this.#ready() ? "SERVING" : "NOT_SERVING";
  }

  #answer(status: ServingStatus): Answer {
    return { status: this.#statusValues[status] };
  }

  #check(call: ServerUnaryCall<Buffer, Answer>, send: sendUnaryData<Answer>): void {
    try {
      const service = this.#readService(call.request);
      const status = this.#statusOf(service);
      if (status !== "SERVICE_UNKNOWN") {
        send(null, this.#answer(status));
        return;
      }
      const names = [...this.#known].filter((name) => name !== "").join(", ");
      throw new ServiceError("NOT_FOUND", `service: expected one of ${names} or nothing, got "${service}"`);
    } catch (error) {
      send(toGrpcError(error as ServiceError));
    }
  }

  #watch(call: WatchCall): void {
    try {
      const untilMs = performance.now() + maxWatchMs;
      this.#watches.set(call, { service: this.#readService(call.request), untilMs, sent: null, read: true });
    } catch (error) {
      call.emit("error", toGrpcError(error as ServiceError));
      return;
    }
    call.on("cancelled", () => this.#forget(call));
    call.on("close", () => this.#forget(call));
    this.#tellAll();
    if (this.#stopped) {
      call.emit("error", stoppingError());
      return;
    }
    this.#timer ??= setInterval(() => this.#tellAll(), watchPeriodMs);
  }

  #tellAll(): void {
    const now = performance.now();
    for (const [call, watch] of this.#watches) {
      if (now > watch.untilMs) {
        this.#forget(call);
        call.emit("error", shuttingDown("the watch ended after an hour: start a new one"));
        continue;
      }
      const status = this.#statusOf(watch.service);
      if (status === watch.sent || !watch.read) continue;
      watch.sent = status;
      watch.read = false;
      call.write(this.#answer(status), () => {
        watch.read = true;
      });
    }
  }

  #forget(call: WatchCall): void {
    this.#watches.delete(call);
    if (this.#watches.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}
