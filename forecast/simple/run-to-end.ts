/** Does at once what was made to be done in slices, for whoever has nobody to let in between. */
export function runToEnd<Result>(task: Generator<void, Result, void>): Result {
  let step = task.next();
  while (step.done !== true) step = task.next();
  return step.value;
}
