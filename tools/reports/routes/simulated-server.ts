import type { LoadReport } from "#agent/mesh/routing/load-report.ts";
import { RateMeter } from "#agent/mesh/routing/rate-meter.ts";
import type { EventQueue } from "./event-queue.ts";
import { networkMs, type RouteFault, type ServerKind } from "./route-scene.ts";

/** A request at a server. */
export interface Job {
  /** Work compared with a text of mean length. */
  readonly work: number;
  /** True once nobody waits for it: it is dropped when its turn comes. */
  isCancelled: boolean;
  /** It refuses a request that would wait longer. */
  readonly maxWaitMs: number;
  readonly onReply: (outcome: "answered" | "failed" | "refused" | "unreachable", load: LoadReport | null) => void;
}

/** Time in which a server that fails at once, or is not there, says so. */
const failMs = 1;
/** Times that a slow server takes as long. */
const slowdown = 5;
/** Times of its capacity that a lying one claims. */
const exaggeration = 100;

/** A server that computes one text after the other on each of its lanes. */
export class SimulatedServer {
  readonly id: string;
  readonly make: ServerKind;
  /** Texts that it began to compute, and time that its lanes worked. */
  computed = 0;
  busyMs = 0;
  #fault: RouteFault | null = null;
  readonly #events: EventQueue;
  readonly #rate: RateMeter;
  #queue: Job[] = [];
  #head = 0;
  #queuedWork = 0;
  #computing = 0;
  /** Sum of the times at which the lanes will be done. */
  #doneAtMs = 0;

  constructor(id: string, make: ServerKind, events: EventQueue) {
    this.id = id;
    this.make = make;
    this.#events = events;
    this.#rate = new RateMeter(() => events.nowMs());
  }

  /** Lets something happen to it, from now on. Where it is gone, its connections break. */
  strike(fault: RouteFault): void {
    this.#fault = fault;
    if (fault !== "gone") return;
    for (const job of this.#queue.splice(0).slice(this.#head)) if (!job.isCancelled) job.onReply("failed", null);
    this.#head = 0;
    this.#queuedWork = 0;
  }

  /** Texts per second that it says it carries: a slow one does not know, and a lying one says more. */
  capacityQps(): number {
    return this.#trueQps() * (this.#fault === "lying" ? exaggeration : 1);
  }

  #trueQps(): number {
    return this.make.qps * (this.#fault === "mode-change" ? 0.5 : 1);
  }

  utilization(): number {
    return this.#rate.perS() / this.capacityQps();
  }

  /** Requests that wait or are computed. */
  waiting(): number {
    return this.#queue.length - this.#head + this.#computing;
  }

  /** Time until an answer to one more request, as only an oracle that knows all queues can tell. */
  answerMs(work: number): number {
    if (this.#fault === "silent" || this.#fault === "gone" || this.#fault === "failing")
      return Number.POSITIVE_INFINITY;
    return this.waitMs() + work * this.#workMs() + networkMs;
  }

  /** Time until a lane begins with one more request: exact for one lane. */
  waitMs(): number {
    const { lanes } = this.make;
    if (this.#computing < lanes) return 0;
    const left = this.#doneAtMs - this.#computing * this.#events.nowMs();
    return (left + this.#queuedWork * this.#workMs()) / lanes;
  }

  /** Wait that it expects itself, by its length of queue and the speed that it believes to have. */
  #statedWaitMs(): number {
    const { lanes } = this.make;
    const ahead = this.#queuedWork + (this.#computing < lanes ? 0 : 0.5 * lanes);
    return (1000 * ahead) / this.capacityQps();
  }

  take(job: Job): void {
    if (this.#fault === "silent") return;
    if (this.#fault === "failing" || this.#fault === "gone") {
      const outcome = this.#fault === "gone" ? "unreachable" : "failed";
      this.#events.after(failMs, () => job.onReply(outcome, null));
      return;
    }
    if (this.#statedWaitMs() > job.maxWaitMs) {
      const load = this.#load();
      this.#events.after(networkMs, () => job.onReply("refused", load));
      return;
    }
    this.#rate.add(1);
    if (this.#computing < this.make.lanes) this.#compute(job);
    else {
      this.#queue.push(job);
      this.#queuedWork += job.work;
    }
  }

  /** Time for a text of mean length on one lane. */
  #workMs(): number {
    return (1000 * this.make.lanes * (this.#fault === "slow" ? slowdown : 1)) / this.#trueQps();
  }

  #compute(job: Job): void {
    const ms = job.work * this.#workMs();
    this.#computing += 1;
    this.computed += 1;
    this.busyMs += ms;
    const doneAtMs = this.#events.nowMs() + ms;
    this.#doneAtMs += doneAtMs;
    this.#events.after(ms, () => {
      this.#computing -= 1;
      this.#doneAtMs -= doneAtMs;
      this.#next();
      if (this.#fault === "silent") return;
      if (this.#fault === "gone") {
        if (!job.isCancelled) job.onReply("failed", null);
        return;
      }
      const load = this.#load();
      this.#events.after(networkMs, () => job.onReply("answered", load));
    });
  }

  #next(): void {
    while (this.#head < this.#queue.length) {
      const job = this.#queue[this.#head] as Job;
      this.#head += 1;
      this.#queuedWork -= job.work;
      if (this.#head > 1_000 && 2 * this.#head > this.#queue.length) {
        this.#queue = this.#queue.slice(this.#head);
        this.#head = 0;
      }
      if (job.isCancelled) continue;
      this.#compute(job);
      return;
    }
  }

  #load(): LoadReport {
    return {
      queued: this.#queue.length - this.#head,
      computing: this.#computing,
      capacityQps: this.capacityQps(),
      utilization: this.utilization(),
    };
  }
}
