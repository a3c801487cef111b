// docker/nginx.conf in front of two keyturns: it adds nothing, holds nothing back, and sends nothing twice.

import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { assertFault, bodyOf, call, DEFAULT_TIER, events, freePort, inWorld, Program, repository, until } from './harness.mjs';

const nginxBin = [...process.env.PATH.split(':'), '/usr/sbin', '/usr/local/sbin'].map(directory => join(directory, 'nginx')).find(existsSync);
const CHAT = '/v1/chat/completions';

/** The configuration as it is shipped; only addresses, files and the user are this test's. */
function adapted(world, port) {
    const directory = join(world.directory, 'nginx');
    mkdirSync(directory);
    let text = readFileSync(join(repository, 'docker/nginx.conf'), 'utf8');
    const change = (from, to) => { assert.match(text, from); text = text.replace(from, to); };
    for (const [i, instance] of world.instances.entries()) change(new RegExp(`keyturn-${i + 1}:8080`), new URL(instance.base).host);
    change(/^worker_rlimit_nofile .*$/m, ''); // this machine may allow less
    change(/listen 8080;/, `listen 127.0.0.1:${port};`);
    change(/^http \{$/m, `http {\n${['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(kind => `    ${kind}_temp_path ${directory}/${kind};\n`).join('')}`);
    const file = join(directory, 'nginx.conf');
    writeFileSync(file, `daemon off;\npid ${directory}/pid;\nerror_log stderr;\n${process.getuid() === 0 ? 'user root;\n' : ''}${text}`);
    return { directory, file };
}

/** A world with two keyturns and nginx in front of them. */
const behindNginx = body => inWorld({ instances: 2 }, async (world, t) => {
    const port = await freePort(), { directory, file } = adapted(world, port);
    const nginx = new Program('nginx', nginxBin, ['-p', directory, '-c', file]);
    t.after(() => nginx.end('SIGTERM').catch(() => nginx.end('SIGKILL')));
    const base = `http://127.0.0.1:${port}`;
    await until('nginx serves', async () => {
        assert.ok(nginx.isRunning, nginx.stderr);
        return (await call(base, 'GET', '/readyz', { agent: false }).catch(() => null))?.status === 200;
    });
    const ask = ({ token, as, stream, path = CHAT, body: more, headers, ...options }) =>
        call(base, 'POST', path, { token, headers: { ...headers, ...(as && { 'x-keyturn-user': as }) }, body: { ...bodyOf(path), ...(stream && { stream }), ...more }, ...options });
    await body({ world, base, ask, nginx });
    assert.equal(nginx.stderr.match(/\[(emerg|alert|crit)\].*/), null, nginx.stderr);
});

const skip = !nginxBin && 'nginx is not here';

test('a slow stream: each chunk is here before the next one is sent', { skip }, behindNginx(async ({ world, ask }) => {
    const token = await world.service();
    assert.equal((await ask({ token, as: 'alice' })).status, 200);
    await world.sim.set({ chunk_delay_ms: 150, completion_tokens: 10 });
    const seq = await world.sim.lastSeq(), seen = [];
    const answer = await ask({ token, as: 'alice', stream: true, onData: part => {
        for (const { data } of events(String(part)))
            if (data.choices?.[0]?.delta?.content) seen.push(world.sim.rowsSince(seq).then(rows => ({ completed: rows[0].completed, tokens: rows[0].completion_tokens })));
    } });
    assert.equal(answer.status, 200);
    const states = await Promise.all(seen);
    assert.equal(states.length, 10);
    for (const [i, state] of states.slice(0, -1).entries()) assert.equal(state.completed, false, `chunk ${i} came while the stream was running`);
    assert.equal(events(answer.text).at(-1).data, '[DONE]');
}));

test('both are used; ids, credentials and error shapes pass; one key for the user', { skip }, behindNginx(async ({ world, ask }) => {
    const token = await world.token('alice');
    for (let i = 0; i < 40; i++) {
        const id = `through-nginx-${i}`, answer = await ask({ token, stream: i % 2 === 1, headers: { 'x-request-id': id } });
        assert.equal(answer.status, 200, answer.text);
        assert.equal(answer.headers['x-request-id'], id);
        assert.equal(answer.headers['x-keyturn-tier'], DEFAULT_TIER);
    }
    const lines = await until('all are logged', () => {
        const lists = world.instances.map(instance => instance.logs('request'));
        return lists.flat().length >= 40 && lists;
    });
    assert.ok(lines.every(list => list.length), `spread: ${lines.map(list => list.length)}`);
    assert.deepEqual(lines.flat().map(line => line.client_request_id).sort(), Array.from({ length: 40 }, (_, i) => `through-nginx-${i}`).sort());
    await world.assertOneKeyEach(['alice']);
    assertFault(await ask({ token: 'kt_wrong_wrong' }), 401, 'invalid_api_key');
    assertFault(await ask({ token, path: '/v1/nowhere' }), 404, 'not_found');
    const large = await ask({ token, body: { messages: [{ role: 'user', content: 'x'.repeat(21 << 20) }] } });
    assertFault(large, 413, 'request_too_large');
}));

test('a POST is never sent again: not when keyturn answers 502 or 503, not when keyturn dies under it', { skip }, behindNginx(async ({ world, ask }) => {
    const token = await world.service(), count = async () => (await world.sim.totals()).inference;
    assert.equal((await ask({ token, as: 'alice' })).status, 200);
    for (const [kind, code] of [['lost_reply', 502], ['html_502', 502], ['close', 502]]) {
        const before = await count();
        await world.sim.fault({ where: 'inference', kind, times: 1 });
        assert.equal((await ask({ token, as: 'alice' })).status, code);
        assert.equal(await count() - before, 1, kind);
    }
    const before = await count(), held = await world.sim.fault({ where: 'inference', kind: 'hold' });
    const asked = Array.from({ length: 20 }, () => ask({ token, as: 'alice', agent: false }));
    await until('all are at OpenRouter', async () => await count() - before === 20 || await world.sim.hits(held) === 20);
    await world.instances[0].kill();
    await world.sim.heal(held);
    const answers = await Promise.all(asked), lost = answers.filter(answer => answer.status === 502);
    assert.equal(lost.length + answers.filter(answer => answer.status === 200).length, 20);
    assert.ok(lost.length > 0 && lost.length < 20, `${lost.length} were on the one that died`);
    assert.equal(await count() - before, 20, 'each of them once');
    // New requests go where somebody is: a connection that cannot be made costs nobody a request.
    await until('nginx has got over it', async () => (await ask({ token, as: 'alice' })).status === 200);
}));

test('a client that leaves nginx leaves OpenRouter', { skip }, behindNginx(async ({ world, ask }) => {
    const token = await world.token('alice');
    assert.equal((await ask({ token })).status, 200);
    await world.sim.set({ chunk_delay_ms: 50, completion_tokens: 200 });
    const seq = await world.sim.lastSeq();
    await ask({ token, stream: true, agent: false, onData: (part, request) => String(part).includes('dolor') && request.destroy() }).catch(() => {});
    await until('the stream ends upstream', async () => (await world.sim.rowsSince(seq)).some(row => row.client_aborted), { within: 5_000 });
}));
