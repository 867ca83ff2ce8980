import { askController, controllerUrlOption } from "#cli/run/ask-controller.ts";
import { type Command, optionalChoice, optionalString } from "#platform/terminal/command.ts";
import { type CostAnswer, costToText } from "./cost-to-text.ts";

export const costCommand: Command = {
  summary: "who pays what: cost by tenant, model, agent, region or label, with bars",
  usage: "[--by tenant,model] [--window 7d] [--share-idle weighted|even] [--filter CONDITIONS] [--url URL] [--json]",
  optionsOnly: true,
  options: {
    by: { value: "LIST", help: "tenant, model, agent, region, label:NAME, in any combination (default: tenant)" },
    window: { value: "WINDOW", help: "15m, 24h, 7d, yesterday, lastmonth, … (default: 7d)" },
    "share-idle": { value: "HOW", help: "weighted or even: idle is given to those who used the rest" },
    filter: { value: "CONDITIONS", help: 'only what matches, e.g. tenant:"shop"+region:"eu"' },
    ...controllerUrlOption,
    json: { help: "print the controller's answer" },
  },
  async run(values) {
    const query = new URLSearchParams({
      window: optionalString(values, "window") ?? "7d",
      aggregate: optionalString(values, "by") ?? "tenant",
      filter: optionalString(values, "filter") ?? "",
      shareIdle: optionalChoice(values, "share-idle", ["weighted", "even"]) ?? "false",
      includeIdle: "true",
    });
    // A space is written so that every parser of queries reads it.
    const path = `/allocation/summary?${String(query).replaceAll("+", "%20")}`;
    const answer = (await askController(values, path)) as CostAnswer;
    console.log(values["json"] === true ? JSON.stringify(answer, null, 2) : costToText(answer));
    return 0;
  },
};
