"""The style sheet of the HTML pages, for light and dark schemes alike."""

STYLE = """
:root {
  color-scheme: light dark;
  --paper: #fbfbfa; --card: #ffffff; --ink: #1d2126; --quiet: #626a73;
  --rule: #e2e4e7; --accent: #0072b2; --track: #e9edf1;
  --shade-rgb: 0 114 178; --warning: #b34700;
  --s1: #0072b2; --s2: #d55e00; --s3: #009e73; --s4: #9a4f86; --s5: #8a6d00;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #14171a; --card: #1c2024; --ink: #e6e8ea; --quiet: #9aa3ac;
    --rule: #30363c; --accent: #56b4e9; --track: #2a3036;
    --shade-rgb: 86 180 233; --warning: #f0a060;
    --s1: #56b4e9; --s2: #f0813d; --s3: #2fc498; --s4: #d99bc4; --s5: #e6c34a;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0; background: var(--paper); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans",
    sans-serif;
}
main { max-width: 1180px; margin: 0 auto; padding: 28px 20px 60px; }
h1 { font-size: 26px; line-height: 1.25; margin: 0 0 4px; overflow-wrap: anywhere; }
h2 { font-size: 18px; margin: 36px 0 12px; padding-top: 12px;
  border-top: 1px solid var(--rule); }
h3 { font-size: 13px; font-weight: 600; margin: 0 0 8px; color: var(--quiet);
  overflow-wrap: anywhere; }
p { margin: 0 0 12px; color: var(--quiet); max-width: 75ch; }
.tiles { display: grid; gap: 12px; margin-bottom: 12px;
  grid-template-columns: repeat(auto-fill, minmax(170px, 1fr)); }
.tiles.small { gap: 8px;
  grid-template-columns: repeat(auto-fill, minmax(112px, 1fr)); }
.tile, .card, .chart, pre { background: var(--card); border: 1px solid var(--rule);
  border-radius: 8px; }
.tile { padding: 12px 14px; display: flex; flex-direction: column; }
.tile b { font-size: 13px; font-weight: 600; overflow-wrap: anywhere; }
.tile strong { font-size: 26px; line-height: 1.25;
  font-variant-numeric: tabular-nums; }
.tile span { font-size: 12px; line-height: 1.35; color: var(--quiet); }
.small .tile { padding: 8px 10px; }
.small .tile strong { font-size: 17px; }
.scroll { overflow-x: auto; margin-bottom: 12px; }
table { border-collapse: collapse; min-width: 420px; }
th, td { padding: 4px 24px 4px 0; border-bottom: 1px solid var(--rule);
  text-align: left; font-size: 14px; }
th { color: var(--quiet); font-weight: 600; font-size: 13px; white-space: nowrap; }
td.number { font-variant-numeric: tabular-nums; white-space: nowrap; }
td { overflow-wrap: break-word; }
.tall { max-height: 420px; overflow-y: auto; border: 1px solid var(--rule);
  border-radius: 8px; background: var(--card); }
.tall table { width: 100%; }
.tall th { position: sticky; top: 0; background: var(--card); }
.tall th, .tall td { padding: 6px 12px; vertical-align: top; min-width: 126px;
  overflow-wrap: anywhere; }
.bar > span { display: inline-block; min-width: 4em; }
.track { display: inline-block; width: 130px; height: 8px; border-radius: 4px;
  background: var(--track); overflow: hidden; }
.track i { display: block; height: 100%; background: var(--accent); }
.charts { display: grid; gap: 12px; margin-bottom: 12px;
  grid-template-columns: repeat(auto-fill, minmax(min(100%, 330px), 1fr)); }
.chart { margin: 0; padding: 10px 12px 4px; display: flex; flex-direction: column;
  justify-content: space-between; }
.chart figcaption { font-size: 13px; display: flex; flex-wrap: wrap; gap: 0 12px; }
.chart figcaption span { color: var(--quiet); font-variant-numeric: tabular-nums;
  white-space: nowrap; }
.chart svg { width: 100%; height: auto; display: block; }
.chart figcaption .wide { white-space: normal; }
.column { fill: var(--accent); }
.count { fill: var(--ink); font-size: 10.5px; }
.key { display: inline-block; width: 12px; height: 3px; margin: 0 5px 3px 0; }
.grid { stroke: var(--rule); stroke-width: 1; }
.tick { fill: var(--quiet); font-size: 10.5px; }
.line { fill: none; stroke-width: 1.8; stroke-linejoin: round; }
.spot { fill: transparent; }
.spot:hover { fill: var(--quiet); fill-opacity: 0.4; }
polyline.s1 { stroke: var(--s1); } circle.s1 { fill: var(--s1); }
polyline.s2 { stroke: var(--s2); } circle.s2 { fill: var(--s2); }
polyline.s3 { stroke: var(--s3); } circle.s3 { fill: var(--s3); }
polyline.s4 { stroke: var(--s4); } circle.s4 { fill: var(--s4); }
polyline.s5 { stroke: var(--s5); } circle.s5 { fill: var(--s5); }
.key.s1 { background: var(--s1); } .key.s2 { background: var(--s2); }
.key.s3 { background: var(--s3); } .key.s4 { background: var(--s4); }
.key.s5 { background: var(--s5); }
.gallery { display: grid; gap: 14px;
  grid-template-columns: repeat(auto-fill, minmax(min(100%, 520px), 1fr)); }
.card { padding: 12px; }
.pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(0, 1fr));
  grid-auto-flow: column; gap: 10px; align-items: start; }
.pair figure { margin: 0; }
.pair img { width: 100%; height: auto; display: block; border-radius: 4px; }
.pair figcaption { font-size: 12px; color: var(--quiet); margin-top: 4px; }
.heat { min-width: 0; }
.heat th, .heat td { padding: 3px 5px; font-size: 12px; border: 0; }
.heat tbody th { position: sticky; left: 0; background: var(--paper); text-align: right;
  font-weight: 400; color: var(--ink); z-index: 1; }
.heat thead th { vertical-align: bottom; font-weight: 400; color: var(--ink); }
.heat thead th span { writing-mode: vertical-rl; transform: rotate(180deg); }
.heat thead td { vertical-align: bottom; text-align: right; color: var(--quiet); }
.heat tbody td { min-width: 34px; text-align: center;
  font-variant-numeric: tabular-nums; border: 1px solid var(--paper);
  background: rgb(var(--shade-rgb) / calc(var(--shade) * 0.6)); }
.notes, .warnings { margin: 0 0 12px; padding-left: 20px; max-width: 90ch;
  overflow-wrap: anywhere; }
.warnings { color: var(--warning); }
.cards { display: grid; gap: 14px; align-items: start; margin-bottom: 14px;
  grid-template-columns: repeat(auto-fill, minmax(min(100%, 250px), 1fr)); }
.cards .card { margin: 0; padding: 8px; }
.cards img { width: auto; height: auto; max-width: 100%; max-height: 230px;
  display: block; margin: 0 auto 8px; border-radius: 4px; }
.cards h3 { margin-bottom: 4px; font-weight: 400; }
.cards p { margin: 4px 0 0; font-size: 12px; }
.chips { display: flex; flex-wrap: wrap; gap: 4px; }
.chip { font-size: 12px; line-height: 1.3; padding: 2px 8px; border-radius: 10px;
  background: var(--track); overflow-wrap: anywhere; }
.chip i { display: inline-block; width: 9px; height: 9px; border-radius: 50%;
  margin-right: 5px; border: 1px solid var(--quiet); }
pre { padding: 12px 14px; margin: 0; font: 13px/1.45 ui-monospace, Menlo, Consolas,
  "DejaVu Sans Mono", monospace; }
@media (min-width: 601px) {
  .tall td:first-child { width: 30%; }
  .tall td:last-child { min-width: 420px; }
}
@media (max-width: 600px) {
  main { padding: 20px 14px 40px; }
  table { min-width: 0; }
  th, td { padding-right: 14px; }
  th { white-space: normal; vertical-align: bottom; }
  .track { display: block; width: 64px; }
  .tall thead { display: none; }
  .tall tr { display: block; padding: 6px 0; border-bottom: 1px solid var(--rule); }
  .tall tr td { display: block; width: auto; min-width: 0; padding: 1px 12px;
    border: 0; }
}
summary { cursor: pointer; margin-bottom: 10px; color: var(--quiet); }
"""
