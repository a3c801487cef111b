#!/usr/bin/env node
// The proof: some keyturns, a real Redis and the simulated OpenRouter, hammered by users near the end of their budgets, with
// kill -9 of keyturns and of Redis, and clients that leave at every stage. It prints what came of it and ends with 1 when an
// invariant is broken.
//
//     node tests/proof/proof.mjs [--seconds N] [--requests N] [--instances N] [--users N] [--lanes N] [--kills N]
//                                [--redis-kills N] [--drops N] [--outage SECONDS] [--lease SECONDS] [--seed N] [--long]
//                                [--parts some,cent,deaths,drops,outage] [--fsync always|everysec]
//
// KEYTURN_BIN and OPENROUTER_SIM_BIN name the programs. Nothing said here comes from keyturn's own metrics: the bill is the
// simulator's ledger, what is settled is read from Redis.

import { parseArgs } from 'node:util';
import { call, isSanitized, pause, until, World } from '../e2e/harness.mjs';
import { Books, Upstream } from './audit.mjs';
import { bodyFor, chance, Crowd, leastOf, NOBODYS, STAGES } from './crowd.mjs';
import { budgetOf, settledByKey, today, usageTold, withSettings } from './figures.mjs';

const names = ['seconds', 'requests', 'instances', 'users', 'lanes', 'kills', 'redis-kills', 'drops', 'outage', 'lease', 'seed'];
const { values: given } = parseArgs({ options: { long: { type: 'boolean' }, parts: { type: 'string', default: 'some,cent,deaths,drops,outage' }, fsync: { type: 'string', default: 'everysec' }, ...Object.fromEntries(names.map(name => [name, { type: 'string' }])) } });
const preset = given.long ? { seconds: 300, requests: 1_000_000, instances: 4, users: 100, lanes: 64, kills: 200, 'redis-kills': 20, drops: 1000, outage: 10, lease: 30, seed: 1 }
    : { seconds: 10, requests: 3000, instances: 3, users: 20, lanes: 24, kills: 5, 'redis-kills': 1, drops: 60, outage: 2, lease: 3, seed: 1 };
const option = Object.fromEntries(names.map(name => [name, given[name] === undefined ? preset[name] : Number(given[name])]));

const UNKNOWN_HOLD = 100;
const GRACE_MS = isSanitized ? 1500 : 100; // what the machine may add to a time that is promised
const settings = `quota:\n  hold_lease: ${option.lease}s\nrenewal:\n  sweep_every: 500ms\ntiers:\n` +
    `  Standard:\n    limit_usd: 1000\n    max_output_tokens: 64\n    unknown_model_hold_usd: ${(UNKNOWN_HOLD / 1e9).toFixed(9)}\n    models: ["*"]\n`;

const random = chance(option.seed);
const lines = [], broken = [];
const dollars = nano => `$${(nano / 1e9).toFixed(9)}`;
const say = (name, value) => { lines.push([name, String(value)]); console.log(`${`${name} `.padEnd(52, '.')} ${value}`); };
const must = (holds, what) => { if (!holds) { broken.push(what); console.log(`BROKEN: ${what}`); } };
const sum = numbers => numbers.reduce((total, number) => total + number, 0);
const all = (count, run) => Promise.all(Array.from({ length: count }, (_, i) => run(i)));

class Proof {
    async open() {
        // The default of redis.command_timeout, not the tests' patient one.
        this.world = await World.open({ instances: 0, env: { KEYTURN_REDIS_COMMAND_TIMEOUT: undefined } });
        this.ask = (...args) => this.world.redis.ask(...args);
        await this.fsync();
        this.slots = await withSettings(this.world, settings, { instances: option.instances });
        this.crowd = new Crowd(await this.world.service());
        this.upstream = new Upstream(this.world.sim);
        this.books = new Books(this.ask, UNKNOWN_HOLD);
        this.limits = new Map(); // nano-USD, by user
        this.deathsAt = [];
        this.began = today();
        this.reading = this.readOn();
    }

    /** Follows both ledgers, so that neither is trimmed before it is read. */
    async readOn() {
        while (!this.over) {
            await this.read().catch(() => {}); // Redis may be dead just now
            for (const { program } of this.slots) program.stdout = program.stdout.slice(-10_000);
            await pause(500);
        }
    }
    /** One reader at a time. */
    read() {
        const turn = (this.turn ?? Promise.resolve()).then(async () => { await this.upstream.read(); await this.books.read(); });
        this.turn = turn.catch(() => {});
        return turn;
    }

    base(i) { return this.slots[i % this.slots.length].base; }
    anywhere() { return random.pick(this.slots).base; }
    async cap(user, nano) {
        this.limits.set(user, nano);
        await this.ask('HSET', `kt:u:{u:${user}}`, 'status', 'active', 'tier', 'Standard', 'created_at', Date.now(), 'o_limit_nano_usd', nano);
    }
    async named(prefix, count, nano) {
        const users = Array.from({ length: count }, (_, i) => `${prefix}-${i}`);
        for (const user of users) await this.cap(user, nano(user));
        return users;
    }

    /** With everysec Redis may lose up to two seconds of what it has acknowledged when it is killed. */
    fsync() { return this.ask('CONFIG', 'SET', 'appendfsync', given.fsync); }

    // ---- the parts

    async budgetForSome() {
        const count = 1000, some = 37, least = leastOf(bodyFor({ nonce: 1 })), user = 'exactly';
        await this.cap(user, some * least + least - 1);
        const held = await this.world.sim.fault({ where: 'inference', kind: 'hold' });
        let refused = 0;
        const asked = all(count, i => this.crowd.ask(this.base(i), { user }).then(answer => { refused += answer.status !== 200; return answer; }));
        await until('all others are refused', () => refused >= count - some, { within: 60_000 }).catch(() => {});
        await pause(300);
        const reached = await this.world.sim.hits(held);
        await this.world.sim.heal();
        const answers = await asked, admitted = answers.filter(answer => answer.status === 200).length;
        say(`${count} at once over ${option.instances} instances, budget for ${some}`, `${admitted} admitted, ${reached} reached OpenRouter, ${answers.length - admitted} refused`);
        must(admitted === some && reached === some, `exactly ${some} admitted of ${count}`);
        const codes = [...new Set(answers.filter(answer => answer.status !== 200).map(answer => answer.code))];
        must(codes.every(code => code === 'budget_held' || code === 'store_unavailable'), `the others are told that the budget is held: ${codes}`);
        await this.drained([user]);
    }

    /** Users whose budgets end all the time: whoever is refused gets a little more, until enough was decided. */
    async lastCent() {
        const least = leastOf(bodyFor({ nonce: 1 })), some = () => Math.floor((1 + 6 * random.next()) * least);
        const users = await this.named('cent', option.users, some);
        const poor = new Set(), began = Date.now();
        let asked = 0, raised = 0, goesOn = true;
        const raise = (async () => {
            while (goesOn) {
                await pause(50);
                const ended = [...poor];
                poor.clear();
                const budgets = await Promise.all(ended.map(user => budgetOf(this.ask, user)));
                await this.read();
                for (const [i, user] of ended.entries()) {
                    const { spent } = budgets[i], over = spent - this.limits.get(user) - this.books.of(user).declared; // read later, so it explains enough
                    must(over <= 0, `${user} is ${over} nano-USD over the limit`);
                    await this.cap(user, Math.max(spent, this.limits.get(user)) + some());
                    raised++;
                }
            }
        })();
        await all(option.lanes, async lane => {
            while (asked < option.requests) {
                asked++;
                const i = random.below(users.length), indebted = i % 10 === 9 && random.next() < 0.1;
                const leave = random.next() < 0.05 ? random.pick(STAGES) : undefined;
                const answer = await this.crowd.ask(this.base(lane + asked), { user: users[i], stream: leave ? true : random.next() < 0.3, tokens: 16 + random.below(40),
                    model: indebted ? NOBODYS : undefined, leave, reset: random.next() < 0.5 });
                if (answer.code === 'insufficient_quota') poor.add(users[i]);
            }
        });
        goesOn = false;
        await raise;
        const seconds = (Date.now() - began) / 1000;
        await this.drained(users);
        say('last cent', `${asked} admissions decided in ${seconds.toFixed(0)} s, ${raised} budgets raised at their end`);
        this.cents = users;
    }

    /** kill -9 of instances and of Redis, clients that leave, budgets near their end: all at once. */
    async deaths() {
        const least = leastOf(bodyFor({ nonce: 1 }));
        const users = await this.named('dead', option.users, i => Math.floor((i.length % 2 ? 400 : 40) * (1 + random.next()) * least));
        await this.world.sim.set({ chunk_delay_ms: 3 });
        const began = Date.now();
        let goesOn = true, left = 0, kills = 0, redisKills = 0;
        const events = [...Array(option.kills).fill('instance'), ...Array(option['redis-kills']).fill('redis')]
            .map(what => ({ what, at: random.next() * option.seconds * 1000 })).sort((a, b) => a.at - b.at);
        const lanes = all(option.lanes, async () => {
            while (goesOn) {
                const leave = random.next() < 0.3 ? random.pick(STAGES) : undefined;
                const answer = await this.crowd.ask(this.anywhere(), { user: random.pick(users), stream: leave ? true : random.next() < 0.7, tokens: 4 + random.below(28), leave });
                left += answer.left;
                if (answer.status !== 200) await pause(answer.status === 0 ? 20 : 5);
            }
        });
        for (const { what, at } of events) {
            await pause(Math.max(0, began + at - Date.now()));
            if (what === 'redis') {
                this.deathsAt.push({ what, at: Date.now() });
                await this.world.redis.program.end('SIGKILL');
                await pause(random.next() * 500);
                await this.world.redis.start();
                await this.fsync();
                redisKills++;
            } else {
                const slot = random.below(this.slots.length), victim = this.slots[slot];
                const last = victim.stdout.match(/req_\w+(?![^]*req_)/)?.[0];
                this.deathsAt.push({ what: last, at: Date.now() });
                await victim.kill();
                this.check(victim);
                [this.slots[slot]] = await withSettings(this.world, settings);
                kills++;
            }
        }
        await pause(Math.max(0, began + option.seconds * 1000 - Date.now()));
        goesOn = false;
        await lanes;
        await this.world.sim.set({ chunk_delay_ms: 0 });
        const quiet = Date.now();
        const live = async () => {
            const budgets = await Promise.all(users.map(user => budgetOf(this.ask, user)));
            return budgets.reduce((sum, budget) => sum + budget.live, 0);
        };
        await until('no hold is live', async () => await live() === 0, { within: (option.lease + 5) * 1000, every: 100 }).catch(() => {});
        const free = (Date.now() - quiet) / 1000;
        const settledAfter = await this.drained(users);
        say('kill -9', `${kills} of instances, ${redisKills} of Redis, ${left} clients left, in ${((quiet - began) / 1000).toFixed(0)} s`);
        say('holds free, settled after the end of the load', `${free.toFixed(1)} s, ${settledAfter.toFixed(1)} s`);
        must(free <= option.lease + 1, `holds are free within ${option.lease + 1} s`);
        this.dead = users;
    }

    /** Clients that leave when they have all but the usage event: each one's cost is the true one. */
    async drops() {
        const users = await this.named('drop', Math.min(option.users, 20), () => 1e9);
        const told = new Map(), booked = new Map(), wanted = new Map();
        this.upstream.onRow = row => { if (row.generation_id) told.set(row.generation_id, row.billed_nano_usd); };
        this.books.onRow = row => booked.set(row.request_id, row);
        const slow = await this.world.sim.fault({ where: 'inference', kind: 'slow', delay_ms: 20 });
        let begun = 0;
        await all(Math.min(option.lanes, option.drops), async lane => {
            while (begun < option.drops) {
                const i = begun++;
                const answer = await this.crowd.ask(this.base(lane + i), { user: users[i % users.length], stream: true, tokens: 2 + i % 6, leave: STAGES[2] });
                if (answer.left && answer.generationId) wanted.set(answer.requestId, answer.generationId);
            }
        });
        await this.world.sim.heal(slow);
        await this.drained(users);
        await until('the rows are read', async () => {
            await this.read();
            return [...wanted].every(([request, generation]) => booked.has(request) && told.has(generation));
        }, { within: 10_000, every: 100 }).catch(() => {});
        this.upstream.onRow = this.books.onRow = null;
        const wrong = [...wanted].filter(([request, generation]) => booked.get(request)?.cost !== told.get(generation));
        say('clients dropped just before the usage event', `${wanted.size}, recorded cost = true cost for ${wanted.size - wrong.length}`);
        must(wanted.size === option.drops, `${option.drops} clients left there`);
        for (const [request, generation] of wrong.slice(0, 5))
            must(false, `${request}: recorded ${JSON.stringify(booked.get(request))}, billed ${told.get(generation)}`);
    }

    async outage(what, away, back) {
        const users = await this.named(`gone-${what.replaceAll(' ', '-')}`, 8, () => 1e9);
        for (const slot of this.slots) for (const user of users) await this.crowd.ask(slot.base, { user });
        await this.world.sim.set({ chunk_delay_ms: Math.ceil(option.outage * 1000 / 32) });
        let started = 0;
        const streams = users.map((user, i) => this.crowd.ask(this.base(i), { user, stream: true, tokens: 64, within: 120_000, onHead: () => { started++; } }));
        await until('streams run', () => started === users.length);
        await this.world.sim.set({ chunk_delay_ms: 0 });
        const answers = [], ready = [];
        let goesOn = true;
        const lanes = all(option.lanes, async lane => {
            for (let i = 0; goesOn; i++) {
                const began = Date.now(), answer = await this.crowd.ask(this.base(lane + i), { user: users[i % users.length], stream: i % 2 === 0, tokens: 4 });
                answers.push({ began, status: answer.status, code: answer.code, ms: answer.ms });
                await pause(20);
            }
        });
        const readiness = (async () => {
            while (goesOn) {
                for (const slot of this.slots) ready.push((await call(slot.base, 'GET', '/readyz', { agent: false }).catch(() => ({ status: 0 }))).status);
                await pause(50);
            }
        })();
        await pause(500);
        const gone = Date.now();
        await away();
        await pause(option.outage * 1000);
        await back();
        const returned = Date.now();
        await until('served again', () => answers.some(({ began, status }) => began > returned && status === 200), { within: 20_000 }).catch(error => must(false, `after Redis ${what}: ${error.message}`));
        const again = Date.now() - returned;
        await pause(500);
        goesOn = false;
        await Promise.all([lanes, readiness]);
        const finished = (await Promise.all(streams)).filter(answer => answer.finished).length;
        await this.drained(users);
        const refused = answers.filter(({ status }) => status === 503), slowest = Math.max(0, ...refused.map(({ ms }) => ms));
        say(`Redis ${what} for ${option.outage} s`, `${refused.length} refused with 503, the slowest in ${slowest.toFixed(0)} ms; ${finished} of ${streams.length} streams finished; served again ${again} ms after`);
        must(refused.length > 0 && slowest <= 250 + GRACE_MS, `503 within 250 ms while Redis ${what} (${slowest.toFixed(0)} ms)`);
        must(answers.every(({ status }) => status === 200 || status === 503), `nothing but 200 and 503 while Redis ${what}: ${[...new Set(answers.map(({ status, code }) => `${status} ${code ?? ''}`))]}`);
        must(finished === streams.length, `streams finish while Redis ${what}`);
        must(ready.length > 0 && ready.every(status => status === 200), `readiness stays green while Redis ${what}`);
        const early = answers.filter(({ began, status }) => status !== 200 && began < gone - 300);
        must(isSanitized || early.length === 0, `nobody is refused before: ${early.length} of ${answers.filter(({ began }) => began < gone - 300).length}, such as ${JSON.stringify(early[0])}`);
    }

    // ---- judging

    /** Waits until nothing is held of the users; gives the seconds that took. */
    async drained(users, within = (option.lease + 120) * 1000) {
        const began = Date.now();
        let open = users;
        await until('nothing is held', async () => {
            const budgets = await Promise.all(open.map(user => budgetOf(this.ask, user)));
            open = open.filter((_, i) => budgets[i].open || budgets[i].sums);
            return open.length === 0;
        }, { within, every: 200 }).catch(() => must(false, `nothing is held after ${within / 1000} s: still of ${open.slice(0, 5)}`));
        return (Date.now() - began) / 1000;
    }

    /** Who can pay is let through, who cannot is refused: to the nano-dollar. */
    async verdicts(users) {
        let refusedFalsely = 0, admittedFalsely = 0;
        for (const user of users) {
            const { spent } = await budgetOf(this.ask, user), body = bodyFor({ nonce: this.crowd.nonce + 1 }), fits = spent + leastOf(body) <= this.limits.get(user);
            const answer = await this.crowd.ask(this.anywhere(), { user });
            if (fits && answer.status !== 200) { refusedFalsely++; must(false, `${user} has ${this.limits.get(user) - spent} left, needs ${leastOf(body)} and got ${answer.status} ${answer.code}`); }
            if (!fits && answer.code !== 'insufficient_quota') { admittedFalsely++; must(false, `${user} has ${this.limits.get(user) - spent} left, needs ${leastOf(body)} and got ${answer.status} ${answer.code}`); }
        }
        say('after draining', `${users.length} users asked: ${refusedFalsely} false refusals, ${admittedFalsely} false admissions`);
        await this.drained(users);
    }

    async judge() {
        await until('the ledgers are read to the end', async () => {
            const before = this.books.entries + this.upstream.rows;
            await pause(300);
            await this.read();
            return before === this.books.entries + this.upstream.rows;
        }, { within: 60_000 });
        const { books, upstream } = this, totals = await this.world.sim.totals();
        let held = 0, debt = 0, declared = 0, overshoot = 0, difference = 0;
        for (const user of this.limits.keys()) {
            const budget = await budgetOf(this.ask, user), mine = books.of(user), record = await this.world.redis.keyRecord(user);
            const billed = record ? upstream.of(record.name.split('/')[2]).billed : 0, over = sum(budget.spentBy.map(spent => Math.max(0, spent - this.limits.get(user))));
            const spent = sum(budget.spentBy); // in one month or in two
            held += budget.held + budget.unconfirmed;
            debt += over;
            declared += mine.declared;
            must(mine.estimates === 0, `${user}: ${mine.estimates} costs are estimates, though the user's key tells`);
            overshoot += Math.max(0, over - mine.declared);
            if (spent !== mine.settled)
                must(false, `${user}: spent ${spent} is the sum of the ledger ${mine.settled}; billed ${billed}; ${await this.unbooked(user)}`);
            const byKey = await settledByKey(this.ask, user);
            must(byKey === mine.settled, `${user}: settled ${mine.settled}, of which by key ${byKey}`);
            difference += Math.abs(billed - mine.settled);
            must(billed === mine.settled, `${user}: billed ${billed}, settled ${mine.settled}`);
        }
        const told = await usageTold(this.world, this.slots[0], { from: this.began, to: today() });
        say('admitted', `${totals.inference_ok} reached OpenRouter and were billed or could have been`);
        say('refused', [...this.crowd.outcomes].filter(([name]) => /^4/.test(name)).map(([name, count]) => `${count} ${name.slice(4)}`).join(', ') || 0);
        say('otherwise', [...this.crowd.outcomes].filter(([name]) => !/^4/.test(name)).map(([name, count]) => `${count} ${name}`).join(', '));
        say('upstream bill', dollars(totals.billed_nano_usd));
        say('settled', `${dollars(books.settled)} (${Object.entries(books.sources).map(([name, { count }]) => `${count} by ${name}`).join(', ')})`);
        say('held', dollars(held));
        say('debt', `${dollars(debt)}; ${dollars(declared)} of costs above their holds in all`);
        say('overshoot beyond declared debt', dollars(overshoot));
        say('difference between bill and settlements', dollars(difference));
        say('booked twice, billed twice', `${books.twice.length}, ${upstream.twice.length}`);
        must(upstream.missed === 0, 'every row of the simulator was read');
        must(upstream.billed === totals.billed_nano_usd, `the rows' sum ${upstream.billed} is the bill ${totals.billed_nano_usd}`);
        must(told.cost_nano_usd === books.settled, `/admin/usage tells ${JSON.stringify(told)}, the ledger ${books.settled}`);
        must(held === 0, 'nothing is held');
        must(overshoot === 0, 'no limit is exceeded but by declared debt');
        must(books.twice.length === 0, 'each request is booked once');
        must(upstream.twice.length === 0, `no request is billed twice: ${JSON.stringify(upstream.twice[0])}`);
        for (const [name, count] of this.crowd.outcomes)
            must(/^(served|left|connection broke|broken off|402 insufficient_quota|429 (budget_held|rate_limit_exceeded|too_many_concurrent_requests)|502 upstream_error|503 (store_unavailable|renewal_in_progress|auto_renewal_failed))$/.test(name), `${count} x ${name}`);
    }

    /** Requests the quotas know as settled and the books do not, with the deaths around them. */
    async unbooked(user) {
        const settled = await this.ask('SMEMBERS', `kt:{u:${user}}:settled:${today()}`), found = [];
        for (const id of settled)
            if (!await this.ask('SISMEMBER', `kt:{books}:seen:${today()}`, id))
                found.push(`${id}, deaths ${JSON.stringify(this.deathsAt.filter(death => death.what === id))}`);
        return found.length ? `settled and not booked: ${found}` : 'all that is settled is booked';
    }

    check(instance) {
        try { instance.checkStderr(); } catch (error) { must(false, error.message); }
    }
    async close() {
        this.over = true;
        await this.reading;
        this.crowd.close();
        for (const slot of this.slots) await slot.stop().catch(error => must(false, error.message));
        must(this.world.secrets.hits.length === 0, `secrets in plaintext: ${this.world.secrets.hits[0]}`);
        await this.world.demolish();
    }
}

const proof = new Proof();
const began = Date.now();
console.log(`seed ${option.seed}, ${option.instances} instances${isSanitized ? ' with sanitizers' : ''}, lease ${option.lease} s`);
await proof.open();
try {
    const { redis } = proof.world;
    const parts = given.parts.split(',');
    if (parts.includes('some')) await proof.budgetForSome();
    if (parts.includes('cent')) await proof.lastCent();
    if (parts.includes('deaths')) await proof.deaths();
    if (parts.includes('drops')) await proof.drops();
    if (parts.includes('outage')) {
        await proof.outage('is killed', () => redis.program.end('SIGKILL'), () => redis.start());
        await proof.outage('hangs', () => redis.freeze(), () => redis.thaw());
    }
    await proof.verdicts([...proof.cents ?? [], ...proof.dead ?? []]);
    await proof.judge();
} catch (error) {
    must(false, error.stack);
}
await proof.close().catch(error => must(false, error.message));
console.log(`${((Date.now() - began) / 1000).toFixed(0)} s. ${broken.length ? `${broken.length} invariants broken` : 'every invariant holds'}`);
process.exitCode = broken.length ? 1 : 0;
