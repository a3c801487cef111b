// The simulator against itself: the semantics other tests rely on.
// node tests/sim/selftest.mjs PATH_TO_SIM

import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import http from 'node:http';
import net from 'node:net';
import assert from 'node:assert/strict';

const management = 'sk-or-v1-simulator-management-key';
const program = process.argv[2];
if (!program) {
    console.error('usage: node selftest.mjs PATH_TO_SIM');
    process.exit(2);
}

const agent = new http.Agent({ keepAlive: true });
const child = spawn(program, ['--listen', '127.0.0.1:0', '--api-key', 'sk-or-v1-given']);
child.stderr.pipe(process.stderr);
const base = await new Promise((resolve, reject) => {
    child.stdout.once('data', line => resolve(String(line).match(/listening on (http:\S+)/)[1]));
    child.once('exit', code => reject(new Error(`the simulator ended with ${code}`)));
});
child.removeAllListeners('exit');
const port = Number(new URL(base).port);
const tests = [];
const test = (name, run) => tests.push([name, run]);

function call(method, path, { key, body, onData, headers = {}, agent: own = agent } = {}) {
    return new Promise((resolve, reject) => {
        const options = { method, port, host: '127.0.0.1', path, agent: own, headers: { ...headers } };
        if (key) options.headers.authorization = `Bearer ${key}`;
        const request = http.request(options, response => {
            const parts = [];
            response.on('data', part => { parts.push(part); onData?.(part, request); });
            const end = broken => {
                const text = Buffer.concat(parts).toString();
                let json;
                try { json = JSON.parse(text); } catch { /* not JSON */ }
                resolve({ status: response.statusCode, headers: response.headers, text, json, broken });
            };
            response.on('end', () => end(false));
            response.on('error', () => end(true));
        });
        request.on('error', reject);
        request.end(typeof body === 'object' ? JSON.stringify(body) : body);
    });
}

const api = (method, path, options) => call(method, `/api/v1${path}`, options);
const admin = (method, path, body) => api(method, path, { key: management, body });
const control = async (method, path, body) => (await call(method, `/__sim${path}`, { body })).json;
const order = fault => control('POST', '/fault', fault);
const set = settings => control('POST', '/settings', settings);
const chat = (key, more = {}, options = {}) => api('POST', '/chat/completions', {
    key, body: { model: 'openai/gpt-4o', messages: [{ role: 'user', content: 'hello' }], ...more }, ...options });
const newKey = async (body = {}) => (await admin('POST', '/keys', { name: 'k', ...body })).json;
const events = text => text.split(/\r?\n\r?\n/).map(e => e.match(/^data: (.*)$/m)?.[1])
    .filter(d => d && d !== '[DONE]').map(d => JSON.parse(d));
const until = async condition => {
    for (let i = 0; i < 200; i++) {
        const value = await condition();
        if (value) return value;
        await new Promise(resolve => setTimeout(resolve, 10));
    }
    throw new Error(`never true: ${condition}`);
};
const rows = async () => (await control('GET', '/ledger')).requests;

test('create answers 201, the hash is the SHA-256 of the key', async () => {
    const { status, json } = await admin('POST', '/keys', { name: 'one', limit: 1.5, limit_reset: 'daily' });
    assert.equal(status, 201);
    assert.match(json.key, /^sk-or-v1-[0-9a-f]{64}$/);
    assert.equal(json.data.hash, createHash('sha256').update(json.key).digest('hex'));
    assert.equal(json.data.limit_remaining, 1.5);
    assert.equal((await admin('GET', `/keys/${json.data.hash}`)).json.data.name, 'one');
});

test('create checks name and expires_at; the other shape nests the key', async () => {
    assert.equal((await admin('POST', '/keys', {})).status, 400);
    for (const expires_at of ['2027-12-31T23:59Z', '2027-12-31T23:59:59+01:00', 'soon'])
        assert.equal((await admin('POST', '/keys', { name: 'x', expires_at })).status, 400);
    const made = await admin('POST', '/keys', { name: 'x', expires_at: '2027-12-31T23:59:59Z' });
    assert.equal(made.json.data.expires_at, '2027-12-31T23:59:59.000Z');
    await set({ create_shape: 'nested' });
    const nested = await admin('POST', '/keys', { name: 'y' });
    assert.ok(nested.json.data.key && !nested.json.key);
});

test('list pages by 100, newest first, disabled ones only on request', async () => {
    for (let i = 0; i < 105; i++) await newKey({ name: `n${i}` });
    const page = (await admin('GET', '/keys')).json.data;
    assert.deepEqual([page.length, page[0].name, page[99].name], [100, 'n104', 'n5']);
    assert.equal((await admin('GET', '/keys?offset=100')).json.data.length, 6);
    assert.equal((await admin('GET', '/keys?offset=200')).json.data.length, 0);
    await admin('PATCH', `/keys/${page[0].hash}`, { disabled: true });
    assert.equal((await admin('GET', '/keys')).json.data[0].name, 'n103');
    assert.equal((await admin('GET', '/keys?include_disabled=true')).json.data[0].name, 'n104');
});

test('credentials: word for word', async () => {
    const message = async promise => { const r = await promise; return [r.status, r.json.error.message]; };
    const { key } = await newKey();
    assert.deepEqual(await message(api('GET', '/keys')), [401, 'Missing Authentication header']);
    assert.deepEqual(await message(api('GET', '/keys', { key: 'sk-or-v1-x' })), [401, 'User not found.']);
    assert.deepEqual(await message(api('GET', '/keys', { key })),
        [403, 'Only management keys can perform this operation']);
    assert.deepEqual(await message(chat('sk-or-v1-unknown')), [401, 'User not found.']);
    assert.equal((await chat(management)).status, 403);
    assert.equal((await chat('sk-or-v1-given')).status, 200);
    assert.equal((await api('POST', '/messages', { body: {} })).json.error.type, 'authentication_error');
    assert.equal((await admin('GET', '/key')).json.data.is_management_key, true);
});

test('deleted, disabled and expired keys cannot be told apart', async () => {
    const [a, b, c] = [await newKey({ name: 'a' }), await newKey({ name: 'b' }), await newKey({ name: 'c' })];
    assert.deepEqual((await admin('DELETE', `/keys/${a.data.hash}`)).json, { deleted: true });
    await admin('PATCH', `/keys/${b.data.hash}`, { disabled: true });
    assert.equal((await control('POST', '/expire_key', { key: c.key })).keys, 1);
    for (const { key } of [a, b, c]) {
        const { status, json } = await chat(key);
        assert.deepEqual([status, json.error.message], [401, 'User not found.']);
    }
    assert.equal((await admin('GET', `/keys/${a.data.hash}`)).status, 404);
    assert.equal((await admin('DELETE', `/keys/${a.data.hash}`)).status, 404);
    assert.equal((await admin('GET', `/keys/${c.data.hash}`)).status, 200);
});

test('a spent limit answers 403 and opens again with the next window', async () => {
    const { key, data } = await newKey({ limit: 0.0001, limit_reset: 'monthly' });
    assert.equal((await chat(key)).status, 200);
    const { status, json } = await chat(key);
    assert.equal(status, 403);
    assert.equal(json.error.message,
        'Key limit exceeded (monthly limit). Manage it using https://openrouter.ai/settings/keys');
    assert.equal(json.error.metadata.limit_usd, 0.0001);
    assert.equal((await admin('GET', `/keys/${data.hash}`)).json.data.limit_remaining, 0);
    await set({ clock_offset_ms: 32 * 86400000 });
    assert.equal((await chat(key)).status, 200);
});

test('JSON: usage, exact cost, ledger row, generation', async () => {
    const { key, data } = await newKey({ name: 'user-7' });
    await set({ generation_delay_ms: 50 });
    const { json, headers } = await chat(key, { max_tokens: 5, user: 'u7' }, { headers: { 'x-title': 'T' } });
    assert.deepEqual([json.usage.prompt_tokens, json.usage.completion_tokens], [3, 5]);
    assert.equal(json.usage.cost, (3 * 2500 + 5 * 10000) / 1e9);
    assert.deepEqual(json.usage.cost_details, { upstream_inference_cost: 57500 / 1e9,
        upstream_inference_prompt_cost: 7500 / 1e9, upstream_inference_completions_cost: 50000 / 1e9 });
    assert.equal(json.system_fingerprint, null);
    assert.equal(json.choices[0].finish_reason, 'length');
    assert.equal(headers['x-generation-id'], json.id);
    const [row] = await rows();
    assert.equal(row.billed_nano_usd, 57500);
    assert.deepEqual([row.key_hash, row.name_of_key, row.user, row.x_title, row.completed, row.status],
        [data.hash, 'user-7', 'u7', 'T', true, 200]);
    assert.equal((await api('GET', `/generation?id=${json.id}`, { key })).status, 404);
    const found = await until(async () => {
        const answer = await api('GET', `/generation?id=${json.id}`, { key });
        return answer.status === 200 && answer.json.data;
    });
    assert.equal(found.total_cost, 0.0000575);
});

test('streams of every dialect carry their end and their usage', async () => {
    const { key } = await newKey();
    const read = async (path, body) => (await api('POST', path, { key, body: { model: 'sim/echo', stream: true, ...body } })).text;
    const messages = [{ role: 'user', content: 'hello' }];
    for (const usage_form of ['empty_choices', 'with_choice']) {
        await set({ usage_form });
        const text = await read('/chat/completions', { messages });
        const last = events(text).at(-1);
        assert.match(text, /^: OPENROUTER PROCESSING/);
        assert.match(text, /data: \[DONE\]\n\n$/);
        assert.equal(last.choices.length, usage_form === 'with_choice' ? 1 : 0);
        assert.equal(last.usage.cost, 0.000035);
        assert.ok(!text.includes('system_fingerprint'), 'the official SDK refuses null in a chunk');
    }
    assert.match(await read('/completions', { prompt: 'hello' }), /"text":"Lorem ".*\[DONE\]/s);
    const responses = await read('/responses', { input: 'hello' });
    assert.match(responses, /response\.created.*output_text\.delta.*response\.completed.*\[DONE\]/s);
    assert.equal(events(responses).at(-1).response.usage.output_tokens, 16);
    assert.equal(events(responses).at(-1).response.usage.cost_details.upstream_inference_output_cost, 0.000032);
    assert.match(await read('/messages', { messages }), /message_start.*message_delta.*message_stop/s);
    const vector = await api('POST', '/embeddings', { key, body: { model: 'openai/text-embedding-3-small', input: 'hello' } });
    assert.equal(vector.json.usage.cost, 4e-8);
});

test('shapes on request: exponent, whitespace, length, CRLF, splits, padding', async () => {
    const { key } = await newKey();
    await set({ cost_exponent: true, leading_whitespace: true, content_length: true });
    const plain = await chat(key, { model: 'mistralai/mistral-nemo' });
    assert.match(plain.text, /^\s+\{.*"cost":[\d.]+e-\d+/s);
    assert.equal(Number(plain.headers['content-length']), Buffer.byteLength(plain.text));
    await set({ crlf: true, split_bytes: 7 });
    const split = await chat(key, { stream: true });
    assert.equal(events(split.text).at(-1).usage.completion_tokens, 16);
    assert.match(split.text, /\r\n\r\ndata:/);
    await set({ split_bytes: 0, response_bytes: 100000 });
    assert.equal((await chat(key)).text.length > 99000, true);
});

test('faults: status, after and times, by key, texts', async () => {
    const { key, data } = await newKey();
    const other = await newKey();
    const { id } = await order({ where: 'inference', kind: 'status', text: 'in_flight_budget', after: 1, times: 1, key_hash: data.hash });
    assert.equal((await chat(key)).status, 200);
    assert.equal((await chat(other.key)).status, 200);
    const hit = await chat(key);
    assert.deepEqual([hit.status, hit.headers['retry-after'], hit.headers['content-length']], [402, '5', undefined]);
    assert.equal(hit.json.error.metadata.reason, 'in_flight_budget_exhausted');
    assert.equal((await chat(key)).status, 200);
    assert.equal((await control('GET', '/fault')).faults.find(f => f.id === id).hits, 1);
    await order({ where: 'create', kind: 'status', status: 503, body: '<html>busy</html>' });
    assert.equal((await admin('POST', '/keys', { name: 'x' })).text, '<html>busy</html>');
    for (const { text, status } of (await control('GET', '/texts')).texts) {
        await control('DELETE', '/fault');
        await order({ where: 'inference', kind: 'status', text });
        assert.equal((await chat(key)).status, status, text);
    }
});

test('faults: an error in a 200, behind blank lines', async () => {
    const { key } = await newKey();
    await order({ where: 'inference', kind: 'error_in_200', text: 'overloaded_503', arg: 3, delay_ms: 50, times: 1 });
    const hit = await chat(key);
    assert.deepEqual([hit.status, hit.headers['retry-after'], hit.json.error.code], [200, '2', 503]);
    assert.match(hit.text, /^\n\n\n\{"error"/);
    await order({ where: 'inference', kind: 'error_in_200', status: 400, body: '{"error":{"code":400}}', times: 1 });
    assert.deepEqual([(await chat(key)).text, (await chat(key)).status], ['{"error":{"code":400}}', 200]);
    assert.deepEqual((await rows()).map(row => [row.status, row.billed_nano_usd > 0]), [[200, false], [200, false], [200, true]]);
});

test('faults: lost_reply makes the key, close does not', async () => {
    await order({ where: 'create', kind: 'lost_reply', times: 1 });
    await assert.rejects(newKey({ name: 'lost' }));
    assert.equal((await admin('GET', '/keys')).json.data[0].name, 'lost');
    await order({ where: 'create', kind: 'close', times: 1 });
    await assert.rejects(newKey({ name: 'never' }));
    assert.equal((await control('GET', '/ledger?brief=1')).totals.posts_keys, 2);
    assert.equal((await control('GET', '/ledger')).keys_created, 2); /* with the one given at start */
});

test('faults: storm, reset and html', async () => {
    const { key } = await newKey();
    await order({ where: 'inference', kind: 'user_not_found_storm', times: 1 });
    assert.equal((await chat(key)).json.error.message, 'User not found.');
    await order({ where: 'inference', kind: 'reset', arg: 0, times: 1 });
    await assert.rejects(chat(key), /ECONNRESET|hang up/);
    await order({ where: 'inference', kind: 'reset', arg: 300, times: 1 });
    assert.equal((await chat(key)).broken, true);
    await order({ where: 'inference', kind: 'html_502', times: 1 });
    assert.match((await chat(key)).text, /502 Bad Gateway/);
    assert.deepEqual((await rows()).map(row => [row.status, row.billed_nano_usd > 0]),
        [[401, false], [200, true], [200, true], [502, false]]);
});

test('faults: hold and stall end when the fault is deleted', async () => {
    const { key } = await newKey();
    for (const kind of ['hold', 'stall']) {
        const { id } = await order({ where: 'inference', kind, arg: 100, times: 1 });
        let ended = false;
        const running = chat(key, { stream: true }).then(answer => { ended = true; return answer; });
        await until(async () => (await control('GET', '/fault')).faults.some(f => f.id === id && f.hits));
        assert.equal(ended, false);
        await control('DELETE', `/fault/${id}`);
        assert.match((await running).text, /\[DONE\]/);
    }
});

test('faults: errors and cuts in mid stream', async () => {
    const { key } = await newKey();
    await order({ where: 'inference', kind: 'mid_stream_error', arg: 3, times: 1 });
    const failed = await chat(key, { stream: true });
    const last = events(failed.text).at(-1);
    assert.deepEqual([failed.broken, last.error.code, last.choices[0].finish_reason], [false, 502, 'error']);
    assert.equal(events(failed.text).length, 4);
    await order({ where: 'inference', kind: 'mid_stream_cut', arg: 3, times: 1 });
    const cut = await chat(key, { stream: true });
    assert.deepEqual([cut.broken, events(cut.text).length], [true, 3]);
    const [one, two] = await rows();
    assert.deepEqual([one.billed_nano_usd, two.billed_nano_usd], [0, 3 * 2500 + 3 * 10000]);
});

test('faults: late bytes arrive after a complete answer', async () => {
    const { key } = await newKey();
    await order({ where: 'inference', kind: 'late_bytes', delay_ms: 20, times: 1 });
    const body = '{"model":"sim/echo","messages":[]}';
    const socket = net.connect(port, '127.0.0.1');
    socket.write(`POST /api/v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${key}\r\n` +
        `content-length: ${body.length}\r\n\r\n${body}`);
    let text = '';
    socket.on('data', part => { text += part; });
    await until(() => text.includes('LATE BYTES'));
    assert.equal(text.split('HTTP/1.1 200').length, 3);
    socket.destroy();
});

test('faults: refuse closes the listener for a while', async () => {
    await order({ kind: 'refuse', delay_ms: 150 });
    const fresh = () => call('GET', '/__sim', { agent: false });
    await assert.rejects(fresh(), /ECONNREFUSED/);
    await until(() => fresh().then(answer => answer.status === 200, () => false));
});

test('a client that leaves a stream pays for what was generated', async () => {
    const { key } = await newKey();
    await set({ chunk_delay_ms: 20 });
    const leave = () => chat(key, { stream: true }, { agent: false,
        onData: (part, request) => String(part).includes('dolor') && request.destroy() }).catch(() => 0);
    await leave();
    const row = await until(async () => (await rows()).find(r => r.client_aborted));
    assert.ok(row.completion_tokens >= 3 && row.completion_tokens < 8, `${row.completion_tokens} tokens`);
    assert.equal(row.billed_nano_usd, 3 * 2500 + row.completion_tokens * 10000);
    assert.equal(row.completed, false);
    await set({ cancel_stops_billing: false });
    await leave();
    const full = await until(async () => (await rows()).filter(r => r.client_aborted)[1]);
    assert.equal(full.completion_tokens, 16);
});

test('pipelined requests are answered in order', async () => {
    const socket = net.connect(port, '127.0.0.1');
    const one = path => `GET ${path} HTTP/1.1\r\nhost: x\r\n\r\n`;
    socket.write(one('/api/v1/models') + one('/api/v1/keys') + one('/nowhere'));
    let text = '';
    socket.on('data', part => { text += part; });
    await until(() => text.includes('Not Found'));
    assert.deepEqual(text.match(/HTTP\/1\.1 \d+/g).map(line => line.slice(9)), ['200', '401', '404']);
    socket.destroy();
});

test('the ledger adds up', async () => {
    const keys = [await newKey(), await newKey(), await newKey()];
    await Promise.all(Array.from({ length: 60 }, (_, i) => chat(keys[i % 3].key, { stream: i % 2 === 0, max_tokens: i + 1 })));
    const ledger = await control('GET', '/ledger');
    const sum = list => list.reduce((total, item) => total + item.billed_nano_usd, 0);
    assert.equal(sum(ledger.requests), ledger.totals.billed_nano_usd);
    assert.equal(sum(ledger.keys), ledger.totals.billed_nano_usd);
    assert.equal(ledger.requests.length, 60);
    const credits = (await admin('GET', '/credits')).json.data;
    assert.equal(Math.round(credits.total_usage * 1e9), ledger.totals.billed_nano_usd);
});

let failed = 0;
for (const [name, run] of tests) {
    await control('POST', '/reset', { settings: true });
    try {
        await run();
    } catch (error) {
        failed++;
        console.log(`not ok: ${name}\n  ${error.stack.split('\n').slice(0, 12).join('\n  ')}`);
    }
}
const code = await new Promise(resolve => { child.once('exit', resolve); child.kill('SIGTERM'); });
if (code !== 0) {
    failed++;
    console.log(`not ok: SIGTERM ended it with ${code}`);
}
console.log(`${tests.length - Math.min(failed, tests.length)} passed, ${failed} failed`);
process.exit(failed ? 1 : 0);
