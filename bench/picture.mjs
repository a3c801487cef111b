// The picture for the README: bars of CPU per request. Drawn by hand, so that it needs nothing; readable on light and dark.

const WIDTH = 760, LEFT = 190, RIGHT = 150, BAR = 26, STEP = 38, TOP = 58;

const safe = text => text.replace(/[<>&"]/g, sign => ({ '<': '&lt;', '>': '&gt;', '&': '&amp;', '"': '&quot;' })[sign]);

/** rows: [{ name, value, ratio, ours }]; "" when there is nothing to draw. */
export function drawBars(title, subtitle, rows) {
    if (!rows.length) return '';
    const most = Math.max(...rows.map(row => row.value)), height = TOP + rows.length * STEP + 8;
    const bars = rows.map((row, i) => {
        const y = TOP + i * STEP, width = Math.max(2, row.value / most * (WIDTH - LEFT - RIGHT)), middle = y + BAR / 2 + 5;
        return `  <text class="name" x="${LEFT - 10}" y="${middle}" text-anchor="end">${safe(row.name)}</text>\n` +
            `  <rect class="${row.ours ? 'ours' : 'bar'}" x="${LEFT}" y="${y}" width="${width.toFixed(1)}" height="${BAR}" rx="3"/>\n` +
            `  <text class="value" x="${(LEFT + width + 8).toFixed(1)}" y="${middle}">${row.value.toFixed(1)} µs<tspan class="less"> × ${row.ratio.toFixed(2)}</tspan></text>`;
    });
    return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img" aria-label="${safe(title)}">
  <style>
    text { font: 14px system-ui, sans-serif; fill: #24292f }
    .title { font-size: 16px; font-weight: 600 } .less { fill: #6e7781 }
    .bar { fill: #9aa4af } .ours { fill: #2f6fb8 }
    @media (prefers-color-scheme: dark) { text { fill: #e6edf3 } .less { fill: #9198a1 } .bar { fill: #656d76 } .ours { fill: #58a6ff } }
  </style>
  <text class="title" x="0" y="20">${safe(title)}</text>
  <text class="less" x="0" y="42">${safe(subtitle)}</text>
${bars.join('\n')}
</svg>
`;
}
