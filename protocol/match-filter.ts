/** Whether an MQTT topic matches a subscription filter with its wildcards `+` (one level) and `#` (all that follows, at the end only). */
export function matchesFilter(filter: string, topic: string): boolean {
  if (filter === topic) return true;
  const filterLevels = filter.split("/");
  const topicLevels = topic.split("/");
  for (const [index, level] of filterLevels.entries()) {
    if (level === "#") return true;
    if (index >= topicLevels.length) return false;
    if (level !== "+" && level !== topicLevels[index]) return false;
  }
  return filterLevels.length === topicLevels.length;
}
