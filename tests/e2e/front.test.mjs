// What a client may do to keyturn on the wire: framing, sizes, early answers, odd but right HTTP, too many connections,
// clients that do not read.

import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { assertFault, bodyOf, bounded, call, events, inWorld, isSanitized, Raw, raw, until, World } from './harness.mjs';

const CHAT = '/v1/chat/completions';
const body = JSON.stringify(bodyOf(CHAT));
const post = (token, fields, rest = '', line = `POST ${CHAT} HTTP/1.1`) =>
    `${line}\r\nHost: keyturn\r\nAuthorization: Bearer ${token}\r\nContent-Type: application/json\r\n${fields}\r\n${rest}`;
const whole = (token, more = '') => post(token, `Content-Length: ${body.length}\r\n${more}`, body);
const chunked = text => `${text.length.toString(16)}\r\n${text}\r\n0\r\n\r\n`;

/** The one reply of the connection, in the shape of every error. */
function assertRefusal(socket, status, code, why) {
    assert.equal(socket.replies.length, 1, `${why}: ${JSON.stringify(socket.text)}`);
    const [reply] = socket.replies;
    assertFault(reply, status, code, why);
    assert.equal(reply.headers['x-request-id'], reply.json.error.request_id, why);
    return reply;
}

describe('a request that is not well-formed is refused, told, and the connection closed', () => {
    let world, token;
    before(async () => { world = await World.open(); token = await world.token('alice'); });
    after(() => world.end());
    const smuggled = 'GET /v1/smuggled HTTP/1.1\r\nHost: x\r\n\r\n';
    const vectors = {
        'Content-Length and Transfer-Encoding': t => post(t, 'Content-Length: 5\r\nTransfer-Encoding: chunked\r\n', `0\r\n\r\n${smuggled}`),
        'Transfer-Encoding, then Content-Length': t => post(t, 'Transfer-Encoding: chunked\r\nContent-Length: 5\r\n', `0\r\n\r\n${smuggled}`),
        'two different Content-Length': t => post(t, 'Content-Length: 5\r\nContent-Length: 6\r\n', 'hello!'),
        'the same Content-Length twice': t => post(t, 'Content-Length: 5\r\nContent-Length: 5\r\n', 'hello'),
        'a list as Content-Length': t => post(t, 'Content-Length: 5, 5\r\n', 'hello'),
        'a signed Content-Length': t => post(t, 'Content-Length: +5\r\n', 'hello'),
        'a Content-Length past 64 bits': t => post(t, 'Content-Length: 18446744073709551621\r\n', 'hello'),
        'an unknown coding': t => post(t, 'Transfer-Encoding: gzip, chunked\r\n', `0\r\n\r\n${smuggled}`),
        'a coding that only looks like chunked': t => post(t, 'Transfer-Encoding: xchunked\r\n', `0\r\n\r\n${smuggled}`),
        'chunked twice': t => post(t, 'Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n', `0\r\n\r\n${smuggled}`),
        'Transfer-Encoding in HTTP/1.0': t => post(t, 'Transfer-Encoding: chunked\r\n', chunked(body), `POST ${CHAT} HTTP/1.0`),
        'a blank before the colon': t => post(t, 'Content-Length : 5\r\n', 'hello'),
        'a folded line': t => post(t, 'X-Folded: a\r\n b\r\nContent-Length: 0\r\n'),
        'a line ended by LF alone': t => whole(t).replace('\r\n', '\n'),
        'a bare CR in a value': t => post(t, 'X-Odd: a\rb\r\nContent-Length: 0\r\n'),
        'a NUL in a value': t => post(t, 'X-Odd: a\0b\r\nContent-Length: 0\r\n'),
        'no Host': () => 'GET /healthz HTTP/1.1\r\n\r\n',
        'two Hosts': () => 'GET /healthz HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n',
        'a blank in the target': () => 'GET /healthz /readyz HTTP/1.1\r\nHost: x\r\n\r\n',
        'another version': () => 'GET /healthz HTTP/2.0\r\nHost: x\r\n\r\n',
        'an upgrade': () => 'GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n',
        'TLS': () => '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03',
        'a chunk size that is none': t => post(t, 'Transfer-Encoding: chunked\r\n', `xyz\r\n${smuggled}`),
        'a chunk longer than it says': t => post(t, 'Transfer-Encoding: chunked\r\n', `5\r\nhello!\r\n0\r\n\r\n${smuggled}`),
        'a chunk size past 64 bits': t => post(t, 'Transfer-Encoding: chunked\r\n', `10000000000000005\r\nhello\r\n0\r\n\r\n${smuggled}`),
    };
    for (const [why, bytes] of Object.entries(vectors))
        test(why, async () => {
            const seen = (await world.sim.totals()).inference;
            assertRefusal(await raw(world.one.base, bytes(token)), 400, 'invalid_request', why);
            assert.equal((await world.sim.totals()).inference, seen, 'nothing went upstream');
        });

    test('a connection that breaks off within a body costs nothing and hurts nobody', async () => {
        const seen = (await world.sim.totals()).inference;
        const socket = await raw(world.one.base, post(token, 'Content-Length: 1000\r\n', body), { half: true });
        assertRefusal(socket, 400, 'invalid_request');
        assert.equal((await world.sim.totals()).inference, seen);
        assert.equal((await world.one.chat({ token })).status, 200);
    });

    test('requests that cannot be are in the measures', async () => {
        const metrics = await world.one.metrics();
        assert.ok(metrics.keyturn_requests_refused_total >= 20);
    });
});

describe('sizes and routes', () => {
    let world, token;
    before(async () => {
        world = await World.open({ env: { KEYTURN_SERVER_BODY_MAX: '64KiB' } });
        token = await world.token('alice');
    });
    after(() => world.end());
    const shapes = [
        [413, 'request_too_large', 'a body above the limit', t => post(t, 'Content-Length: 70000\r\n', 'x'.repeat(70000))],
        [413, 'request_too_large', 'a chunked body above the limit', t => post(t, 'Transfer-Encoding: chunked\r\n', chunked('x'.repeat(70000)))],
        [414, 'uri_too_long', 'a long target', () => `GET /${'x'.repeat(9000)} HTTP/1.1\r\nHost: x\r\n\r\n`],
        [414, 'uri_too_long', 'a target without an end', () => `GET /${'x'.repeat(40000)}`],
        [431, 'headers_too_large', 'a large head', t => post(t, `X-Large: ${'x'.repeat(40000)}\r\nContent-Length: 0\r\n`)],
        [431, 'headers_too_large', 'many fields', t => post(t, `${'X-Many: 1\r\n'.repeat(120)}Content-Length: 0\r\n`)],
        [417, 'expectation_failed', 'an unknown expectation', t => post(t, 'Expect: the-unexpected\r\nContent-Length: 0\r\n')],
        [405, 'method_not_allowed', 'a method nobody knows', () => 'BREW /healthz HTTP/1.1\r\nHost: x\r\n\r\n'],
    ];
    for (const [status, code, why, bytes] of shapes)
        test(`${status}: ${why}`, async () => { assertRefusal(await raw(world.one.base, bytes(token)), status, code, why); });

    test('404 and 405 keep the connection; 405 says what is allowed', async () => {
        const socket = await Raw.open(world.one.base);
        socket.send('GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\nGET /metrics HTTP/1.1\r\nHost: x\r\n\r\n');
        socket.send(`GET ${CHAT} HTTP/1.1\r\nHost: x\r\n\r\nDELETE /healthz HTTP/1.1\r\nHost: x\r\n\r\nGET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
        await socket.untilOver();
        const [nowhere, metrics, chat, health, fine] = socket.replies;
        for (const reply of [nowhere, metrics]) assertFault(reply, 404, 'not_found');
        for (const reply of [chat, health]) assertFault(reply, 405, 'method_not_allowed');
        assert.equal(chat.headers.allow, 'POST');
        assert.equal(health.headers.allow, 'GET, HEAD');
        assert.equal(fine.status, 200);
        for (const reply of [nowhere, metrics, chat, health]) assert.equal(reply.headers['x-request-id'], reply.json.error.request_id);
        assert.equal(new Set([nowhere, metrics, chat, health].map(reply => reply.headers['x-request-id'])).size, 4);
        socket.destroy();
    });
});

describe('an answer before the body was read arrives', () => {
    for (const [what, fields] of [['told by its length', `Content-Length: ${8 << 20}\r\n`], ['in chunks', 'Transfer-Encoding: chunked\r\n']])
        test(`401 while 8 MB are being sent, ${what}`, inWorld({}, async world => {
            for (let round = 0; round < 5; round++) {
                const socket = await Raw.open(world.one.base), mib = 'x'.repeat(1 << 20);
                socket.send(post('kt_nobodynobody_' + 'x'.repeat(43), fields));
                for (let sent = 0; sent < 8; sent++) socket.send(fields.startsWith('T') ? `100000\r\n${mib}\r\n` : mib);
                await socket.untilOver();
                const [reply] = socket.replies;
                assertFault(reply ?? { text: socket.text, headers: {} }, 401, 'invalid_api_key');
                socket.destroy();
            }
        }));

    test('413 while 100 MB are being sent', inWorld({}, async world => {
        const token = await world.token('alice'), socket = await Raw.open(world.one.base), before = world.one.residentBytes();
        socket.send(post(token, `Content-Length: ${100 << 20}\r\n`));
        for (let sent = 0; sent < 100 && !socket.over; sent++) {
            socket.send('x'.repeat(1 << 20));
            if (socket.socket.writableLength > 4 << 20)
                await bounded('room or an end', Promise.race(['drain', 'end', 'close', 'error'].map(name => new Promise(done => socket.socket.once(name, done)))), 15_000);
        }
        await socket.untilOver();
        assertFault(socket.replies[0] ?? { text: socket.text, headers: {} }, 413, 'request_too_large');
        assert.ok(world.one.residentBytes() - before < 64 << 20);
        socket.destroy();
    }));
});

describe('odd but right HTTP is served', () => {
    let world, token;
    before(async () => { world = await World.open(); token = await world.token('alice'); await world.one.chat({ token }); });
    after(() => world.end());
    const served = reply => {
        assert.equal(reply?.status, 200, JSON.stringify(reply));
        assert.match(reply.json.choices[0].message.content, /^Lorem/);
    };

    test('pipelining: replies in order, also behind a slow one', async () => {
        await world.sim.set({ latency_ms: 200 });
        const get = path => `GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`;
        const socket = await Raw.open(world.one.base);
        socket.send(get('/healthz') + whole(token) + get('/readyz') + whole(token) + get('/nowhere') + whole(token, 'Connection: close\r\n'));
        await socket.untilOver();
        assert.deepEqual(socket.replies.map(reply => reply.status), [200, 200, 200, 200, 404, 200]);
        served(socket.replies[1]);
        served(socket.replies[5]);
        socket.destroy();
        await world.sim.set({ latency_ms: 0 });
    });

    test('byte by byte', async () => {
        const socket = await Raw.open(world.one.base);
        socket.socket.setNoDelay(true);
        for (const byte of whole(token, 'Connection: close\r\n')) await new Promise(done => socket.socket.write(byte, done));
        await socket.untilOver();
        served(socket.replies[0]);
        socket.destroy();
    });

    test('100-continue: asked for, told, then the body; refused before it where it is of no use', async () => {
        const socket = await Raw.open(world.one.base);
        socket.send(post(token, `Expect: 100-continue\r\nContent-Length: ${body.length}\r\n`));
        await socket.expect(/^HTTP\/1\.1 100 Continue\r\n\r\n$/);
        socket.send(body);
        await socket.expect(/chat\.completion/);
        await until('the whole reply', () => socket.replies[1]?.json);
        served(socket.replies[1]);
        socket.destroy();
        const refused = await raw(world.one.base, post('kt_nobodynobody_' + 'x'.repeat(43), `Expect: 100-continue\r\nContent-Length: ${body.length}\r\n`));
        assert.ok(!refused.text.includes('100 Continue'));
        assertFault(refused.replies[0], 401, 'invalid_api_key');
    });

    test('a client that has closed its half gets its reply, plain and stream', async () => {
        await world.sim.set({ latency_ms: 100, chunk_delay_ms: 5 });
        served((await raw(world.one.base, whole(token), { half: true })).replies[0]);
        const asked = JSON.stringify({ ...bodyOf(CHAT), stream: true });
        const { replies: [reply] } = await raw(world.one.base, post(token, `Content-Length: ${asked.length}\r\n`, asked), { half: true });
        assert.equal(events(reply.text).at(-1).data, '[DONE]');
        assert.ok(!reply.cut);
        await world.sim.set({ latency_ms: 0, chunk_delay_ms: 0 });
    });

    test('a chunked request body, with an extension and a trailer', async () => {
        const half = body.length >> 1, piece = text => `${text.length.toString(16)};a="b"\r\n${text}\r\n`;
        const { replies: [reply] } = await raw(world.one.base, post(token, 'Transfer-Encoding: chunked\r\nConnection: close\r\n',
            `${piece(body.slice(0, half))}${piece(body.slice(half))}0\r\nX-Trailer: 1\r\n\r\n`));
        served(reply);
    });

    test('HTTP/1.0: no chunks, the end is the end of the connection', async () => {
        const { replies: [plain] } = await raw(world.one.base, post(token, `Content-Length: ${body.length}\r\n`, body, `POST ${CHAT} HTTP/1.0`));
        served(plain);
        assert.equal(plain.headers['transfer-encoding'], undefined);
        const asked = JSON.stringify({ ...bodyOf(CHAT), stream: true });
        const { replies: [stream] } = await raw(world.one.base, post(token, `Content-Length: ${asked.length}\r\n`, asked, `POST ${CHAT} HTTP/1.0`));
        assert.equal(stream.headers['transfer-encoding'], undefined);
        assert.equal(events(stream.text).at(-1).data, '[DONE]');
    });

    test('HTTP/1.0: a stream cut in its middle is told before the end of the connection', async () => {
        await world.sim.fault({ where: 'inference', kind: 'mid_stream_cut', arg: 3, times: 1 });
        const asked = JSON.stringify({ ...bodyOf(CHAT), stream: true });
        const { replies: [stream] } = await raw(world.one.base, post(token, `Content-Length: ${asked.length}\r\n`, asked, `POST ${CHAT} HTTP/1.0`));
        assert.ok(events(stream.text).some(event => event.data?.error?.code === 'upstream_error'), stream.text);
    });

    test('HEAD /healthz has no body; OPTIONS has no route', async () => {
        const socket = await raw(world.one.base, 'HEAD /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
        assert.match(socket.text, /^HTTP\/1\.1 200 OK\r\n/);
        assert.ok(socket.text.endsWith('\r\n\r\n') && !socket.text.includes('status'));
    });
});

test('a token is its secret: with another one its id is nobody, also once the right one is known; revoked it is nobody, too', inWorld({}, async world => {
    const token = await world.token('ada'), other = token.replace(/.$/, last => last === 'A' ? 'B' : 'A');
    const status = async token => (await world.one.chat({ token })).status;
    for (let round = 0; round < 2; round++) {
        assertFault(await world.one.chat({ token: other }), 401, 'invalid_api_key', `round ${round}`);
        assert.equal(await status(token), 200, `round ${round}`);
    }
    await world.redis.ask('HSET', `kt:t:${token.split('_')[1]}`, 'status', 'revoked');
    await until('the revocation is felt', async () => await status(token) === 401);
}));

test('40 connections with 30 descriptors: each one is told something, and it recovers', inWorld({ instances: 0 }, async world => {
    const keyturn = await world.keyturn({ wrap: command => ['sh', '-c', 'ulimit -n 30; exec "$0" "$@"', ...command] });
    const token = await world.token('alice');
    assert.equal((await keyturn.chat({ token, agent: false })).status, 200);
    for (const [what, bytes] of [['GET /healthz', 'GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n'], ['POST', whole(token)]]) {
        const sockets = await Promise.all(Array.from({ length: 40 }, async () => (await Raw.open(keyturn.base)).send(bytes)));
        // Whoever was answered leaves, so that the next one gets its turn.
        await until(`all 40 ${what} are answered`, () => {
            for (const socket of sockets) if (socket.over || socket.replies.length) socket.done ??= socket.destroy() ?? true;
            return sockets.every(socket => socket.done);
        }, { within: 30_000 });
        for (const socket of sockets) {
            assert.ok(socket.replies.length, `closed without a word: ${JSON.stringify([socket.text, socket.failed])}`);
            const [reply] = socket.replies;
            if (reply.status !== 200) assertFault(reply, 503, reply.json.error.code === 'overloaded' ? 'overloaded' : 'upstream_unavailable');
        }
        assert.ok(sockets.some(socket => socket.replies[0].status === 200), `some ${what} are served`);
    }
    await until('it serves as before', async () => (await keyturn.chat({ token, agent: false })).status === 200);
    for (let i = 0; i < 20; i++) assert.equal((await keyturn.chat({ token, agent: false })).status, 200);
}));

test('unix-socket and IPv6 listeners', inWorld({ instances: 0 }, async world => {
    const path = join(world.directory, 'keyturn.sock');
    const keyturn = await world.keyturn({ listen: `127.0.0.1:0, [::1]:0,unix:${path}` });
    const token = await world.token('alice'), bases = keyturn.addresses('clients');
    assert.match(bases[1], /^http:\/\/\[::1\]:\d+$/);
    assert.equal(bases[2], `unix:${path}`);
    for (const base of bases) for (const stream of [false, true]) {
        const answer = await call(base, 'POST', CHAT, { token, body: { ...bodyOf(CHAT), stream } });
        assert.equal(answer.status, 200, `${base}: ${answer.text}`);
    }
    await keyturn.stop();
    assert.ok(!existsSync(path), 'the socket is gone with it');
}));

test('a unix socket left behind by a killed keyturn is taken over', inWorld({ instances: 0 }, async world => {
    const path = join(world.directory, 'keyturn.sock'), listen = `127.0.0.1:0,unix:${path}`;
    await (await world.keyturn({ listen })).kill();
    assert.ok(existsSync(path));
    await world.keyturn({ listen });
    assert.equal((await call(`unix:${path}`, 'GET', '/healthz')).status, 200);
}));

test('two instances on one port: both serve, one leaves, the other goes on', inWorld({}, async world => {
    const token = await world.service(), two = await world.keyturn({ listen: new URL(world.one.base).host });
    assert.equal(two.base, world.one.base);
    const ask = as => world.one.chat({ token, as, agent: false });
    await until('both have served', async () => {
        assert.equal((await ask('alice')).status, 200);
        return [world.one, two].every(instance => instance.logs('request').length);
    });
    await world.one.stop();
    for (let i = 0; i < 50; i++) assert.equal((await ask('alice')).status, 200);
    assert.equal(await world.sim.keysMade(), 1);
}));

describe('clients that never read', () => {
    // What is unsent, and what curl and the socket hold beside it; each stream is four times as long. The sanitizer needs twice as much.
    const CLIENTS = 300, BACKLOG = 32 << 10, most = CLIENTS * (BACKLOG + (256 << 10));
    const builds = [['', undefined, isSanitized ? 2 * most : most]];
    if (process.env.KEYTURN_RELEASE_BIN) builds.push([', release build', process.env.KEYTURN_RELEASE_BIN, most]);
    for (const [what, bin, most] of builds)
        test(`300 streams that nobody reads: memory is bounded, OpenRouter is made to wait, others flow${what}`, inWorld({ instances: 0 }, async (world, t) => {
            const path = join(world.directory, 'keyturn.sock');
            // A unix socket's buffers do not grow, so that what is not read stays with keyturn and above.
            const keyturn = await world.keyturn({ bin, listen: `127.0.0.1:0,unix:${path}`, env: { KEYTURN_SERVER_BACKLOG_MAX: `${BACKLOG}`, KEYTURN_UPSTREAM_CALLS_MAX: '1000' } });
            const token = await world.service();
            assert.equal((await keyturn.chat({ token, as: 'alice' })).status, 200);
            await world.sim.set({ response_bytes: 1 << 20 });
            const before = keyturn.residentBytes(), asked = JSON.stringify({ ...bodyOf(CHAT), stream: true, user: 'alice' });
            const sockets = Array.from({ length: CLIENTS }, () => net.connect({ path }).on('error', () => {}).pause());
            t.after(() => { for (const socket of sockets) socket.destroy(); });
            for (const socket of sockets) socket.write(post(token, `Content-Length: ${asked.length}\r\n`, asked));
            await until('all are under way', async () => (await keyturn.metrics()).keyturn_upstream_calls_open >= CLIENTS, { within: 30_000 });
            let last = 0;
            await until('no more comes in', () => { const now = keyturn.residentBytes(), same = now === last; last = now; return same; }, { every: 500, within: 20_000 });
            const grown = keyturn.residentBytes() - before;
            assert.ok(grown < most, `${grown >> 20} MiB for ${CLIENTS} clients`);
            await world.sim.set({ response_bytes: 0 });
            for (const stream of [false, true]) for (const as of ['alice', 'bob']) {
                const answer = await keyturn.chat({ token, as, stream });
                assert.equal(answer.status, 200, answer.text);
                assert.ok(!answer.cut);
            }
            const metrics = await keyturn.metrics();
            assert.equal(metrics.keyturn_upstream_calls_open, CLIENTS, 'each of them still waits for its client');
            // One that begins to read gets all of it.
            let text = '';
            sockets[0].on('data', part => { text += part.toString('latin1'); });
            sockets[0].resume();
            await until('the whole stream', () => text.endsWith('0\r\n\r\n'));
            assert.match(text, /data: \[DONE\]/);
            assert.ok(text.length > 1 << 20);
            for (const socket of sockets) socket.destroy();
            await until('all are given up', async () => (await keyturn.metrics()).keyturn_exchanges_in_flight === 0);
        }));

    test('one that takes nothing for the write timeout is gone, and its call upstream too', inWorld({ env: { KEYTURN_SERVER_WRITE_TIMEOUT: '1s' } }, async world => {
        const token = await world.token('alice');
        await world.one.chat({ token });
        await world.sim.set({ response_bytes: 32 << 20, stream_chunks: 16 });
        const socket = net.connect(Number(new URL(world.one.base).port), '127.0.0.1').on('error', () => {}).pause();
        const asked = JSON.stringify({ ...bodyOf(CHAT), stream: true });
        socket.write(post(token, `Content-Length: ${asked.length}\r\n`, asked));
        const row = await until('it is given up', async () => world.one.logs('request').find(line => line.stream), { within: 15_000 });
        assert.ok(row.bytes_down < 32 << 20, `${row.bytes_down} bytes`);
        assert.equal((await world.one.metrics()).keyturn_upstream_calls_open, 0);
        socket.destroy();
    }));
});
