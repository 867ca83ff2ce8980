/** Sizes of the network. */
export interface LstmShape {
  /** Units of each LSTM layer, in order. */
  readonly lstmUnits: readonly number[];
  readonly denseUnits: number;
  readonly dropout: number;
}

/** Named sizes, for options and configuration. */
export const lstmShapes = {
  full: { lstmUnits: [128, 64, 32], denseUnits: 16, dropout: 0.2 },
  small: { lstmUnits: [32, 16], denseUnits: 16, dropout: 0.1 },
  tiny: { lstmUnits: [8], denseUnits: 8, dropout: 0 },
} as const satisfies Record<string, LstmShape>;
export type LstmShapeName = keyof typeof lstmShapes;
export const lstmShapeNames = Object.keys(lstmShapes) as LstmShapeName[];
