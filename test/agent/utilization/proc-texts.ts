export const stat = "cpu  100 5 50 800 45 1 2 3 7 0\ncpu0 50 2 25 400 20 1 1 1 3 0\nintr 12345\n";
export const meminfo = "MemTotal:        8000000 kB\nMemFree:          100000 kB\nMemAvailable:    2000000 kB\n";
/** Of a process whose name has spaces and brackets; 30 and 12 ticks, 2,500 pages. */
export const processStat = `77 (thor (mesh) 1) S 1 77 77 0 -1 4194560 1 0 0 0 30 12 0 0 20 0 9 0 100 ${1 << 30} 2500 18446744073709551615 1 1`;
