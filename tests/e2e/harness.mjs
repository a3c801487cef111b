// What every end-to-end test stands on: real processes on loopback, started and ended here, and nothing else touched.
//
//     test('a subject', inWorld({ instances: 2 }, async world => { ... }))
//
// A world is one Redis, one simulated OpenRouter and some keyturns, each in a temporary directory. When it ends it asserts
// what must be true after every test: each keyturn ended with 0, no sanitizer said a word, and no secret is anywhere.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Keyturn } from './keyturn.mjs';
import { Sim } from './openrouter.mjs';
import { keyturnBin, run, simBin } from './programs.mjs';
import { Redis } from './redis_server.mjs';
import { Secrets } from './secrets.mjs';
import { clearOfMidnight } from './wait.mjs';

export { call, events, raw, Raw } from './http.mjs';
export { bodyOf } from './keyturn.mjs';
export { freePort, hasFaultPoints, isSanitized, keyturnBin, Program, repository, run, simBin } from './programs.mjs';
export { bounded, pause, until } from './wait.mjs';

export const DEFAULT_TIER = 'Pro+'; // every model, any number of messages: limits are money.test.mjs' business

/** Renewal as quick as the configuration's limits allow; for tests that wait for leases and the sweeper. */
export const quickRenewal = {
    KEYTURN_RENEWAL_LEASE: '5s', KEYTURN_RENEWAL_CALL_TIMEOUT: '2s', KEYTURN_RENEWAL_SWEEP_EVERY: '500ms',
    KEYTURN_RENEWAL_SWEEP_AGE: '5s', KEYTURN_RENEWAL_PACE: '1s',
};

export class World {
    static async open({ instances = 1, mode = 'production', env = {}, redis = true, managementKey = true, upstream } = {}) {
        await clearOfMidnight();
        const world = new World();
        world.directory = mkdtempSync(join(tmpdir(), 'keyturn-e2e-'));
        world.secrets = new Secrets();
        world.instances = [];
        world.tokens = new Map();
        world.mode = mode;
        world.extraEnv = env;
        world.managementKey = world.secrets.plant('management key', `sk-or-v1-mgmt-${randomBytes(24).toString('hex')}`);
        world.adminKey = world.secrets.plant('admin key', `admin-${randomBytes(24).toString('hex')}`);
        world.root = world.secrets.plant('encryption secret', randomBytes(32).toString('base64'));
        world.givesManagementKey = managementKey;
        world.upstream = upstream;
        try {
            for (const file of [keyturnBin, simBin]) assert.ok(existsSync(file), `${file} is not built`);
            world.sim = new Sim(world.managementKey);
            if (redis) world.redis = new Redis(join(world.directory, 'redis'));
            await Promise.all([world.sim.start(), world.redis?.start()]);
            await Promise.all(Array.from({ length: instances }, () => world.keyturn()));
        } catch (error) {
            await world.demolish();
            throw error;
        }
        return world;
    }

    /** What keyturn is told; undefined removes a variable. */
    environment(more = {}) {
        const all = {
            PATH: process.env.PATH,
            HOME: this.directory,
            KEYTURN_ENV: this.mode === 'production' ? 'production' : undefined,
            KEYTURN_REDIS_URL: this.redis?.url,
            KEYTURN_ENCRYPTION_SECRET: `k1:${this.root}`,
            KEYTURN_ADMIN_KEY: this.adminKey,
            OPENROUTER_BASE_URL: this.upstream ?? this.sim?.url,
            OPENROUTER_PROVISIONING_KEY: this.givesManagementKey ? this.managementKey : undefined,
            KEYTURN_DATA_DIRECTORY: join(this.directory, 'data'),
            KEYTURN_KEYS_DEFAULT_TIER: DEFAULT_TIER,
            KEYTURN_REDIS_COMMAND_TIMEOUT: '2s', // a busy machine is not a broken Redis; store.test.mjs uses the default
            ASAN_OPTIONS: 'detect_leaks=1:strict_string_checks=1:detect_stack_use_after_return=0',
            UBSAN_OPTIONS: 'print_stacktrace=1:halt_on_error=1',
            ...this.extraEnv,
            ...more,
        };
        return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
    }

    /** Starts a keyturn; with { ready: false } without waiting for it. */
    async keyturn({ ready = true, ...options } = {}) {
        const instance = new Keyturn(this, { name: `keyturn ${this.instances.length + 1}`, ...options });
        this.instances.push(instance);
        if (ready) await instance.ready();
        return instance;
    }
    get one() { return this.instances[0]; }

    /** `keyturn WORDS...`, to its end. */
    command(words, { env, within } = {}) {
        return run(keyturnBin, words, { env: this.environment(env), cwd: this.directory, within });
    }

    /** The user's token, made by the command line the first time. */
    async token(user, ...options) {
        if (!this.tokens.has(user)) {
            const made = await this.command(['token', 'create', user, ...options]);
            assert.equal(made.code, 0, `token create ${user}: ${made.stderr}`);
            assert.match(made.stdout, /^kt_[A-Za-z0-9]+_[A-Za-z0-9_-]{43,}\n$/);
            const token = made.stdout.trim();
            this.secrets.plant(`token of ${user}`, token.split('_').slice(2).join('_'));
            this.tokens.set(user, token);
        }
        return this.tokens.get(user);
    }
    /** A token that may speak for any user: { token, as: 'somebody' }. */
    service() { return this.token('backend', '--service'); }

    /** What every user must have in the end: one key at OpenRouter, and it is the stored one. */
    async assertOneKeyEach(users, message) {
        const kept = (await this.sim.keysKept()).map(key => key.hash).sort();
        const records = await Promise.all(users.map(user => this.redis.keyRecord(user)));
        assert.deepEqual(kept, records.map(record => record?.hash).sort(), message);
    }

    /** The tail of every log, for a test that failed. */
    story() {
        return this.instances.map(instance => `---- ${instance.name} (${instance.program.code ?? instance.program.endSignal ?? 'running'})\n` +
            `${instance.stdout.split('\n').slice(-25).join('\n')}\n${instance.stderr.slice(-3000)}`).join('\n');
    }

    async end() {
        const problems = [];
        const attempt = async run => { try { await run(); } catch (error) { problems.push(error); } };
        if (this.sim.program.isRunning) this.sim.thaw();
        if (this.redis?.program.isRunning) this.redis.thaw();
        await attempt(async () => { if (this.sim.program.isRunning) await this.sim.heal(); });
        await Promise.all(this.instances.map(instance => attempt(async () => {
            if (instance.program.isRunning) await instance.stop();
            else if (!instance.forgiven)
                assert.deepEqual([instance.program.code, instance.program.endSignal], [0, null], `${instance.name} ended: ${instance.stderr}`);
            instance.checkStderr();
        })));
        if (this.redis) await attempt(() => this.secrets.lookInRedis(this.redis));
        await attempt(() => this.secrets.assertNone());
        await attempt(() => this.demolish());
        if (problems.length === 1) throw problems[0];
        if (problems.length) throw new AggregateError(problems, problems.map(problem => problem.message).join('\n'));
    }

    async demolish() {
        for (const instance of this.instances) if (instance.program.isRunning) await instance.kill();
        if (this.redis?.program?.isRunning) await this.redis.end();
        if (this.sim?.program?.isRunning) {
            this.sim.thaw();
            await this.sim.program.end('SIGTERM');
        }
        rmSync(this.directory, { recursive: true, force: true });
    }
}

/** For test(): opens a world, runs, ends it; the end's assertions belong to the test. */
export function inWorld(options, body) {
    return async t => {
        const world = await World.open(options);
        try {
            await body(world, t);
        } catch (error) {
            console.error(`\n==== ${t.name}: ${error.message}\n${world.story()}`);
            await world.end().catch(more => console.error(`==== and at the end: ${more.message}`));
            throw error;
        }
        await world.end();
    };
}

/** The one shape of every error. */
export function assertFault(answer, status, code, message) {
    const error = answer.json?.error;
    assert.equal(answer.status, status, `${message ?? ''} ${answer.text}`);
    assert.ok(error, `no error object: ${answer.text}`);
    assert.equal(error.code, code, message);
    assert.equal(typeof error.message, 'string');
    assert.ok(error.message.length > 10, 'a sentence');
    assert.equal(typeof error.type, 'string');
    assert.ok('param' in error, 'param is there, null or a name');
    assert.equal(typeof error.request_id, 'string');
    assert.match(answer.headers['content-type'], /^application\/json/);
    assert.ok(answer.headers['x-request-id'], 'the id is a header too');
    if (status === 503) assert.match(answer.headers['retry-after'] ?? 'missing', /^\d+$/, '503 carries retry-after');
}
