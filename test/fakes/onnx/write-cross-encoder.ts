import { bertConfig, writeModelDirectory } from "../../agent/serving/models/write-model-directory.ts";
import { pairModel } from "./tiny-models.ts";

/** Run as a program: writes a cross-encoder of one label into the directory named, so that an agent of its own process can rank texts. */
const [directory] = process.argv.slice(2);
if (directory === undefined) throw new Error("expected a directory, got none");
await writeModelDirectory(directory, {
  "model.onnx": pairModel([1e-4], [0.5]),
  "config.json": { ...bertConfig, architectures: ["BertForSequenceClassification"], id2label: { 0: "LABEL_0" } },
});
