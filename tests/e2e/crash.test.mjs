// keyturn dies in the middle of a renewal, or never learns what OpenRouter did: in the end each user has one key and
// OpenRouter keeps no other. Judged by the simulator's ledger, and by keyturn's store only for "which one".

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { bounded, call, hasFaultPoints, inWorld, quickRenewal, repository, until } from './harness.mjs';

const ORPHAN_MS = 60_000;        // no orphan lives longer
const BACK_MS = 5_000 + 5_000;   // the lease, and five seconds
const rows = [...readFileSync(join(repository, 'src/flow/renewal.h'), 'utf8').split('#define RENEWAL_WAY')[1].split('enum')[0]
    .split('struct renewals')[0].matchAll(/ROW\((\w+),/g)].map(match => match[1]);

/** What must happen so that a renewal comes to a row that an ordinary one passes by. */
const detours = {
    got_sanity: { others: 6 },                                           // many dead keys at once
    got_leftovers: { fault: { where: 'create', kind: 'lost_reply', times: 1 } },
    ask_undo: { fenced: true },
    got_undo: { fenced: true },
    ask_raise: { limited: true }, // the key's own limit is what refuses
    got_raise: { limited: true },
    ask_note: { limited: true },
    got_note: { limited: true },
};

async function limitKeys(world) {
    for (const { hash } of await world.sim.keysKept()) {
        const answer = await call(world.sim.origin, 'PATCH', `/api/v1/keys/${hash}`, { token: world.managementKey, body: { limit: 0.000001 } });
        assert.equal(answer.status, 200, answer.text);
    }
}

async function untilClean(world, users, within = ORPHAN_MS) {
    const began = Date.now();
    await until('one key each and no other', async () => {
        const kept = (await world.sim.keysKept()).map(key => key.hash).sort();
        const records = (await Promise.all(users.map(user => world.redis.keyRecord(user)))).map(record => record?.hash).sort();
        return kept.length === users.length && kept.every((hash, i) => hash === records[i]);
    }, { within, every: 200 }).catch(async error => {
        throw new Error(`${error.message}: ${JSON.stringify((await world.sim.keysKept()).map(({ name, expired }) => ({ name, expired })), null, 1)}`);
    });
    return Date.now() - began;
}

async function untilServed(instance, options, within = BACK_MS) {
    return until('the user is served again', async () => {
        const answer = await instance.chat({ ...options, agent: false });
        return answer.status === 200 && answer;
    }, { within, every: 200 });
}

describe('kill -9 at every step of a renewal', { concurrency: 4, skip: !hasFaultPoints && 'this build has no fault points' }, () => {
    for (const row of rows)
        test(`at ${row}`, inWorld({ env: quickRenewal }, async world => {
            const { others = 0, fault, fenced, limited } = detours[row] ?? {};
            const token = await world.service(), users = ['alice', ...Array.from({ length: others }, (_, i) => `other-${i}`)];
            for (const as of users) assert.equal((await world.one.chat({ token, as })).status, 200);
            await world.one.stop();
            if (limited) await limitKeys(world);
            else await world.sim.expireKey({ name_contains: 'keyturn/' });
            if (others) await world.sim.killKey({ name_contains: 'keyturn/' });
            if (fault) await world.sim.fault(fault);
            const held = fenced && await world.sim.fault({ where: 'create', kind: 'hold', times: 1 });

            const victim = await world.keyturn({ env: { KEYTURN_KILL_AT: `renewal.${row}` } });
            victim.forgiven = true;
            const asked = users.map(as => victim.chat({ token, as }).catch(() => null));
            if (fenced) { // somebody else takes the lease while the create is under way
                await until('the create is under way', () => world.sim.hits(held));
                await world.redis.ask('HINCRBY', 'kt:{u:alice}:renewal', 'fence', '1');
                await world.sim.heal(held);
            }
            const { signal } = await bounded('keyturn dies there', victim.program.ended);
            assert.equal(signal, 'SIGKILL', 'it came to that row');
            await Promise.all(asked);

            const next = await world.keyturn();
            await untilServed(next, { token, as: 'alice' });
            for (const as of users) await untilServed(next, { token, as });
            await untilClean(world, users);
        }));

    for (const row of ['got_claim', 'got_create', 'got_commit'])
        test(`at ${row}, and the user never comes back`, inWorld({ env: quickRenewal }, async world => {
            const token = await world.service();
            const victim = await world.keyturn({ env: { KEYTURN_KILL_AT: `renewal.${row}` } });
            victim.forgiven = true;
            await victim.chat({ token, as: 'alice' }).catch(() => null);
            await bounded('keyturn dies there', victim.program.ended);
            await until('the sweeper has been', async () => {
                const kept = (await world.sim.keysKept()).map(key => key.hash), record = await world.redis.keyRecord('alice');
                return kept.length === (record ? 1 : 0) && (!record || kept[0] === record.hash);
            }, { within: ORPHAN_MS, every: 200 });
        }));
});

describe('OpenRouter does the work and does not say so', { concurrency: 4 }, () => {
    const faults = [
        ['the reply is lost', { kind: 'lost_reply' }],
        ['the connection is reset before the reply', { kind: 'reset', arg: 0 }],
        ['the connection is reset within the reply', { kind: 'reset', arg: 150 }],
        ['the reply comes too late', { kind: 'stall', arg: 0, delay_ms: 4000 }],
        ['the request waits longer than keyturn does', { kind: 'hold', delay_ms: 3000 }],
    ];
    for (const [what, fault] of faults) for (const times of [1, 2])
        test(`${what}, ${times === 1 ? 'once' : 'twice'}`, inWorld({ env: quickRenewal }, async world => {
            const token = await world.token('alice');
            await world.sim.fault({ where: 'create', times, ...fault });
            await untilServed(world.one, { token }, 40_000);
            await untilClean(world, ['alice']);
            const made = await world.sim.keysMade();
            assert.ok(made <= times + 1 + (fault.kind === 'hold' ? 1 : 0), `${made} keys made for ${times} lost replies`);
        }));

    test('500 after the creation', async t => {
        // The simulator has no such fault: a proxy in between turns the first reply to POST /keys into a 500.
        let left = 1;
        const between = http.createServer(async (request, response) => {
            const parts = [];
            for await (const part of request) parts.push(part);
            const { host, ...headers } = request.headers;
            const answer = await call(between.origin, request.method, request.url, { headers, body: parts.length ? Buffer.concat(parts) : undefined });
            const broken = request.method === 'POST' && request.url.endsWith('/keys') && left-- > 0;
            response.writeHead(broken ? 500 : answer.status, { 'content-type': answer.headers['content-type'] ?? 'text/plain' });
            response.end(broken ? 'Internal Server Error' : answer.text);
        });
        await new Promise(done => between.listen(0, '127.0.0.1', done));
        try {
            await inWorld({ env: quickRenewal, upstream: `http://127.0.0.1:${between.address().port}/api/v1`, instances: 0 }, async world => {
                between.origin = world.sim.origin;
                const keyturn = await world.keyturn(), token = await world.token('alice');
                await untilServed(keyturn, { token });
                assert.equal(await world.sim.keysMade(), 2);
                await untilClean(world, ['alice']);
            })(t);
        } finally {
            between.closeAllConnections();
            between.close();
        }
    });
});

test('two instances: the one that renews is frozen past its lease, the other takes over', inWorld({ instances: 2, env: quickRenewal }, async world => {
    const token = await world.token('alice'), [slow, quick] = world.instances;
    assert.equal((await slow.chat({ token })).status, 200);
    assert.equal((await quick.chat({ token })).status, 200);
    await world.sim.expireKey({ name_contains: 'keyturn/' });
    const held = await world.sim.fault({ where: 'create', kind: 'hold', times: 1 });
    const first = slow.chat({ token });
    await until('the create is under way', () => world.sim.hits(held));
    slow.program.signal('SIGSTOP');
    await world.sim.heal(held);
    try {
        await untilServed(quick, { token }, 20_000);
    } finally {
        slow.program.signal('SIGCONT');
    }
    const answer = await first;
    assert.equal(answer.status, 200, answer.text);
    await untilClean(world, ['alice']);
    assert.equal((await slow.chat({ token })).status, 200);
}));
