// Large bodies of several users at once: each arrives as it was sent, however its memory is found; the memory goes back.

import assert from 'node:assert/strict';
import http from 'node:http';
import { test } from 'node:test';
import { call, inWorld, isSanitized, keyturnBin, until } from './harness.mjs';

const KIB = 1024, MIB = 1024 * KIB;
const SIZES = [3 * MIB, 100 * KIB, 130 * KIB, 12 * MIB, 300 * KIB, 1 * MIB, 3 * MIB, 200 * KIB];
const KEPT = 16 * MIB; // what may be left of a burst; malloc keeps 8 of it

/** Between keyturn and the simulator; remembers what an inference says. */
async function between(run) {
    const contents = [];
    const server = http.createServer(async (request, response) => {
        const parts = [];
        for await (const part of request) parts.push(part);
        const { host, ...headers } = request.headers, bytes = Buffer.concat(parts), inference = request.url.endsWith('/chat/completions');
        if (inference) contents.push(JSON.parse(bytes).messages[0].content);
        const body = inference ? JSON.stringify({ ...JSON.parse(bytes), messages: [{ role: 'user', content: 'short' }] }) : parts.length ? bytes : undefined;
        if (inference) headers['content-length'] = Buffer.byteLength(body);
        const answer = await call(server.origin, request.method, request.url, { headers, body });
        response.writeHead(answer.status, { 'content-type': answer.headers['content-type'] ?? 'text/plain' });
        response.end(answer.text);
    });
    await new Promise(done => server.listen(0, '127.0.0.1', done));
    try {
        await run(server, contents);
    } finally {
        server.closeAllConnections();
        server.close();
    }
}

const builds = [['', keyturnBin, !isSanitized]];
if (process.env.KEYTURN_RELEASE_BIN) builds.push([', release build', process.env.KEYTURN_RELEASE_BIN, true]);
for (const [what, bin, isWeighed] of builds)
    test(`large bodies arrive as they were sent, announced or in chunks, and their memory goes back${what}`, t => between((server, contents) =>
        inWorld({ upstream: `http://127.0.0.1:${server.address().port}/api/v1`, instances: 0 }, async world => {
            server.origin = world.sim.origin;
            const keyturn = await world.keyturn({ bin }), token = await world.service();
            for (let i = 0; i < SIZES.length; i++) assert.equal((await keyturn.chat({ token, as: `user-${i}` })).status, 200);
            const before = keyturn.residentBytes();
            for (let round = 0; round < 3; round++) {
                contents.length = 0;
                const sent = SIZES.map((size, i) => `${round} ${i} ${String.fromCharCode(97 + i).repeat(size)}`);
                const answers = await Promise.all(sent.map((content, i) => keyturn.chat({
                    token, as: `user-${i}`, body: { messages: [{ role: 'user', content }] }, headers: (round + i) % 3 ? {} : { 'transfer-encoding': 'chunked' },
                })));
                assert.deepEqual(answers.map(answer => answer.status), SIZES.map(() => 200));
                const arrived = contents.sort((a, b) => a < b ? -1 : 1);
                assert.ok(arrived.length === sent.length && sent.every((content, i) => content === arrived[i]), `round ${round}`);
            }
            if (isWeighed) await until('the memory goes back', () => keyturn.residentBytes() < before + KEPT, { within: 20_000 });
        })(t)));
