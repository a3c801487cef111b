// What users of other gateways complain of, where money.test.mjs does not answer it already: "#n" is the complaint, the
// words are theirs. docs/complaints.md lists them all.

import assert from 'node:assert/strict';
import { copyFileSync, readdirSync, rmSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { assertFault, bodyOf, inWorld, pause, until } from './harness.mjs';
import { settled, sumOf, upstreamRows, withSettings } from '../proof/figures.mjs';
import { all, budget, COMPLETION, counts, holdOf, PROMPT, standard, tiers, usd } from './plans.mjs';

const body = { ...bodyOf('/v1/chat/completions'), max_tokens: 16 }, hold = holdOf(body, 16);

/** Calls of scripts since the last time this was asked. */
async function scriptCalls(world) {
    const text = await world.redis.ask('INFO', 'commandstats');
    await world.redis.ask('CONFIG', 'RESETSTAT');
    return Number(text.match(/cmdstat_evalsha:calls=(\d+)/)?.[1] ?? 0);
}

function copyTree(from, to) {
    mkdirSync(to, { recursive: true });
    for (const each of readdirSync(from, { withFileTypes: true }))
        if (each.isDirectory()) copyTree(join(from, each.name), join(to, each.name));
        else if (each.isFile()) copyFileSync(join(from, each.name), join(to, each.name));
}

describe('complaints', { concurrency: 2 }, () => {
    test('#7 Redis restarts from an old snapshot, a stale-low counter, free money: OpenRouter\'s own wall holds', inWorld({ instances: 0 }, async world => {
        const limit = 6 * hold, [one] = await withSettings(world, standard({ limit_usd: usd(limit) })), token = await world.service(), as = 'alice';
        const data = join(world.redis.directory, 'appendonlydir'), kept = join(world.directory, 'snapshot');
        assert.equal((await one.chat({ token, as, body })).status, 200);
        await settled(world, [as]);
        await until('it is on disk', async () => /aof_pending_bio_fsync:0/.test(await world.redis.ask('INFO', 'persistence')));
        copyTree(data, kept);
        while ((await one.chat({ token, as, body })).status === 200) await settled(world, [as]);
        const { spent } = await budget(world, as);
        await pause(7000); // the last seconds' settlements are asked again after an outage; this is about older ones
        await world.redis.program.end('SIGKILL');
        rmSync(data, { recursive: true });
        copyTree(kept, data);
        await world.redis.start();
        await until('keyturn is back', async () => (await one.chat({ token, as: 'bob', body })).status === 200, { every: 100 });
        assert.ok((await budget(world, as)).spent < spent, 'the counter is stale');
        for (let i = 0; i < 20; i++) {
            const answer = await one.chat({ token, as, body });
            if (answer.status !== 200) assertFault(answer, 402, 'insufficient_quota');
            await settled(world, [as]);
        }
        const pseudonym = (await world.redis.keyRecord(as)).name.split('/')[2];
        const billed = sumOf((await upstreamRows(world)).filter(row => row.user === pseudonym), 'billed_nano_usd');
        assert.ok(billed <= limit + hold, `billed ${billed} of ${limit}`); // OpenRouter looks before a request: the last may pass it
    }));

    test('#8 the budget never resets: a window is in the counter\'s name, so no job resets it and none can fail', inWorld({ instances: 0 }, async world => {
        const [one] = await withSettings(world, standard({ limit_usd: 1, limit_reset: 'daily' })), token = await world.service(), as = 'alice';
        assert.equal((await one.chat({ token, as, body })).status, 200);
        await until('it is settled', async () => (await budget(world, as)).open === 0);
        const account = `kt:{u:${as}}:account`, dayOf = ago => new Date(Date.now() - ago * 86_400_000).toISOString().slice(0, 10);
        const windows = async () => (await world.redis.ask('HKEYS', account)).filter(name => name.startsWith('spent|')).sort();
        assert.deepEqual(await windows(), [`spent|${dayOf(0)}`]);
        for (let ago = 1; ago <= 6; ago++) await world.redis.ask('HSET', account, `spent|${dayOf(ago)}`, 5e9);
        assert.equal((await one.chat({ token, as, body })).status, 200, 'yesterday is over');
        await world.redis.ask('HSET', account, 'minute|', 0); // the last request was on another day
        assert.equal((await one.chat({ token, as, body })).status, 200);
        assert.deepEqual(await windows(), [3, 2, 1, 0].map(ago => `spent|${dayOf(ago)}`), 'and it goes by itself, long after its last late finisher');
    }));

    test('#12 what is left, and when does it reset? every reply says so, and the user can ask', inWorld({ instances: 0 }, async world => {
        const [one] = await withSettings(world, standard({ limit_usd: usd(3 * hold), messages_per_day: 3 })), token = await world.token('alice');
        const answer = await one.chat({ token, body });
        assert.equal(answer.status, 200);
        const { headers } = answer;
        assert.equal(headers['x-ratelimit-limit-requests'], '3');
        assert.equal(headers['x-ratelimit-remaining-requests'], '2');
        assert.match(headers['x-ratelimit-reset-requests'], /^\d+s$/);
        assert.ok(Number(headers['x-keyturn-budget-remaining-usd']) >= 2 * hold / 1e9);
        await settled(world, ['alice']);
        const { spent } = await budget(world, 'alice'), key = await one.call('GET', '/v1/key', { token });
        assert.equal(Math.round(key.json.data.limit_remaining * 1e9), 3 * hold - spent);
        const me = await one.call('GET', '/v1/me', { token });
        assert.equal(me.status, 200);
        assert.match(JSON.stringify(me.json), new RegExp(`"remaining_nano_usd":${3 * hold - spent}\\b`));
        assert.match(JSON.stringify(me.json), /"reset_at":"\d{4}-\d\d-\d\dT00:00:00(\.000)?Z"/);
        for (let last; (last = await one.chat({ token, body })).status !== 200 || await settled(world, ['alice']);)
            if (last.status !== 200) {
                assert.match(last.json.error.reset_at, /^\d{4}-\d\d-\d\dT00:00:00(\.000)?Z$/);
                break;
            }
    }));

    test('#15 Redis on the hot path: one script before the request leaves or fewer, one after many of a user, and one in the books for many', inWorld({ instances: 0 }, async world => {
        const [one] = await withSettings(world, standard({ limit_usd: 1 })), token = await world.service(), as = 'alice', count = 50;
        for (let i = 0; i < 2; i++) await one.chat({ token, as, body }); // the key, the tier and the token are known now
        await settled(world, [as]);
        await scriptCalls(world);
        const held = await world.sim.fault({ where: 'inference', kind: 'hold' });
        const asked = all(count, () => one.chat({ token, as, body }));
        await until('all wait at OpenRouter', async () => await world.sim.hits(held) === count);
        const before = await scriptCalls(world);
        await world.sim.heal();
        assert.deepEqual(counts(await asked), { 200: count });
        await settled(world, [as]);
        const after = await scriptCalls(world);
        assert.ok(before >= 8 && before <= count + 3, `${before} scripts before ${count} requests left`); // some had their holds ahead; and the sweeper's
        assert.ok(after >= count / 32 && after <= count / 2, `${after} scripts after them`);
    }));

    test('#16 Redis Cluster, CROSSSLOT: all keys of a user are in one slot', inWorld({ instances: 0 }, async world => {
        const [one] = await withSettings(world, standard({ limit_usd: 1, messages_per_day: 9 })), token = await world.token('alice');
        assert.equal((await one.chat({ token, body })).status, 200);
        await settled(world, ['alice']);
        const names = (await world.redis.ask('KEYS', 'kt:*')).filter(name => name.includes('alice'));
        assert.ok(names.length >= 4, names.join(' '));
        assert.deepEqual([...new Set(names.map(name => name.match(/\{[^}]*\}/)?.[0]))], ['{u:alice}']);
    }));

    test('#18 one window is not enough: money by the month, messages by the day, a boost for a while', inWorld({ instances: 0 }, async world => {
        const [one] = await withSettings(world, standard({ limit_usd: usd(2 * hold), messages_per_day: 4 })), token = await world.service(), as = 'alice';
        const user = `kt:u:{u:${as}}`;
        while ((await one.chat({ token, as, body })).status === 200) await settled(world, [as]);
        assertFault(await one.chat({ token, as, body }), 402, 'insufficient_quota');
        await world.redis.ask('HSET', user, 'boost_nano_usd', 10 * hold, 'boost_until_ms', Date.now() + 60_000);
        const answers = [];
        for (let i = 0; i < 4; i++) answers.push(await one.chat({ token, as, body })), await settled(world, [as]);
        assert.equal(answers[0].status, 200, 'the boost pays');
        assertFault(answers.at(-1), 429, 'daily_message_limit_reached');
        await world.redis.ask('HSET', user, 'boost_until_ms', Date.now() - 1, 'o_messages_per_day', 100);
        assertFault(await one.chat({ token, as, body }), 402, 'insufficient_quota');
    }));

    test('#23 budgets over messages and requests, not dollars alone: all axes in one hold, a refusal takes nothing of any', inWorld({ instances: 0 }, async world => {
        const [one] = await withSettings(world, tiers({ Standard: { limit_usd: usd(hold), messages_per_day: 5, requests_per_minute: 100, max_concurrent: 5 } }));
        const token = await world.service(), as = 'alice';
        const first = await one.chat({ token, as, body });
        assert.equal(first.status, 200);
        await settled(world, [as]);
        const before = await budget(world, as);
        for (let i = 0; i < 10; i++) assertFault(await one.chat({ token, as, body: { ...body, max_tokens: 16, model: body.model } }), 402, 'insufficient_quota');
        const after = await budget(world, as);
        assert.deepEqual(after, before, 'ten refusals later');
        assert.equal(after.messages, 1);
        assert.equal(after.spent, 3 * PROMPT + 16 * COMPLETION);
    }));
});
