import { moneyToText } from "../money/money.ts";
import { type Chargeback, type ChargedTenant, perUnit } from "./chargeback.ts";
import { escapeHtml } from "./escape-html.ts";

const style = `body{font:14px/1.45 system-ui,sans-serif;color:#111;background:#fff;margin:2rem auto;max-width:52rem;padding:0 1rem}
h1{font-size:1.4rem;margin:0}h2{font-size:1.05rem;margin:2rem 0 .4rem}table{border-collapse:collapse;width:100%}
th,td{padding:.3rem .5rem;border-bottom:1px solid #ccc;text-align:right}th:first-child,td:first-child{text-align:left}
tfoot td{font-weight:600;border-top:2px solid #111}small{color:#555}section{break-inside:avoid}
@media print{body{margin:0;max-width:none}section+section{break-before:page}}`;

const count = (value: number) => value.toLocaleString("en-US", { maximumFractionDigits: 0 });
const price = (value: number | null, digits: number) => (value === null ? "–" : value.toFixed(digits));

function rowOf(cells: readonly string[]): string {
  return `<tr>${cells.map((cell) => `<td>${escapeHtml(cell)}</td>`).join("")}</tr>`;
}

function sectionOf(of: ChargedTenant, fleet: string, month: string): string {
  const { tenant, costCentre, models, total, requests, tokens } = of;
  const rows = models.map((line) =>
    rowOf([
      ...[line.model, count(line.requests), count(line.tokens), moneyToText(line.used, 4), moneyToText(line.offers, 4)],
      ...[moneyToText(line.idle, 4), moneyToText(line.total, 4)],
    ]),
  );
  const sums = rowOf([
    ...["Total", count(requests), count(tokens), moneyToText(of.used, 4), moneyToText(of.offers, 4)],
    ...[moneyToText(of.idle, 4), moneyToText(total, 4)],
  ]);
  const centre = costCentre === null ? "" : `, cost centre ${escapeHtml(costCentre)}`;
  return `<section><h2>Tenant ${escapeHtml(tenant)}${centre}</h2>
<p>Fleet ${escapeHtml(fleet)}, ${escapeHtml(month)}. Amounts in US$.</p>
<table><thead><tr><th>Model</th><th>Requests</th><th>Tokens</th><th>Devices</th><th>Offers</th><th>Idle share</th><th>Amount</th></tr></thead>
<tbody>${rows.join("\n")}</tbody><tfoot>${sums}</tfoot></table>
<p><strong>To pay: ${moneyToText(total, 2)} US$</strong><br><small>${price(perUnit(total, requests, 1000), 6)} US$ per 1,000 requests,
${price(perUnit(total, tokens, 1e6), 4)} US$ per million tokens</small></p></section>`;
}

/** Writes a month's chargeback as a page to print, each tenant on a page of its own. */
export function invoiceHtml({ month, tenants, unshared, missingEnergyMinutes }: Chargeback, fleet: string): string {
  const notes = [
    ...(unshared === 0n ? [] : [`${moneyToText(unshared, 2)} US$ of time that nobody used are borne by no tenant.`]),
    ...(missingEnergyMinutes < 1
      ? []
      : [`The energy of ${count(missingEnergyMinutes)} agent-minutes is unknown: the true cost is higher than shown.`]),
  ];
  const sections = tenants.map((tenant) => sectionOf(tenant, fleet, month));
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>${escapeHtml(`${fleet} ${month}`)}</title><style>${style}</style></head>
<body><h1>Chargeback ${escapeHtml(month)}</h1>${notes.map((note) => `<p><small>${escapeHtml(note)}</small></p>`).join("")}
${sections.length === 0 ? "<p>Nothing is on record for this month.</p>" : sections.join("\n")}</body></html>
`;
}
