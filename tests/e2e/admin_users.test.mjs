// Users by the hand of an operator: over the admin listener and from the shell, the same rules; what is changed is felt by
// the next request on every instance.

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { assertFault, bodyOf, call, inWorld, Raw, until } from './harness.mjs';
import { settled, withSettings } from '../proof/figures.mjs';
import { all, COMPLETION, FREE, holdOf, PROMPT, tiers, usd } from './plans.mjs';

const CHEAP = { ...bodyOf('/v1/chat/completions'), max_tokens: 16 }, HOLD = holdOf(CHEAP, 16), COST = 3 * PROMPT + 16 * COMPLETION;
const soon = ms => new Date(Date.now() + ms).toISOString();

/** The admin API of an instance: admin.get('alice'), admin.patch('alice', { ... }). */
function adminOf(world, instance = world.one) {
    const ask = async (method, path, body) => {
        const answer = await call(instance.admin, method, path, { token: world.adminKey, body });
        world.secrets.look(`reply of ${method} ${path}`, answer.text + JSON.stringify(answer.headers));
        return answer;
    };
    const path = user => `/admin/users/${encodeURIComponent(user)}`;
    return {
        ask,
        get: user => ask('GET', path(user)),
        put: (user, body) => ask('PUT', path(user), body),
        patch: (user, body) => ask('PATCH', path(user), body),
        tier: (user, tier) => ask('PUT', `${path(user)}/tier`, { tier }),
        boost: (user, body) => ask('POST', `${path(user)}/boost`, body),
    };
}
/** The answer, which must be a user. */
async function seen(answer) {
    answer = await answer;
    assert.equal(answer.status, 200, answer.text);
    assert.match(answer.headers['content-type'], /^application\/json/);
    assert.equal(answer.headers['cache-control'], 'no-store');
    return answer.json;
}
const refused = (answer, param, pattern) => {
    assertFault(answer, 400, 'invalid_request');
    assert.equal(answer.json.error.param, param, answer.text);
    assert.match(answer.json.error.message, pattern);
};
const code = answer => answer.json.error?.code ?? answer.status;

describe('the routes', { concurrency: 3 }, () => {
    test('a user is made, seen and changed; every answer is the user as it is then', inWorld({}, async world => {
        const admin = adminOf(world), user = 'team/a+b@x.org';
        assertFault(await admin.get(user), 404, 'not_found');
        const made = await seen(admin.put(user));
        assert.deepEqual([made.user, made.status, made.tier], [user, 'active', 'Pro+']);
        assert.ok(Math.abs(Date.parse(made.created_at) - Date.now()) < 60_000, made.created_at);
        assert.deepEqual(made.overrides, { limit_nano_usd: null, limit_usd: null, messages_per_day: null, requests_per_minute: null, max_concurrent: null });
        assert.equal(made.boost, null);
        assert.deepEqual(await seen(admin.put(user)), { ...made, requests_reset_at: (await seen(admin.get(user))).requests_reset_at }, 'again: the same user');

        const moved = await seen(admin.tier(user, 'Pro'));
        assert.deepEqual([moved.tier, moved.limit_usd, moved.messages_limit], ['Pro', 50, 2000]);
        const changed = await seen(admin.patch(user, { limit_usd: 7.000000001, messages_per_day: 3, requests_per_minute: -1, max_concurrent: 2, status: 'disabled' }));
        assert.deepEqual(changed.overrides, { limit_nano_usd: 7_000_000_001, limit_usd: 7.000000001, messages_per_day: 3, requests_per_minute: -1, max_concurrent: 2 });
        assert.deepEqual([changed.status, changed.limit_nano_usd, changed.remaining_nano_usd, changed.messages_limit, changed.messages_remaining, changed.requests_per_minute, changed.max_concurrent],
            ['disabled', 7_000_000_001, 7_000_000_001, 3, 3, -1, 2]);
        const until_ = soon(3_600_000).replace(/\.\d+Z/, 'Z'), boosted = await seen(admin.boost(user, { limit_usd: 5, until: until_ }));
        assert.deepEqual(boosted.boost, { limit_nano_usd: 5_000_000_000, limit_usd: 5, until: until_ });
        assert.equal(boosted.limit_nano_usd, 12_000_000_001);
        assert.equal((await seen(admin.boost(user, { limit_usd: 0 }))).boost, null);
        const back = await seen(admin.patch(user, { limit_usd: null, messages_per_day: null, requests_per_minute: null, max_concurrent: null, status: 'active' }));
        assert.deepEqual([back.overrides, back.limit_usd, back.status, back.created_at], [made.overrides, 50, 'active', made.created_at]);
        assert.equal((await seen(admin.patch(user, { limit_usd: -1 }))).limit_nano_usd, -1);
        assert.deepEqual(await seen(admin.patch(user, {})), await seen(admin.get(user)), 'nothing to change');

        const other = await seen(admin.put('bob', { tier: 'Free', messages_per_day: 1 }));
        assert.deepEqual([other.tier, other.limit_usd, other.messages_limit, other.key.kind], ['Free', 2, 1, 'shared']);
        assert.equal((await seen(admin.put('bob', { tier: 'Pro' }))).overrides.messages_per_day, 1, 'what is not named stays');
        const headed = await call(world.one.admin, 'HEAD', '/admin/users/bob', { token: world.adminKey });
        assert.deepEqual([headed.status, headed.text], [200, '']);
    }));

    test('quota and key are those the user sees itself', inWorld({}, async world => {
        const token = await world.token('alice'), admin = adminOf(world);
        assert.equal((await world.one.chat({ token })).status, 200);
        await settled(world, ['alice']);
        const same = await until('both in the same minute', async () => {
            const [theirs, ours] = [(await world.one.call('GET', '/v1/me', { token })).json, await seen(admin.get('alice'))];
            return theirs.requests_reset_at === ours.requests_reset_at && { theirs, ours };
        });
        const { status, created_at, overrides, boost, ...shared } = same.ours;
        assert.deepEqual(shared, same.theirs);
        assert.ok(shared.spent_nano_usd > 0 && shared.messages_used === 1 && shared.key.version === 1, JSON.stringify(shared));
        const record = await world.redis.keyRecord('alice'), text = JSON.stringify(same.ours);
        for (const secret of [record.hash, record.sealed, record.name]) assert.ok(!text.includes(secret));
    }));

    test('wrong things are refused with what is wrong and what there is, and change nothing', inWorld({}, async world => {
        const admin = adminOf(world), before = await seen(admin.put('alice', { tier: 'Pro' }));
        refused(await admin.tier('alice', 'pro'), 'tier', /^There is no tier 'pro'; did you mean Pro\? The tiers are: Free, Standard, Pro, Pro\+, BYOK\.$/);
        refused(await admin.patch('alice', { tier: 'Gold' }), 'tier', /^There is no tier 'Gold'\. The tiers are: /);
        refused(await admin.put('nobody', { tier: 'Gold' }), 'tier', /no tier 'Gold'/);
        refused(await admin.patch('alice', { limit_us: 5 }), 'limit_us', /^There is no field 'limit_us'; did you mean limit_usd\? The fields are: status, tier, limit_usd, messages_per_day, requests_per_minute, max_concurrent\.$/);
        refused(await admin.patch('alice', { status: 'active', boost: 1 }), 'boost', /There is no field 'boost'/);
        refused(await admin.patch('alice', { limit_usd: '5' }), 'limit_usd', /an amount in USD from 0 to 1000000, -1 for no limit, or null/);
        refused(await admin.patch('alice', { messages_per_day: 1.5 }), 'messages_per_day', /a whole number/);
        refused(await admin.patch('alice', { status: 'off' }), 'status', /active or disabled/);
        refused(await admin.ask('PATCH', '/admin/users/alice', '{"tier":"Pro","tier":"Free"}'), 'tier', /twice/);
        refused(await admin.ask('PATCH', '/admin/users/alice'), null, /not valid JSON/);
        refused(await admin.ask('PATCH', '/admin/users/alice', '[]'), null, /must be a JSON object/);
        refused(await admin.ask('PUT', '/admin/users/alice', '{'), null, /not valid JSON/);
        refused(await admin.ask('PUT', '/admin/users/alice/tier', '{}'), 'tier', /tier is missing/);
        refused(await admin.boost('alice', { limit_usd: 5 }), 'until', /until is missing/);
        refused(await admin.boost('alice', { limit_usd: 5, until: soon(-1000) }), 'until', /in the future/);
        refused(await admin.boost('alice', { limit_usd: -1, until: soon(60_000) }), 'limit_usd', /0 ends a boost/);
        for (const id of ['a%20b', 'a%00', '%zz', 'x'.repeat(129), '%C3%A4']) refused(await admin.ask('GET', `/admin/users/${id}`), 'id', /There can be no such user/);
        for (const ask of [admin.get('nobody'), admin.patch('nobody', { tier: 'Pro' }), admin.tier('nobody', 'Pro'), admin.boost('nobody', { limit_usd: 1, until: soon(60_000) })]) {
            const answer = await ask;
            assertFault(answer, 404, 'not_found');
            assert.match(answer.json.error.message, /There is no user 'nobody'\. PUT \/admin\/users\/\{id\} makes one/);
        }
        assert.equal(await world.redis.ask('EXISTS', 'kt:u:{u:nobody}'), 0);
        const { requests_reset_at: _, ...after } = await seen(admin.get('alice')), { requests_reset_at: __, ...was } = before;
        assert.deepEqual(after, was);
    }));

    test('without the admin key nothing is told and nothing done; the data plane has none of it', inWorld({}, async world => {
        const token = await world.token('alice'), before = await world.redis.ask('HGETALL', 'kt:u:{u:alice}');
        const routes = [['GET', '/admin/users/alice'], ['PUT', '/admin/users/bob'], ['PATCH', '/admin/users/alice', { status: 'disabled' }],
            ['PUT', '/admin/users/alice/tier', { tier: 'Free' }], ['POST', '/admin/users/alice/boost', { limit_usd: 5, until: soon(60_000) }]];
        for (const [method, path, body] of routes) {
            for (const headers of [{}, { authorization: `Bearer ${token}` }, { authorization: `Bearer ${world.adminKey}x` }, { 'x-api-key': world.adminKey }])
                assertFault(await call(world.one.admin, method, path, { headers, body }), 401, 'invalid_api_key');
            assertFault(await call(world.one.base, method, path, { token: world.adminKey, body }), 404, 'not_found');
        }
        assert.deepEqual(await world.redis.ask('HGETALL', 'kt:u:{u:alice}'), before);
        assert.equal(await world.redis.ask('EXISTS', 'kt:u:{u:bob}'), 0);
    }));

    test('what is not there: 404; another method: 405 with all that are allowed', inWorld({}, async world => {
        const admin = adminOf(world);
        for (const [method, path, allow] of [['DELETE', '/admin/users/alice', 'GET, HEAD, PUT, PATCH'], ['POST', '/admin/users/alice', 'GET, HEAD, PUT, PATCH'],
            ['GET', '/admin/users/alice/tier', 'PUT'], ['PUT', '/admin/users/alice/boost', 'POST'], ['PUT', '/admin/users/alice/usage', 'GET, HEAD']]) {
            const answer = await admin.ask(method, path);
            assertFault(answer, 405, 'method_not_allowed', `${method} ${path}`);
            assert.equal(answer.headers.allow, allow);
        }
        for (const path of ['/admin/users', '/admin/users/', '/admin/users/alice/', '/admin/users/alice/key', '/admin/users/alice/tier/x', '/admin/user/alice'])
            assertFault(await admin.ask('GET', path), 404, 'not_found', path);
    }));

    test('bodies: in pieces, too large, broken off', inWorld({}, async world => {
        const admin = adminOf(world), head = `PUT /admin/users/alice HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${world.adminKey}\r\n`;
        const slow = await Raw.open(world.one.admin);
        slow.send(`${head}Transfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n`);
        await slow.expect(/100 Continue/);
        for (const piece of ['{"ti', 'er":', '"Pro"}']) slow.send(`${piece.length.toString(16)}\r\n${piece}\r\n`);
        slow.send('0\r\n\r\n');
        await slow.expect(/"tier":"Pro"/);
        slow.destroy();
        const large = await admin.put('alice', { tier: 'x'.repeat(20_000) });
        assertFault(large, 413, 'request_too_large');
        assert.match(large.json.error.message, /16 KiB/);
        const left = await Raw.open(world.one.admin);
        left.send(`${head.replace('alice', 'bob')}Content-Length: 100\r\n\r\n{"tier":`);
        await until('it is on its way', () => left.connected);
        left.destroy();
        assert.equal((await seen(admin.get('alice'))).tier, 'Pro');
        assertFault(await admin.get('bob'), 404, 'not_found');
    }));

    test('each change is a line of the log, with what was before; what was so already is none', inWorld({}, async world => {
        const admin = adminOf(world);
        await seen(admin.put('alice', { tier: 'Standard' }));
        await seen(admin.tier('alice', 'Pro'));
        await seen(admin.tier('alice', 'Pro'));
        await seen(admin.patch('alice', { limit_usd: 2.5, status: 'active' }));
        await seen(admin.patch('alice', { limit_usd: null }));
        await admin.patch('nobody', { tier: 'Pro' });
        const lines = await until('all are written', () => world.one.logs(/^user (made|changed)/).length >= 4 && world.one.logs(/^user (made|changed)/));
        assert.deepEqual(lines.map(({ level, msg, who, user, tier, what, old, new: now }) => [level, msg, who, user, tier ?? what, old, now]), [
            ['info', 'user made', 'admin', 'alice', 'Standard', undefined, undefined],
            ['info', 'user changed', 'admin', 'alice', 'tier', 'Standard', 'Pro'],
            ['info', 'user changed', 'admin', 'alice', 'o_limit_nano_usd', '', '2500000000'],
            ['info', 'user changed', 'admin', 'alice', 'o_limit_nano_usd', '2500000000', ''],
        ]);
    }));

    test('Redis hangs: 503, and the same again is fine', inWorld({ env: { KEYTURN_REDIS_COMMAND_TIMEOUT: '250ms' } }, async world => {
        const admin = adminOf(world);
        await seen(admin.put('alice', { tier: 'Pro' }));
        world.redis.freeze();
        for (const answer of [await admin.tier('alice', 'Standard'), await admin.get('alice')]) assertFault(answer, 503, 'store_unavailable');
        world.redis.thaw();
        const moved = await until('it is there again', async () => (answer => answer.status === 200 && answer)(await admin.tier('alice', 'Standard')));
        assert.equal(moved.json.tier, 'Standard');
    }));

    test('two operators at once: each change is whole', inWorld({ instances: 2 }, async world => {
        const admins = world.instances.map(instance => adminOf(world, instance));
        await seen(admins[0].put('alice', { tier: 'Pro' }));
        await all(40, i => seen(i % 2 ? admins[1].patch('alice', { limit_usd: i, messages_per_day: i }) : admins[0].patch('alice', { requests_per_minute: 100 + i, max_concurrent: 100 + i })));
        const { overrides } = await seen(admins[0].get('alice'));
        assert.equal(overrides.limit_usd, overrides.messages_per_day);
        assert.equal(overrides.requests_per_minute, overrides.max_concurrent);
    }));

    test('a tier that is no more in the configuration is shown, and can be changed', inWorld({}, async world => {
        const admin = adminOf(world);
        await seen(admin.put('alice', { tier: 'Pro', limit_usd: 3 }));
        await world.redis.ask('HSET', 'kt:u:{u:alice}', 'tier', 'Gone');
        const user = await seen(admin.get('alice'));
        assert.deepEqual([user.tier, user.overrides.limit_usd, user.limit_usd, user.key.kind], ['Gone', 3, undefined, null]);
        assert.match(user.problem, /not in the configuration/);
        assert.equal((await seen(admin.tier('alice', 'Standard'))).limit_usd, 3);
    }));
});

describe('what is changed is felt by the next request on every instance', { concurrency: 2 }, () => {
    /** Two instances that both know the user, its tier and its key. */
    async function pair(world, plan) {
        const instances = await withSettings(world, plan, { instances: 2 }), token = await world.service(), as = 'alice';
        await seen(adminOf(world, instances[0]).put(as, { tier: 'Pro' }));
        for (const instance of instances) assert.equal((await instance.chat({ token, as, body: { model: FREE } })).status, 200);
        const each = async (body = CHEAP) => {
            const answers = [];
            for (const instance of instances) { answers.push(await instance.chat({ token, as, body })); await settled(world, [as]); }
            return answers;
        };
        return { instances, admins: instances.map(instance => adminOf(world, instance)), token, as, each };
    }
    const plan = tiers({ Standard: { limit_usd: 1, models: '[openai/*]' }, Pro: { limit_usd: 1 }, Shut: { limit_usd: 0 } });

    test('tier and status, changed on one, felt on both', inWorld({ instances: 0 }, async world => {
        const { admins, as, each } = await pair(world, plan), told = answers => answers.map(answer => answer.json.error?.code ?? answer.headers['x-keyturn-tier']);
        assert.deepEqual(told(await each()), ['Pro', 'Pro']);
        for (const [i, tier] of ['Standard', 'Pro', 'Standard'].entries()) {
            await seen(admins[i % 2].tier(as, tier));
            assert.deepEqual(told(await each()), [tier, tier]);
            assert.deepEqual((await each({ model: 'sim/echo' })).map(code), Array(2).fill(tier === 'Pro' ? 200 : 'model_not_allowed'));
        }
        await seen(admins[1].tier(as, 'Shut'));
        assert.deepEqual(told(await each()), ['insufficient_quota', 'insufficient_quota']);
        await seen(admins[1].patch(as, { tier: 'Pro', status: 'disabled' }));
        assert.deepEqual(told(await each()), ['user_disabled', 'user_disabled']);
        await seen(admins[0].patch(as, { status: 'active' }));
        assert.deepEqual(told(await each()), ['Pro', 'Pro']);
    }));

    test('limits of its own are in force, and gone when they are taken away', inWorld({ instances: 0 }, async world => {
        const { instances, admins, token, as, each } = await pair(world, plan);
        await seen(admins[0].patch(as, { limit_usd: 0 }));
        assert.deepEqual((await each()).map(code), ['insufficient_quota', 'insufficient_quota']);
        await seen(admins[1].patch(as, { limit_usd: null, messages_per_day: 0 }));
        assert.deepEqual((await each()).map(code), ['daily_message_limit_reached', 'daily_message_limit_reached']);
        await seen(admins[0].patch(as, { messages_per_day: -1, requests_per_minute: 1 }));
        const paced = [...await each(), ...await each()].map(code);
        assert.ok(paced.includes('rate_limit_exceeded'), `four in a row are in two minutes at most: ${paced}`);
        await seen(admins[0].patch(as, { requests_per_minute: null, max_concurrent: 1 }));
        const held = await world.sim.fault({ where: 'inference', kind: 'hold', times: 1 }), first = instances[0].chat({ token, as, body: CHEAP });
        await until('one runs', () => world.sim.hits(held));
        assert.equal(code(await instances[1].chat({ token, as, body: CHEAP })), 'too_many_concurrent_requests');
        await seen(admins[1].patch(as, { max_concurrent: null }));
        assert.equal((await instances[1].chat({ token, as, body: CHEAP })).status, 200);
        await world.sim.heal(held);
        assert.equal((await first).status, 200);
    }));

    test('a boost comes on top, and ends by itself when its time is over', inWorld({ instances: 0 }, async world => {
        const { admins, as, each } = await pair(world, tiers({ Pro: { limit_usd: usd(HOLD) } }));
        assert.deepEqual((await each()).map(code), [200, 'insufficient_quota'], 'what is left does not pay for another one');
        const { boost } = await seen(admins[0].boost(as, { limit_usd: 1, until: soon(60_000) }));
        assert.equal(boost.limit_usd, 1);
        assert.deepEqual((await each()).map(code), [200, 200]);
        const ends = Date.now() + 1000, short = await seen(admins[1].boost(as, { limit_usd: 0.5, until: new Date(ends).toISOString() }));
        assert.equal(short.limit_nano_usd, HOLD + 500_000_000);
        const over = await until('the boost is over', async () => (user => user.boost === null && user)(await seen(admins[0].get(as))));
        assert.ok(Date.now() >= ends, 'not before');
        assert.equal(over.limit_nano_usd, HOLD);
        assert.equal(over.debt_nano_usd, over.spent_nano_usd - HOLD, 'what was spent on it shows as debt');
        assert.ok(over.spent_nano_usd >= 3 * COST);
        assert.deepEqual((await each()).map(code), ['insufficient_quota', 'insufficient_quota']);
        await seen(admins[0].boost(as, { limit_usd: 1, until: soon(60_000) }));
        assert.deepEqual((await each()).map(code), [200, 200]);
        await seen(admins[0].boost(as, { limit_usd: 0 }));
        assert.deepEqual((await each()).map(code), ['insufficient_quota', 'insufficient_quota']);
    }));

    test('a user that is made here may speak at once, with the tier it was given', inWorld({ instances: 0 }, async world => {
        const [one] = await withSettings(world, plan, { env: { KEYTURN_KEYS_DEFAULT_TIER: '' } }), token = await world.service();
        assertFault(await one.chat({ token, as: 'carol', body: CHEAP }), 401, 'invalid_api_key');
        refused(await adminOf(world, one).put('carol'), 'tier', /no default tier/);
        await seen(adminOf(world, one).put('carol', { tier: 'Pro' }));
        assert.equal((await one.chat({ token, as: 'carol', body: CHEAP })).headers['x-keyturn-tier'], 'Pro');
    }));

    test('from a tier of the user\'s own key to a paid one', inWorld({ instances: 0 }, async world => {
        const { admins, as, each } = await pair(world, tiers({ Pro: { limit_usd: 1 }, Own: { key: 'own' } }));
        await seen(admins[0].tier(as, 'Own'));
        assert.deepEqual((await each()).map(code), ['key_disabled', 'key_disabled']);
        await seen(admins[0].tier(as, 'Pro'));
        assert.deepEqual((await each()).map(code), [200, 200]);
    }));
});

describe('the commands', { concurrency: 2 }, () => {
    const fine = async (world, words, options) => {
        const { code: end, stdout, stderr } = await world.command(words, options);
        assert.deepEqual([end, stderr], [0, ''], words.join(' '));
        return words.includes('--json') ? JSON.parse(stdout) : stdout;
    };

    test('user show, set and boost, tier set: the same user as over the admin API, felt by the server', inWorld({}, async world => {
        const admin = adminOf(world), token = await world.token('alice', '--tier', 'Standard');
        assert.equal((await world.one.chat({ token, body: { model: 'openai/gpt-4o-mini' } })).status, 200);
        await settled(world, ['alice']);
        const set = await fine(world, ['user', 'set', 'alice', '--limit-usd', '7.25', '--messages-per-day=1', '--requests-per-minute', '-1', '--max-concurrent', '9', '--json']);
        assert.deepEqual(set.overrides, { limit_nano_usd: 7_250_000_000, limit_usd: 7.25, messages_per_day: 1, requests_per_minute: -1, max_concurrent: 9 });
        assert.equal(code(await world.one.chat({ token, body: { model: 'openai/gpt-4o-mini' } })), 'daily_message_limit_reached');
        const same = await until('both in the same minute', async () => {
            const [shell, api] = [await fine(world, ['user', 'show', 'alice', '--json']), await seen(admin.get('alice'))];
            return shell.requests_reset_at === api.requests_reset_at && { shell, api };
        });
        assert.deepEqual(same.shell, same.api);
        assert.equal((await fine(world, ['tier', 'set', 'alice', 'Pro', '--json'])).tier, 'Pro');
        assert.match(await fine(world, ['user', 'set', 'alice', '--status', 'disabled', '--messages-per-day', 'none']), /^status +disabled$/m);
        assert.equal(code(await world.one.chat({ token })), 'user_disabled');
        const text = await fine(world, ['user', 'boost', 'alice', '--limit-usd', '5', '--until', '2199-12-01T00:00:00Z']);
        for (const line of [/^user +alice$/m, /^tier +Pro$/m, /^made +\d{4}-\d\d-\d\dT[\d:]+Z$/m, /^budget +12\.25 USD monthly: 0\.\d+ spent, 0 held, 12\.\d+ left; new window \S+Z$/m, /^messages +1 of 2000 today$/m,
            /^requests +\d+ of unlimited this minute$/m, /^at once +0 of 9 running$/m, /^boost +5 USD, until 2199-12-01T00:00:00Z$/m,
            /^own limits +limit_usd 7\.25, requests_per_minute unlimited, max_concurrent 9$/m, /^key +provisioned, active, version 1, made \S+Z, expires \S+Z$/m]) assert.match(text, line);
        assert.doesNotMatch(await fine(world, ['user', 'boost', 'alice', '--limit-usd', '0']), /boost/);
        assert.equal((await fine(world, ['user', 'set', 'alice', '--limit-usd', 'none', '--status=active', '--tier', 'Pro+', '--json'])).limit_usd, 200);
        assert.equal((await world.one.chat({ token })).headers['x-keyturn-tier'], 'Pro+');
    }));

    test('tier list: the configuration alone, no Redis', inWorld({ instances: 0, redis: false }, async world => {
        const env = { KEYTURN_REDIS_URL: 'redis://127.0.0.1:1' }, { tiers: list } = await fine(world, ['tier', 'list', '--json'], { env });
        assert.deepEqual(list.map(tier => [tier.name, tier.is_default, tier.limit_usd, tier.messages_per_day, tier.key]), [
            ['Free', false, 2, 20, 'shared'], ['Standard', false, 10, 500, 'provisioned'], ['Pro', false, 50, 2000, 'provisioned'],
            ['Pro+', true, 200, -1, 'provisioned'], ['BYOK', false, null, -1, 'own']]);
        assert.ok(list.every(tier => tier.models.length));
        const text = await fine(world, ['tier', 'list'], { env });
        assert.match(text, /^Pro +50 monthly +2000 +unlimited +unlimited +provisioned$/m);
        assert.match(text, /^Pro\+ .* provisioned; new users get it$/m);
        assert.equal(text.trimEnd().split('\n').length, 6);
    }));

    test('what is wrong: a sentence, 2 for the words and 1 for what is refused, and nothing on standard output', inWorld({}, async world => {
        await world.token('alice');
        const before = await world.redis.ask('HGETALL', 'kt:u:{u:alice}');
        const rows = [
            [2, ['user'], /usage: keyturn user show USER/],
            [2, ['user', 'show'], /usage: keyturn user show USER/],
            [2, ['user', 'show', 'a b'], /there can be no such user; an id is/],
            [2, ['user', 'show', 'alice', '--tier', 'Pro'], /there is no option '--tier'/],
            [2, ['user', 'remove', 'alice'], /usage: keyturn user/],
            [2, ['user', 'set', 'alice'], /there is nothing to change/],
            [2, ['user', 'set', 'alice', '--json'], /there is nothing to change/],
            [2, ['user', 'set', 'alice', '--teir', 'Pro'], /there is no option '--teir'/],
            [2, ['user', 'set', 'alice', '--limit-usd', 'much'], /--limit-usd must be an amount in USD from 0 to 1000000, -1 for no limit, or none for that of the tier\./],
            [2, ['user', 'set', 'alice', '--limit-usd'], /--limit-usd must be/],
            [2, ['user', 'set', 'alice', '--status', 'off'], /--status must be active or disabled/],
            [2, ['user', 'set', 'alice', '--tier', 'Pro', '--tier', 'Free'], /--tier is given twice/],
            [2, ['user', 'boost', 'alice', '--limit-usd', '5'], /--until is missing/],
            [2, ['user', 'boost', 'alice', '--limit-usd', '5', '--until', 'tomorrow'], /--until must be a time such as/],
            [1, ['user', 'boost', 'alice', '--limit-usd', '5', '--until', '2020-01-01T00:00:00Z'], /in the future/],
            [1, ['user', 'set', 'alice', '--tier', 'Standrad'], /There is no tier 'Standrad'; did you mean Standard\? The tiers are: Free,/],
            [1, ['user', 'show', 'nobody'], /there is no user 'nobody'; keyturn token create nobody makes it/],
            [1, ['user', 'set', 'nobody', '--tier', 'Pro'], /there is no user 'nobody'/],
            [2, ['tier'], /usage: keyturn tier list/],
            [2, ['tier', 'set', 'alice'], /usage: keyturn tier list/],
            [2, ['tier', 'set', 'alice', 'Pro', 'now'], /usage: keyturn tier list/],
            [2, ['tier', 'list', 'all'], /usage: keyturn tier list/],
            [1, ['tier', 'set', 'alice', 'pro'], /There is no tier 'pro'; did you mean Pro\?/],
            [1, ['tier', 'set', 'nobody', 'Pro'], /there is no user 'nobody'/],
        ];
        for (const [end, words, sentence] of rows) {
            const ended = await world.command(words);
            assert.deepEqual([ended.code, ended.stdout], [end, ''], `${words.join(' ')}: ${ended.stderr}`);
            assert.match(ended.stderr, sentence);
        }
        const lost = await world.command(['user', 'show', 'alice'], { env: { KEYTURN_REDIS_URL: `unix://${world.directory}/nowhere.sock` } });
        assert.deepEqual([lost.code, lost.stdout], [1, '']);
        assert.match(lost.stderr, /^keyturn user: Redis does not answer/m);
        assert.deepEqual(await world.redis.ask('HGETALL', 'kt:u:{u:alice}'), before);
        const help = await fine(world, ['--help']);
        for (const words of ['keyturn user      show USER', 'keyturn user      set USER', 'keyturn user      boost USER', 'keyturn tier      list', 'keyturn tier      set USER TIER']) assert.ok(help.includes(words), words);
    }));
});
