/** Path of the texts inside the executable, for which scripts/build-licences.ts replaces this file; null when run from source. */
export const licencesPath: string | null = null;
