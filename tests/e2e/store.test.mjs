// Redis stops, hangs, dies or is the wrong one: paid requests are refused at once, what runs goes on, nothing stays
// broken afterwards; and the private Redis of development.

import assert from 'node:assert/strict';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { assertFault, bounded, call, events, inWorld, isSanitized, pause, until } from './harness.mjs';

const usual = { KEYTURN_REDIS_COMMAND_TIMEOUT: undefined }; // the default: 250ms
const BOUND_MS = isSanitized ? 2000 : 500; // what a refusal may take on a busy machine

const all = (count, run) => Promise.all(Array.from({ length: count }, (_, i) => run(i)));

/** Asks on and on in some lanes until stopped: gives every answer with the time it took. */
function load(lanes, ask) {
    const answers = [];
    let goesOn = true;
    const running = all(lanes, async lane => {
        while (goesOn) {
            const began = Date.now(), answer = await ask(lane);
            answers.push({ answer, ms: Date.now() - began, began });
            await pause(5);
        }
    });
    return { answers, async stop() { goesOn = false; await running; return answers; } };
}

describe('Redis goes away under load and comes back', { concurrency: 2 }, () => {
    const ways = [
        ['hangs', world => world.redis.freeze(), world => world.redis.thaw()],
        ['is killed', world => world.redis.program.end('SIGKILL'), world => world.redis.start()],
    ];
    for (const [what, away, back] of ways)
        test(`it ${what} for three seconds`, inWorld({ env: usual }, async world => {
            const token = await world.service(), users = ['alice', 'bob', 'carol'];
            for (const as of users) assert.equal((await world.one.chat({ token, as })).status, 200);
            await world.sim.set({ chunk_delay_ms: 100, completion_tokens: 40 });
            let started = 0;
            const streams = users.map(as => world.one.chat({ token, as, stream: true, onHead: () => { started++; } }));
            await until('streams are running', () => started === users.length);
            const readiness = load(1, () => world.one.call('GET', '/readyz'));
            await world.sim.set({ chunk_delay_ms: 0, completion_tokens: 16 });
            const requests = load(10, lane => world.one.chat({ token, as: users[lane % users.length] }));
            await until('the load is on', () => requests.answers.length > 20);

            const gone = Date.now();
            await away(world);
            await until('requests are refused', () => requests.answers.some(({ answer }) => answer.status === 503));
            await pause(3000); // the outage itself
            await back(world);
            const returned = Date.now();
            await until('requests are served again by themselves', () => requests.answers.some(({ answer, began }) => began > returned && answer.status === 200), { within: 15_000 });
            const served = requests.answers.find(({ answer, began }) => began > returned && answer.status === 200).began;
            await until('the link has settled', () => requests.answers.filter(({ began }) => began > served).length > 50);
            for (const { answer, ms, began } of await requests.stop()) {
                if (answer.status === 200) continue;
                assertFault(answer, 503, 'store_unavailable');
                assert.ok(began > gone - 1000, 'not before');
                assert.ok(ms < BOUND_MS, `refused after ${ms} ms`);
            }
            assert.ok(requests.answers.filter(({ began }) => began > served + 2000).every(({ answer }) => answer.status === 200), 'and it stays');
            for (const { answer } of await readiness.stop()) assert.equal(answer.status, 200, 'readiness is not about Redis');
            for (const answer of await Promise.all(streams)) {
                assert.equal(answer.status, 200);
                assert.equal(events(answer.text).at(-1).data, '[DONE]');
            }
            assert.equal((await world.one.metrics()).keyturn_redis_up, 1);
            assert.equal(await world.sim.keysMade(), 3, 'no key is made for a key that could not be read');
            await world.assertOneKeyEach(users);
        }));

    test('it forgets its scripts: nobody notices', inWorld({ env: usual }, async world => {
        const token = await world.service();
        assert.equal((await world.one.chat({ token, as: 'alice' })).status, 200);
        for (let i = 0; i < 5; i++) {
            await world.redis.ask('SCRIPT', 'FLUSH');
            assert.equal((await world.one.chat({ token, as: `user-${i}` })).status, 200);
        }
    }));

    test('it is slow to come: keyturn waits, then starts; it never comes: keyturn says so and ends with 1', inWorld({ instances: 0, env: usual }, async world => {
        await world.redis.program.end('SIGTERM');
        const early = await world.keyturn({ ready: false });
        await until('it has met nobody', () => early.logs(/redis cannot be reached/).length);
        await world.redis.start();
        await early.ready();
        await early.stop();
        await world.redis.program.end('SIGTERM');
        const { code, stderr } = await (await world.keyturn({ ready: false })).refusal();
        assert.equal(code, 1);
        assert.match(stderr, /Redis does not answer; check KEYTURN_REDIS_URL/);
        await world.redis.start();
    }));

    test('it hangs while keys are being made: 503, then one key each', inWorld({ env: usual }, async world => {
        const token = await world.service(), users = Array.from({ length: 10 }, (_, i) => `user-${i}`);
        const held = await world.sim.fault({ where: 'create', kind: 'hold' });
        const asked = users.map(as => world.one.chat({ token, as }));
        await until('creates are under way', async () => await world.sim.hits(held) >= 5);
        world.redis.freeze();
        await world.sim.heal(held);
        for (const answer of await Promise.all(asked)) assert.ok([200, 503].includes(answer.status), answer.text);
        world.redis.thaw();
        for (const as of users) await until(`${as} is served`, async () => (await world.one.chat({ token, as })).status === 200, { within: 30_000, every: 200 });
        await until('one key each', async () => {
            const kept = (await world.sim.keysKept()).map(key => key.hash).sort();
            const records = (await Promise.all(users.map(user => world.redis.keyRecord(user)))).map(record => record?.hash).sort();
            return kept.length === users.length && kept.every((hash, i) => hash === records[i]);
        }, { within: 60_000, every: 200 });
    }));
});

describe('a store that is not this deployment\'s is refused at the start', { concurrency: 4 }, () => {
    const refusals = [
        ['another encryption secret', { KEYTURN_ENCRYPTION_SECRET: `k1:${Buffer.alloc(32, 7).toString('base64')}` }, /KEYTURN_ENCRYPTION_SECRET cannot open what this Redis holds/],
        ['another root under another name', { KEYTURN_ENCRYPTION_SECRET: `k2:${Buffer.alloc(32, 7).toString('base64')}` }, /KEYTURN_ENCRYPTION_SECRET cannot open what this Redis holds/],
        ['another upstream', { OPENROUTER_BASE_URL: 'http://127.0.0.1:9/api/v1' }, /the keys in this Redis belong to http:\/\/127\.0\.0\.1:\d+\/api\/v1, not to http:\/\/127\.0\.0\.1:9\/api\/v1/],
        ['development in a production store', { KEYTURN_ENV: 'development' }, /belongs to a production deployment and this is development/],
    ];
    for (const [what, env, sentence] of refusals)
        test(what, inWorld({}, async world => {
            const token = await world.token('alice');
            assert.equal((await world.one.chat({ token })).status, 200);
            await world.one.stop(); // it still writes what the request cost
            const inStore = async () => [await world.redis.ask('DBSIZE'), (await world.redis.ask('HGETALL', 'kt:meta')).sort()], before = await inStore();
            const { code, stderr } = await (await world.keyturn({ ready: false, env })).refusal();
            assert.equal(code, 1);
            assert.match(stderr, sentence);
            assert.deepEqual(await inStore(), before, 'nothing was written');
            assert.equal((await (await world.keyturn()).chat({ token })).status, 200);
        }));

    test('keys without their founding record', inWorld({}, async world => {
        const token = await world.token('alice');
        assert.equal((await world.one.chat({ token })).status, 200);
        const meta = await world.redis.ask('HGETALL', 'kt:meta');
        await world.redis.ask('DEL', 'kt:meta');
        const { code, stderr } = await (await world.keyturn({ ready: false })).refusal();
        assert.equal(code, 1);
        assert.match(stderr, /not its founding record/);
        await world.redis.ask('HSET', 'kt:meta', ...meta);
    }));

    test('another schema', inWorld({}, async world => {
        const schema = await world.redis.ask('HGET', 'kt:meta', 'schema');
        await world.redis.ask('HSET', 'kt:meta', 'schema', '999');
        const { code, stderr } = await (await world.keyturn({ ready: false })).refusal();
        assert.equal(code, 1);
        assert.match(stderr, /another version of keyturn \(schema 999/);
        await world.redis.ask('HSET', 'kt:meta', 'schema', schema);
    }));

    test('an older root behind the newest opens the store', inWorld({}, async world => {
        const token = await world.token('alice'), newest = world.secrets.plant('newest root', Buffer.alloc(32, 7).toString('base64'));
        assert.equal((await world.one.chat({ token })).status, 200);
        const next = await world.keyturn({ env: { KEYTURN_ENCRYPTION_SECRET: `k2:${newest},k1:${world.root}` } });
        assert.equal((await next.chat({ token })).status, 200);
        assert.equal(await world.sim.keysMade(), 1);
    }));

    test('two that found the same empty store at the same time agree', inWorld({ instances: 4 }, async world => {
        const token = await world.token('alice');
        for (const instance of world.instances) assert.equal((await instance.chat({ token })).status, 200);
        assert.equal(await world.sim.keysMade(), 1);
    }));
});

describe('the private Redis', { concurrency: 2 }, () => {
    const options = { mode: 'development', redis: false, instances: 0 };
    const childOf = pid => Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ')[0]);
    const lives = pid => existsSync(`/proc/${pid}/status`) && !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
    const lookAtFiles = world => world.secrets.lookInFiles(join(world.directory, 'data', 'redis'));

    test('it starts with keyturn, is restarted when killed, keeps the data, and stops with keyturn', inWorld(options, async world => {
        const first = await world.keyturn();
        assert.equal((await first.chat({})).status, 200);
        const pid = childOf(first.pid);
        assert.match(readFileSync(`/proc/${pid}/cmdline`, 'latin1'), /^redis-server/);
        process.kill(pid, 'SIGKILL');
        await until('another one runs', () => { const next = childOf(first.pid); return next && next !== pid && lives(next); });
        await until('it serves again', async () => (await first.chat({})).status === 200);
        assert.equal(await world.sim.keysMade(), 1, 'the data survived');
        const second = childOf(first.pid);
        await first.stop();
        assert.ok(!lives(second), 'it has stopped with keyturn');
        const again = await world.keyturn();
        assert.equal((await again.chat({})).status, 200);
        assert.equal(await world.sim.keysMade(), 1, 'and survived a restart');
        lookAtFiles(world);
    }));

    test('a second keyturn on the same directory is refused, the first goes on', inWorld(options, async world => {
        const first = await world.keyturn();
        assert.equal((await first.chat({})).status, 200);
        const { code, stderr } = await (await world.keyturn({ ready: false })).refusal();
        assert.equal(code, 1);
        assert.match(stderr, /another keyturn keeps its private Redis in data\.directory/);
        assert.equal((await first.chat({})).status, 200);
        await first.stop();
        assert.equal((await (await world.keyturn()).chat({})).status, 200);
    }));

    test('keyturn is killed: its Redis goes too, and the next one finds the data', inWorld(options, async world => {
        const first = await world.keyturn();
        assert.equal((await first.chat({})).status, 200);
        const pid = childOf(first.pid);
        await first.kill();
        await until('its Redis is gone', () => !lives(pid));
        const next = await world.keyturn();
        assert.equal((await next.chat({})).status, 200);
        assert.equal(await world.sim.keysMade(), 1);
    }));

    test('token create works beside it; without it a sentence and 1', inWorld(options, async world => {
        const keyturn = await world.keyturn(), token = await world.token('alice');
        assert.equal((await keyturn.chat({ token })).status, 200);
        await keyturn.stop();
        const { code, stdout, stderr } = await world.command(['token', 'create', 'bob']);
        assert.deepEqual([code, stdout], [1, '']);
        assert.match(stderr, /Redis does not answer/);
    }));

    test('development makes its own encryption secret, for its owner alone, and keeps it', inWorld({ ...options, env: { KEYTURN_ENCRYPTION_SECRET: undefined } }, async world => {
        const first = await world.keyturn();
        assert.equal((await first.chat({})).status, 200);
        const file = join(world.directory, 'data', 'encryption-secret');
        assert.equal(statSync(file).mode & 0o777, 0o600);
        world.secrets.plant('generated secret', readFileSync(file, 'utf8').trim().split(':')[1]);
        await first.stop();
        assert.equal((await (await world.keyturn()).chat({})).status, 200);
        assert.equal(await world.sim.keysMade(), 1);
        lookAtFiles(world);
    }));

    test('production has one too when no Redis is named', inWorld({ ...options, mode: 'production' }, async world => {
        const keyturn = await world.keyturn(), token = await world.token('alice');
        assert.equal((await keyturn.chat({ token })).status, 200);
        assert.equal((await call(keyturn.base, 'GET', '/readyz')).status, 200);
        await bounded('it stops', keyturn.stop(), 20_000);
    }));
});
