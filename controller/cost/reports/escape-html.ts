const entities: Readonly<Record<string, string>> = {
  ...{ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" },
};

/** Escapes a text for HTML, in elements and in quoted attributes. */
export const escapeHtml = (value: string): string => value.replaceAll(/[&<>"']/g, (each) => entities[each] as string);
