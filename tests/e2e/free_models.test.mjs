// Free models, end to end: OpenRouter limits them for the whole account, so all users and instances share them. Judged by
// what the simulator was asked.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import OpenAI from 'openai';
import { assertFault, call, inWorld, pause, until } from './harness.mjs';
import { settled, withSettings } from '../proof/figures.mjs';

const FREE = 'deepseek/deepseek-r1:free', PAID = 'openai/gpt-4o';
const MINUTE_MS = 60_000;
const TIERS = `tiers:
  Free:
    key: shared
    limit_usd: 2
    messages_per_day: 500
    models: ["*:free", openrouter/free]
  Paid:
    limit_usd: 5
    models: ["*"]
`;
const limits = fields => `free_models:\n${Object.entries(fields).map(([name, value]) => `  ${name}: ${value}\n`).join('')}`;
const all = (count, run) => Promise.all(Array.from({ length: count }, (_, i) => run(i)));
const fine = answers => answers.filter(answer => answer.status === 200).length;
const left = () => MINUTE_MS - Date.now() % MINUTE_MS;

/** Leaves at least so long of the minute; its beginning is a point in time, nothing that could be asked for. */
async function earlyInTheMinute(ms = 20_000) {
    if (left() < ms) await pause(left() + 200);
}

/** A world whose Free tier runs on a shared key the simulator knows. */
const freeWorld = (settings, instances, body) => inWorld({ instances: 0, env: { KEYTURN_KEYS_DEFAULT_TIER: 'Free' } }, async world => {
    const made = await call(world.sim.url, 'POST', '/api/v1/keys', { token: world.managementKey, body: { name: 'shared' } });
    world.extraEnv = { ...world.extraEnv, OPENROUTER_API_KEY: world.secrets.plant('shared key', made.json.key) };
    const servers = await withSettings(world, limits(settings) + TIERS, { instances });
    const users = ['alice', 'bob'], tokens = [];
    for (const user of users) tokens.push(await world.token(user, '--tier', 'Free'));
    await body({
        world, servers, users, tokens,
        ask: (i, server = 0, model = FREE) => servers[server].chat({ token: tokens[i], body: { model } }),
        reached: async () => (await world.sim.ledger()).requests.filter(row => row.model === FREE && row.status === 200).length,
    });
});
const refusedByOpenRouter = (text, resetMs) => JSON.stringify({ error: { code: 429, message: `Rate limit exceeded: ${text}`, metadata: {
    headers: { 'X-RateLimit-Limit': '20', 'X-RateLimit-Remaining': '0', 'X-RateLimit-Reset': `${resetMs}` } } } });

describe('the account\'s free requests', { concurrency: 1 }, () => {
    test('two users at the limit, over two instances: each gets its half, and OpenRouter sees no more than the limit', freeWorld({}, 2, async ({ world, users, ask, reached }) => {
        await earlyInTheMinute();
        assert.equal(fine([await ask(0), await ask(1, 1)]), 2);
        const answers = await all(60, i => ask(i % 2, (i >> 1) % 2)), granted = [0, 1].map(user => fine(answers.filter((_, i) => i % 2 === user)) + 1);
        assert.deepEqual(granted, [10, 10]);
        assert.equal(await reached(), 20);

        const refusal = await ask(0), { error } = refusal.json, after = Number(refusal.headers['retry-after']);
        assertFault(refusal, 429, 'rate_limit_exceeded');
        assert.match(error.message, /limit of the whole account \(20 requests per minute\) is used up; your share is 10\..*The tier Paid has models without that limit\./);
        assert.deepEqual([error.type, error.limit, error.share, error.remaining], ['rate_limit_error', 20, 10, 0]);
        assert.ok(Math.abs(Date.parse(error.reset_at) - Date.now() - left()) < 3000, error.reset_at);
        assert.ok(after >= 1 && after <= 60 && Math.abs(after * 1000 - left()) < 5000, `retry-after ${after}, ${left()} ms left`);
        assert.equal(refusal.headers['x-should-retry'], undefined);

        const paying = await world.token('carol', '--tier', 'Paid');
        assert.equal((await world.instances[1].chat({ token: paying, body: { model: PAID } })).status, 200, 'paid models have no such limit');
        assertFault(await world.instances[1].chat({ token: paying, body: { models: [PAID, FREE] } }), 429, 'rate_limit_exceeded');

        await settled(world, users);
        for (const user of users) assert.equal(await world.redis.ask('HGET', `kt:{u:${user}}:account`, `delivered|${new Date().toISOString().slice(0, 10)}`), '10', 'a refused one uses no message');
        const metrics = await world.one.metrics(), other = await world.instances[1].metrics();
        const count = (verdict, window) => [metrics, other].reduce((sum, page) => sum + (page[`keyturn_free_model_requests_total{verdict="${verdict}",window="${window}"}`] ?? 0), 0);
        assert.equal(count('granted', 'minute'), 20);
        assert.equal(count('spent', 'minute') + count('share_spent', 'minute'), 44);
    }));

    test('who was too late in one minute has a share of the next, however quick the other is', freeWorld({ requests_per_minute: 6 }, 2, async ({ world, ask, reached }) => {
        await earlyInTheMinute();
        assert.equal(fine(await all(10, i => ask(0, i % 2))), 6);
        assertFault(await ask(1), 429, 'rate_limit_exceeded');
        await world.redis.ask('HINCRBY', 'kt:{free}:minute', 'starts', -MINUTE_MS); // a minute goes by: that one is the one before
        assert.equal(fine(await all(10, i => ask(0, i % 2))), 3);
        assert.match((await ask(0)).json.error.message, /your share of 3 is used up/);
        assert.equal(fine(await all(5, i => ask(1, i % 2))), 3);
        assert.equal(await reached(), 12);
    }));

    test('a day that is used up: the official client sees when it comes back, and does not try again', freeWorld({ requests_per_day: 3 }, 2, async ({ servers, tokens, ask, reached }) => {
        assert.equal(fine(await all(9, i => ask(i % 2, (i >> 1) % 2))), 3);
        const heads = [], client = new OpenAI({ baseURL: `${servers[0].base}/v1`, apiKey: tokens[0], fetch: async (...args) => {
            const response = await fetch(...args);
            heads.push(response.headers);
            return response;
        } });
        const error = await client.chat.completions.create({ model: FREE, messages: [{ role: 'user', content: 'hello' }] }).then(() => assert.fail('answered'), caught => caught);
        assert.ok(error instanceof OpenAI.RateLimitError, `${error}`);
        assert.deepEqual([error.status, error.code, error.type], [429, 'rate_limit_exceeded', 'rate_limit_error']);
        assert.match(error.message, /\(3 requests per day\)/);
        assert.match(error.error.reset_at, /T00:00:00Z$/);
        assert.deepEqual([error.error.limit, error.error.remaining], [3, 0]);
        assert.equal(heads.length, 1, 'it asked once');
        assert.deepEqual([heads[0].get('x-should-retry'), heads[0].get('retry-after')], ['false', null]);
        assert.equal(await reached(), 3);
    }));

    test('what OpenRouter refuses to one is closed to all, on every instance, until it says; paid models go on', freeWorld({}, 2, async ({ world, ask }) => {
        const paying = await world.token('carol', '--tier', 'Paid');
        for (const [text, again] of [['free-models-per-min.', undefined], ['free-models-per-day-high-balance.', 'false']]) {
            const resetMs = Date.now() + 4000, answers = [];
            const fault = await world.sim.fault({ where: 'inference', kind: 'status', status: 429, times: 1, body: refusedByOpenRouter(text, resetMs) });
            answers.push(await ask(0, 0), await ask(1, 1), await ask(0, 1));
            assert.equal(await world.sim.hits(fault), 1, 'OpenRouter was asked once');
            assert.equal((await world.instances[1].chat({ token: paying, body: { model: PAID } })).status, 200);
            assert.ok(Date.now() < resetMs, 'in time');
            for (const answer of answers) {
                assertFault(answer, 429, 'rate_limit_exceeded');
                assert.match(answer.json.error.message, /^OpenRouter says that/);
                assert.equal(answer.headers['x-should-retry'], again);
                assert.equal(Math.floor(resetMs / 1000) * 1000, Date.parse(answer.json.error.reset_at));
            }
            await until('it is open again', async () => (await ask(1, 1)).status === 200);
            assert.ok(Date.now() >= resetMs - 50, 'and not before');
        }
    }));

    test('a provider that is busy closes nothing, and no second try is made', freeWorld({}, 1, async ({ world, ask }) => {
        const fault = await world.sim.fault({ where: 'inference', kind: 'status', text: 'provider_429', times: 1 });
        assert.equal((await ask(0)).status, 429);
        assert.equal(await world.sim.hits(fault), 1);
        assert.equal((await ask(0)).status, 200);
        assert.equal(await world.redis.ask('HGET', 'kt:{free}:minute', 'used'), '2');
        assert.equal(await world.redis.ask('HGET', 'kt:{free}:minute', 'closed_until'), null);
    }));

    test('requests that name no free model never ask for one', freeWorld({ requests_per_minute: 0 }, 1, async ({ world, ask }) => {
        const paying = await world.token('carol', '--tier', 'Paid');
        assert.equal((await world.one.chat({ token: paying, body: { model: PAID } })).status, 200);
        assert.equal(await world.redis.ask('EXISTS', 'kt:{free}:minute', 'kt:{free}:day'), 0);
        assertFault(await ask(0), 429, 'rate_limit_exceeded');
    }));
});
