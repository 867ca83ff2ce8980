import type { TrafficSink } from "../serving/ports.ts";

/** Returns a sink that tells two others. */
export function bothSinks(one: TrafficSink, other: TrafficSink): TrafficSink {
  return {
    recordServed(request) {
      one.recordServed(request);
      other.recordServed(request);
    },
    recordRefused(request) {
      one.recordRefused(request);
      other.recordRefused(request);
    },
    recordWork(work) {
      one.recordWork(work);
      other.recordWork(work);
    },
  };
}
