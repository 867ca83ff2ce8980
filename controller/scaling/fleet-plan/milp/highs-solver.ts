import loadHighs, { type Highs } from "highs";
import wasmPath from "highs/runtime" with { type: "file" };
import { describeError } from "#platform/errors.ts";
import { readCarriedFile } from "#platform/files/carried-file.ts";
import type { Milp, MilpAnswer, MilpLimits, MilpSolver, MilpStart } from "./milp-solver.ts";

function solve(highs: Highs, milp: Milp, limits: MilpLimits, start?: MilpStart): MilpAnswer {
  const { costs, rowLower } = milp;
  return highs.withModel(
    {
      numCols: costs.length,
      numRows: rowLower.length,
      colCost: Float64Array.from(costs),
      colLower: Float64Array.from(milp.lower),
      colUpper: Float64Array.from(milp.upper),
      rowLower: Float64Array.from(rowLower),
      rowUpper: Float64Array.from(milp.rowUpper),
      matrix: {
        format: "csr",
        numRows: rowLower.length,
        numCols: costs.length,
        starts: Int32Array.from(milp.rowStarts),
        indices: Int32Array.from(milp.columns),
        values: Float64Array.from(milp.values),
      },
      integrality: Int32Array.from(milp.whole, Number),
    },
    (model): MilpAnswer => {
      const { modelStatus, callbackType } = highs.constants;
      const isMixed = milp.whole.includes(true);
      model.options.set({
        output_flag: false,
        mip_rel_gap: limits.relativeGap,
        // On flows through time a fifth of the default's time, on some.
        simplex_dual_edge_weight_strategy: 1,
        ...(isMixed ? {} : { simplex_iteration_limit: limits.maxIterations }),
      });
      if (start !== undefined) {
        model.setSolution({ indices: Int32Array.from(start.variables), values: Float64Array.from(start.values) });
      }
      model.run({
        [callbackType.mipInterrupt](event) {
          if (Number(event.data.mip_total_lp_iterations ?? 0) > limits.maxIterations) event.interrupt();
          return undefined;
        },
      });
      const status = model.getModelStatus();
      const feasible = model.info.get("primal_solution_status") === 2;
      const bound = Number(model.info.get(isMixed ? "mip_dual_bound" : "objective_function_value"));
      const isOptimal = status === modelStatus.optimal;
      if (!feasible || !(isMixed || isOptimal)) {
        return {
          status: "none",
          reason: `no solution (HiGHS status ${status})`,
          bound: isMixed && Number.isFinite(bound) ? bound : null,
        };
      }
      return { status: isOptimal ? "optimal" : "limit", values: Array.from(model.getSolution().colValue), bound };
    },
  );
}

let loaded: Promise<Highs> | undefined;

/** HiGHS, compiled to WebAssembly and carried inside the executable. Loaded once; where that fails, each answer says so. */
export async function loadHighsSolver(): Promise<MilpSolver> {
  loaded ??= readCarriedFile(wasmPath).then((wasmBinary) => loadHighs({ wasmBinary }));
  let highs: Highs;
  try {
    highs = await loaded;
  } catch (error) {
    loaded = undefined; // tried again next time
    const reason = `HiGHS can't be loaded: ${describeError(error)}`;
    return { solve: () => ({ status: "none", reason, bound: null }) };
  }
  return {
    solve(milp, limits, start) {
      try {
        return solve(highs, milp, limits, start);
      } catch (error) {
        // A WebAssembly instance that has failed may be broken for good.
        loaded = undefined;
        return { status: "none", reason: describeError(error), bound: null };
      }
    },
  };
}
