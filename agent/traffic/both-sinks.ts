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

/** Returns a sink that counts tenants under the names that `nameOf` gives them. */
export function renamingSink(sink: TrafficSink, nameOf: (tenant: string) => string): TrafficSink {
  const renamed = <T extends { readonly tenant: string }>(each: T): T => {
    const tenant = nameOf(each.tenant);
    return tenant === each.tenant ? each : { ...each, tenant };
  };
  return {
    recordServed: (request) => sink.recordServed(renamed(request)),
    recordRefused: (request) => sink.recordRefused(renamed(request)),
    recordWork: (work) => sink.recordWork(renamed(work)),
  };
}
