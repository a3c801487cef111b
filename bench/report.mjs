// The report: one text for the terminal and the file, the figures as JSON, the picture.

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { machineName } from './machine.mjs';
import { isDoubtful } from './figures.mjs';
import { drawBars } from './picture.mjs';

function table(head, rows) {
    const all = [head, ...rows], widths = head.map((_, i) => Math.max(3, ...all.map(row => [...String(row[i])].length)));
    const line = row => `| ${row.map((cell, i) => i ? String(cell).padStart(widths[i]) : String(cell).padEnd(widths[i])).join(' | ')} |`;
    return [line(head), `|${widths.map((width, i) => i ? `${'-'.repeat(width + 1)}:` : '-'.repeat(width + 2)).join('|')}|`, ...rows.map(line)].join('\n');
}

/** A section: a line a contender, a column for each function of its key; nothing when no contender has a figure. */
function section(title, contenders, columns) {
    const rows = contenders.map(({ key, name }) => [name, ...columns.map(([, cell]) => cell(key))]).filter(row => row.slice(1).some(cell => !/^[-/ ()]*$/.test(cell)));
    return rows.length ? [`## ${title}`, '', table(['', ...columns.map(([head]) => head)], rows), ''] : [];
}

function sections({ figures, contenders, cells, tlsCells, rates }) {
    const text = key => figures.text(key), head = cell => cell.replace(/_(\d+).*/, ', $1');
    const cpuColumns = cells => cells.map(cell => [head(cell), key => `${text(`${key}_cpu_us_${cell}`)} (${text(`${key}_cpu_ratio_${cell}`)})`]);
    const withAlone = [{ key: 'simulator', name: '(no proxy)' }, ...contenders];
    const streamColumns = name => [['us a chunk', key => text(`${key}_${name}_cpu_us`)], ['x nginx', key => text(`${key}_${name}_cpu_ratio`)],
        ['late p50 us', key => text(`${key}_${name}_late_p50_us`)], ['late p99 us', key => text(`${key}_${name}_late_p99_us`)],
        ['added p99 us', key => text(`${key}_${name}_added_p99_us`)],
        ['% joined', key => text(`${key}_${name}_joined_percent`)], ['MiB', key => text(`${key}_${name}_rss_mib`)]];
    return [
        ...section('CPU of the proxy per request, us, and times plain nginx', contenders, cpuColumns(cells)),
        ...section('The same with a TLS upstream', contenders, cpuColumns(tlsCells)),
        ...section('CPU of Redis per request, us', contenders.filter(({ known }) => known !== 'open'), cells.map(cell => [head(cell), key => text(`${key}_redis_us_${cell}`)])),
        ...section('Requests per second (what the machine gave; not a figure of the proxy)', contenders, cells.map(cell => [head(cell), key => text(`${key}_rps_${cell}`)])),
        ...money(figures, cells),
        ...section('Latency from the scheduled time, 256 connections, 1.5 KB, p50 / p99 us', contenders, rates.map(rate => [`${rate}/s`, key => `${text(`${key}_latency_p50_us_${rate}`)} / ${text(`${key}_latency_p99_us_${rate}`)}`])),
        ...section('Streams', withAlone, streamColumns('chunk')),
        ...section('As many streams as the machine allows', withAlone, streamColumns('crowd_chunk')),
        ...section('Memory of an idle stream, KiB', contenders, [['plain upstream', key => text(`${key}_idle_stream_kib`)], ['TLS upstream', key => text(`${key}_idle_tls_stream_kib`)]]),
    ];
}

function money(figures, cells) {
    const rows = cells.filter(cell => figures.get(`money_cost_us_${cell}`)).map(cell =>
        [cell.replace('_', ', '), figures.text(`plain_cpu_us_${cell}`), figures.text(`governed_cpu_us_${cell}`), figures.span(`money_cost_us_${cell}`)]);
    return rows.length ? ['## The cost of money: keyturn on a tier without limits and governed, CPU us per request', '',
        table(['', 'plain', 'governed', 'difference, min / median / max'], rows), ''] : [];
}

function growthSections(growth) {
    return growth.flatMap(({ name, of, points, doubtful, sentences }) =>
        [`## How cost grows: ${name}`, '', table([name, ...of], points.map(([x, ...costs]) => [x, ...costs.map(cost => `${cost.toFixed(1)}${doubtful.includes(x) ? ' !' : ''}`)])), '', ...sentences, '']);
}

function facts({ machine, mode, command, started, seconds }) {
    return [`Measured ${started.slice(0, 16).replace('T', ' ')} UTC by \`${command}\` (${mode}) in ${seconds} s, at ${machine.commit}.`, '',
        `${machine.cpu}, ${machine.cpus} CPUs, ${machine.memory_gib} GiB, ${machine.kernel}, ${machine.system}; ${machine.pinned}; load at start ${machine.load_at_start.join(' ')}; others used ${machine.others_percent} % of the CPUs meanwhile.`, '',
        `${Object.entries(machine.versions).map(([name, version]) => `${name}: ${version}`).join('; ')}.`, ''];
}

export function reportText(run) {
    const { figures, growth } = run;
    const verdicts = figures.keys.map(key => [key, figures.span(key), figures.get(key).verdict]);
    const doubtful = verdicts.filter(([key]) => isDoubtful(figures.get(key))).length;
    return [
        '# keyturn measured', '', ...facts(run), ...sections(run), ...growthSections(growth),
        ...(figures.notes.length ? ['## Notes', '', ...figures.notes.map(note => `- ${note}`), ''] : []),
        ...(doubtful ? [`${doubtful} of ${verdicts.length} figures bear a "!" and are not to be quoted: their rounds differ too much, or requests failed.`, ''] : []),
        ...(verdicts.length ? ['## Every figure', '', table(['key', 'min / median / max', 'verdict'], verdicts), ''] : []),
    ].join('\n');
}

export function reportJson({ figures, growth, machine, mode, command, started, seconds }) {
    const all = figures.all();
    return {
        started, mode, command, seconds, machine, ...Object.fromEntries(Object.entries(all).map(([key, figure]) => [key, figure.median])),
        figures: all, growth, endurance: figures.endurance, notes: figures.notes,
    };
}

export function picture({ figures, contenders, cells, machine, started }) {
    const cell = cells[0];
    const rows = contenders.filter(({ key }) => figures.get(`${key}_cpu_us_${cell}`)).map(({ key, name, ours }) =>
        ({ name, ours, value: figures.get(`${key}_cpu_us_${cell}`).median, ratio: figures.get(`${key}_cpu_ratio_${cell}`).median }));
    const [size, connections] = (cell ?? '').split('_');
    return drawBars('CPU of the proxy per request', `median of rounds; body ${size}, ${connections} connections; ${machine.cpu}; ${started.slice(0, 10)}; × plain nginx`, rows);
}

/** Writes the files and says where. `kind` ends their names; `latest`: they are the latest of their kind, too. */
export function writeReport(run, kind, { latest }) {
    const folder = join(import.meta.dirname, 'results'), name = `${run.started.slice(0, 10)}-${machineName(run.machine)}${kind}`;
    mkdirSync(folder, { recursive: true });
    const put = (file, text) => text && writeFileSync(join(folder, file), text);
    for (const base of latest ? [name, `latest${kind}`] : [name]) {
        put(`${base}.md`, reportText(run));
        put(`${base}.json`, `${JSON.stringify(reportJson(run), null, 2)}\n`);
    }
    if (latest) put('latest.svg', picture(run));
    return `bench/results/${name}.md`;
}
