// OpenRouter is out of order in ways that look like dead keys, or its management API is: no key is made that is not
// needed, whose key still works is served, everybody else is told to come back, and it mends by itself.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { assertFault, inWorld, pause, quickRenewal, until } from './harness.mjs';

const STORM_MS = Number(process.env.E2E_STORM_SECONDS ?? 8) * 1000;

const names = (count, prefix = 'user') => Array.from({ length: count }, (_, i) => `${prefix}-${i}`);
const each = (list, run) => Promise.all(list.map(run));

async function warm(world, users) {
    const token = await world.service();
    for (const [i, as] of users.entries()) {
        const answer = await world.instances[i % world.instances.length].chat({ token, as });
        assert.equal(answer.status, 200, answer.text);
    }
    return token;
}

function untilServed(instance, options, within) {
    return until(`${options.as} is served`, async () => (await instance.chat({ ...options, agent: false })).status === 200, { within, every: 200 });
}

async function untilOneKeyEach(world, users, within = 60_000) {
    await until('one key each and no other', async () => {
        const kept = (await world.sim.keysKept()).map(key => key.hash).sort();
        const records = (await each(users, user => world.redis.keyRecord(user))).map(record => record?.hash).sort();
        return kept.length === users.length && kept.every((hash, i) => hash === records[i]);
    }, { within, every: 200 });
}

const breakers = async world => (await each(world.instances, instance => instance.metrics())).map(page => page.keyturn_renewal_breaker_open);

describe('healthy keys are answered with 401', { concurrency: 3 }, () => {
    test(`a storm of ${STORM_MS / 1000} s: no key is made, 503 for everybody, and it is over by itself`, inWorld({ instances: 2 }, async world => {
        const users = names(30), token = await warm(world, users), made = await world.sim.keysMade();
        const ask = i => world.instances[i % 2].chat({ token, as: users[i % users.length], stream: i % 3 === 0 });
        await world.sim.fault({ where: 'inference', kind: 'user_not_found_storm' });
        const verified = await world.sim.fault({ where: 'get', kind: 'slow', delay_ms: 0 }); // counts only
        const end = Date.now() + STORM_MS;
        let asked = 0;
        await each(names(10), async (_, lane) => {
            for (let i = lane; Date.now() < end; i += 10) {
                assertFault(await ask(i), 503, 'upstream_unavailable');
                asked++;
                await pause(20);
            }
        });
        assert.ok(asked >= 30, `${asked} requests`);
        assert.deepEqual(await breakers(world), [1, 1]);
        const looks = await world.sim.hits(verified);
        assert.ok(looks >= 3 && looks < 20 + STORM_MS / 100, `the management API is asked, but not for each request: ${looks}`);
        assert.equal(await world.sim.keysMade(), made);
        for (const instance of world.instances)
            assert.ok(instance.logs(/calls healthy.*an outage/).every(line => line.level === 'error') && instance.logs(/calls healthy.*an outage/).length);

        await world.sim.heal();
        for (let i = 0; i < users.length; i++) assert.equal((await ask(i)).status, 200, 'at once: the keys are as good as ever');
        await until('the breakers are closed', async () => {
            await each([0, 1], ask);
            return (await breakers(world)).every(open => open === 0);
        }, { within: 20_000, every: 100 });
        assert.equal(await world.sim.keysMade(), made, 'zero keys');
        await world.assertOneKeyEach(users);
        await world.sim.killKey({ name_contains: 'keyturn/' }); // and a key that is really dead is renewed again
        await untilServed(world.one, { token, as: users[0] }, 20_000);
    }));

    test('while the breaker is open nothing is created for new users either', inWorld({}, async world => {
        const users = names(6), token = await warm(world, users), made = await world.sim.keysMade();
        await world.sim.fault({ where: 'inference', kind: 'user_not_found_storm' });
        await each(users, as => world.one.chat({ token, as }));
        await until('the breaker is open', async () => (await breakers(world))[0] === 1);
        const answer = await world.one.chat({ token, as: 'newcomer' });
        await world.sim.heal();
        assertFault(answer, 503, 'upstream_unavailable');
        assert.equal(await world.sim.keysMade(), made);
        await untilServed(world.one, { token, as: 'newcomer' }, 20_000);
    }));

    test('one user only: asked once more with the same key, then 503; no breaker, others are served', inWorld({}, async world => {
        const token = await warm(world, ['alice', 'bob']), { hash } = await world.redis.keyRecord('alice');
        const storm = await world.sim.fault({ where: 'inference', kind: 'user_not_found_storm', key_hash: hash });
        const answer = await world.one.chat({ token, as: 'alice' });
        assertFault(answer, 503, 'upstream_unavailable');
        assert.equal(await world.sim.hits(storm), 2);
        assert.equal((await world.one.chat({ token, as: 'bob' })).status, 200);
        assert.deepEqual(await breakers(world), [0]);
        await world.sim.heal(storm);
        await untilServed(world.one, { token, as: 'alice' }, 5_000);
        assert.equal(await world.sim.keysMade(), 2);
    }));

    test('and the management API has forgotten them too, itself included: hardly a key is made', inWorld({}, async world => {
        const users = names(20), token = await warm(world, users), made = await world.sim.keysMade();
        await world.sim.fault({ where: 'inference', kind: 'user_not_found_storm' });
        await world.sim.fault({ where: 'get', kind: 'status', status: 404 });
        await world.sim.fault({ where: 'key', kind: 'status', status: 500 });
        const answers = await each(users, as => world.one.chat({ token, as }));
        for (const answer of answers) assert.ok([502, 503].includes(answer.status), answer.text);
        assert.ok(answers.filter(answer => answer.status === 503).length >= 17);
        assert.ok(await world.sim.keysMade() - made <= 3, `${await world.sim.keysMade() - made} keys made before it became suspicious`);
        await world.sim.heal();
        for (const as of users) await untilServed(world.one, { token, as }, 30_000);
        await untilOneKeyEach(world, users);
    }));
});

describe('the management API is out of order', { concurrency: 4 }, () => {
    const troubles = [
        ['429', { kind: 'status', status: 429 }],
        ['500', { kind: 'status', status: 500 }],
        ['an HTML 502', { kind: 'html_502' }],
        ['nothing for longer than keyturn waits', { kind: 'hold', delay_ms: 2500 }],
    ];
    for (const [what, fault] of troubles)
        test(`GET /keys answers ${what}: nothing is created on suspicion, later it is`, inWorld({ env: { ...quickRenewal, KEYTURN_RENEWAL_WAIT: '4s' } }, async world => {
            const token = await warm(world, ['alice', 'bob']);
            await world.sim.killKey({ hash: (await world.redis.keyRecord('alice')).hash });
            const trouble = await world.sim.fault({ where: 'get', ...fault });
            const answer = await world.one.chat({ token, as: 'alice' });
            assert.equal(answer.status, 503, answer.text);
            assert.match(answer.headers['retry-after'] ?? 'missing', /^\d+$/);
            assert.ok(['auto_renewal_failed', 'renewal_in_progress'].includes(answer.json.error.code), answer.text);
            assert.ok(await world.sim.hits(trouble) > 0);
            assert.equal((await world.one.chat({ token, as: 'bob' })).status, 200, 'whose key works is served');
            assert.equal(await world.sim.keysMade(), 2);
            await world.sim.heal();
            await untilServed(world.one, { token, as: 'alice' }, 20_000);
            assert.equal(await world.sim.keysMade(), 3);
            await untilOneKeyEach(world, ['alice', 'bob']);
        }));

    for (const [what, fault] of troubles)
        test(`POST /keys answers ${what}: 503, later one key each`, inWorld({ env: { ...quickRenewal, KEYTURN_RENEWAL_WAIT: '4s' } }, async world => {
            const token = await warm(world, ['alice', 'bob']);
            await world.sim.killKey({ hash: (await world.redis.keyRecord('alice')).hash });
            const trouble = await world.sim.fault({ where: 'create', ...fault });
            for (const as of ['alice', 'newcomer']) {
                const answer = await world.one.chat({ token, as });
                assert.equal(answer.status, 503, answer.text);
                assert.match(answer.headers['retry-after'] ?? 'missing', /^\d+$/);
                assert.ok(['auto_renewal_failed', 'renewal_in_progress'].includes(answer.json.error.code), answer.text);
            }
            assert.ok(await world.sim.hits(trouble) > 0);
            assert.equal((await world.one.chat({ token, as: 'bob' })).status, 200);
            await world.sim.heal();
            for (const as of ['alice', 'newcomer']) await untilServed(world.one, { token, as }, 20_000);
            await untilOneKeyEach(world, ['alice', 'bob', 'newcomer']);
        }));

    test('429 with retry-after within patience: the request waits and is served', inWorld({}, async world => {
        await world.sim.fault({ where: 'create', kind: 'status', text: 'rate_limited', status: 429, times: 1 });
        const answer = await world.one.chat({ token: await world.service(), as: 'alice' });
        assert.equal(answer.status, 200, answer.text);
        assert.equal(answer.headers['x-keyturn-renewed'], 'true');
        await untilOneKeyEach(world, ['alice']);
    }));
});

describe('the management key is refused', { concurrency: 3 }, () => {
    for (const status of [401, 403])
        test(`with ${status} at run time: told once, existing keys work, nobody gets a new one; then it works again`, inWorld({}, async world => {
            const token = await warm(world, ['alice', 'bob']);
            await world.sim.fault({ where: 'keys', kind: 'status', status });
            for (const as of ['newcomer', 'another']) {
                const answer = await world.one.chat({ token, as });
                assertFault(answer, 502, 'auto_renewal_failed');
                assert.match(answer.json.error.message, /OPENROUTER_PROVISIONING_KEY/);
            }
            await world.sim.killKey({ hash: (await world.redis.keyRecord('bob')).hash });
            assertFault(await world.one.chat({ token, as: 'bob' }), 502, 'auto_renewal_failed');
            for (let i = 0; i < 5; i++) assert.equal((await world.one.chat({ token, as: 'alice' })).status, 200);
            const told = world.one.logs(/refuses the provisioning key/);
            assert.ok(told.length >= 1 && told.every(line => line.level === 'error'), JSON.stringify(told));
            assert.equal((await world.one.metrics()).keyturn_management_key_refused, 1);
            assert.equal(await world.sim.keysMade(), 2);
            await world.sim.heal();
            for (const as of ['newcomer', 'bob']) await untilServed(world.one, { token, as }, 60_000);
            assert.equal((await world.one.metrics()).keyturn_management_key_refused, 0);
            await untilOneKeyEach(world, ['alice', 'bob', 'newcomer']);
        }));

    test('from the start: an error line, existing keys work', inWorld({}, async world => {
        const token = await warm(world, ['alice']);
        const wrong = world.secrets.plant('wrong management key', 'sk-or-v1-mgmt-that-openrouter-does-not-know');
        const other = await world.keyturn({ env: { OPENROUTER_PROVISIONING_KEY: wrong } });
        assert.deepEqual(other.logs(/not accepted as a management key/).map(line => line.level), ['error']);
        assert.equal((await other.chat({ token, as: 'alice' })).status, 200);
        assertFault(await other.chat({ token, as: 'newcomer' }), 502, 'auto_renewal_failed');
        await untilServed(world.one, { token, as: 'newcomer' }, 5_000); // what the other found out is believed for two seconds
        await world.assertOneKeyEach(['alice', 'newcomer']);
    }));

    test('an inference key in its place: an error line too', inWorld({}, async world => {
        await warm(world, ['alice']);
        const made = await world.sim.control('GET', '/ledger?brief=1');
        assert.equal(made.keys.length, 1);
        const fault = await world.sim.fault({ where: 'key', kind: 'status', status: 200, body: JSON.stringify({ data: { label: 'sk-or-v1-abc...123', is_management_key: false, is_provisioning_key: false } }) });
        const other = await world.keyturn();
        assert.deepEqual(other.logs(/not accepted as a management key/).map(line => line.level), ['error']);
        await world.sim.heal(fault);
    }));
});

test('many keys deleted at once while the management API is sane: all are renewed', inWorld({ instances: 2 }, async world => {
    const users = names(40), token = await warm(world, users);
    await world.sim.killKey({ name_contains: 'keyturn/' });
    const answers = await each(users.flatMap(as => [0, 1].map(i => [as, i])), ([as, i]) => world.instances[i].chat({ token, as }));
    for (const answer of answers) assert.equal(answer.status, 200, answer.text);
    assert.equal(await world.sim.keysMade(), 80);
    assert.deepEqual(await breakers(world), [0, 0]);
    await world.assertOneKeyEach(users);
}));
