// Load on one contender, from outside: wrk as fast as it goes, pace at a constant rate, pace with streams.

import { join } from 'node:path';
import { PACE_BIN, ROUTE } from './rig.mjs';

const parse = line => JSON.parse(line);

/** As many requests as `connections` can make: { requests, refused, lost, us, p50_us, p99_us }. */
export async function closedLoop(contender, { body, connections, seconds, heads = contender.heads, users }) {
    const { stage } = contender.rig;
    const text = await stage.run(['wrk', '-t1', `-c${connections}`, `-d${seconds}s`, '--timeout', '20s', '-s', join(import.meta.dirname, 'request.lua'),
        `${contender.base}${ROUTE}`], { env: { BENCH_HEADS: heads, BENCH_BODY: body, ...(users && { BENCH_USERS: String(users) }) }, within: (seconds + 60) * 1000 });
    return parse(text.trim().split('\n').at(-1));
}

/** Requests that are due at a constant rate, latency from when they are due. */
export async function openLoop(contender, { body, rate, seconds, links = 256 }) {
    return parse(await pace(contender, 'rate', { body, links, seconds, rate }));
}

/** Streams; whenRunning is called when all have begun, and what it answers stands in `begun`. */
export async function streams(contender, { body, count, seconds, gapMs, whenRunning = () => {}, openRate = 2000 }) {
    let running, begun;
    const text = await pace(contender, 'streams', { body, links: count, seconds, 'gap-ms': gapMs, 'open-rate': openRate, 'open-within': 20 + count / openRate },
        line => {
            if (running) return;
            running = parse(line);
            begun = whenRunning(running);
        });
    return { ...parse(text.trim().split('\n').at(-1)), running: running.streams, asked: running.asked, begun: await begun };
}

function pace(contender, job, { body, ...options }, onLine) {
    const words = Object.entries(options).flatMap(([name, value]) => [`--${name}`, String(value)]);
    return contender.rig.stage.run([PACE_BIN, job, '--to', `127.0.0.1:${contender.port}`, '--path', ROUTE, '--heads', contender.heads, '--body', body, ...words],
        { onLine, within: (options.seconds + 120) * 1000 });
}
