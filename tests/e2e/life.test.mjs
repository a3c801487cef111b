// The life of the program: starting, being asked, draining, stopping; what it prints and counts.

import assert from 'node:assert/strict';
import { closeSync, constants, openSync, readFileSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { assertFault, bodyOf, bounded, call, events, freePort, inWorld, pause, Raw, repository, run, until } from './harness.mjs';

const GET = path => `GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`;

/** A slow stream of one user, already running: { answer, parts }. */
async function slowStream(world, keyturn, { as = 'alice', tokens = 40, delay = 50, path = '/v1/chat/completions' } = {}) {
    const token = await world.service();
    assert.equal((await keyturn.chat({ token, as })).status, 200);
    await world.sim.set({ chunk_delay_ms: delay, completion_tokens: tokens });
    let parts = 0;
    const answer = keyturn.chat({ token, as, stream: true, path, agent: false, ...(path.endsWith('/messages') && { body: { max_tokens: tokens } }), onData: () => { parts++; } });
    await until('the stream runs', () => parts >= 2);
    return { answer, token };
}

const refused = base => call(base, 'GET', '/healthz', { agent: false }).then(() => false, error => error.code === 'ECONNREFUSED');

describe('SIGTERM', { concurrency: 3 }, () => {
    test('a running stream finishes, readiness turns red, nobody new comes in, then 0', inWorld({}, async world => {
        const keyturn = world.one, agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
        const { answer } = await slowStream(world, keyturn);
        const fresh = await Raw.open(keyturn.base), idle = await Raw.open(keyturn.base);
        idle.send(GET('/healthz'));
        await idle.expect(/ok/);
        assert.equal((await call(keyturn.admin, 'GET', '/readyz', { agent })).status, 200);

        keyturn.program.signal('SIGTERM');
        await until('nobody new comes in', () => refused(keyturn.base));
        fresh.send(GET('/readyz'));
        await fresh.untilOver();
        assert.equal(fresh.replies[0].status, 503, 'who had connected before is told');
        assert.match(fresh.replies[0].body, /draining/);
        assert.equal(fresh.replies[0].headers.connection, 'close');
        const kept = await call(keyturn.admin, 'GET', '/readyz', { agent });
        assert.equal(kept.status, 503, 'and who asks on a kept connection');
        assert.equal(kept.json.status, 'draining');
        await idle.untilOver();
        assert.ok(keyturn.program.isRunning);

        const stream = await answer;
        assert.equal(stream.status, 200);
        assert.equal(events(stream.text).at(-1).data, '[DONE]');
        assert.ok(!stream.cut);
        const end = await bounded('it ends', keyturn.program.ended, 10_000);
        assert.deepEqual(end, { code: 0, signal: null });
        assert.equal(keyturn.logs('stopped')[0].exit_code, 0);
        agent.destroy();
    }));

    test('a request whose body is still coming is served, and one that renews', inWorld({}, async world => {
        const keyturn = world.one, token = await world.service(), body = JSON.stringify({ model: 'openai/gpt-4o', messages: [], user: 'alice' });
        const slow = await Raw.open(keyturn.base);
        slow.send(`POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body.slice(0, 10)}`);
        const held = await world.sim.fault({ where: 'create', kind: 'hold', times: 1 });
        const renewing = keyturn.chat({ token, as: 'bob', agent: false });
        await until('a create is under way', () => world.sim.hits(held));
        keyturn.program.signal('SIGTERM');
        await until('nobody new comes in', () => refused(keyturn.base));
        slow.send(body.slice(10));
        await world.sim.heal(held);
        assert.equal((await renewing).status, 200);
        await slow.expect(/chat\.completion/);
        assert.deepEqual(await bounded('it ends', keyturn.program.ended, 10_000), { code: 0, signal: null });
        await world.assertOneKeyEach(['alice', 'bob']);
    }));

    const dialects = {
        '/v1/chat/completions': list => assert.equal(list.at(-2).data.error.code, 'shutting_down'),
        '/v1/responses': list => assert.equal(list.findLast(event => event.event === 'error').data.code, 'shutting_down'),
        '/v1/messages': list => assert.equal(list.at(-1).event, 'error'),
    };
    for (const [path, check] of Object.entries(dialects))
        test(`the grace is over: the stream of ${path} is told in its own words, then 0`, inWorld({ env: { KEYTURN_SERVER_DRAIN_TIMEOUT: '300ms' } }, async world => {
            const { answer } = await slowStream(world, world.one, { tokens: 500, path });
            world.one.program.signal('SIGTERM');
            const stream = await answer;
            assert.ok(!stream.cut, 'it ends well');
            check(events(stream.text));
            assert.match(stream.text, /shutting down/);
            assert.deepEqual(await bounded('it ends', world.one.program.ended, 15_000), { code: 0, signal: null });
            await until('OpenRouter is told too', async () => (await world.sim.ledger()).requests.some(row => row.client_aborted));
        }));

    test('the grace is over: a plain request is told 503 shutting_down', inWorld({ env: { KEYTURN_SERVER_DRAIN_TIMEOUT: '300ms' } }, async world => {
        const token = await world.token('alice');
        assert.equal((await world.one.chat({ token })).status, 200);
        const held = await world.sim.fault({ where: 'inference', kind: 'hold' });
        const waiting = world.one.chat({ token, agent: false });
        await until('it is under way', () => world.sim.hits(held));
        world.one.program.signal('SIGTERM');
        assertFault(await waiting, 503, 'shutting_down');
        assert.deepEqual(await bounded('it ends', world.one.program.ended, 15_000), { code: 0, signal: null });
    }));

    test('a second one: what runs has five seconds, is told, and that was it', inWorld({}, async world => {
        const { answer } = await slowStream(world, world.one, { tokens: 500 });
        world.one.program.signal('SIGTERM');
        await until('it drains', () => world.one.logs(/^draining/).length);
        const began = Date.now();
        world.one.program.signal('SIGTERM');
        const stream = await answer;
        assert.ok(Date.now() - began < 8000 && Date.now() - began > 4000, `${Date.now() - began} ms`);
        assert.equal(events(stream.text).at(-2).data.error.code, 'shutting_down');
        assert.deepEqual(await bounded('it ends', world.one.program.ended, 15_000), { code: 0, signal: null });
    }));

    test('a third one: at once, and that is a failure', inWorld({}, async world => {
        const { answer } = await slowStream(world, world.one, { tokens: 500 });
        for (let i = 0; i < 3; i++) {
            world.one.program.signal('SIGTERM');
            await until('the signal is seen', () => i === 0 ? world.one.logs(/^draining/).length : pause(200).then(() => true)); // the second leaves no trace
        }
        assert.equal((await bounded('it ends', world.one.program.ended, 4_000)).code, 1);
        await answer.catch(() => {});
        world.one.forgiven = true;
    }));

    test('before it is ready: 0', inWorld({ instances: 0 }, async world => {
        world.redis.freeze();
        const keyturn = await world.keyturn({ ready: false });
        await until('it has begun', () => keyturn.logs().length);
        keyturn.program.signal('SIGTERM');
        assert.deepEqual(await bounded('it ends', keyturn.program.ended, 10_000), { code: 0, signal: null });
        world.redis.thaw();
    }));

    test('SIGINT is the same, SIGHUP is not', inWorld({}, async world => {
        world.one.program.signal('SIGHUP');
        await until('it says so', () => world.one.logs(/^SIGHUP/).length);
        assert.equal((await call(world.one.base, 'GET', '/readyz')).status, 200);
        assert.deepEqual(await world.one.program.end('SIGINT'), { code: 0, signal: null });
    }));

    test('a log that goes into a pipe which nobody reads any more stops nothing', inWorld({ instances: 0 }, async world => {
        const path = join(world.directory, 'log'), base = `http://127.0.0.1:${await freePort()}`;
        assert.equal((await run('mkfifo', [path])).code, 0);
        const reader = openSync(path, constants.O_RDWR | constants.O_NONBLOCK);
        const keyturn = await world.keyturn({ ready: false, listen: new URL(base).host, wrap: command => ['sh', '-c', `exec "$0" "$@" >'${path}'`, ...command] });
        await until('it is ready', async () => (await call(base, 'GET', '/readyz').catch(() => null))?.status === 200);
        const token = await world.token('alice');
        for (let i = 0; i < 800; i++) assert.equal((await call(base, 'POST', '/v1/chat/completions', { token, body: bodyOf('/v1/chat/completions'), within: 5000 })).status, 200);
        assert.deepEqual(await keyturn.program.end('SIGTERM'), { code: 0, signal: null });
        closeSync(reader);
    }));

    test('a log that goes into a socket which nobody reads any more stops nothing', inWorld({}, async world => {
        const token = await world.token('alice'), { stdout } = world.one.program.child; // such a one is systemd's journal
        stdout.pause();
        try {
            for (let i = 0; i < 1200; i++) assert.equal((await world.one.chat({ token, within: 5000 })).status, 200, `after ${i}`);
        } finally {
            stdout.resume();
        }
    }));
});

describe('the command line', () => {
    test('token create: the token alone, or a sentence and a code', inWorld({}, async world => {
        const made = await world.command(['token', 'create', 'alice', '--tier', 'Pro']);
        assert.deepEqual([made.code, made.stderr], [0, '']);
        assert.match(made.stdout, /^kt_[A-Za-z0-9]+_[A-Za-z0-9_-]{43,}\n$/);
        world.secrets.plant('a token', made.stdout.trim().split('_').slice(2).join('_'));
        const answer = await world.one.chat({ token: made.stdout.trim() });
        assert.equal(answer.headers['x-keyturn-tier'], 'Pro');
        for (const words of [['token'], ['token', 'create'], ['token', 'create', 'a b'], ['token', 'create', 'x'.repeat(129)], ['token', 'delete', 'alice'], ['token', 'create', 'alice', '--what']]) {
            const { code, stdout, stderr } = await world.command(words);
            assert.deepEqual([code, stdout], [2, ''], words.join(' '));
            assert.match(stderr, /usage: keyturn token create USER/);
        }
        const lost = await world.command(['token', 'create', 'bob'], { env: { KEYTURN_REDIS_URL: `unix://${world.directory}/nowhere.sock` } });
        assert.deepEqual([lost.code, lost.stdout], [1, '']);
        assert.match(lost.stderr, /Redis does not answer/);
        const wrong = await world.command(['token', 'create', 'bob'], { env: { KEYTURN_ENCRYPTION_SECRET: `k1:${Buffer.alloc(32, 9).toString('base64')}` } });
        assert.deepEqual([wrong.code, wrong.stdout], [1, '']);
        assert.match(wrong.stderr, /KEYTURN_ENCRYPTION_SECRET/);
    }));

    test('--help, --version, an unknown command, an unknown option', inWorld({ instances: 0, redis: false }, async world => {
        const help = await world.command(['--help']);
        assert.equal(help.code, 0);
        for (const word of ['keyturn serve', 'keyturn check', 'keyturn token', 'OPENROUTER_PROVISIONING_KEY', 'Exit codes']) assert.ok(help.stdout.includes(word), word);
        const version = await world.command(['--version']);
        assert.equal(version.code, 0);
        assert.match(version.stdout, /^keyturn \d+\.\d+\.\d+\S*\n$/);
        const unknown = await world.command(['serv']);
        assert.deepEqual([unknown.code, unknown.stdout], [2, '']);
        assert.match(unknown.stderr, /there is no command 'serv'; see keyturn --help/);
        const option = await world.command(['serve', '--lisen', 'x']);
        assert.equal(option.code, 2);
        assert.match(option.stderr, /usage: keyturn serve/);
    }));

    test('check: fine; every fault with its place and a suggestion', inWorld({ instances: 0, redis: false }, async world => {
        const file = join(world.directory, 'keyturn.yaml');
        writeFileSync(file, 'server:\n  head_max: 16KiB\n');
        const fine = await world.command(['check', '--config', file], { env: { KEYTURN_REDIS_URL: 'redis://127.0.0.1:6379' } });
        assert.deepEqual([fine.code, fine.stderr], [0, '']);
        writeFileSync(file, 'server:\n  lisen: "127.0.0.1:1"\n  head_max: 12parsecs\nlog:\n    level: loud\nredi:\n  x: 1\n');
        for (const words of [['check', '--config', file], ['check'], ['serve', '--config', file]]) {
            const { code, stderr } = await world.command(words, { env: { KEYTURN_RENEWAL_WAIT: 'soon' } });
            assert.equal(code, 1);
            assert.match(stderr, /keyturn\.yaml:2:3: unknown key server\.lisen; did you mean server\.listen\?/);
            assert.match(stderr, /keyturn\.yaml:3:13: server\.head_max is "12parsecs"; it must be a size in bytes/);
            assert.match(stderr, /keyturn\.yaml:5:12: log\.level is "loud"; it must be one of debug, info, warn, error/);
            assert.match(stderr, /keyturn\.yaml:6:1: unknown section redi; did you mean redis\?/);
            assert.match(stderr, /KEYTURN_RENEWAL_WAIT: renewal\.wait is "soon"/);
        }
        const stray = await world.command(['check', '--config', '/dev/null'], { env: { KEYTURN_SERVER_LISEN: '127.0.0.1:1', KEYTURN_PORT: 'tcp://10.0.0.1:80' } });
        assert.equal(stray.code, 0, 'what nothing reads refuses nothing');
        assert.match(stray.stderr, /^KEYTURN_SERVER_LISEN: nothing reads this variable; did you mean KEYTURN_SERVER_LISTEN\?$/m);
        assert.match(stray.stderr, /^KEYTURN_PORT: nothing reads this variable$/m);
        const secrets = await world.command(['check'], { env: { KEYTURN_CONFIG: '/dev/null', KEYTURN_ENCRYPTION_SECRET: undefined, OPENROUTER_PROVISIONING_KEY: undefined } });
        assert.equal(secrets.code, 1);
        for (const name of ['KEYTURN_ENCRYPTION_SECRET', 'OPENROUTER_PROVISIONING_KEY']) assert.match(secrets.stderr, new RegExp(`${name} is not set`));
    }));

    test('an address that is taken: a sentence and 1', inWorld({}, async world => {
        const { code, stderr } = await (await world.keyturn({ ready: false, listen: `127.0.0.1:0,127.0.0.1:${world.sim.port}` })).refusal();
        assert.equal(code, 1);
        assert.match(stderr, new RegExp(`cannot listen on 127\\.0\\.0\\.1:${world.sim.port}: `));
    }));
});

describe('development', () => {
    test('nobody needs a credential: the user is dev, with a key of its own', inWorld({ mode: 'development' }, async world => {
        assert.equal(world.one.logs(/^\[DEV MODE\]/).length, 1);
        const answer = await world.one.chat({});
        assert.equal(answer.status, 200, answer.text);
        assert.equal(answer.headers['x-keyturn-renewed'], 'true');
        await world.assertOneKeyEach(['dev']);
        assert.equal((await until('the log', () => world.one.logs('request')[0])).user, 'dev');
        assertFault(await world.one.chat({ token: `kt_${'A'.repeat(12)}_${'b'.repeat(43)}` }), 401, 'invalid_api_key');
    }));

    test('.env is read, and said so', inWorld({ mode: 'development', instances: 0, managementKey: false }, async world => {
        writeFileSync(join(world.directory, '.env'), `OPENROUTER_PROVISIONING_KEY=${world.managementKey}\n`);
        const keyturn = await world.keyturn();
        assert.equal(keyturn.logs('[DEV MODE] Using .env file').length, 1);
        assert.equal((await keyturn.chat({})).status, 200);
    }));

    test('production reads no .env and lets nobody in without a credential', inWorld({}, async world => {
        writeFileSync(join(world.directory, '.env'), 'KEYTURN_KEYS_DEFAULT_TIER=Pro\n');
        const keyturn = await world.keyturn({ env: { KEYTURN_KEYS_DEFAULT_TIER: undefined } });
        assert.equal(keyturn.logs(/^\[PROD MODE\]/).length, 1);
        assertFault(await keyturn.chat({}), 401, 'invalid_api_key');
        assert.equal((await keyturn.chat({ token: await world.token('alice') })).headers['x-keyturn-tier'], 'Standard');
    }));

    test('no provisioning key: 502 auto_renewal_failed, told at the start', inWorld({ mode: 'development', managementKey: false }, async world => {
        assert.equal(world.one.logs(/^no OPENROUTER_PROVISIONING_KEY/)[0].level, 'warn');
        const answer = await world.one.chat({});
        assertFault(answer, 502, 'auto_renewal_failed');
        assert.equal(await world.sim.keysMade(), 0);
        assert.equal(await world.one.metrics().then(page => page['keyturn_renewals_total{outcome="no_management_key"}']), 1);
    }));

    test('what is ambiguous does not start', inWorld({ mode: 'development', instances: 0 }, async world => {
        for (const [env, sentence] of [
            [{ KEYTURN_ENV: 'production', DEBUG: 'true' }, /KEYTURN_ENV=production contradicts DEBUG=true/],
            [{ DEPLOY_ENV: 'cloud' }, /DEPLOY_ENV is set but neither DEBUG nor KEYTURN_ENV/],
            [{ DEBUG: 'false' }, /DEBUG=false asks for production but DEPLOY_ENV is not set/],
            [{ KEYTURN_ENV: 'staging' }, /KEYTURN_ENV must be development or production/],
        ]) {
            const { code, stderr } = await (await world.keyturn({ ready: false, env })).refusal();
            assert.equal(code, 1);
            assert.match(stderr, sentence);
        }
        const { code, stderr } = await (await world.keyturn({ ready: false, listen: '0.0.0.0:0' })).refusal();
        assert.equal(code, 1);
        assert.match(stderr, /loopback/);
    }));
});

describe('what can be seen', () => {
    test('metrics: every measure, no user, no token, no key', inWorld({}, async world => {
        const names = [...readFileSync(join(repository, 'src/flow/measures.h'), 'utf8').matchAll(/ROW\(\w+, "(keyturn_\w+)", (\w+),/g)].map(match => match.slice(1));
        assert.ok(names.length > 20);
        const user = 'Zaphod-Beeblebrox-42', token = await world.token(user);
        for (const options of [{ token }, { token, stream: true }, { token: 'kt_wrong_wrong' }, { token, path: '/v1/embeddings' }]) await world.one.chat(options);
        await world.sim.killKey({ name_contains: 'keyturn/' });
        await world.one.chat({ token });
        const page = await until('a second has passed', async () => {
            const answer = await call(world.one.admin, 'GET', '/metrics');
            return !/keyturn_loop_lag_seconds_count 0\n/.test(answer.text) && answer;
        });
        assert.match(page.headers['content-type'], /^text\/plain; version=0\.0\.4/);
        for (const [name, kind] of names) {
            assert.ok(page.text.includes(`# TYPE ${name} ${kind.toLowerCase()}\n`), name);
            const sample = new RegExp(`^${name}(_bucket|_sum|_count)?(\\{[^}]*\\})? [0-9.e+-]+$`, 'm');
            if (!/_total$/.test(name)) assert.match(page.text, sample);
        }
        for (const line of page.text.split('\n').filter(Boolean)) assert.match(line, /^# (HELP|TYPE) |^keyturn_\w+(\{[a-z_]+="[^"]*"(,[a-z_]+="[^"]*")*\})? ([0-9.e+-]+|\+Inf)$/);
        const hash = (await world.redis.keyRecord(user)).hash;
        for (const secret of [user, hash, hash.slice(0, 12), token, token.split('_')[1]]) assert.ok(!page.text.includes(secret), secret);
        const metrics = await world.one.metrics();
        assert.equal(metrics['keyturn_requests_total{route="chat",status="200"}'], 3);
        assert.equal(metrics.keyturn_keys_created_total, 2);
        assert.equal(metrics['keyturn_renewals_total{outcome="renewed"}'], 1);
    }));

    test('x-request-id goes in and out, into the log, and into the error', inWorld({}, async world => {
        const token = await world.token('alice'), logged = id => until(`${id} is in the log`, () => world.one.logs('request').find(line => line.client_request_id === id || line.request_id === id));
        for (const stream of [false, true]) {
            const id = `from-the-client-${stream}`;
            const answer = await world.one.chat({ token, stream, headers: { 'x-request-id': id } });
            assert.equal(answer.headers['x-request-id'], id);
            assert.equal((await logged(id)).status, 200);
        }
        const own = await world.one.chat({ token });
        assert.match(own.headers['x-request-id'], /^req_[0-9a-f]+$/);
        await logged(own.headers['x-request-id']);
        for (const headers of [{ 'x-request-id': 'x'.repeat(1000) }, { 'x-request-id': 'a "quoted" one' }]) {
            const answer = await world.one.chat({ token, headers });
            assert.match(answer.headers['x-request-id'], /^req_[0-9a-f]+$/, 'what is no id is replaced');
        }
        const wrong = await world.one.chat({ token: 'kt_wrong_wrong', headers: { 'x-request-id': 'of-an-error' } });
        assert.equal(wrong.headers['x-request-id'], 'of-an-error');
        const line = await logged('of-an-error');
        assert.deepEqual([line.client_request_id, line.request_id], ['of-an-error', wrong.json.error.request_id], 'one line has the header\'s id and the body\'s');
    }));

    test('each line of the log is JSON, whatever a client sends', inWorld({}, async world => {
        const token = await world.service(), odd = ['"', '\\', '\u0001', '\u2028', '😀', '\ud800', 'a\nb', '{"msg":"forged"}', 'x'.repeat(5000)];
        for (const text of odd) {
            await world.one.chat({ token, as: 'alice', body: { model: text } });
            await world.one.chat({ token, body: { user: text } });
        }
        await until('all are logged', () => world.one.logs('request').length >= odd.length * 2);
        for (const line of world.one.logs()) {
            for (const name of ['time', 'level', 'msg']) assert.equal(typeof line[name], 'string', JSON.stringify(line));
            assert.match(line.time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
            assert.notEqual(line.msg, 'forged');
        }
    }));

    test('logfmt: one line per event too', inWorld({ instances: 0 }, async world => {
        const keyturn = await world.keyturn({ ready: false, env: { KEYTURN_LOG_FORMAT: 'logfmt' } });
        const [, address] = await until('it listens', () => keyturn.stdout.match(/listening"? for=clients address=(\S+)/));
        const token = await world.token('alice');
        const answer = await call(`http://${address}`, 'POST', '/v1/chat/completions', { token, body: { model: 'a=b', messages: [] } });
        assert.equal(answer.status, 200, answer.text);
        await until('it is logged', () => /msg=request .*model="a=b" /.test(keyturn.stdout));
        assert.ok(keyturn.stdout.trimEnd().split('\n').every(line => /^time=\S+ level=\w+ msg=/.test(line)), keyturn.stdout);
        await keyturn.program.end('SIGTERM');
    }));
});
