// How answers end: the comment that tells what is left, for those who want it, and failures that OpenRouter sends as a 200.

import assert from 'node:assert/strict';
import http from 'node:http';
import { describe, test } from 'node:test';
import OpenAI from 'openai';
import { assertFault, events, inWorld, until } from './harness.mjs';
import { settled, withSettings } from '../proof/figures.mjs';

const LIMIT = 10_000_000_000, MESSAGES = 500;
const tier = fields => `tiers:\n  Standard:\n    models: ["*"]\n    max_output_tokens: 64\n${fields.map(field => `    ${field}\n`).join('')}`;
const METERED = tier(['limit_usd: 10', `messages_per_day: ${MESSAGES}`]);
const WANTED = { 'x-keyturn-quota-comment': 'true' };
const COMMENT = /: keyturn (\{[^\n]*\})\n\n/;
const STREAMS = ['/v1/chat/completions', '/v1/completions', '/v1/responses', '/v1/messages'];

/** A world of one keyturn with these settings, and the token of alice, who has her key. */
const metered = (options, body) => inWorld({ instances: 0 }, async world => {
    const [one] = await withSettings(world, METERED, options), token = await world.token('alice');
    assert.equal((await one.chat({ token })).status, 200);
    await settled(world, ['alice']);
    await body({ world, one, token, me: async () => (await one.call('GET', '/v1/me', { token })).json });
});
/** What does not differ between two answers to the same request. */
const sameText = text => text.replaceAll(/gen-[A-Za-z0-9-]+/g, 'gen').replaceAll(/"created(_at)?":\d+/g, '"created":0');
const figuresOf = text => JSON.parse(text.match(COMMENT)[1]);

describe('the quota in a comment', () => {
    test('only for a request that asks; then right before [DONE], all else as it was', metered({}, async ({ world, one, token, me }) => {
        for (const [crlf, split_bytes] of [[false, 0], [false, 7], [true, 0], [true, 5]]) {
            await world.sim.set({ crlf, split_bytes });
            const without = await one.chat({ token, stream: true });
            await settled(world, ['alice']);
            const { text } = await one.chat({ token, stream: true, headers: WANTED });
            assert.doesNotMatch(without.text, /keyturn/);
            assert.equal(text.match(new RegExp(COMMENT, 'g'))?.length, 1, text);
            assert.match(text, /\r?\n\r?\n: keyturn [^\n]*\}\n\ndata: \[DONE\]\r?\n\r?\n$/);
            assert.equal(sameText(text.replace(COMMENT, '')), sameText(without.text));
            await settled(world, ['alice']);
            const now = await me(), told = figuresOf(text);
            assert.deepEqual(told, { remaining_usd: `${now.remaining_nano_usd / 1e9}`, remaining_nano_usd: now.remaining_nano_usd,
                messages_remaining: now.messages_remaining, reset_at: now.reset_at });
            assert.ok(told.remaining_nano_usd < LIMIT && told.messages_remaining < MESSAGES);
        }
        for (const value of ['false', 'yes', '', '1'])
            assert.doesNotMatch((await one.chat({ token, stream: true, headers: { 'x-keyturn-quota-comment': value } })).text, /keyturn/);
        assert.doesNotMatch((await one.chat({ token, headers: WANTED })).text, /keyturn/, 'a plain answer has no room for it');
    }));

    test('for everybody by configuration; in every dialect, at the end where there is no [DONE]', metered({ env: { KEYTURN_SERVER_QUOTA_COMMENT: 'true' } }, async ({ one, token }) => {
        for (const path of STREAMS) {
            const { text } = await one.chat({ token, path, stream: true });
            assert.match(text, path === '/v1/messages' ? /"message_stop"[^\n]*\n\n: keyturn [^\n]*\}\n\n$/ : /\n\n: keyturn [^\n]*\}\n\ndata: \[DONE\]\n\n$/, path);
            assert.ok(events(text).length > 3);
        }
    }));

    test('the header stays here', inWorld({ instances: 0 }, async world => {
        const seen = [];
        const relay = http.createServer((request, response) => {
            seen.push(Object.keys(request.headers));
            const onward = { host: '127.0.0.1', port: world.sim.port, method: request.method, path: request.url, headers: request.headers };
            request.pipe(http.request(onward, answer => { response.writeHead(answer.statusCode, answer.headers); answer.pipe(response); }));
        });
        await new Promise(done => relay.listen(0, '127.0.0.1', done));
        try {
            world.upstream = `http://127.0.0.1:${relay.address().port}/api/v1`;
            const [one] = await withSettings(world, METERED);
            assert.match((await one.chat({ token: await world.token('alice'), stream: true, headers: WANTED })).text, COMMENT);
            assert.ok(seen.some(names => names.includes('content-length')), 'a POST went by');
            assert.ok(!seen.flat().some(name => name.startsWith('x-keyturn')), JSON.stringify(seen));
            await one.stop();
        } finally {
            relay.closeAllConnections();
            relay.close();
        }
    }));

    test('axes without a limit are left out', inWorld({ instances: 0 }, async world => {
        const [one] = await withSettings(world, tier([]), { env: { KEYTURN_SERVER_QUOTA_COMMENT: 'true' } }), token = await world.token('alice');
        assert.deepEqual(figuresOf((await one.chat({ token, stream: true })).text), {});
    }));

    test('a stream that breaks off ends with its error, and tells none', metered({}, async ({ world, one, token }) => {
        await world.sim.fault({ where: 'inference', kind: 'mid_stream_cut', arg: 3, times: 1 });
        const { text } = await one.chat({ token, stream: true, headers: WANTED });
        assert.equal(events(text).filter(event => event.data?.error).length, 1);
        assert.doesNotMatch(text, /: keyturn/);
    }));

    test('a client that reads slowly gets all of it', metered({}, async ({ world, one, token }) => {
        await world.sim.set({ response_bytes: 3_000_000 });
        const { text, cut } = await one.chat({ token, stream: true, headers: WANTED, agent: false,
            onHead: response => { response.pause(); setTimeout(() => response.resume(), 300); } });
        assert.ok(!cut);
        assert.ok(text.length >= 3_000_000);
        assert.match(text.slice(-400), /: keyturn [^\n]*\}\n\ndata: \[DONE\]\n\n$/);
    }));

    test('the OpenAI client reads such a stream as ever', metered({}, async ({ one, token }) => {
        const client = new OpenAI({ baseURL: `${one.base}/v1`, apiKey: token, maxRetries: 0, defaultHeaders: WANTED });
        const request = { model: 'openai/gpt-4o', messages: [{ role: 'user', content: 'hello' }], stream: true, stream_options: { include_usage: true } };
        let text = '', usage;
        for await (const chunk of await client.chat.completions.create(request)) {
            text += chunk.choices[0]?.delta?.content ?? '';
            usage = chunk.usage ?? usage;
        }
        assert.match(text, /^Lorem ipsum dolor sit amet/);
        assert.ok(usage.completion_tokens > 0 && usage.cost > 0);
        const kinds = [];
        for await (const event of await client.responses.create({ model: 'openai/gpt-4o', input: 'hello', stream: true })) kinds.push(event.type);
        assert.equal(kinds.at(-1), 'response.completed');
    }));
});

describe('an error that came as a 200', () => {
    const told = [
        { text: 'provider_502', status: 502, code: 'provider_unavailable' },
        { status: 400, body: { error: { code: 400, message: 'max_tokens is too large for this model' } }, code: 'invalid_request' },
        { status: 529, text: 'overloaded_529', code: 'provider_overloaded' },
        { status: 502, body: { error: { code: 'server_error', message: 'Provider disconnected' } }, code: 'upstream_error' },
        { status: 502, body: { error: { code: 7, message: 'Provider disconnected' } }, code: 'upstream_error' },
    ];
    for (const { status, code, text, body } of told) for (const lines of [0, 5])
        test(`has its own status: ${text ?? JSON.stringify(body)}${lines ? ', behind blank lines' : ''}`, metered({}, async ({ world, one, token, me }) => {
            const before = await me();
            for (const [stream, split_bytes] of [[false, 0], [false, 1], [true, 0]]) {
                await world.sim.set({ split_bytes });
                const fault = await world.sim.fault({ where: 'inference', kind: 'error_in_200', text, body: body && JSON.stringify(body), status: text ? 0 : 400, arg: lines, delay_ms: lines && 300, times: 1 });
                const answer = await one.chat({ token, stream });
                assertFault(answer, status, code);
                assert.equal(await world.sim.hits(fault), 1);
            }
            await settled(world, ['alice']);
            const after = await me();
            assert.deepEqual([after.messages_used, after.spent_nano_usd, after.held_nano_usd], [before.messages_used, before.spent_nano_usd, 0], 'no message, no cost');
            assert.equal((await one.chat({ token })).status, 200);
            await settled(world, ['alice']);
            assert.equal((await me()).messages_used, before.messages_used + 1);
        }));

    test('of /messages has its own status too', metered({}, async ({ world, one, token }) => {
        await world.sim.fault({ where: 'inference', kind: 'error_in_200', text: 'provider_502', times: 1 });
        const answer = await one.chat({ token, path: '/v1/messages' });
        assert.equal(answer.status, 502, answer.text);
        assert.match(answer.json.error.message, /Provider returned error/);
    }));

    test('is tried once more where its status would be', metered({}, async ({ world, one, token, me }) => {
        const before = await me();
        const ask = async order => {
            const from = (await world.sim.totals()).inference;
            await world.sim.fault({ where: 'inference', kind: 'error_in_200', times: 1, arg: 2, ...order });
            const answer = await one.chat({ token });
            return [answer.status, (await world.sim.totals()).inference - from];
        };
        assert.deepEqual(await ask({ text: 'overloaded_503' }), [200, 2], 'it says when');
        assert.deepEqual(await ask({ text: 'provider_502' }), [502, 1], 'perhaps it was worked on');
        assert.deepEqual(await ask({ text: 'user_not_found' }), [200, 2], 'the key was verified and is fine');
        assert.equal(await world.sim.keysMade(), 1);
        await settled(world, ['alice']);
        const after = await me();
        assert.equal(after.messages_used, before.messages_used + 2);
        assert.deepEqual(await ask({ status: 503, body: JSON.stringify({ error: { code: 503, message: 'No provider' }, usage: { cost: 0.001 } }), text: 'overloaded_503' }), [503, 1], 'it was worked on');
        await until('what that cost is booked, or still held', async () => {
            const { spent_nano_usd, held_nano_usd } = await me();
            return spent_nano_usd + held_nano_usd > after.spent_nano_usd;
        });
    }));

    test('a dead key is renewed', metered({}, async ({ world, one, token }) => {
        await world.sim.killKey({ hash: (await world.redis.keyRecord('alice')).hash });
        await world.sim.fault({ where: 'inference', kind: 'error_in_200', text: 'user_not_found', arg: 1, times: 1 });
        const answer = await one.chat({ token });
        assert.equal(answer.status, 200, answer.text);
        assert.equal(answer.headers['x-keyturn-renewed'], 'true');
    }));

    test('good answers are not held up: the head goes with their first bytes, and they pass as they are', metered({}, async ({ world, one, token }) => {
        await world.sim.set({ leading_whitespace: true });
        const padded = await one.chat({ token });
        assert.equal(padded.status, 200);
        assert.match(padded.text, /^\s+\{/);
        await world.sim.set({ leading_whitespace: false });
        const stalls = await world.sim.fault({ where: 'inference', kind: 'stall', arg: 700, times: 1 });
        let seen;
        const answer = one.chat({ token, onHead: response => { seen = response.statusCode; }, agent: false });
        await until('its head is here though its end is not', () => seen === 200);
        await world.sim.heal(stalls);
        assert.equal((await answer).json.object, 'chat.completion');
    }));

    test('no choices at all: it passes as it came, and is no message', metered({}, async ({ world, one, token, me }) => {
        const before = await me();
        const choices = [[], [{ index: 0, message: { role: 'assistant', content: '' }, finish_reason: 'error', error: { code: 502, message: 'Provider returned error' } }]];
        for (const each of choices) {
            const body = JSON.stringify({ id: 'gen-0', object: 'chat.completion', choices: each, usage: { cost: 0 } });
            await world.sim.fault({ where: 'inference', kind: 'status', status: 200, body, times: 1 });
            const answer = await one.chat({ token });
            assert.deepEqual([answer.status, answer.text], [200, body]);
        }
        await settled(world, ['alice']);
        const after = await me();
        assert.deepEqual([after.messages_used, after.spent_nano_usd], [before.messages_used, before.spent_nano_usd]);
    }));
});
