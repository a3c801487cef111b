// The measurements. Each is one look at one contender and adds its figures; rounds and order are main.mjs' business.

import { readFileSync } from 'node:fs';
import { startContender, YARDSTICK } from './contenders.mjs';
import { median } from './figures.mjs';
import { closedLoop, openLoop, streams } from './load.mjs';
import { cpuNs, residentBytes } from './meter.mjs';
import { bodyFile } from './rig.mjs';

export const sizeName = bytes => bytes >= 1 << 20 ? `${bytes / (1 << 20)}m` : `${bytes / 1024}k`;
export const cellName = ({ bytes, connections, tls }) => `${sizeName(bytes)}_${connections}${tls ? '_tls' : ''}`;
const KIB = 1024, MIB = 1 << 20;

/** CPU of each contender's process per request, and of Redis beside it; ratios within the round. */
export async function requestsRound({ figures, running, say }, { bytes, connections, seconds, warm }) {
    const cell = cellName({ bytes, connections, tls: running[0].rig.authority }), costs = {}, failed = new Set();
    for (const contender of running) {
        const { rig } = contender, order = { body: bodyFile(rig.stage, bytes), connections };
        if (warm) await closedLoop(contender, { ...order, seconds: warm });
        await rig.stage.quiet(contender.pid);
        const before = cpuNs(contender.pid), redisBefore = cpuNs(rig.redis.pid);
        const got = await closedLoop(contender, { ...order, seconds });
        const cpu = cpuNs(contender.pid) - before, redis = cpuNs(rig.redis.pid) - redisBefore;
        if (hasFailed(figures, `${contender.name}, ${cell}`, got.requests, got.refused + got.lost)) failed.add(contender.key);
        costs[contender.key] = cpu / got.requests / 1000;
        figures.add(`${contender.key}_cpu_us_${cell}`, 'us', costs[contender.key], failed.has(contender.key));
        figures.add(`${contender.key}_redis_us_${cell}`, 'us', redis / got.requests / 1000, failed.has(contender.key));
        figures.add(`${contender.key}_rps_${cell}`, 'count', got.requests / got.us * 1e6, failed.has(contender.key));
        say(`${cell}  ${contender.name}: ${costs[contender.key].toFixed(1)} us`);
    }
    addRatios(figures, costs, failed, `cpu_ratio_${cell}`);
    if (costs.plain && costs.governed) figures.add(`money_cost_us_${cell}`, 'us', costs.governed - costs.plain, failed.has('plain') || failed.has('governed'));
}

/** Latency at a constant rate of arrivals. */
export async function latencyRound({ figures, running, say }, { rate, seconds }) {
    const p50 = {}, p99 = {}, failed = new Set();
    for (const contender of running) {
        await contender.rig.stage.quiet(contender.pid);
        const got = await openLoop(contender, { body: bodyFile(contender.rig.stage, 1536), rate, seconds });
        if (hasFailed(figures, `${contender.name}, ${rate}/s`, got.requests, got.refused + got.lost + got.unanswered)) failed.add(contender.key);
        figures.add(`${contender.key}_latency_p50_us_${rate}`, 'latency_us', p50[contender.key] = got.p50_us, failed.has(contender.key));
        figures.add(`${contender.key}_latency_p99_us_${rate}`, 'latency_us', p99[contender.key] = got.p99_us, failed.has(contender.key));
        say(`${rate}/s  ${contender.name}: p50 ${got.p50_us}, p99 ${got.p99_us} us`);
    }
    addRatios(figures, p50, failed, `latency_p50_ratio_${rate}`);
    addRatios(figures, p99, failed, `latency_p99_ratio_${rate}`);
}

/** CPU per relayed chunk, and how late chunks are; the simulator alone tells how late they were when they were sent. */
export async function streamsRound({ figures, running, rig, say }, { count, gapMs, seconds, name }) {
    const chunks = Math.min(500, Math.ceil((seconds + count / 2000 + 3) * 1000 / gapMs));
    await rig.streams({ chunks, gapMs });
    const body = bodyFile(rig.stage, 512, { stream: true }), costs = {}, failed = new Set();
    let aloneP99;
    const alone = { key: 'simulator', name: 'no proxy', rig, port: rig.simPort, heads: rig.heads.open };
    for (const contender of [alone, ...running.filter(one => !one.relaysLike)]) {
        if (contender.pid) await rig.stage.quiet(contender.pid);
        const before = () => contender.pid && cpuNs(contender.pid);
        const got = await streams(contender, { body, count, gapMs, seconds, whenRunning: before });
        const cpu = contender.pid && cpuNs(contender.pid) - got.begun, resident = contender.pid && residentBytes(contender.pid);
        const bad = hasFailed(figures, `${contender.name}, ${count} streams`, count, streamsLost(got), how(got));
        if (bad) {
            failed.add(contender.key);
            if (contender.program) say(`its log ends: ${lastWords(contender.program) || '(nothing)'}`);
        }
        figures.add(`${contender.key}_${name}_late_p50_us`, 'latency_us', got.p50_us, bad);
        figures.add(`${contender.key}_${name}_late_p99_us`, 'latency_us', got.p99_us, bad);
        figures.add(`${contender.key}_${name}_joined_percent`, 'percent', 100 * got.joined / got.chunks, bad);
        say(`${count} streams  ${contender.name}: ${got.chunks} chunks, late p99 ${got.p99_us} us${cpu ? `, ${(cpu / got.chunks / 1000).toFixed(1)} us a chunk` : ''}`);
        if (!cpu) {
            aloneP99 = got.p99_us;
            continue;
        }
        figures.add(`${contender.key}_${name}_added_p99_us`, 'latency_us', Math.max(0, got.p99_us - aloneP99), bad);
        costs[contender.key] = cpu / got.chunks / 1000;
        figures.add(`${contender.key}_${name}_cpu_us`, 'us', costs[contender.key], bad);
        figures.add(`${contender.key}_${name}_rss_mib`, 'mib', resident / MIB, bad);
    }
    addRatios(figures, costs, failed, `${name}_cpu_ratio`);
    await rig.plainAnswers();
}

/** Memory of a stream that does next to nothing: growth of a fresh process over `count` of them. */
export async function memoryRound({ figures, entries, say }, rig, { count, name, seconds }) {
    await rig.streams({ chunks: 120, gapMs: 1000 });
    const body = bodyFile(rig.stage, 512, { stream: true });
    for (const entry of entries) {
        if (entry.relaysLike || (rig.authority && !entry.tls)) continue;
        const contender = await startContender(entry, rig);
        await streams(contender, { body, count: 20, gapMs: 1000, seconds: 0.1 }); // what is needed once is there now
        await rig.stage.quiet(contender.pid);
        const before = residentBytes(contender.pid);
        const seen = [];
        let watch;
        const got = await streams(contender, { body, count, gapMs: 1000, seconds, whenRunning: () => {
            seen.push(residentBytes(contender.pid));
            watch = setInterval(() => seen.push(residentBytes(contender.pid)), 100);
        } });
        clearInterval(watch);
        const bad = hasFailed(figures, `${entry.name}, ${count} idle streams`, count, streamsLost(got), how(got));
        const each = (median(seen) - before) / Math.max(1, got.running) / KIB;
        figures.add(`${entry.key}_${name}_kib`, 'kib', each, bad);
        say(`${count} idle streams${rig.authority ? ', TLS' : ''}  ${entry.name}: ${each.toFixed(1)} KiB each`);
        await rig.stage.end(contender.program);
    }
    await rig.plainAnswers();
}

/** Does memory grow with requests served? */
export async function enduranceRound({ figures, running, say }, { requests, seconds }) {
    const contender = running.find(one => one.key === 'governed'), { rig } = contender;
    const points = [];
    for (let served = 0; served < requests;) {
        const got = await closedLoop(contender, { body: bodyFile(rig.stage, 1536), connections: 64, seconds });
        hasFailed(figures, `${requests} requests`, got.requests, got.refused + got.lost);
        served += got.requests;
        points.push([served, residentBytes(contender.pid) / MIB]);
        say(`${served} requests: ${points.at(-1)[1].toFixed(1)} MiB`);
    }
    const half = points.filter(([served]) => served >= points.at(-1)[0] / 2), growth = half.at(-1)[1] - half[0][1];
    figures.add('governed_endurance_rss_mib', 'mib', points.at(-1)[1]);
    figures.add('governed_endurance_growth_mib', 'mib', growth);
    figures.note(`After ${points.at(-1)[0]} requests keyturn has ${points.at(-1)[1].toFixed(1)} MiB; over the second half it grew by ${growth.toFixed(2)} MiB: ${growth < 1 ? 'flat' : 'NOT FLAT'}.`);
    figures.endurance = points;
}

const streamsLost = got => Math.max(got.refused + got.lost, got.asked - got.running);
const how = got => `${got.refused} refused, ${got.lost} broken off, ${got.asked - got.running} not open in time`;
const lastWords = program => readFileSync(program.log, 'utf8').trim().split('\n').slice(-5).join('\n');

/** Against the yardstick of the same round. */
function addRatios(figures, values, failed, name) {
    for (const [key, value] of Object.entries(values))
        figures.add(`${key}_${name}`, 'ratio', value / values[YARDSTICK], failed.has(key) || failed.has(YARDSTICK));
}

/** Says it when something went wrong, and whether that was too much: one in a thousand. */
function hasFailed(figures, what, of, bad, how) {
    if (bad || !of) figures.note(`${what}: ${bad} of ${of} failed or were refused${how ? ` (${how})` : ''}.`);
    return bad > of / 1000 || !of;
}
