import loadHighs, { type Highs } from "highs";
import wasmPath from "highs/runtime" with { type: "file" };
import { describeError } from "#platform/errors.ts";
import type { Milp, MilpAnswer, MilpLimits, MilpSolver } from "./milp-solver.ts";

function solve(highs: Highs, milp: Milp, limits: MilpLimits): MilpAnswer {
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
      model.options.set({
        output_flag: false,
        time_limit: limits.timeLimitS,
        mip_rel_gap: limits.relativeGap,
      });
      model.run();
      const status = model.getModelStatus();
      const { modelStatus } = highs.constants;
      const feasible = model.info.get("primal_solution_status") === 2;
      if (!feasible) return { status: "none", reason: `no solution (HiGHS status ${status})` };
      return {
        status: status === modelStatus.optimal ? "optimal" : "limit",
        values: Array.from(model.getSolution().colValue),
        bound: Number(model.info.get("mip_dual_bound")),
      };
    },
  );
}

let loaded: Promise<Highs> | undefined;

/** HiGHS, compiled to WebAssembly and carried inside the executable. Loaded once; where that fails, each answer says so. */
export async function loadHighsSolver(): Promise<MilpSolver> {
  loaded ??= loadHighs({ locateFile: () => wasmPath });
  let highs: Highs;
  try {
    highs = await loaded;
  } catch (error) {
    loaded = undefined; // tried again next time
    const reason = `HiGHS can't be loaded: ${describeError(error)}`;
    return { solve: () => ({ status: "none", reason }) };
  }
  return {
    solve(milp, limits) {
      try {
        return solve(highs, milp, limits);
      } catch (error) {
        // A WebAssembly instance that has failed may be broken for good.
        loaded = undefined;
        return { status: "none", reason: describeError(error) };
      }
    },
  };
}
