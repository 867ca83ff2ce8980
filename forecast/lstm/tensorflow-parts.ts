/**
 * Parts of TensorFlow.js that are used here, in the order in which @tensorflow/tfjs loads them; without WebGL, converters and data sets, which
 * would be two thirds of a megabyte of code and two of compiled code in the executable.
 */
import "@tensorflow/tfjs-core";
import "@tensorflow/tfjs-core/dist/register_all_gradients";
import "@tensorflow/tfjs-core/dist/public/chained_ops/register_all_chained_ops";
import "@tensorflow/tfjs-backend-cpu";

export * from "@tensorflow/tfjs-core";
export * from "@tensorflow/tfjs-layers";
