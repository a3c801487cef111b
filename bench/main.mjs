// The benchmark: builds its stage, lets the contenders take turns, writes the report. bench/README.md has the method.

import { parseArgs } from 'node:util';
import { CONTENDERS, startContender, warmUp } from './contenders.mjs';
import { Figures } from './figures.mjs';
import { measureGrowth } from './growth.mjs';
import { machineFacts } from './machine.mjs';
import { cellName, enduranceRound, latencyRound, memoryRound, requestsRound, streamsRound } from './measure.mjs';
import { reportText, writeReport } from './report.mjs';
import { Rig } from './rig.mjs';
import { Stage } from './stage.mjs';

const BODIES = [1536, 32 * 1024], CONNECTIONS = [64, 512], RATES = [5000, 10_000];
const CELLS = BODIES.flatMap(bytes => CONNECTIONS.map(connections => ({ bytes, connections }))), TLS_CELLS = BODIES.map(bytes => ({ bytes, connections: 64, tls: true }));
const PARTS = ['requests', 'latency', 'streams', 'memory', 'tls', 'crowd', 'endurance', 'growth'];

const MODES = {
    full: {
        parts: PARTS, rounds: 5, requests: { seconds: 4, warm: 1 }, latency: { seconds: 5, rounds: 3 }, streams: { count: 500, gapMs: 20, seconds: 4, rounds: 3 },
        memory: { count: 2000, seconds: 1.5, rounds: 3 }, crowd: { count: 10_000, gapMs: 200, seconds: 6, rounds: 3 }, endurance: { requests: 1_000_000, seconds: 5 }, growth: { rounds: 3, seconds: 3 },
    },
    quick: {
        parts: ['requests', 'latency', 'streams', 'memory'], rounds: 2, requests: { seconds: 1, warm: 0, until: 65 }, latency: { seconds: 1, rounds: 1 },
        streams: { count: 500, gapMs: 20, seconds: 1.5, rounds: 1 }, memory: { count: 500, seconds: 0.5, rounds: 1 },
    },
    growth: { parts: ['growth'], rounds: 1, growth: { rounds: 3, seconds: 3 } },
};

const HELP = `./dev bench                    everything; about half an hour on a machine that does nothing else
./dev bench --quick            the main figures, under two minutes
./dev bench --growth           only how cost grows
  --parts a,b                  of ${PARTS.join(', ')}
  --contenders a,b             of ${CONTENDERS.map(({ key }) => key).join(', ')}; nginx is always measured
  --rounds N                   instead of the mode's
  --requests N                 of the endurance part, instead of a million
  --dry                        shows the report and writes no files
`;

const { values: given } = parseArgs({ options: {
    quick: { type: 'boolean' }, growth: { type: 'boolean' }, dry: { type: 'boolean' }, help: { type: 'boolean' },
    parts: { type: 'string' }, contenders: { type: 'string' }, rounds: { type: 'string' }, requests: { type: 'string' },
} });
const modeName = given.quick ? 'quick' : given.growth ? 'growth' : 'full', mode = MODES[modeName];
const began = Date.now();
const say = text => console.error(`[${String(Math.round((Date.now() - began) / 1000)).padStart(4)} s] ${text}`);

class Benchmark {
    constructor(stage) {
        const chosen = given.contenders?.split(',');
        Object.assign(this, { stage, say, figures: new Figures(), growth: [], running: [] });
        this.parts = new Set(given.parts?.split(',') ?? mode.parts);
        this.entries = CONTENDERS.filter(entry => (chosen ? chosen.includes(entry.key) || entry.key === 'nginx' : modeName !== 'quick' || !entry.later) && this.isHere(entry));
    }
    isHere(entry) {
        const missing = entry.missing?.();
        if (missing) this.figures.note(`${entry.name} is skipped: ${missing}.`);
        if (missing) say(`${entry.name} is skipped: ${missing}`);
        return !missing;
    }

    async run() {
        say('starting Redis and the simulated OpenRouter');
        this.rig = await Rig.build(this.stage);
        await this.rig.invite();
        if ([...this.parts].some(part => part !== 'growth')) await this.startAll();
        for (const [part, play] of Object.entries({
            requests: () => this.requests(), latency: () => this.latency(), streams: () => this.streams('streams', 'chunk'),
            memory: () => this.memory(this.rig, 'idle_stream'), tls: () => this.tls(), crowd: () => this.streams('crowd', 'crowd_chunk'),
            endurance: () => this.endurance(), growth: async () => { this.growth = await measureGrowth(this, { ...this.order('growth'), rounds: this.rounds('growth') }); },
        })) if (this.parts.has(part)) await play();
        this.othersPercent = Math.round(100 * this.stage.othersShare);
        if (this.othersPercent > 5) this.figures.note(`The machine was busy with other work (${this.othersPercent} % of its CPUs): run it again in quiet.`);
        if (!this.parts.has('tls') && this.parts.has('memory')) this.figures.note('Memory with a TLS upstream: not measured in this mode.');
    }
    order(part) { return mode[part] ?? MODES.full[part]; }
    rounds(part) { return Number(given.rounds ?? this.order(part).rounds ?? mode.rounds); }

    async startAll() {
        this.running = await this.start(this.entries, this.rig);
    }
    async start(entries, rig) {
        const running = [];
        for (const entry of entries) {
            say(`starting ${entry.name}: ${entry.what}`);
            const contender = await startContender(entry, rig);
            running.push(contender);
            await warmUp(contender);
        }
        return running;
    }
    /** Each round begins with another contender, so that none always follows the same one. */
    inTurn(round, running = this.running) {
        const first = round % running.length;
        return { ...this, running: [...running.slice(first), ...running.slice(0, first)] };
    }

    async requests() {
        const order = this.order('requests');
        for (let round = 0; round < this.rounds('requests'); round++)
            for (const cell of CELLS) {
                if (round && Date.now() - began > order.until * 1000)
                    return this.figures.note(`Round ${round + 1} of the requests was cut short at ${order.until} s: this machine is slow or busy.`);
                await requestsRound(this.inTurn(round), { ...cell, ...order });
            }
    }
    async latency() {
        for (let round = 0; round < this.rounds('latency'); round++)
            for (const rate of RATES) await latencyRound(this.inTurn(round), { rate, ...this.order('latency') });
    }
    async streams(part, name) {
        const order = this.order(part), count = Math.min(order.count, this.stage.streamsMost);
        if (count < order.count) this.figures.note(`${order.count} streams need more open files than ${this.stage.files}: ${count} were measured.`);
        for (let round = 0; round < this.rounds(part); round++) await streamsRound(this.inTurn(round), { ...order, count, name });
    }
    async memory(rig, name) {
        for (let round = 0; round < this.rounds('memory'); round++) await memoryRound(this, rig, { ...this.order('memory'), name });
    }
    async endurance() {
        const order = this.order('endurance');
        await enduranceRound(this, { ...order, requests: Number(given.requests ?? order.requests) });
    }
    async tls() {
        const rig = await Rig.build(this.stage, { name: 'tls-rig', tls: true });
        await rig.invite();
        await this.memory(rig, 'idle_tls_stream');
        const running = await this.start(this.entries.filter(entry => entry.tls), rig);
        for (let round = 0; round < this.rounds('latency'); round++)
            for (const cell of TLS_CELLS) await requestsRound(this.inTurn(round, running), { ...cell, ...this.order('requests') });
        for (const { program } of running) await this.stage.end(program);
        this.figures.note('With a TLS upstream nginx + Lua was not measured.');
    }

    get report() {
        return {
            ...this, contenders: this.entries, cells: CELLS.map(cellName), tlsCells: TLS_CELLS.map(cellName), rates: RATES,
            mode: modeName, command: ['./dev bench', ...process.argv.slice(2)].join(' '), started: new Date(began).toISOString(), seconds: Math.round((Date.now() - began) / 1000),
        };
    }
}

async function main() {
    if (given.help) return process.stdout.write(HELP);
    const unknown = given.parts?.split(',').filter(part => !PARTS.includes(part)) ?? [];
    if (unknown.length) throw new Error(`there is no part ${unknown}; there are ${PARTS}`);
    const stage = new Stage();
    let leaving = false;
    for (const [signal, code] of [['SIGINT', 130], ['SIGTERM', 143], ['SIGHUP', 129]])
        process.on(signal, () => {
            if (leaving) return;
            leaving = true;
            say('ending what was started');
            stage.strike().finally(() => process.exit(code));
        });
    const machine = machineFacts(stage), benchmark = new Benchmark(stage);
    try {
        await benchmark.run();
    } catch (error) {
        if (leaving) return new Promise(() => {}); // the signal's handler ends the process
        throw error;
    } finally {
        if (!leaving) await stage.strike();
    }
    const report = { ...benchmark.report, machine: { ...machine, others_percent: benchmark.othersPercent } };
    console.log(reportText(report));
        const partial = given.parts || given.contenders;
    if (!given.dry) say(`written to ${writeReport(report, `${modeName === 'growth' ? '-growth' : ''}${partial ? '-part' : ''}`, { latest: !partial })}`);
}

await main().catch(error => {
    console.error(`bench: ${error.stack ?? error}`);
    process.exitCode = 1;
});
