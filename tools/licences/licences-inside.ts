/** Path of the texts inside the executable (scripts/build-licences.ts puts a file in this place); null when the program runs from its sources. */
export const licencesPath: string | null = null;
