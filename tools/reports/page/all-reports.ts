export { backtestReport } from "./backtest-report.tsx";
export { forecastReport } from "./forecast-report.tsx";
