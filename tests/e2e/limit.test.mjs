// The second wall, end to end: a key's own limit at OpenRouter is raised when it refuses what the ledger lets through, and
// stands when our counters are what is wrong. The simulator lets a key spend until its limit is met or passed.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { assertFault, bodyOf, inWorld, pause, until } from './harness.mjs';
import { month, settled, withSettings } from '../proof/figures.mjs';
import { budget, COMPLETION, holdOf, PROMPT, standard, tiers, usd } from './plans.mjs';

const TOKENS = 16, COST = 3 * PROMPT + TOKENS * COMPLETION;
const DAY_MS = 24 * 3600 * 1000;

const body = { ...bodyOf('/v1/chat/completions'), max_tokens: TOKENS };
const HOLD = holdOf(body, TOKENS); // what must be left for a whole answer
const userKey = user => `kt:u:{u:${user}}`;

const spentOf = async (world, user) => (await budget(world, user)).spent;

/** One request to its end, its settlement included. */
async function ask(world, instance, token, as) {
    const answer = await instance.chat({ token, as, body });
    await until('it is settled', async () => (await budget(world, as)).open === 0);
    return answer;
}
async function assertLetThrough(world, instance, token, as, count) {
    for (let i = 0; i < count; i++) {
        const answer = await ask(world, instance, token, as);
        assert.equal(answer.status, 200, `request ${i}: ${answer.text}`);
        assert.equal(answer.headers['x-keyturn-renewed'], undefined);
    }
}
async function theKey(world) {
    const kept = await world.sim.keysKept();
    assert.equal(kept.length, 1);
    return kept[0];
}
const patches = async world => (await world.sim.totals()).patches_keys;
/** As many requests as the tier's budget pays for: the next one is refused by the ledger. */
async function spendAll(world, instance, token, as) {
    for (let i = 0; i < 50; i++) {
        const answer = await ask(world, instance, token, as);
        if (answer.status === 402) return i;
        assert.equal(answer.status, 200, answer.text);
    }
    throw new Error('the budget has no end');
}
const loseCounters = (world, user) => world.redis.ask('HDEL', `kt:{u:${user}}:account`, `spent|${month()}`);

describe("the key's own limit", { concurrency: 2 }, () => {
    test('a tier that may go over its budget has keys without a limit', inWorld({ instances: 0 }, async world => {
        const [one] = await withSettings(world, standard({ limit_usd: usd(HOLD), overage: 'allow' })), token = await world.service(), as = 'alice';
        await ask(world, one, token, as);
        await assertLetThrough(world, one, token, as, 6);
        assert.equal((await theKey(world)).limit_nano_usd ?? null, null);
        assert.ok(await spentOf(world, as) > HOLD, 'it is counted all the same');
    }));

    test('a higher tier, an override and a boost each raise it once, when it is met; a lower tier leaves it', inWorld({ instances: 0 }, async world => {
        const small = HOLD + 2 * COST, large = small + 6 * COST;
        const [one] = await withSettings(world, tiers({ Standard: { limit_usd: usd(small) }, Pro: { limit_usd: usd(large) } }));
        const token = await world.service(), as = 'alice';
        await spendAll(world, one, token, as);
        assert.equal((await theKey(world)).limit_nano_usd, small);
        assert.equal(await patches(world), 0, 'the ledger refuses first');

        await world.redis.ask('HSET', userKey(as), 'tier', 'Pro');
        await assertLetThrough(world, one, token, as, 3);
        assert.equal((await theKey(world)).limit_nano_usd, large);
        assert.equal(await patches(world), 1);
        const record = await world.redis.keyRecord(as);
        assert.deepEqual([record.limit_nano_usd, record.limit_reset, record.version, record.auto_renewed], [`${large}`, 'monthly', '1', '0']);

        await spendAll(world, one, token, as);
        await world.redis.ask('HSET', userKey(as), 'o_limit_nano_usd', large + 4 * COST);
        await assertLetThrough(world, one, token, as, 3);
        assert.deepEqual([(await theKey(world)).limit_nano_usd, await patches(world)], [large + 4 * COST, 2]);

        await spendAll(world, one, token, as);
        await world.redis.ask('HSET', userKey(as), 'boost_nano_usd', 4 * COST, 'boost_until_ms', Date.now() + DAY_MS);
        await assertLetThrough(world, one, token, as, 3);
        assert.deepEqual([(await theKey(world)).limit_nano_usd, await patches(world)], [large + 8 * COST, 3]);

        await world.redis.ask('HDEL', userKey(as), 'o_limit_nano_usd', 'boost_nano_usd', 'boost_until_ms');
        await world.redis.ask('HSET', userKey(as), 'tier', 'Standard');
        assertFault(await ask(world, one, token, as), 402, 'insufficient_quota');
        assert.deepEqual([(await theKey(world)).limit_nano_usd, await patches(world)], [large + 8 * COST, 3]);
        assert.equal(await spentOf(world, as), (await theKey(world)).billed_nano_usd, 'the books are the bill');
    }));

    test('a tier without a limit, and one with another window', inWorld({ instances: 0 }, async world => {
        const small = HOLD + COST;
        const [one] = await withSettings(world, tiers({ Standard: { limit_usd: usd(small) }, Daily: { limit_usd: usd(8 * COST), limit_reset: 'daily' }, Open: {} }));
        const token = await world.service(), as = 'alice';
        await spendAll(world, one, token, as);
        await world.redis.ask('HSET', userKey(as), 'tier', 'Daily'); // whose ledger begins anew
        await assertLetThrough(world, one, token, as, 4);
        let key = await theKey(world);
        assert.deepEqual([key.limit_nano_usd, key.limit_reset], [8 * COST, 'daily']);
        await world.redis.ask('HSET', userKey(as), 'tier', 'Open');
        await assertLetThrough(world, one, token, as, 10);
        key = await theKey(world);
        assert.deepEqual([key.limit_nano_usd, key.limit_reset], [null, null]);
        assert.equal(await patches(world), 2);
        assert.equal((await world.redis.keyRecord(as)).limit_nano_usd, '-1');
    }));

    test('counters are lost: OpenRouter bounds the user by one full amount, and nothing is raised', inWorld({ instances: 0 }, async world => {
        const limit = HOLD + 3 * COST, instances = await withSettings(world, tiers({ Standard: { limit_usd: usd(limit) } }), { instances: 2 });
        const token = await world.service(), as = 'alice';
        await spendAll(world, instances[0], token, as);
        let refused = 0;
        for (let i = 0; i < 12; i++) {
            await loseCounters(world, as);
            const answer = await instances[i % 2].chat({ token, as, body });
            assert.ok([200, 402].includes(answer.status), answer.text);
            if (answer.status === 402) assertFault(answer, 402, 'insufficient_quota', ++refused);
        }
        assert.ok(refused >= 8, `${refused} of 12`);
        const key = await theKey(world);
        assert.deepEqual([key.limit_nano_usd, await patches(world), await world.sim.keysMade()], [limit, 0, 1]);
        assert.ok(key.billed_nano_usd < limit + COST, `${key.billed_nano_usd} of ${limit}`);
        assert.ok(instances.some(instance => instance.logs(/were some lost/).length > 0), 'the operator is told');
    }));

    test('what a renewal carried is too little in the next period: it is raised to the full amount', inWorld({ instances: 0 }, async world => {
        const limit = HOLD + 7 * COST, [one] = await withSettings(world, tiers({ Standard: { limit_usd: usd(limit), expires_after: '3650d' } }));
        const token = await world.service(), as = 'alice';
        for (let i = 0; i < 5; i++) assert.equal((await ask(world, one, token, as)).status, 200);
        await world.sim.expireKey({ hash: (await theKey(world)).hash });
        const renewed = await ask(world, one, token, as);
        assert.deepEqual([renewed.status, renewed.headers['x-keyturn-renewed']], [200, 'true']);
        const carried = limit - 5 * COST, key = (await world.sim.keysKept()).find(row => !row.expired);
        assert.equal(key.limit_nano_usd, carried);

        const next = new Date(); // there and here the next month begins
        next.setUTCMonth(next.getUTCMonth() + 1, 2);
        await world.sim.set({ clock_offset_ms: next - Date.now() });
        await loseCounters(world, as);
        for (let i = 0; i < 6; i++) {
            const answer = await one.chat({ token, as, body });
            assert.equal(answer.status, 200, `request ${i} of the next period: ${answer.text}`);
        }
        const after = (await world.sim.keysKept()).find(row => row.hash === key.hash);
        assert.deepEqual([after.limit_nano_usd, after.limit_reset, await patches(world)], [limit, 'monthly', 1]);
    }));

    test('met by many at once on three instances: one PATCH, and all go on', inWorld({ instances: 0 }, async world => {
        const small = HOLD + COST, instances = await withSettings(world, tiers({ Standard: { limit_usd: usd(small) }, Pro: { limit_usd: 1 } }), { instances: 3 });
        const token = await world.service(), as = 'alice';
        await spendAll(world, instances[0], token, as);
        await world.redis.ask('HSET', userKey(as), 'tier', 'Pro');
        for (let spent = 0; spent < small;) { // now the key's limit is met
            assert.equal((await ask(world, instances[1], token, as)).status, 200);
            spent = (await theKey(world)).billed_nano_usd;
        }
        assert.equal(await patches(world), 0);
        const answers = await Promise.all(Array.from({ length: 60 }, (_, i) => instances[i % 3].chat({ token, as, body, stream: i % 2 === 0 })));
        assert.deepEqual(answers.filter(answer => answer.status !== 200).map(answer => answer.text), []);
        assert.deepEqual([(await theKey(world)).limit_nano_usd, await patches(world), await world.sim.keysMade()], [1e9, 1, 1]);
        await settled(world, [as]);
        assert.equal(await spentOf(world, as), (await theKey(world)).billed_nano_usd);
    }));

    test('the management API is in trouble: 503 that says when to come back, then it is raised', inWorld({ instances: 0 }, async world => {
        const small = HOLD + COST, [one] = await withSettings(world, tiers({ Standard: { limit_usd: usd(small) }, Pro: { limit_usd: 1 } }));
        const token = await world.service(), as = 'alice';
        await spendAll(world, one, token, as);
        await world.redis.ask('HSET', userKey(as), 'tier', 'Pro');
        while ((await theKey(world)).billed_nano_usd < small) assert.equal((await ask(world, one, token, as)).status, 200);
        for (const order of [{ where: 'patch', kind: 'status', status: 500 }, { where: 'patch', kind: 'status', status: 429 }, { where: 'get', kind: 'html_502' }]) {
            await world.sim.fault(order);
            const answer = await ask(world, one, token, as);
            assertFault(answer, 503, 'auto_renewal_failed', JSON.stringify(order));
            assert.ok(Number(answer.headers['retry-after']) >= 1);
            await world.sim.heal();
            await pause(2100); // what was found out holds for two seconds
        }
        assert.equal((await theKey(world)).limit_nano_usd, small);
        await world.sim.fault({ where: 'patch', kind: 'lost_reply', times: 1 });
        await assertLetThrough(world, one, token, as, 2);
        assert.equal((await theKey(world)).limit_nano_usd, 1e9);
    }));
});
