import { cleanText } from "#platform/clean-text.ts";
import { UsageError } from "#platform/errors.ts";
import { type Command, optionalNumber } from "#platform/terminal/command.ts";
import { askController, controllerUrlOption } from "./run/ask-controller.ts";

interface FreezeState {
  readonly freeze: { readonly reason: string; readonly untilMs: number | null } | null;
}

function freezeToText({ freeze }: FreezeState): string {
  if (freeze === null) return "the fleet is not frozen";
  const until = freeze.untilMs === null ? "until ended" : `until ${new Date(freeze.untilMs).toISOString()}`;
  return cleanText(`the fleet is frozen ${until}: ${freeze.reason}`);
}

export const freezeCommand: Command = {
  summary: "freeze a fleet: the controller keeps deciding and recording, but changes nothing",
  usage: "REASON [--minutes N]\n       thormesh freeze --end\n       thormesh freeze --show",
  examples: ['thormesh freeze "maintenance of hall 1" --minutes 60', "thormesh freeze --end"],
  options: {
    minutes: { value: "N", help: "end the freeze after N minutes (default: until --end)" },
    end: { help: "end the freeze" },
    show: { help: "show whether the fleet is frozen" },
    ...controllerUrlOption,
    json: { help: "print JSON" },
  },
  async run(values, words) {
    const reason = words.join(" ").trim();
    const minutes = optionalNumber(values, "minutes", { min: 0.1, max: 30 * 1440 });
    const asked = [values["end"] === true, values["show"] === true, reason !== ""].filter(Boolean).length;
    if (asked !== 1) throw new UsageError("expected a reason, --end or --show");
    const expiry = minutes === undefined ? {} : { expiresInS: Math.max(1, Math.round(minutes * 60)) };
    const state = (await askController(
      values,
      "/api/v1/freeze",
      values["show"] === true
        ? { method: "GET" }
        : values["end"] === true
          ? { method: "DELETE" }
          : { method: "POST", body: { reason, ...expiry } },
    )) as FreezeState;
    console.log(values["json"] === true ? JSON.stringify(state, null, 2) : freezeToText(state));
    return 0;
  },
};
