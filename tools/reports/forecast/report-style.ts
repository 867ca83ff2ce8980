/** Style sheet; light or dark as set in the reader's system. */
export const reportStyle = `
:root{color-scheme:light dark;--page:#f6f7f9;--card:#fff;--ink:#1b2430;--soft:#5c6b7d;--grid:#e6eaef;--axis:#aab5c2;--blue:#2b6cd9;--band:#2b6cd9;--orange:#d97a1e;--red:#cf3b3b}
@media (prefers-color-scheme:dark){:root{--page:#12161c;--card:#1a2029;--ink:#e6ebf2;--soft:#97a5b6;--grid:#29323e;--axis:#55637a;--blue:#6aa2ff;--band:#6aa2ff;--orange:#f0a04b;--red:#ff7a7a}}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--ink);font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif}
header,main,footer{max-width:1080px;margin:0 auto;padding:0 24px}
header{padding-top:36px}
h1{font-size:28px;margin:0 0 6px;letter-spacing:-.01em}
h2{font-size:20px;margin:0 0 4px;overflow-wrap:anywhere}
h3{font-size:15px;margin:0;font-weight:600}
header p,.lead,.text,footer{color:var(--soft)}
header p{margin:0 0 16px;max-width:70ch}
nav{display:flex;flex-wrap:wrap;gap:8px;margin-bottom:8px}
nav a{color:var(--blue);text-decoration:none;border:1px solid var(--grid);border-radius:999px;padding:2px 12px;background:var(--card);font-size:13px}
section{padding:28px 0 8px}
.lead{margin:0 0 16px}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(150px,1fr));gap:12px;margin-bottom:16px}
.tile,figure,details{background:var(--card);border:1px solid var(--grid);border-radius:10px}
.tile{padding:14px 16px}
.what,.note{color:var(--soft);font-size:13px}
.value{font-size:26px;font-weight:650;font-variant-numeric:tabular-nums}
figure{margin:0 0 16px;padding:16px;min-width:0}
figcaption{display:flex;flex-wrap:wrap;justify-content:space-between;gap:4px 16px;margin-bottom:8px}
.legend{display:flex;flex-wrap:wrap;gap:2px 14px;font-size:13px;color:var(--soft)}
.legend span{display:inline-flex;align-items:center;gap:6px}
.pair{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(430px,100%),1fr));gap:0 16px}
.text{margin:8px 0 0;font-size:13px}
svg{display:block;width:100%;height:auto}
svg.wide{min-width:680px}
.plot{overflow-x:auto}
svg text{font-family:inherit;fill:var(--soft);font-size:11px}
svg .name{font-size:12px;fill:var(--ink)}
.grid{stroke:var(--grid)}
.axis{stroke:var(--axis)}
.line{fill:none;stroke-width:1.5;stroke-linejoin:round}
.line.actual{stroke:var(--ink);stroke-width:1.1}
.line.forecast{stroke:var(--blue);stroke-width:1.8}
.band{fill:var(--band)}
.band.outer{fill-opacity:.16}
.band.inner{fill-opacity:.26}
.bar{fill:var(--blue)}
.bar.muted{fill:var(--axis)}
.mark{stroke:var(--orange);stroke-width:2.5}
.ideal{stroke:var(--soft);stroke-dasharray:4 4;fill:none}
.dot{fill:var(--orange);stroke:var(--card);stroke-width:1.5}
.broken{fill:var(--red)}
.key{display:inline-block;width:18px;height:0;border-top:2px solid var(--blue)}
.key.actual{border-color:var(--ink)}
.key.mark{border-color:var(--orange);border-top-width:3px}
.key.ideal{border-top:2px dashed var(--soft)}
.key.bar,.key.inner,.key.outer{height:11px;border:0;background:var(--blue);border-radius:2px}
.key.inner{opacity:.4}
.key.outer{opacity:.18}
.key.dot{width:9px;height:9px;border:0;border-radius:50%;background:var(--orange)}
.key.broken{width:8px;height:8px;border:0;border-radius:50%;background:var(--red)}
details{padding:12px 16px;margin-bottom:16px}
summary{cursor:pointer;font-weight:600}
.scroll{overflow-x:auto}
table{border-collapse:collapse;width:100%;margin-top:10px;font-size:13px;font-variant-numeric:tabular-nums}
th,td{text-align:right;padding:5px 8px;border-bottom:1px solid var(--grid);white-space:nowrap}
th:first-child,td:first-child{text-align:left}
th{color:var(--soft);font-weight:600}
tr.champion td{font-weight:650;color:var(--blue)}
footer{padding:8px 24px 40px;font-size:13px}
`;
