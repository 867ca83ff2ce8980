import { AllocationInput, costFields, nodeCostFields } from "#controller/cost/allocation/allocation-input.ts";
import { type Costs, costsOf, totalOf } from "#controller/cost/allocation/costs.ts";
import { decideAllocation, kindOf } from "#controller/cost/allocation/decide-allocation.ts";
import { efficiencyOf } from "#controller/cost/allocation/efficiency.ts";
import { explainAllocation } from "#controller/cost/allocation/explain-allocation.ts";
import { fieldFault } from "#controller/cost/allocation/group-key.ts";
import { idleName } from "#controller/cost/allocation/node-idle.ts";
import { moneyOf, moneyToNumber, moneyToText } from "#controller/cost/money/money.ts";

export { AllocationInput };

const amountsOf = (costs: Costs, fields: readonly (keyof Costs)[]) =>
  Object.fromEntries(fields.map((field) => [field, moneyToNumber(costs[field])]));

/** Lists what the schema can't express. */
export function checkAllocationInput({ items, nodes, aggregateBy, options }: AllocationInput): string[] {
  const lines: string[] = [];
  const field = (path: string, name: string) => {
    const fault = fieldFault(name);
    if (fault !== null) lines.push(`${path}: ${fault}`);
  };
  for (const [index, name] of aggregateBy.entries()) field(`aggregateBy.${index}`, name);
  for (const name of ["share", "filter"] as const) {
    const conditions = options[name] === null ? [] : [options[name]].flat();
    const isList = Array.isArray(options[name]);
    for (const [index, each] of conditions.entries())
      field(`options.${name}${isList ? `.${index}` : ""}.field`, each.field);
  }
  for (const [index, item] of items.entries()) {
    const isIdle = kindOf(item) === "idle";
    if (isIdle && nodes !== undefined)
      lines.push(
        `items.${index}: expected no row of idle beside nodes, from which idle is computed, got "${item.name}"`,
      );
    if (isIdle && options.idleByNode && item.node === "")
      lines.push(`items.${index}.node: expected the node of this idle, as options.idleByNode is true, got ""`);
    for (const name of nodeCostFields)
      if (!isIdle && item[name] < 0) lines.push(`items.${index}.${name}: expected at least 0, got ${item[name]}`);
    const sum = totalOf(costsOf(item));
    // A sum of numbers may differ from the sum of their decimals in the last digits.
    if (item.totalCost !== undefined && Math.abs(moneyToNumber(sum - moneyOf(item.totalCost))) > 1e-6)
      lines.push(`items.${index}.totalCost: expected the sum of its costs, ${moneyToText(sum)}, got ${item.totalCost}`);
  }
  return lines;
}

/** Answers who pays what. */
export function answerAllocation(input: AllocationInput) {
  const allocation = decideAllocation(input);
  const minutes = input.window.minutes ?? input.window.hours * 60;
  const working = input.items.filter((item) => kindOf(item) !== "idle");
  return {
    totals: Object.fromEntries(allocation.rows.map(({ name, total }) => [name, moneyToNumber(total)])),
    total: moneyToNumber(allocation.total),
    allocations: allocation.rows.map(({ name, costs, total, items }) => ({
      ...{ name, ...amountsOf(costs, costFields), totalCost: moneyToNumber(total) },
      ...(items.length === 0 ? {} : { efficiency: efficiencyOf(items, minutes) }),
    })),
    efficiency: efficiencyOf(working, minutes),
    ...(allocation.idle === null
      ? {}
      : {
          idle: Object.fromEntries(allocation.idle.map((row) => [idleName(row), amountsOf(row.costs, nodeCostFields)])),
        }),
    assets: moneyToNumber(allocation.assets),
    shared: moneyToNumber(allocation.shared),
    filteredOut: moneyToNumber(allocation.filteredOut),
    withoutNode: allocation.withoutNode,
    reason: explainAllocation(allocation, input.options),
  };
}
