/** Value that a record itself has under a name from outside; undefined for names such as `constructor`, which objects inherit. */
export function ownValue<T>(record: Readonly<Record<string, T>>, name: string): T | undefined {
  return Object.hasOwn(record, name) ? record[name] : undefined;
}
