// The official clients, as they come from npm, see an OpenRouter whose keys never die.

import { createOpenRouter } from '@openrouter/ai-sdk-provider';
import { OpenRouter } from '@openrouter/sdk';
import { HTTPClient } from '@openrouter/sdk/lib/http.js';
import { OpenRouterError } from '@openrouter/sdk/models/errors/openroutererror.js';
import { generateText, streamText } from 'ai';
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import OpenAI from 'openai';
import { DEFAULT_TIER, World } from './harness.mjs';

const MODEL = 'openai/gpt-4o';
const TEXT = /^Lorem ipsum dolor sit amet/;
const CUT = /OpenRouter's answer could not be used/;
const ENVELOPE = { code: 'auto_renewal_failed', type: 'server_error' };

/** A fetch that keeps each answer's head and, as far as the client has read it, its text: what is on the wire under the client. */
function listening() {
    const heads = [];
    return { heads, fetch: async (...args) => {
        const response = await fetch(...args);
        const seen = { status: response.status, headers: Object.fromEntries(response.headers), text: '' };
        heads.push(seen);
        const keep = new TransformStream({ transform(part, passed) { seen.text += Buffer.from(part).toString('latin1'); passed.enqueue(part); } });
        return new Response(response.body.pipeThrough(keep), response);
    } };
}

// Each client: ask(base, token, { stream }) gives { text, prompt, completion, cost } as the client itself reads them;
// fault(error) what its own error type makes of a refusal; tellsOfCuts: our sentence is in what it throws when a stream is
// cut. @openrouter/sdk wants a number as code, so it throws at an event of ours without reading it.
const clients = {
    'openai': {
        tellsOfCuts: true,
        open(base, token, fetch) { return new OpenAI({ baseURL: base, apiKey: token, maxRetries: 0, fetch }); },
        async ask(client, { stream }) {
            const request = { model: MODEL, messages: [{ role: 'user', content: 'hello' }] };
            if (!stream) {
                const { choices, usage } = await client.chat.completions.create(request);
                return { text: choices[0].message.content, prompt: usage.prompt_tokens, completion: usage.completion_tokens, cost: usage.cost };
            }
            let text = '', usage;
            for await (const chunk of await client.chat.completions.create({ ...request, stream: true, stream_options: { include_usage: true } })) {
                text += chunk.choices[0]?.delta?.content ?? '';
                usage = chunk.usage ?? usage;
            }
            return { text, prompt: usage.prompt_tokens, completion: usage.completion_tokens, cost: usage.cost };
        },
        fault(error) {
            assert.ok(error instanceof OpenAI.APIError, `${error}`);
            return { status: error.status, code: error.code, type: error.type, requestId: error.requestID, told: error.error?.request_id, message: error.message };
        },
    },
    '@openrouter/sdk': {
        open(base, token, fetch) {
            return new OpenRouter({ serverURL: base, apiKey: token, retryConfig: { strategy: 'none' }, httpClient: new HTTPClient({ fetcher: fetch }) });
        },
        async ask(client, { stream }) {
            const chatRequest = { model: MODEL, messages: [{ role: 'user', content: 'hello' }] };
            if (!stream) {
                const { choices, usage } = await client.chat.send({ chatRequest: { ...chatRequest, stream: false } });
                return { text: choices[0].message.content, prompt: usage.promptTokens, completion: usage.completionTokens, cost: usage.cost };
            }
            let text = '', usage;
            for await (const chunk of await client.chat.send({ chatRequest: { ...chatRequest, stream: true } })) {
                if (chunk.error) throw Object.assign(new Error(chunk.error.message), { chunk });
                text += chunk.choices[0]?.delta?.content ?? '';
                usage = chunk.usage ?? usage;
            }
            return { text, prompt: usage.promptTokens, completion: usage.completionTokens, cost: usage.cost };
        },
        fault(error) { // its own classes want a number as code, as OpenRouter sends; ours is a text, so it gives the raw answer
            assert.ok(error instanceof OpenRouterError, `${error}`);
            const body = JSON.parse(error.body).error;
            return { status: error.statusCode, code: body.code, type: body.type, requestId: error.headers.get('x-request-id'), told: body.request_id, message: body.message };
        },
    },
    'ai + @openrouter/ai-sdk-provider': {
        tellsOfCuts: true,
        open(base, token, fetch) { return createOpenRouter({ baseURL: base, apiKey: token, fetch })(MODEL); },
        async ask(model, { stream }) {
            const options = { model, prompt: 'hello', maxRetries: 0 };
            const read = (text, usage, metadata) => ({ text, prompt: usage.inputTokens, completion: usage.outputTokens, cost: metadata.openrouter.usage.cost });
            if (!stream) {
                const result = await generateText(options);
                return read(result.text, result.usage, result.providerMetadata);
            }
            let text = '', failed;
            const result = streamText({ ...options, onError: ({ error }) => { failed = error; } });
            for await (const part of result.textStream) text += part;
            if (failed) throw failed;
            return read(text, await result.usage, await result.providerMetadata);
        },
        fault(error) {
            const body = JSON.parse(error.responseBody).error;
            return { status: error.statusCode, code: error.data.error.code, type: error.data.error.type, requestId: error.responseHeaders['x-request-id'], told: body.request_id, message: error.message };
        },
    },
};

const prefixes = ['/api/v1', '/v1'];
const ways = Object.keys(clients).flatMap(name => prefixes.flatMap(prefix => [false, true].map(stream =>
    ({ name, prefix, stream, title: `${name}, ${prefix}, ${stream ? 'stream' : 'plain'}` }))));

/** What is wrong with the user's key when the request comes; how many requests OpenRouter sees; whether a key is made. */
const lives = [
    { life: 'no key yet: provisioned, then called', calls: 1, made: 1, renewed: true, prepare: async () => {} },
    { life: 'a valid key: plain', calls: 1, made: 0, renewed: false, prepare: firstRequest },
    { life: 'an expired key: renewed, retried', calls: 2, made: 1, renewed: true, prepare: async (world, user) => {
        await firstRequest(world, user);
        await world.sim.expireKey({ hash: (await world.redis.keyRecord(user)).hash });
    } },
    { life: 'a deleted key: renewed, retried', calls: 2, made: 1, renewed: true, prepare: async (world, user) => {
        await firstRequest(world, user);
        await world.sim.killKey({ hash: (await world.redis.keyRecord(user)).hash });
    } },
];

async function firstRequest(world, user) {
    const answer = await world.one.chat({ token: await world.token(user) });
    assert.equal(answer.status, 200, answer.text);
}

let number = 0;
const newUser = () => `user-${++number}`;

describe('with a provisioning key', () => {
    let world;
    before(async () => { world = await World.open(); });
    after(() => world.end());

    for (const { life, calls, made, renewed, prepare } of lives) for (const { name, prefix, stream, title } of ways)
        test(`${life} (${title})`, async () => {
            const user = newUser(), token = await world.token(user), { heads, fetch } = listening(), client = clients[name];
            await prepare(world, user);
            const keysBefore = await world.sim.keysMade(), seq = await world.sim.lastSeq();

            const answer = await client.ask(client.open(world.one.base + prefix, token, fetch), { stream });

            const rows = await world.sim.rowsSince(seq), row = rows.at(-1);
            assert.match(answer.text, TEXT);
            assert.deepEqual([answer.prompt, answer.completion], [row.prompt_tokens, row.completion_tokens], 'usage is readable and true');
            assert.equal(Math.round(answer.cost * 1e9), row.billed_nano_usd);
            assert.equal(heads.length, 1, 'the client asked once');
            assert.equal(heads[0].headers['x-keyturn-renewed'], renewed ? 'true' : undefined);
            assert.equal(heads[0].headers['x-keyturn-tier'], DEFAULT_TIER);
            assert.match(heads[0].headers['content-type'], stream ? /^text\/event-stream/ : /^application\/json/);
            assert.equal(await world.sim.keysMade() - keysBefore, made);
            assert.deepEqual(rows.map(each => each.status), [...Array(calls - 1).fill(401), 200]);
            assert.equal(rows.filter(each => each.billed_nano_usd > 0).length, 1, 'billed once');
            assert.equal((await world.redis.keyRecord(user)).hash, row.key_hash, 'with the key that is stored');
        });

    for (const { name, prefix, stream, title } of ways)
        test(`a wrong token: 401 invalid_api_key (${title})`, async () => {
            const client = clients[name], { fetch } = listening();
            const token = `kt_${'A'.repeat(12)}_${'b'.repeat(43)}`;
            const error = await client.ask(client.open(world.one.base + prefix, token, fetch), { stream }).then(() => assert.fail('accepted'), caught => caught);
            const fault = client.fault(error);
            assert.deepEqual([fault.status, fault.code, fault.type], [401, 'invalid_api_key', 'authentication_error']);
            assert.ok(fault.requestId && fault.requestId === fault.told, `${fault.requestId} and ${fault.told}`);
        });

    for (const { name, prefix, stream, title } of ways)
        test(`an error of OpenRouter keeps its status and sense (${title})`, async () => {
            const client = clients[name], { fetch } = listening(), user = newUser(), token = await world.token(user);
            await firstRequest(world, user);
            const fault = await world.sim.fault({ where: 'inference', kind: 'status', status: 400, times: 1,
                body: JSON.stringify({ error: { code: 400, message: 'max_tokens is too large for this model' } }) });
            const error = await client.ask(client.open(world.one.base + prefix, token, fetch), { stream }).then(() => assert.fail('accepted'), caught => caught);
            const read = client.fault(error);
            assert.equal(read.status, 400);
            assert.equal(typeof read.code, 'string');
            assert.match(read.message, /max_tokens is too large/);
            assert.ok(read.requestId && read.requestId === read.told);
            await world.sim.heal(fault);
        });

    for (const { name, prefix, title } of ways.filter(way => way.stream))
        test(`a stream that breaks off is an error, not an end (${title})`, async () => {
            const client = clients[name], { heads, fetch } = listening(), user = newUser(), token = await world.token(user);
            await firstRequest(world, user);
            await world.sim.fault({ where: 'inference', kind: 'mid_stream_cut', arg: 3, times: 1 });
            const error = await client.ask(client.open(world.one.base + prefix, token, fetch), { stream: true }).then(() => null, caught => caught);
            assert.ok(error instanceof Error, 'no clean end');
            if (client.tellsOfCuts) assert.match(`${error.message} ${JSON.stringify(error)}`, CUT);
            assert.equal(heads[0].status, 200);
            assert.match(heads[0].text, CUT, 'on the wire');
        });
});

describe('without a provisioning key', () => {
    let world;
    before(async () => { world = await World.open({ mode: 'development', managementKey: false }); });
    after(() => world.end());

    for (const { name, prefix, stream, title } of ways)
        test(`502 auto_renewal_failed (${title})`, async () => {
            const client = clients[name], { heads, fetch } = listening(), token = await world.token(newUser());
            const error = await client.ask(client.open(world.one.base + prefix, token, fetch), { stream }).then(() => assert.fail('accepted'), caught => caught);
            const fault = client.fault(error);
            assert.deepEqual({ status: fault.status, code: fault.code, type: fault.type }, { status: 502, ...ENVELOPE });
            assert.match(fault.message, /OPENROUTER_PROVISIONING_KEY/);
            assert.ok(fault.requestId && fault.requestId === fault.told);
            assert.equal(heads.length, 1);
            assert.equal(await world.sim.keysMade(), 0);
        });
});
