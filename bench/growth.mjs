// How cost grows: users, bodies, streams, instances. Each axis is walked several times; a sentence says what became of the cost,
// from the figures alone.

import { CONTENDERS, startContender, warmUp } from './contenders.mjs';
import { median, powerOf } from './figures.mjs';
import { closedLoop, streams } from './load.mjs';
import { cpuNs, residentBytes } from './meter.mjs';
import { bodyFile } from './rig.mjs';
import { RedisClient } from '../tests/e2e/redis.mjs';

const MIB = 1 << 20;
const TOLERATED = 0.15; // of the power of growth
const SPREAD = 1.35; // of the rounds of one point
const GOVERNED = CONTENDERS.find(entry => entry.key === 'governed');

// `ideal`: the power a cost may grow with. `of`: the costs, the first one is what the sentence is about.
const AXES = [
    { name: 'users', of: ['keyturn us per request', 'Redis us per request'], ideal: 0, points: size => [1, 10, 100, 1000, 10_000, 100_000, 1_000_000].slice(0, size), open: openUsers, look: lookUsers },
    { name: 'bytes of a body', of: ['keyturn us per request'], ideal: 1, points: size => [1, 4, 16, 64, 256, 1024, 4096, 16_384].slice(0, size + 1).map(kib => kib * 1024), open: openOne, look: lookBodies },
    { name: 'streams', of: ['keyturn us per second', 'resident MiB'], ideal: 1, points: (size, most) => [1, 10, 100, 1000, Math.min(10_000, most)].slice(0, size), open: openOne, look: lookStreams },
    { name: 'instances', of: ['keyturn us per request', 'Redis us per request'], ideal: 0, points: size => [1, 2, 3, 4].slice(0, size), open: openOne, look: lookInstances },
];

/** Walks all axes: [{ name, of, points: [[x, cost, ...]], doubtful: [x, ...], sentences }]. */
export async function measureGrowth({ rig, figures, say }, { rounds, seconds, size = 8 }) {
    const growth = [];
    for (const axis of AXES) {
        const stand = await axis.open(rig), points = [], doubtful = [];
        for (const x of axis.points(size, rig.stage.streamsMost)) {
            const looks = [];
            for (let round = 0; round < rounds; round++) looks.push(await axis.look(stand, x, { seconds, figures }));
            const rows = axis.of.map((_, i) => looks.map(look => look.costs[i]));
            points.push([x, ...rows.map(median)]);
            if (looks.some(look => look.failed) || rows.some(row => Math.max(...row) > SPREAD * Math.min(...row))) doubtful.push(x);
            say(`${axis.name}: ${x}  ${axis.of.map((what, i) => `${what} ${points.at(-1)[i + 1].toFixed(1)}`).join(', ')}`);
        }
        for (const contender of stand.contenders) await rig.stage.end(contender.program);
        const sentences = axis.of.map((what, i) => sentence(axis, what, points.map(point => [point[0], point[i + 1]]), doubtful));
        growth.push({ name: axis.name, of: axis.of, points, doubtful, sentences });
    }
    return growth;
}

/** The end of the curve counts: what is fixed hides the beginning. */
function sentence(axis, what, points, doubtful) {
    const power = powerOf(points.slice(-Math.max(3, Math.ceil(points.length / 2))));
    const ideal = what.startsWith('Redis') ? 0 : axis.ideal;
    const verdict = power > ideal + TOLERATED ? 'SUPERLINEAR' : power > 1 - TOLERATED ? 'linear' : power > TOLERATED ? 'less than linear' : 'flat';
    const [[from, low], [to, high]] = [points[0], points.at(-1)], number = x => x.toLocaleString('en');
    return `From ${number(from)} to ${number(to)} ${axis.name}, ${what}: ${low.toFixed(1)} to ${high.toFixed(1)}, with power ${power.toFixed(2)} at the end: ${verdict}` +
        `${doubtful.length ? '; not to be quoted, rounds differ too much or requests failed at some points' : ''}.`;
}

async function openOne(rig) {
    const contender = await startContender(GOVERNED, rig);
    await warmUp(contender);
    return { rig, contenders: [contender], contender };
}

async function requestCost({ rig, contenders, contender }, order, figures) {
    for (const one of contenders) await rig.stage.quiet(one.pid);
    const all = () => contenders.reduce((sum, one) => sum + cpuNs(one.pid), 0);
    const before = all(), redisBefore = cpuNs(rig.redis.pid);
    const got = await closedLoop(contender, order);
    const costs = [(all() - before) / got.requests / 1000, (cpuNs(rig.redis.pid) - redisBefore) / got.requests / 1000], bad = got.refused + got.lost;
    if (bad) figures.note(`Growth: ${bad} of ${got.requests} requests failed or were refused (${JSON.stringify({ ...order, body: undefined, heads: undefined })}).`);
    return { costs, failed: bad > got.requests / 1000 };
}

// ---- users: a service token speaks for them all; each is in Redis before, with a tier of limits on the shared key

async function openUsers(rig) {
    const stand = await openOne(rig), token = await rig.token('growth', '--service');
    return { ...stand, heads: rig.stage.write('service.heads', `Authorization: Bearer ${token}\n`), known: 0 };
}

async function lookUsers(stand, users, { seconds, figures }) {
    const client = await RedisClient.open(stand.rig.redisSocket);
    const script = 'for i = ARGV[1], ARGV[2] do redis.call("HSET", "kt:u:{u:u" .. string.format("%d", i) .. "}", "status", "active", "tier", "limited", "created_at", ARGV[3]) end';
    for (; stand.known < users; stand.known = Math.min(users, stand.known + 10_000))
        await client.ask('EVAL', script, 0, stand.known + 1, Math.min(users, stand.known + 10_000), Date.now());
    client.close();
    return requestCost(stand, { body: bodyFile(stand.rig.stage, 1536), heads: stand.heads, users, connections: 64, seconds }, figures);
}

function lookBodies(stand, bytes, { seconds, figures }) {
    return requestCost(stand, { body: bodyFile(stand.rig.stage, bytes), connections: bytes > MIB ? 4 : 16, seconds }, figures);
}

async function lookStreams({ rig, contender }, count, { seconds, figures }) {
    const gapMs = 200;
    await rig.streams({ chunks: Math.ceil((seconds + count / 2000 + 3) * 1000 / gapMs), gapMs });
    await rig.stage.quiet(contender.pid);
    const got = await streams(contender, { body: bodyFile(rig.stage, 512, { stream: true }), count, gapMs, seconds, whenRunning: () => cpuNs(contender.pid) });
    const cpu = cpuNs(contender.pid) - got.begun, resident = residentBytes(contender.pid) / MIB;
    const bad = Math.max(got.lost + got.refused, got.asked - got.running);
    if (bad) figures.note(`Growth: ${bad} of ${count} streams failed or were refused.`);
    await rig.plainAnswers();
    return { costs: [cpu / got.seconds / 1000, resident], failed: bad > count / 1000 };
}

// ---- instances: they share a port, and here one processor

async function lookInstances(stand, count, { seconds, figures }) {
    const { rig, contenders, contender } = stand;
    while (contenders.length < count) {
        const { port } = contender, directory = rig.stage.room(`instance-${contenders.length}`);
        const program = await GOVERNED.start(rig, { port, directory, name: `instance-${contenders.length}` });
        contenders.push({ ...contender, program, pid: program.pid });
    }
    return requestCost(stand, { body: bodyFile(rig.stage, 1536), connections: 64, seconds }, figures);
}
