// Single flights: however many requests meet a dead key, on however many instances, one key is made.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inWorld, until } from './harness.mjs';

const INSTANCES = 4;
// A debug build on two cores may need longer than the default 10s for a thousand requests at once.
const env = { KEYTURN_RENEWAL_WAIT: '60s' };

const all = (count, run) => Promise.all(Array.from({ length: count }, (_, i) => run(i)));
const tally = (list, of) => Object.fromEntries([...list.reduce((map, each) => map.set(of(each), (map.get(of(each)) ?? 0) + 1), new Map())].sort());

async function assertAllServed(answers) {
    assert.deepEqual(tally(answers, answer => answer.status), { 200: answers.length }, answers.find(answer => answer.status !== 200)?.text);
    assert.ok(answers.every(answer => !answer.cut && answer.json?.choices[0].message.content.startsWith('Lorem')), 'every answer is whole');
}

/** At OpenRouter: each request once, and once more at most. */
async function assertOneRetryAtMost(world, seq, requests) {
    const rows = await world.sim.rowsSince(seq);
    const accepted = rows.filter(row => row.status === 200).length, refused = rows.filter(row => row.status === 401).length;
    assert.equal(accepted, requests, 'one paid request each');
    assert.ok(refused <= requests, `${refused} refusals for ${requests} requests`);
    const lines = world.instances.flatMap(instance => instance.logs('request'));
    assert.ok(lines.every(line => line.tries <= 2), `tries: ${JSON.stringify(tally(lines, line => line.tries))}`);
    return { refused };
}

for (const [death, kill] of [
    ['deleted', (world, hash) => world.sim.killKey({ hash })],
    ['expired', (world, hash) => world.sim.expireKey({ hash })],
])
    test(`1,000 requests of one user whose key was just ${death}, over ${INSTANCES} instances: one key`, inWorld({ instances: INSTANCES, env }, async world => {
        const token = await world.token('alice');
        for (const instance of world.instances) assert.equal((await instance.chat({ token })).status, 200);
        assert.equal(await world.sim.keysMade(), 1);
        await kill(world, (await world.redis.keyRecord('alice')).hash);
        const seq = await world.sim.lastSeq();

        const answers = await all(1000, i => world.instances[i % INSTANCES].chat({ token }));

        await assertAllServed(answers);
        assert.equal(await world.sim.keysMade(), 2, 'exactly one key was made');
        const { refused } = await assertOneRetryAtMost(world, seq, 1000);
        const renewed = answers.filter(answer => answer.headers['x-keyturn-renewed'] === 'true').length;
        assert.ok(renewed >= 1 && renewed >= refused, `${renewed} were told so, ${refused} met the dead key`);
        await until('the old key is gone', async () => (await world.sim.keysKept()).length === 1);
        await world.assertOneKeyEach(['alice']);
    }));

test('1,000 first requests of one user over 4 instances: one key', inWorld({ instances: INSTANCES, env }, async world => {
    const token = await world.token('alice');
    const answers = await all(1000, i => world.instances[i % INSTANCES].chat({ token }));
    await assertAllServed(answers);
    assert.equal(await world.sim.keysMade(), 1);
    await assertOneRetryAtMost(world, 0, 1000);
    await world.assertOneKeyEach(['alice']);
}));

test('200 users at once: 200 keys; all of them deleted: 200 more', inWorld({ instances: INSTANCES, env }, async world => {
    const token = await world.service(), users = Array.from({ length: 200 }, (_, i) => `user-${i}`);
    const everybody = () => all(users.length * INSTANCES, i => world.instances[i % INSTANCES].chat({ token, as: users[Math.floor(i / INSTANCES)] }));

    await assertAllServed(await everybody());
    assert.equal(await world.sim.keysMade(), 200);
    await world.assertOneKeyEach(users);

    await world.sim.killKey({ name_contains: 'keyturn/' });
    const seq = await world.sim.lastSeq();
    await assertAllServed(await everybody());
    assert.equal(await world.sim.keysMade(), 400);
    await assertOneRetryAtMost(world, seq, users.length * INSTANCES);
    await until('one key each', async () => (await world.sim.keysKept()).length === 200);
    await world.assertOneKeyEach(users);
}));

test('a refused fresh key is not renewed again within the pace: never a loop', inWorld({ instances: 2 }, async world => {
    const token = await world.token('alice');
    assert.equal((await world.one.chat({ token })).status, 200);
    await world.sim.killKey({ name_contains: 'keyturn/' });
    assert.equal((await world.one.chat({ token })).headers['x-keyturn-renewed'], 'true');
    await world.sim.killKey({ name_contains: 'keyturn/' });
    const answers = await all(20, i => world.instances[i % 2].chat({ token }));
    for (const answer of answers) {
        assert.equal(answer.status, 502, answer.text);
        assert.equal(answer.json.error.code, 'auto_renewal_failed');
    }
    assert.equal(await world.sim.keysMade(), 2, 'one renewal per user per minute');
}));
