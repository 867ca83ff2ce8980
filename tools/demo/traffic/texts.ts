import { seededRandom } from "#forecast/lstm/seeded-random.ts";

type Slot = "robot" | "part" | "cell" | "fault" | "line" | "sensor" | "street" | "vehicle" | "weather" | "crossing";

/** Words for the slots of the templates; a number's slot is {low-high}. */
const slots: Readonly<Record<Slot, readonly string[]>> = {
  robot: ["the welding robot", "the palletiser", "picker arm", "the inspection drone", "forklift", "the lidar rover"],
  part: ["gearbox housing", "battery tray", "door panel", "circuit board", "brake disc", "bottle crate", "pump shaft"],
  cell: ["cell A", "cell B", "cell C", "the paint shop", "the loading dock", "the cold store", "the test bench"],
  fault: ["a torque limit", "a lost gripper vacuum", "an encoder fault", "a blocked light curtain", "low air pressure"],
  line: ["line 1", "line 2", "line 3", "the bottling line", "the assembly line", "the packing line"],
  sensor: ["vibration sensor", "thermal camera", "flow meter", "pressure gauge", "current clamp", "acoustic sensor"],
  street: ["Harbour Road", "Mill Street", "the ring road", "Station Avenue", "Canal Bridge", "the airport slip road"],
  vehicle: ["a delivery van", "a tram", "a cyclist", "an articulated lorry", "a school bus", "an ambulance"],
  weather: ["in heavy rain", "in fog", "in low sun", "on a wet road", "after dark", "in light snow"],
  crossing: [
    "the north junction",
    "the pedestrian crossing",
    "the level crossing",
    "the roundabout",
    "the tunnel mouth",
  ],
};

const templates: readonly string[] = [
  "{robot} {1-40} stopped in {cell} after {fault}.",
  "{robot} {1-40} placed {part} {1-900} with an offset of {1-9} mm.",
  "{robot} {1-40} waits for a {part} at {cell}; the buffer holds {0-12}.",
  "battery of {robot} {1-40} at {5-99} percent, returning to {cell}",
  "path of {robot} {1-40} replanned: a person stepped into {cell}",
  "{line}: {part} rejected by the camera, scratch of {1-30} mm",
  "{line} runs at {40-110} percent of its rated speed, bottleneck at {cell}",
  "{sensor} {1-60} on {line} reads {10-95}, above its alarm limit",
  "maintenance due on {line}: {sensor} {1-60} drifted by {1-15} percent in {2-30} days",
  "{part} batch {100-999} released from {cell} to {line}",
  "why did {line} stop at {cell} with {fault}?",
  "{vehicle} passed the red light at {crossing} {weather}",
  "queue of {3-45} vehicles on {street}, towards {crossing}",
  "{vehicle} blocks the bus lane on {street} {weather}",
  "average speed on {street} fell to {4-60} km/h {weather}",
  "near miss between {vehicle} and a pedestrian at {crossing}",
  "signal plan {1-24} active at {crossing}, green time {12-70} seconds",
  "show incidents with {vehicle} near {street} in the last {1-48} hours",
];

function fill(template: string, random: () => number): string {
  const text = template.replace(/\{([a-z]+|\d+-\d+)\}/g, (_, slot: string) => {
    const range = slot.split("-").map(Number);
    const [low, high] = range;
    if (low !== undefined && high !== undefined) return String(low + Math.floor(random() * (high - low + 1)));
    const choices = slots[slot as Slot];
    return choices[Math.floor(random() * choices.length)] as string;
  });
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** Creates `count` different sentences about robots, factories and traffic; equal seeds give equal sentences. */
export function createTexts(count: number, seed: number): string[] {
  const random = seededRandom(seed);
  const texts = new Set<string>();
  for (let attempt = 0; texts.size < count; attempt += 1) {
    if (attempt > count * 20) throw new Error(`the templates can't produce ${count} different texts. This is a bug.`);
    texts.add(fill(templates[Math.floor(random() * templates.length)] as string, random));
  }
  return [...texts];
}
