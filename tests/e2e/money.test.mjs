// Money, end to end: what is admitted, what is booked, and that both are what OpenRouter bills. Judged by the simulator's
// ledger. Tests named "#n" answer a complaint that users of other gateways made; the words are the complaint's.

import assert from 'node:assert/strict';
import { mkdirSync, statSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { assertFault, bodyOf, call, events, inWorld, isSanitized, pause, until } from './harness.mjs';
import { booked, settled, sumOf, upstreamRows, usageTold, withSettings } from '../proof/figures.mjs';
import { Relay } from '../proof/relay.mjs';
import { all, budget, COMPLETION, counts, FREE, holdOf, MODEL, PROMPT, standard, tiers, usd } from './plans.mjs';

const HELLO = [{ role: 'user', content: 'hello' }];
const BOUND_MS = isSanitized ? 1500 : 250; // what a refusal may take

/** Makes the users and their keys, with a request that costs nothing. */
async function warm(instance, token, users) {
    for (const as of users) {
        const answer = await instance.chat({ token, as, body: { model: FREE } });
        assert.equal(answer.status, 200, answer.text);
    }
}
/** A whole round of requests, of which those let through wait at the upstream until all others have their answer. */
async function round(world, count, admitted, ask) {
    const held = await world.sim.fault({ where: 'inference', kind: 'hold' });
    const before = (await world.sim.totals()).inference_ok;
    let refused = 0;
    const asked = all(count, i => ask(i).then(answer => { if (answer.status !== 200) refused++; return answer; }));
    await until(`${count - admitted} are refused`, () => refused >= count - admitted, { within: 30_000 });
    await until(`${admitted} wait at the upstream`, async () => {
        assert.equal(refused, count - admitted, 'no more are refused');
        return await world.sim.hits(held) >= admitted;
    }, { within: 20_000 });
    await pause(200); // any more than that would come now
    await world.sim.heal();
    const answers = await asked;
    return { answers, reached: (await world.sim.totals()).inference_ok - before, refusals: answers.filter(answer => answer.status !== 200) };
}
/** What each user was billed upstream, by the pseudonym in the name of the user's key. */
async function bills(world, users) {
    const rows = await upstreamRows(world);
    return Promise.all(users.map(async user => {
        const pseudonym = (await world.redis.keyRecord(user)).name.split('/')[2];
        return sumOf(rows.filter(row => row.user === pseudonym), 'billed_nano_usd');
    }));
}
async function assertBooksAreTheBill(world, users, options) {
    const rows = await settled(world, users, options);
    assert.equal(new Set(rows.map(row => row.request_id)).size, rows.length, 'each request is booked once');
    const told = await bills(world, users), spent = (await all(users.length, i => budget(world, users[i]))).map(({ spent }) => spent);
    assert.deepEqual(spent, told, 'spent is what was billed, for each user');
    return rows;
}

describe('admission', { concurrency: 1 }, () => {
    test('#1 concurrent requests pass the same budget check: 1,000 at once over 4 instances, budget for 37, exactly 37 admitted', inWorld({ instances: 0 }, async world => {
        const body = { ...bodyOf('/v1/chat/completions'), max_tokens: 16 }, hold = holdOf(body, 16);
        const instances = await withSettings(world, standard({ limit_usd: usd(37 * hold + hold - 1) }), { instances: 4 });
        const token = await world.service(), as = 'alice';
        await warm(instances[0], token, [as]);
        const { answers, reached, refusals } = await round(world, 1000, 37, i => instances[i % 4].chat({ token, as, body }));
        assert.deepEqual(counts(answers), { 200: 37, budget_held: 963 });
        assert.equal(reached, 37, 'and no other reached OpenRouter');
        assertFault(refusals[0], 429, 'budget_held');
        assert.ok(Number(refusals[0].headers['retry-after']) >= 1);
        const rows = await assertBooksAreTheBill(world, [as]);
        assert.equal(rows.filter(row => row.cost > 0).length, 37);
        assert.equal((await instances[3].chat({ token, as, body })).status, 200, 'what the 37 did not use is there again');
    }));

    test('#1 the same on one instance, which has holds ahead for who is as busy as that', inWorld({ instances: 0 }, async world => {
        const body = { ...bodyOf('/v1/chat/completions'), max_tokens: 16 }, hold = holdOf(body, 16);
        const [instance] = await withSettings(world, standard({ limit_usd: usd(97 * hold + hold - 1) }));
        const token = await world.service(), as = 'alice';
        await warm(instance, token, [as]);
        const { answers } = await round(world, 300, 97, () => instance.chat({ token, as, body }));
        assert.deepEqual(counts(answers), { 200: 97, budget_held: 203 });
        await assertBooksAreTheBill(world, [as]);
    }));

    test('#1 the same for messages per day; a refused one uses no message', inWorld({ instances: 0 }, async world => {
        const instances = await withSettings(world, standard({ messages_per_day: 25 }), { instances: 4 });
        const token = await world.service(), as = 'alice';
        assert.equal((await instances[0].chat({ token, as, path: '/v1/embeddings' })).status, 200); // which is no message
        const { answers, reached, refusals } = await round(world, 200, 25, i => instances[i % 4].chat({ token, as }));
        assert.deepEqual(counts(answers), { 200: 25, daily_message_limit_reached: 175 });
        assert.equal(reached, 25);
        assertFault(refusals[0], 429, 'daily_message_limit_reached');
        assert.equal(refusals[0].headers['x-should-retry'], 'false');
        assert.match(refusals[0].json.error.reset_at, /T00:00:00/);
        await settled(world, [as]);
        assert.equal((await budget(world, as)).messages, 25);
        assertFault(await instances[2].chat({ token, as }), 429, 'daily_message_limit_reached');
    }));

    test('requests per minute, over 4 instances; the reply says when to come back', inWorld({ instances: 0 }, async world => {
        const instances = await withSettings(world, standard({ requests_per_minute: 10 }), { instances: 4 });
        const token = await world.service(), as = 'alice';
        const left = () => 60_000 - Date.now() % 60_000;
        if (left() < 15_000) await pause(left() + 200);
        const answers = await all(60, i => instances[i % 4].chat({ token, as }));
        assert.deepEqual(counts(answers), { 200: 10, rate_limit_exceeded: 50 });
        const refusal = answers.find(answer => answer.status === 429), after = Number(refusal.headers['retry-after']);
        assert.ok(after >= 1 && after <= 60 && Math.abs(after * 1000 - left()) < 5000, `retry-after ${after}, ${left()} ms left`);
        assert.equal((await instances[0].chat({ token, as: 'bob' })).status, 200, 'others are not concerned');
    }));

    test('#22 per-user concurrency: as many as the tier says, a retryable code, and other users go on', inWorld({ instances: 0 }, async world => {
        const instances = await withSettings(world, standard({ max_concurrent: 3 }), { instances: 2 });
        const token = await world.service(), as = 'alice';
        await warm(instances[0], token, [as, 'bob']);
        const { answers, reached, refusals } = await round(world, 30, 3, i => instances[i % 2].chat({ token, as }));
        assert.deepEqual(counts(answers), { 200: 3, too_many_concurrent_requests: 27 });
        assert.equal(reached, 3);
        assert.ok(Number(refusals[0].headers['retry-after']) >= 1);
        await settled(world, [as]);
        assert.deepEqual(counts(await all(3, i => instances[i % 2].chat({ token, as }))), { 200: 3 }, 'a request that ended gives its place back');
        const held = await world.sim.fault({ where: 'inference', kind: 'hold' });
        const asked = all(4, i => instances[i % 2].chat({ token, as: i < 3 ? as : 'bob' }));
        await until('bob is let through beside them', async () => await world.sim.hits(held) === 4);
        await world.sim.heal();
        assert.deepEqual(counts(await asked), { 200: 4 });
    }));

    test('near the end of the budget the answer gets shorter, not the user an error; then 402 says what is left and when it resets (#12)', inWorld({ instances: 0 }, async world => {
        const body = { ...bodyOf('/v1/chat/completions'), max_tokens: 500 }, fits = 40, limit = holdOf(body, fits) + COMPLETION / 2;
        const [one] = await withSettings(world, standard({ limit_usd: usd(limit), max_output_tokens: 500 }));
        const token = await world.service(), as = 'alice';
        const first = await one.chat({ token, as, body });
        assert.equal(first.status, 200, first.text);
        assert.equal(first.json.usage.completion_tokens, fits, 'max_tokens is what the budget pays for');
        const [row] = await upstreamRows(world);
        assert.deepEqual([row.completion_tokens, row.billed_nano_usd], [fits, 3 * PROMPT + fits * COMPLETION]);
        await assertBooksAreTheBill(world, [as]);
        for (let tokens = fits; tokens >= 16;) { // each answer is shorter, until not even 16 tokens fit
            const answer = await one.chat({ token, as, body });
            await settled(world, [as]);
            if (answer.status === 402) break;
            assert.equal(answer.status, 200, answer.text);
            assert.ok(answer.json.usage.completion_tokens < tokens);
            tokens = answer.json.usage.completion_tokens;
        }
        const refusal = await one.chat({ token, as, body }), { spent } = await budget(world, as);
        assertFault(refusal, 402, 'insufficient_quota');
        assert.equal(refusal.headers['x-should-retry'], 'false');
        assert.ok(spent <= limit && spent + holdOf(body, 16) > limit, 'not a cent more, and not refused too early');
        assert.deepEqual([refusal.json.error.limit_nano_usd, refusal.json.error.remaining_nano_usd], [limit, limit - spent]);
        const reset = new Date(refusal.json.error.reset_at);
        assert.deepEqual([reset.getUTCDate(), reset.getUTCHours(), reset > new Date()], [1, 0, true]);
    }));

    test('a user\'s own limit on a tier without one: the answer gets shorter all the same', inWorld({ instances: 0 }, async world => {
        const body = { ...bodyOf('/v1/chat/completions'), max_tokens: 500 }, fits = 40;
        const [one] = await withSettings(world, standard({ limit_usd: -1, max_output_tokens: 500 })), token = await world.service(), as = 'alice';
        await warm(one, token, [as]);
        await world.redis.ask('HSET', `kt:u:{u:${as}}`, 'o_limit_nano_usd', holdOf(body, fits));
        const answer = await one.chat({ token, as, body });
        assert.equal(answer.status, 200, answer.text);
        assert.equal(answer.json.usage.completion_tokens, fits, 'max_tokens is what the limit pays for');
        await assertBooksAreTheBill(world, [as]);
    }));

    test('the shared key meets its own limit: that is the operator\'s to mend, not the user\'s budget', inWorld({ instances: 0 }, async world => {
        const key = await call(world.sim.origin, 'POST', '/api/v1/keys', { token: world.managementKey, body: { name: 'shared', limit: 0.0001 } });
        assert.equal(key.status, 201, key.text);
        const [one] = await withSettings(world, standard({ limit_usd: 1, key: 'shared' }), { env: { OPENROUTER_API_KEY: key.json.key } }), token = await world.service();
        let answer;
        for (let i = 0; i < 5; i++) answer = await one.chat({ token, as: 'alice' });
        assertFault(answer, 503, 'out_of_credits');
        assert.ok(one.logs(/OPENROUTER_API_KEY has met its own limit/).length);
    }));

    test('#4 money says 0 or nonsense: a cost above its hold is booked whole, shows as debt, and the next is refused', inWorld({ instances: 0 }, async world => {
        const instances = await withSettings(world, standard({ limit_usd: '0.00001', unknown_model_hold_usd: '0.0000001' }), { instances: 2 });
        const token = await world.service(), as = 'alice', body = { model: 'nobody/knows-the-price', messages: HELLO };
        const answer = await instances[0].chat({ token, as, body });
        assert.equal(answer.status, 200, answer.text);
        await assertBooksAreTheBill(world, [as]);
        const { spent } = await budget(world, as);
        assert.ok(spent > 10_000, `${spent}`);
        for (const model of [body.model, FREE]) {
            const refusal = await instances[1].chat({ token, as, body: { model } });
            assertFault(refusal, 402, 'insufficient_quota');
            assert.ok(refusal.json.error.remaining_nano_usd <= 0);
        }
    }));

    test('#1 another instance feels a new tier, a boost and a disabled user with the next request', inWorld({ instances: 0 }, async world => {
        const body = { ...bodyOf('/v1/chat/completions'), max_tokens: 16 }, hold = holdOf(body, 16), cost = 3 * PROMPT + 16 * COMPLETION;
        const instances = await withSettings(world, tiers({ Standard: { limit_usd: usd(hold), models: '[openai/*]' }, Pro: { limit_usd: 1 } }), { instances: 3 });
        const token = await world.service(), as = 'alice', user = `kt:u:{u:${as}}`;
        const each = async (...expected) => {
            const answers = [];
            for (const instance of instances) { answers.push(await instance.chat({ token, as, body })); await settled(world, [as]); }
            assert.deepEqual(answers.map(answer => answer.json.error?.code ?? answer.headers['x-keyturn-tier']), expected);
            return answers;
        };
        await world.redis.ask('HSET', user, 'status', 'active', 'tier', 'Pro'); // the key is made with the limit of this tier
        await warm(instances[0], token, [as]);
        await world.redis.ask('HSET', user, 'tier', 'Standard');
        await each('Standard', 'insufficient_quota', 'insufficient_quota');
        await world.redis.ask('HSET', user, 'boost_nano_usd', cost, 'boost_until_ms', Date.now() + 60_000);
        await each('Standard', 'insufficient_quota', 'insufficient_quota');
        await world.redis.ask('HSET', user, 'tier', 'Pro');
        await each('Pro', 'Pro', 'Pro');
        for (const instance of instances) assert.equal((await instance.chat({ token, as, body: { model: 'sim/echo' } })).status, 200);
        await world.redis.ask('HSET', user, 'tier', 'Standard');
        await each('insufficient_quota', 'insufficient_quota', 'insufficient_quota');
        for (const instance of instances) assertFault(await instance.chat({ token, as, body: { model: 'sim/echo' } }), 403, 'model_not_allowed');
        await world.redis.ask('HSET', user, 'tier', 'Pro', 'status', 'disabled');
        await each('user_disabled', 'user_disabled', 'user_disabled');
        await world.redis.ask('HSET', user, 'status', 'active', 'o_limit_nano_usd', '1');
        await each('insufficient_quota', 'insufficient_quota', 'insufficient_quota');
    }));

    test('#17 the key limit at OpenRouter is kept after the user got a higher one: budget is there, yet every request is refused', inWorld({ instances: 0 }, async world => {
        const body = { ...bodyOf('/v1/chat/completions'), max_tokens: 16 }, hold = holdOf(body, 16);
        const [one] = await withSettings(world, tiers({ Standard: { limit_usd: usd(hold) }, Pro: { limit_usd: 1 } })), token = await world.service(), as = 'alice';
        for (let i = 0; i < 2; i++) await one.chat({ token, as, body }).then(() => settled(world, [as]));
        await world.redis.ask('HSET', `kt:u:{u:${as}}`, 'tier', 'Pro');
        for (let i = 0; i < 5; i++) {
            const answer = await one.chat({ token, as, body });
            assert.equal(answer.status, 200, `request ${i} after the change: ${answer.text}`);
        }
        await assertBooksAreTheBill(world, [as]);
    }));
});

describe('booking', { concurrency: 2 }, () => {
    test('#2 budget counted N times by N pods: 4 instances, and the sum is the bill', inWorld({ instances: 0 }, async world => {
        const instances = await withSettings(world, standard({ limit_usd: 1 }), { instances: 4 });
        const token = await world.service(), users = ['alice', 'bob', 'carol'];
        const answers = await all(300, i => instances[i % 4].chat({ token, as: users[i % 3], stream: i % 2 === 0, body: { max_tokens: 1 + i % 50 } }));
        assert.deepEqual(counts(answers), { 200: 300 });
        const rows = await assertBooksAreTheBill(world, users, { count: 300 });
        assert.deepEqual([rows.length, new Set(rows.map(row => row.source)).size], [300, 1]);
        const told = await usageTold(world, instances[0]);
        assert.deepEqual([told.cost_nano_usd, told.requests], [sumOf(rows, 'cost'), 300], 'the operator is told the same');
    }));

    const routes = ['/v1/chat/completions', '/v1/completions', '/v1/responses', '/v1/messages', '/v1/embeddings'];
    const forms = [['as usual', {}], ['the cost as 3e-7', { cost_exponent: true }], ['no cost in the usage', { cost_missing: true }],
        ['an Anthropic stream with its cost', { messages_stream_cost: true }], ['usage beside a choice', { usage_form: 'with_choice' }],
        ['every byte on its own', { split_bytes: 1 }], ['a provider key of the account\'s own (byok)', { byok: true }]];
    for (const [what, settings] of forms)
        test(`#4 money says 0 or nonsense for OpenRouter: each route, JSON and stream; ${what}`, inWorld({ instances: 0 }, async world => {
            const [one] = await withSettings(world, standard({ limit_usd: 1 })), token = await world.service();
            await world.sim.set(settings);
            const asks = routes.flatMap(path => [false, true].map(stream => ({ path, stream }))).filter(ask => !(ask.stream && ask.path.endsWith('embeddings')));
            const users = asks.map(({ path, stream }) => `${path.slice(4).replaceAll('/', '-')}${stream ? '-stream' : ''}`);
            for (const [i, ask] of asks.entries()) {
                const cap = ask.path.endsWith('responses') ? { max_output_tokens: 2 } : ask.path.endsWith('embeddings') ? {} : { max_tokens: 2 };
                const answer = await one.chat({ token, as: users[i], ...ask, body: cap });
                assert.equal(answer.status, 200, answer.text);
            }
            const rows = await settled(world, users, { count: asks.length }), upstream = await upstreamRows(world);
            for (const [i, user] of users.entries()) {
                const pseudonym = (await world.redis.keyRecord(user)).name.split('/')[2], row = rows.find(each => each.user === user);
                const told = upstream.find(each => each.user === pseudonym);
                assert.equal(row.cost, told.billed_nano_usd + told.byok_nano_usd, `${asks[i].path} ${asks[i].stream}: ${JSON.stringify(row)}`);
                assert.ok(row.cost > 0 && row.source !== 'estimate');
            }
        }));

    test('a request that failed costs nothing, gives its message back, and is no request in the books', inWorld({ instances: 0 }, async world => {
        const [one] = await withSettings(world, standard({ limit_usd: 1, messages_per_day: 5 })), token = await world.service(), as = 'alice';
        assert.equal((await one.chat({ token, as, path: '/v1/embeddings', body: { input: '' } })).status, 200); // a key is made, for nothing
        const faults = [{ status: 500 }, { status: 400 }, { status: 429, text: 'rate_limited' }, { status: 502, text: 'provider_401' }, { status: 529 }, { kind: 'html_502' }];
        for (const fault of [...faults, ...faults]) for (const stream of [false, true]) {
            await world.sim.fault({ where: 'inference', kind: 'status', ...fault });
            const answer = await one.chat({ token, as, stream });
            assert.ok(answer.status >= 400, answer.text);
            assert.notEqual(answer.json.error.code, 'daily_message_limit_reached', 'five are allowed a day, more than that failed');
            await world.sim.heal();
        }
        assertFault(await one.chat({ token, as, body: { model: 7 } }), 400, 'invalid_request');
        await settled(world, [as]);
        assert.deepEqual(await budget(world, as), { spent: 0, spentBy: [], held: 0, unconfirmed: 0, open: 0, sums: 0, live: 0, unbooked: 0, messages: 0, heldMessages: 0 });
        for (let i = 0; i < 5; i++) assert.equal((await one.chat({ token, as })).status, 200);
        assertFault(await one.chat({ token, as }), 429, 'daily_message_limit_reached');
        await assertBooksAreTheBill(world, [as]);
    }));
});

// ---- clients that leave

/** Sends a request and leaves at a stage; how: destroy ends the connection, reset resets it. */
function leave(instance, { token, as, stage, how = 'destroy', stream = true, tokens = 8 }) {
    const { hostname, port } = new URL(instance.base);
    return new Promise(done => {
        let text = '', timer;
        const request = http.request({ hostname, port, method: 'POST', path: '/v1/chat/completions', agent: false,
            headers: { authorization: `Bearer ${token}`, 'x-keyturn-user': as, 'content-type': 'application/json' } });
        const go = () => { clearTimeout(timer); if (how === 'reset') request.socket?.resetAndDestroy(); else request.destroy(); done(text); };
        request.on('error', () => done(text));
        request.on('response', response => {
            if (stage === 'at the head') go();
            response.on('error', () => {});
            response.setEncoding('utf8').on('data', part => {
                text += part;
                if (stage === 'after the first token' && /"content":"\S/.test(text)) go();
                if (stage === 'just before the usage event' && text.includes('"finish_reason":"length"')) go();
            });
            response.on('end', () => done(text));
        });
        request.end(JSON.stringify({ model: MODEL, messages: HELLO, max_tokens: tokens, stream }));
        if (stage === 'before the head') timer = setTimeout(go, 100);
    });
}

describe('#3 a stream cut by the client is not lost, not free and not wrong: the recorded cost is the true cost', { concurrency: 2 }, () => {
    const stages = ['before the head', 'at the head', 'after the first token', 'just before the usage event'];
    const providers = [['drains', { cancel_stops_billing: false }], ['is unknown, though it would have stopped', { cancel_stops_billing: true }], ['cancels', { cancel_stops_billing: true }, true]];
    for (const [what, settings, cancels] of providers) for (const stage of stages)
        test(`the client leaves ${stage}; the provider ${what}`, async t => {
            const relay = cancels && await Relay.open();
            try {
                await inWorld({ instances: 0, upstream: relay?.url }, async world => {
                    if (relay) relay.origin = world.sim.origin;
                    const [one] = await withSettings(world, standard({ limit_usd: 1 })), token = await world.service();
                    const users = Array.from({ length: 8 }, (_, i) => `user-${i}`);
                    await warm(one, token, users);
                    await world.sim.set({ ...settings, latency_ms: stage === 'before the head' ? 400 : 50 });
                    await world.sim.fault({ where: 'inference', kind: 'slow', delay_ms: 60 });
                    await all(users.length, i => leave(one, { token, as: users[i], stage, how: i % 2 ? 'reset' : 'destroy' }));
                    const rows = (await assertBooksAreTheBill(world, users, { count: 2 * users.length })).slice(users.length);
                    assert.ok(rows.every(row => row.source === 'usage' || row.source === 'generation'), `${rows.map(row => row.source)}`);
                    if (cancels && stage === 'after the first token') {
                        assert.ok((await upstreamRows(world)).filter(row => row.client_aborted).length === users.length, 'the upstream was told to stop');
                        assert.ok(rows.every(row => row.completion < 8));
                    }
                })(t);
            } finally {
                relay?.close();
            }
        });

    test('the client leaves while a JSON answer is made', inWorld({ instances: 0 }, async world => {
        const [one] = await withSettings(world, standard({ limit_usd: 1 })), token = await world.service();
        const users = Array.from({ length: 8 }, (_, i) => `user-${i}`);
        await warm(one, token, users);
        await world.sim.set({ latency_ms: 400 });
        await all(users.length, i => leave(one, { token, as: users[i], stage: 'before the head', stream: false, how: i % 2 ? 'reset' : 'destroy' }));
        const rows = await assertBooksAreTheBill(world, users, { count: 2 * users.length });
        assert.ok(rows.every(row => row.source === 'usage'));
    }));

    // Proving a new key changes its record, so every instance forgets the opened key at about that moment.
    test('a new user\'s first answer whose cost must be looked up: it is, and no bound is booked', inWorld({ instances: 0 }, async world => {
        const [one] = await withSettings(world, standard({ limit_usd: 1 })), token = await world.service(), users = Array.from({ length: 8 }, (_, i) => `user-${i}`);
        await world.sim.set({ chunk_delay_ms: 30 });
        const answers = await all(users.length, i => one.chat({ token, as: users[i], path: '/v1/messages', stream: true, body: { max_tokens: 4 } }));
        assert.deepEqual(counts(answers), { 200: users.length });
        const rows = await assertBooksAreTheBill(world, users, { count: users.length });
        assert.ok(rows.every(row => row.source === 'generation'), `${rows.map(row => row.source)}`);
    }));

    test('the provider fails in the middle of the stream: its bill is looked up, an error text is not billed', inWorld({ instances: 0 }, async world => {
        const [one] = await withSettings(world, standard({ limit_usd: 1 })), token = await world.service(), users = ['alice', 'bob'];
        await warm(one, token, users);
        for (const [i, kind] of ['mid_stream_error', 'mid_stream_cut'].entries()) {
            await world.sim.fault({ where: 'inference', kind, arg: 3, times: 1 });
            assert.match((await one.chat({ token, as: users[i], stream: true })).text, /"error"/);
        }
        const rows = await assertBooksAreTheBill(world, users, { count: 4 });
        assert.deepEqual(rows.slice(2).map(row => [row.user, row.source]).sort(), [['alice', 'generation'], ['bob', 'generation']]);
    }));
});

// ---- outages and deaths

describe('#9 store outage', { concurrency: 1 }, () => {
    const ways = [['is killed', world => world.redis.program.end('SIGKILL'), world => world.redis.start()],
        ['hangs', world => world.redis.freeze(), world => world.redis.thaw()]];
    for (const [what, away, back] of ways)
        test(`Redis ${what} for 3 s: no readiness lost, no 401, refused at once, streams finish, and #5 no counter drifts`, inWorld({ instances: 0, env: { KEYTURN_REDIS_COMMAND_TIMEOUT: undefined } }, async world => {
            const instances = await withSettings(world, standard({ limit_usd: 1 }), { instances: 2 }), token = await world.service();
            const users = ['alice', 'bob', 'carol', 'dave'], answers = [];
            await warm(instances[0], token, users);
            await warm(instances[1], token, users);
            await world.sim.set({ chunk_delay_ms: 100 });
            let started = 0;
            const streams = users.map((as, i) => instances[i % 2].chat({ token, as, stream: true, onHead: () => { started++; } }));
            await until('the streams run', () => started === users.length);
            await world.sim.set({ chunk_delay_ms: 0 });
            let goesOn = true;
            const lanes = all(6, async lane => {
                for (let i = 0; goesOn; i++) {
                    const began = Date.now(), ready = lane === 0;
                    const answer = ready ? await instances[i % 2].call('GET', '/readyz') : await instances[i % 2].chat({ token, as: users[lane % 4], stream: i % 2 === 0, body: { max_tokens: 4 } });
                    answers.push({ answer, ready, ms: Date.now() - began, began });
                    await pause(10);
                }
            });
            await pause(300);
            const gone = Date.now();
            await away(world);
            await pause(3000); // the outage
            await back(world);
            const returned = Date.now();
            await until('served again', () => answers.some(({ answer, ready, began }) => !ready && began > returned && answer.status === 200), { within: 15_000 });
            await pause(1000);
            goesOn = false;
            await lanes;
            for (const stream of await Promise.all(streams)) assert.equal(events(stream.text).at(-1)?.data, '[DONE]', 'what ran goes on');
            for (const { answer, ready, ms, began } of answers) {
                if (answer.status === 200) continue;
                assert.ok(!ready, 'readiness is not about Redis');
                assertFault(answer, 503, 'store_unavailable');
                assert.ok(began > gone - 1000 && ms < BOUND_MS + 250, `refused after ${ms} ms`);
            }
            assert.ok(answers.some(({ answer }) => answer.status === 503));
            const rows = await assertBooksAreTheBill(world, users);
            assert.ok(rows.every(row => row.source !== 'estimate'));
        }));

    test('Redis goes while a stream runs whose cost must be looked up: it is, once', inWorld({ instances: 0, env: { KEYTURN_REDIS_COMMAND_TIMEOUT: undefined } }, async world => {
        const [one] = await withSettings(world, standard({ limit_usd: 1 })), token = await world.service(), users = ['alice', 'bob'];
        await warm(one, token, users);
        await world.sim.set({ chunk_delay_ms: 50 });
        let started = 0;
        const streams = users.map(as => one.chat({ token, as, path: '/v1/messages', stream: true, body: { max_tokens: 16 }, onHead: () => { started++; } }));
        await until('the streams run', () => started === users.length);
        await world.redis.program.end('SIGKILL');
        for (const stream of await Promise.all(streams)) assert.match(stream.text, /message_stop/);
        await pause(1500);
        await world.redis.start();
        const rows = await assertBooksAreTheBill(world, users, { count: 4 });
        assert.deepEqual(rows.slice(2).map(row => row.source), ['generation', 'generation']);
    }));

    test('Redis goes while streams run and the instance dies before it is back: the journal is played once, by whoever comes next', inWorld({ instances: 0, env: { KEYTURN_REDIS_COMMAND_TIMEOUT: undefined } }, async world => {
        const [one] = await withSettings(world, standard({ limit_usd: 1 })), token = await world.service(), users = ['alice', 'bob', 'carol', 'dave'];
        await warm(one, token, users);
        await world.sim.set({ chunk_delay_ms: 50 });
        let started = 0;
        const streams = users.map(as => one.chat({ token, as, stream: true, onHead: () => { started++; } }));
        await until('the streams run', () => started === users.length);
        await world.redis.program.end('SIGKILL');
        for (const stream of await Promise.all(streams)) assert.equal(events(stream.text).at(-1)?.data, '[DONE]');
        await pause(600); // the first try is lost by then, and the journal has it
        await one.kill();
        await world.redis.start();
        await withSettings(world, standard({ limit_usd: 1 }), { instances: 2 });
        const rows = await assertBooksAreTheBill(world, users, { count: 8 });
        assert.deepEqual(rows.slice(4).map(row => row.source), ['usage', 'usage', 'usage', 'usage']);
    }));

    test('what a long outage left in the journal drains, and is in nobody\'s way meanwhile', inWorld({ instances: 0, env: { KEYTURN_REDIS_COMMAND_TIMEOUT: undefined } }, async world => {
        const count = 10_000, day = new Date().toISOString().slice(0, 10), line = i => [`user-${i % 500}`, `req_backlog-${i}`, 'Standard', 'maker/model', '', day.slice(0, 7), day,
            1000, 10, 0, 5, 0, 1, Date.now(), 0, 1].join('\t') + '\n';
        mkdirSync(join(world.directory, 'data'), { recursive: true });
        writeFileSync(join(world.directory, 'data', 'journal-0'), Array.from({ length: count }, (_, i) => line(i)).join(''));
        const [one] = await withSettings(world, standard({ limit_usd: 1 })), token = await world.service();
        assert.equal((await one.chat({ token, as: 'alice' })).status, 200);
        await until('all is booked', async () => await booked((...args) => world.redis.ask(...args)) === count + 1, { within: 60_000, every: 200 });
        assert.equal((await budget(world, 'user-7')).spent, 1000 * count / 500);
        await until('the journal is empty', () => statSync(join(world.directory, 'data', 'journal-0')).size === 0);
        await until('nothing is open', async () => (await one.metrics()).keyturn_settlements_open === 0);
        const told = await one.metrics();
        assert.equal(told.keyturn_redis_commands_lost_total, 0, 'none was asked more than Redis answers in time');
        assert.equal(told.keyturn_settlements_journalled, 0);
    }));
});

describe('#6 holds leak, the user sees a phantom 429', { concurrency: 2 }, () => {
    const settings = `quota:\n  hold_lease: 3s\nrenewal:\n  sweep_every: 500ms\n${standard({ limit_usd: 1, max_concurrent: 4 })}`;
    test('kill -9 in the middle of streams: places are free when the lease ends, the true cost is looked up and booked', inWorld({ instances: 0 }, async world => {
        const [victim, other] = await withSettings(world, settings, { instances: 2 }), token = await world.service(), as = 'alice';
        await warm(victim, token, [as]);
        await world.sim.set({ chunk_delay_ms: 100 });
        let tokens = 0;
        const streams = all(4, () => victim.chat({ token, as, stream: true, onData: () => { tokens++; } }).catch(() => null));
        await until('all four stream', () => tokens >= 12);
        await pause(500);
        await victim.kill();
        const died = Date.now();
        await streams;
        assertFault(await other.chat({ token, as }), 429, 'too_many_concurrent_requests');
        await world.sim.set({ chunk_delay_ms: 0 });
        await until('places are free', async () => (await other.chat({ token, as })).status === 200, { within: 10_000, every: 100 });
        assert.ok(Date.now() - died < 4500, `after ${Date.now() - died} ms`);
        const rows = await assertBooksAreTheBill(world, [as], { within: 90_000 });
        const took = Date.now() - died;
        assert.deepEqual(rows.map(row => row.source).sort(), [...Array(4).fill('generation'), ...Array(rows.length - 4).fill('usage')]);
        assert.ok(took < 3000 + 10_000 + 500 + 5000, `settled after ${took} ms; the lease is 3 s`);
    }));

    test('kill -9 of Redis with holds open: they are there afterwards, and settle', inWorld({ instances: 0 }, async world => {
        const [one] = await withSettings(world, settings), token = await world.service(), as = 'alice';
        await warm(one, token, [as]);
        const held = await world.sim.fault({ where: 'inference', kind: 'hold' });
        const asked = all(4, () => one.chat({ token, as }));
        await until('four wait', async () => await world.sim.hits(held) >= 4);
        await world.redis.program.end('SIGKILL');
        await world.redis.start();
        assert.equal((await budget(world, as)).live, 4);
        await until('the limit holds', async () => (await one.chat({ token, as })).json.error?.code === 'too_many_concurrent_requests', { every: 200 });
        await world.sim.heal();
        assert.deepEqual(counts(await asked), { 200: 4 });
        await assertBooksAreTheBill(world, [as]);
    }));
});

describe('#20 model rules have holes', () => {
    test('every member that names a model or spends money is judged, on every route, before anything is sent', inWorld({ instances: 0 }, async world => {
        const [one] = await withSettings(world, tiers({ Standard: { models: '[openai/gpt-4o-mini]' }, Pro: {} })), token = await world.service(), as = 'alice';
        const fine = { model: 'openai/gpt-4o-mini' };
        const holes = {
            'another model': { model: MODEL }, 'upper case': { model: 'OpenAI/GPT-4o' }, 'an escape': `{"model":"openai/gpt-4\\u006f","messages":[]}`,
            'no model': { model: undefined }, 'models[]': { ...fine, models: ['openai/gpt-4o-mini', MODEL] }, 'fallbacks': { ...fine, fallbacks: [{ model: MODEL }] },
            ':online': { model: 'openai/gpt-4o-mini:online' }, ':free': { model: 'openai/gpt-4o-mini:free' }, ':extended': { model: 'openai/gpt-4o-mini:extended' },
            'the web plugin': { ...fine, plugins: [{ id: 'web' }] }, 'a plugin with a model': { ...fine, plugins: [{ id: 'context-compression', model: MODEL }] },
            'web_search_options': { ...fine, web_search_options: {} }, 'a server tool': { ...fine, tools: [{ type: 'openrouter:web_search' }] },
            'a preset': { ...fine, preset: 'mine' }, '@preset': { model: 'openai/gpt-4o-mini@preset/mine' }, 'an alias': { model: '~anthropic/claude-sonnet-latest' },
            'a router': { model: 'openrouter/auto' },
        };
        for (const path of ['/v1/chat/completions', '/v1/completions', '/v1/responses', '/v1/messages'])
            for (const [what, body] of Object.entries(holes)) {
                const whole = typeof body === 'string' ? body : JSON.stringify({ ...bodyOf(path), ...body });
                const answer = await one.call('POST', path, { token, headers: { 'x-keyturn-user': as }, body: whole });
                assertFault(answer, 403, 'model_not_allowed', `${what} at ${path}:`);
                assert.match(answer.json.error.message, /Pro/, 'and says which tier has it');
            }
        const twice = await one.call('POST', '/v1/chat/completions', { token, headers: { 'x-keyturn-user': as }, body: `{"model":"openai/gpt-4o-mini","model":"${MODEL}","messages":[]}` });
        assertFault(twice, 400, 'invalid_request', 'two models in one body:');
        assertFault(await one.call('POST', '/v1/embeddings', { token, headers: { 'x-keyturn-user': as }, body: { model: 'openai/text-embedding-3-small', input: 'x' } }), 403, 'model_not_allowed');
        assert.equal((await world.sim.totals()).inference, 0, 'nothing was sent');
        assert.equal((await one.chat({ token, as, body: fine })).status, 200);
        assert.equal((await one.chat({ token, as, body: { model: 'openai/gpt-4o-mini:nitro' } })).status, 200, 'a routing suffix is the same model');
        await assertBooksAreTheBill(world, [as]);
    }));
});
