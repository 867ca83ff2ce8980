import { Type } from "@sinclair/typebox";

/** Settings for the texts of a request, whichever route it comes by. */
export interface InputRules {
  /** Maximum texts in one request. */
  readonly maxInputs: number;
  readonly emptyTexts: "refuse" | "embed";
}

/** Length in tokens to which a client has its texts cut, and the field in which it says so. */
export interface TokenLimit {
  readonly field: string;
  readonly tokens: number;
}

/** Schema of one text. */
export const textSchema = ({ emptyTexts }: Pick<InputRules, "emptyTexts">) =>
  Type.String(emptyTexts === "embed" ? {} : { minLength: 1 });
