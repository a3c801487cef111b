// What keyturn and the simulator say about money, read from Redis and the ledger directly. Nano-USD throughout.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { call, until } from '../e2e/harness.mjs';

/** Writes the configuration and starts keyturns with it. `settings` is YAML, at least a section tiers. */
export async function withSettings(world, settings, { instances = 1, env } = {}) {
    const file = join(world.directory, 'keyturn.yaml');
    writeFileSync(file, settings);
    world.extraEnv = { ...world.extraEnv, KEYTURN_KEYS_DEFAULT_TIER: undefined }; // the file's own
    return Promise.all(Array.from({ length: instances }, () => world.keyturn({ args: ['--config', file], env })));
}

const table = flat => Object.fromEntries(flat.flatMap((name, i) => i % 2 ? [] : [[name, flat[i + 1]]]));
export const month = (date = new Date()) => date.toISOString().slice(0, 7);
export const today = (date = new Date()) => date.toISOString().slice(0, 10);

/** A user's budget as Redis has it: { spent, held, unconfirmed, open, live, unbooked, sums, messages, heldMessages, spentBy }.
 * `open` are holds and what is not booked yet, `live` holds whose lease goes on, `sums` those that hold something, `spentBy` what
 * was spent in each window. `ask` asks Redis. */
export async function budgetOf(ask, user, window = month()) {
    const account = table(await ask('HGETALL', `kt:{u:${user}}:account`)), number = name => Number(account[name] ?? 0);
    const records = Object.values(account).filter(value => /^[LXS]\n/.test(value));
    return {
        spent: number(`spent|${window}`), held: number(`held|${window}`), unconfirmed: number(`unconfirmed|${window}`),
        open: records.length, live: records.filter(record => record[0] === 'L' && Number(record.split('\n')[1]) > Date.now()).length,
        unbooked: records.filter(record => record[0] === 'S').length,
        sums: Object.keys(account).filter(name => /^(held|unconfirmed|messages|live)\|/.test(name) && account[name] !== '0').length,
        spentBy: Object.entries(account).flatMap(([name, value]) => name.startsWith('spent|') ? [Number(value)] : []),
        messages: number(`delivered|${today()}`), heldMessages: number(`messages|${today()}`),
    };
}
/** What is settled of the user's own keys, the last three versions of it. */
export async function settledByKey(ask, user) {
    const account = table(await ask('HGETALL', `kt:{u:${user}}:account`));
    return Object.entries(account).reduce((sum, [name, value]) => sum + (name.startsWith('billed|') ? Number(value) : 0), 0);
}

/** Follows the ledger stream: read() gives what came since the last time. */
export class LedgerReader {
    constructor(ask) { Object.assign(this, { ask, last: '-' }); }
    async read(count = 2000) {
        const entries = await this.ask('XRANGE', 'kt:{books}:ledger', this.last, '+', 'COUNT', count);
        if (entries.length) this.last = `(${entries.at(-1)[0]}`;
        return entries.flatMap(([, fields]) => fields.flatMap((name, i) => i % 2 ? [] : [[name, fields[i + 1]]])).map(([request_id, text]) => {
            const [user, day, model, cost, delivered, prompt, cached, completion, reasoning, version, tier, finished_ms, source] = text.split('\n');
            return { request_id, user, tier, model, day, source, delivered, version, finished_ms, reasoning, cached, cost: Number(cost), prompt: Number(prompt), completion: Number(completion) };
        });
    }
    async readAll() {
        const all = [];
        for (let rows; (rows = await this.read()).length;) all.push(...rows);
        return all;
    }
}

/** How many requests are in the books. */
export const booked = async ask => Number(await ask('HGET', 'kt:{books}:ledger:marks', 'count'));

/** Waits until nothing of the users is held, gives the ledger's rows in order. */
export async function settled(world, users, { within = 30_000, count } = {}) {
    const ask = (...args) => world.redis.ask(...args);
    await until(`nothing is held of ${users.slice(0, 3)}`, async () => {
        for (const user of users) if ((await budgetOf(ask, user)).open) return false;
        return !count || await booked(ask) >= count;
    }, { within, every: 50 });
    await until('the books follow', async () => {
        const spent = (await Promise.all(users.map(user => budgetOf(ask, user)))).reduce((sum, budget) => sum + budget.spent, 0);
        const rows = (await new LedgerReader(ask).readAll()).filter(row => users.includes(row.user));
        return rows.reduce((sum, row) => sum + row.cost, 0) === spent;
    }, { within: 5000, every: 50 });
    return new LedgerReader(ask).readAll();
}

/** What keyturn tells its operator: { requests, cost_nano_usd, ... } of these days together. */
export async function usageTold(world, instance, { from = today(), to = today() } = {}) {
    const answer = await call(instance.admin, 'GET', `/admin/usage?from=${from}&to=${to}&group_by=day`, { token: world.adminKey, agent: false });
    return answer.json?.totals ?? { answer: answer.text };
}

/** The simulator's rows that were let through and billed or could have been. */
export async function upstreamRows(world) {
    return (await world.sim.ledger()).requests.filter(row => row.status === 200);
}
export const sumOf = (rows, field) => rows.reduce((sum, row) => sum + row[field], 0);
