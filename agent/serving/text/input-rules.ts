import { Type } from "@sinclair/typebox";

/** Settings for the texts of a request, whichever route it comes by. */
export interface InputRules {
  /** Maximum texts in one request. */
  readonly maxInputs: number;
  readonly emptyTexts: "refuse" | "embed";
}

/** Schema of one text. */
export const textSchema = ({ emptyTexts }: Pick<InputRules, "emptyTexts">) =>
  Type.String(emptyTexts === "embed" ? {} : { minLength: 1 });
