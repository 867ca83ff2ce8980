import type { AgentStatus } from "#agent/agent-status.ts";
import { type AuditPage, auditPage } from "#controller/api/audit-routes.ts";
import { AuditCheck, type AuditHead, type AuditRow } from "#controller/audit/audit-check.ts";
import { AuditEntry } from "#controller/audit/audit-entry.ts";
import { auditVerdictToText } from "#controller/audit/audit-verdict-to-text.ts";
import { cleanText } from "#platform/clean-text.ts";
import { UsageError } from "#platform/errors.ts";
import { writeSecretFile } from "#platform/files/write-secret-file.ts";
import {
  type Command,
  type OptionValues,
  optionalNumber,
  optionalString,
  unexpectedWord,
} from "#platform/terminal/command.ts";
import { formatTable } from "#platform/terminal/format-table.ts";
import { printLine } from "#platform/terminal/print-line.ts";
import { decodeValue, parseJson } from "#protocol/codec.ts";
import { dataMap } from "#tools/data-map/data-map.ts";
import { tenantToText } from "#tools/data-map/data-map-table.ts";
import { askAgent, askController, controllerUrlOption } from "../run/ask-controller.ts";
import { writeEvidence } from "./evidence.ts";
import { localStoreOptions, refuseMixedStore, withControllerStore } from "./with-controller-store.ts";

const pageLength = 1000;

type ReadPage = (afterSeq: number | null, limit: number) => Promise<AuditPage>;

/** Calls `work` with a reader of the log, from the API or the store. */
async function withLog<T>(values: OptionValues, work: (read: ReadPage) => Promise<T>): Promise<T> {
  if (refuseMixedStore(values) === "local")
    return withControllerStore(values, (store) => work((afterSeq, limit) => auditPage(store, afterSeq, limit)));
  return work(async (afterSeq, limit) => {
    const query = new URLSearchParams({
      limit: String(limit),
      ...(afterSeq === null ? {} : { after: String(afterSeq) }),
    });
    return (await askController(values, `/api/v1/audit?${query}`)) as AuditPage;
  });
}

/** Yields all entries of the log. */
async function* allRows(read: ReadPage): AsyncGenerator<AuditRow> {
  for (let afterSeq = 0; ; ) {
    const { entries } = await read(afterSeq, pageLength);
    yield* entries;
    const last = entries.at(-1);
    if (last === undefined) return;
    afterSeq = last.seq;
  }
}

/** Yields the entries of an exported file. */
async function* fileRows(path: string): AsyncGenerator<AuditRow> {
  let text: string;
  try {
    text = await Bun.file(path).text();
  } catch (cause) {
    throw new UsageError(`--file: ${path} can't be read`, { cause });
  }
  for (const [index, line] of text.split("\n").entries()) {
    if (line === "") continue;
    let row: Partial<AuditRow>;
    try {
      row = Object(parseJson(line));
    } catch (cause) {
      throw new UsageError(`--file: ${path}, line ${index + 1}: expected an entry as thormesh audit export writes it`, {
        cause,
      });
    }
    const decoded = decodeValue(AuditEntry, row.entry);
    yield { seq: Number(row.seq), hash: String(row.hash), entry: decoded.ok ? decoded.message : null };
  }
}

/** Writes an entry as a paragraph: when, who, what, and what it changed. */
function entryToText({ seq, entry }: AuditRow): string {
  if (entry === null) return `#${seq} can't be read`;
  const { atMs, actor, role, from, action, target, phase, of, before, after, reason } = entry;
  const lines = [
    `${new Date(atMs).toISOString().slice(0, 19).replace("T", " ")}  ${action} ${target}: ${phase}${of === null ? "" : ` (#${of})`}  #${seq}`,
    `  by ${actor}, ${role}, from ${from}${reason === null ? "" : `: ${reason}`}`,
  ];
  if (phase !== "begun") lines.push(`  before: ${JSON.stringify(before)}`, `  after:  ${JSON.stringify(after)}`);
  return lines.map((line) => cleanText(line)).join("\n");
}

function againstOf(values: OptionValues): AuditHead | null {
  const text = optionalString(values, "against");
  if (text === undefined) return null;
  const [, seq, hash] = /^([1-9]\d{0,14}):([0-9a-f]{64})$/.exec(text) ?? [];
  if (seq === undefined || hash === undefined)
    throw new UsageError(`--against: expected SEQ:HASH as thormesh audit verify prints it, got "${text}"`);
  return { seq: Number(seq), hash };
}

/** Entry that an agent has noted of its controller's log. */
async function notedBy(values: OptionValues, agentUrl: string): Promise<AuditHead> {
  const status = (await askAgent(values, "witness", agentUrl, "/api/v1/status")) as Pick<AgentStatus, "access">;
  if (status.access.audit === null)
    throw new Error(`the agent at ${agentUrl} has not recorded any audit log entry yet`);
  return status.access.audit;
}

async function verify(values: OptionValues): Promise<number> {
  const witness = optionalString(values, "witness");
  if (witness !== undefined && "against" in values) throw new UsageError("--witness can't be combined with --against");
  const check = new AuditCheck(witness === undefined ? againstOf(values) : await notedBy(values, witness));
  const addAll = async (rows: AsyncIterable<AuditRow>) => {
    for await (const row of rows) if (!check.add(row)) return;
  };
  const path = optionalString(values, "file");
  if (path !== undefined) await addAll(fileRows(path));
  else await withLog(values, (read) => addAll(allRows(read)));
  const verdict = check.verdict();
  console.log(values["json"] === true ? JSON.stringify(verdict, null, 2) : auditVerdictToText(verdict));
  return verdict.kind === "intact" ? 0 : 1;
}

async function exportAll(values: OptionValues): Promise<number> {
  const path = optionalString(values, "out");
  const lines: string[] = [];
  await withLog(values, async (read) => {
    for await (const row of allRows(read)) {
      if (path === undefined) printLine(JSON.stringify(row));
      else lines.push(JSON.stringify(row));
    }
  });
  if (path === undefined) return 0;
  writeSecretFile(path, lines.map((line) => `${line}\n`).join(""));
  console.log(`${lines.length} entries written to ${path}`);
  return 0;
}

async function show(values: OptionValues): Promise<number> {
  const limit = optionalNumber(values, "limit", { min: 1, max: pageLength, integer: true }) ?? 20;
  const { entries } = await withLog(values, (read) => read(null, limit));
  if (values["json"] === true) console.log(JSON.stringify({ entries }, null, 2));
  else console.log(entries.length === 0 ? "the audit log is empty" : entries.map(entryToText).join("\n\n"));
  return 0;
}

/** Prints every store of the program; needs no controller. */
function dataMapCommand(values: OptionValues): number {
  for (const name of Object.keys({ ...controllerUrlOption, ...localStoreOptions, out: {} }))
    if (name in values) throw new UsageError(`--${name} can't be used with audit data-map, which asks no controller`);
  if (values["json"] === true) {
    console.log(JSON.stringify({ stores: dataMap }, null, 2));
    return 0;
  }
  const rows = dataMap.map((store) => [store.of, store.id, store.personal, tenantToText(store), store.kept]);
  console.log(formatTable(["OF", "STORE", "PEOPLE", "TENANT", "KEPT"], rows));
  return 0;
}

export const auditCommand: Command = {
  summary: "show, verify or export the audit log of changes; list which data is stored where",
  usage:
    "show [--limit N]\n       thormesh audit verify [--against SEQ:HASH | --witness AGENT_URL] [--file FILE]\n       thormesh audit export [--out FILE]\n       thormesh audit evidence --from DAY [--to DAY] --out DIR\n       thormesh audit data-map\n       each but data-map with [--url URL | --local [--state-dir DIR | --config FILE]] [--json]",
  examples: ["thormesh audit show --limit 20", "thormesh audit verify"],
  options: {
    limit: { value: "N", only: "show", help: "number of the newest entries (default: 20)" },
    against: { value: "SEQ:HASH", only: "verify", help: "an entry recorded earlier, which must still be in the log" },
    witness: { value: "AGENT_URL", only: "verify", help: "an agent whose recorded entry must still be in the log" },
    file: { value: "FILE", only: "verify", help: "an exported log to check instead of the controller's" },
    from: { value: "DAY", only: "evidence", help: "start of the period: a day, or a time with its zone" },
    to: { value: "DAY", only: "evidence", help: "end of the period (default: now)" },
    out: {
      value: "FILE",
      help: "export: file for the entries, a JSON object on each line (default: standard output); evidence: new or empty directory",
    },
    ...controllerUrlOption,
    ...localStoreOptions,
    json: { help: "print JSON" },
  },
  async run(values, [action, ...rest]) {
    if ("out" in values && (action === "show" || action === "verify"))
      throw new UsageError(`--out is for export and evidence, not for ${action}`);
    if (action === "evidence")
      for (const name of Object.keys(localStoreOptions))
        if (name in values)
          throw new UsageError(`--${name} can't be used with audit evidence, which asks a controller`);
    if (rest.length > 0) throw new UsageError(`audit ${action}: expected nothing more, got "${rest.join(" ")}"`);
    switch (action) {
      case "show":
        return show(values);
      case "verify":
        return verify(values);
      case "export":
        return exportAll(values);
      case "data-map":
        return dataMapCommand(values);
      case "evidence":
        return writeEvidence(values);
      default:
        throw unexpectedWord("show, verify, export, evidence or data-map", action, [
          ...["show", "verify", "export", "evidence", "data-map"],
        ]);
    }
  },
};
