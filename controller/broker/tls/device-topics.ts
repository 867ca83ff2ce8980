/** Channels that an agent publishes on, and those of its own that it reads. */
const written = ["presence", "birth", "data", "beat", "reported", "cmd-result"] as const;
const read = ["desired", "cmd", "ack"] as const;

/** Topics and filters of one device, by permitted action; `both` permits both. */
export interface DeviceTopics {
  readonly writes: readonly string[];
  readonly both: readonly string[];
  readonly reads: readonly string[];
}

/** Returns the rights of a device at a broker. @param user its id, or what stands for it in the broker's rules */
export function deviceTopics(fleet: string, user: string): DeviceTopics {
  const prefix = `thormesh/v1/${fleet}`;
  return {
    writes: written.map((channel) => `${prefix}/agents/${user}/${channel}`),
    both: [`${prefix}/agents/${user}/probe`],
    reads: [
      ...read.map((channel) => `${prefix}/agents/${user}/${channel}`),
      ...["presence", "desired"].map((channel) => `${prefix}/agents/+/${channel}`),
      ...["state", "peers", "access"].map((topic) => `${prefix}/controller/${topic}`),
    ],
  };
}
