import { UsageError } from "#platform/errors.ts";
import { type Command, type OptionValues, optionalString, unexpectedWord } from "#platform/terminal/command.ts";
import { printLine } from "#platform/terminal/print-line.ts";
import { askController, controllerUrlOption } from "../run/ask-controller.ts";

interface DeviceView {
  readonly agentId: string;
  readonly state: "pending" | "joined" | "revoked";
  readonly region: string;
  readonly sinceMs: number;
  readonly notAfterMs: number | null;
  readonly reason: string;
}

const timeOf = (ms: number) => new Date(ms).toISOString();

function deviceToText({ agentId, state, region, sinceMs, notAfterMs, reason }: DeviceView): string {
  const parts = [
    ...[agentId, state, `since ${timeOf(sinceMs)}`],
    region === "" ? "" : `region ${region}`,
    state === "joined" && notAfterMs !== null ? `certificate until ${timeOf(notAfterMs)}` : "",
    reason,
  ];
  return parts.filter((part) => part !== "").join("  ");
}

async function allDevices(values: OptionValues): Promise<DeviceView[]> {
  const devices: DeviceView[] = [];
  for (let after: string | null = ""; after !== null; ) {
    const query = new URLSearchParams({ limit: "1000", ...(after === "" ? {} : { after }) });
    const page = (await askController(values, `/api/v1/devices?${query}`)) as {
      readonly devices: readonly DeviceView[];
      readonly next: string | null;
    };
    devices.push(...page.devices);
    after = page.next;
  }
  return devices;
}

export const agentsCommand: Command = {
  summary: "list the devices that have joined the fleet; approve or revoke one",
  usage: "list\n       thormesh agents approve ID\n       thormesh agents revoke ID [--reason TEXT]",
  examples: ["thormesh agents list", "thormesh agents revoke thor-7 --reason stolen"],
  options: {
    reason: { value: "TEXT", help: "reason, for people to read", only: "revoke" },
    ...controllerUrlOption,
    json: { help: "print JSON" },
  },
  async run(values, [action, id, ...more]) {
    const print = (value: unknown, text: string) =>
      printLine(values["json"] === true ? JSON.stringify(value, null, 2) : text);
    if (action === "list" && id === undefined) {
      const devices = await allDevices(values);
      print({ devices }, devices.map(deviceToText).join("\n") || "no device has joined");
      return 0;
    }
    if (action !== "approve" && action !== "revoke")
      throw unexpectedWord("list, approve or revoke", action === "list" ? id : action, ["list", "approve", "revoke"]);
    if (id === undefined || more.length > 0) throw new UsageError("expected the id of one agent");
    const reason = optionalString(values, "reason");
    const device = (await askController(values, `/api/v1/devices/${encodeURIComponent(id)}/${action}`, {
      method: "POST",
      ...(action === "revoke" ? { body: reason === undefined ? {} : { reason } } : {}),
    })) as DeviceView;
    print(device, deviceToText(device));
    return 0;
  },
};
