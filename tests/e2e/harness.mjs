// What every end-to-end test stands on: real processes on loopback, started and ended here, and nothing else touched.
//
//     test('a subject', inWorld({ instances: 2 }, async world => { ... }))
//
// A world is one Redis, one simulated OpenRouter and some keyturns, each in a temporary directory. When it ends it asserts
// what must be true after every test: each keyturn ended with 0, no sanitizer said a word, and no secret is anywhere.
//
// KEYTURN_BIN and OPENROUTER_SIM_BIN name the programs; the default is build/debug.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { call } from './http.mjs';
import { RedisClient } from './redis.mjs';
import { Secrets } from './secrets.mjs';
import { bounded, pause, until } from './wait.mjs';

export { call, events, raw, Raw } from './http.mjs';
export { bounded, pause, until } from './wait.mjs';

const root = resolve(import.meta.dirname, '../..');
export const keyturnBin = process.env.KEYTURN_BIN ?? join(root, 'build/debug/keyturn');
export const simBin = process.env.OPENROUTER_SIM_BIN ?? join(root, 'build/debug/openrouter-sim');
export const repository = root;
export const DEFAULT_TIER = 'Pro+'; // every model, any number of messages: limits are money.test.mjs' business

const SANITIZER = /AddressSanitizer|LeakSanitizer|ThreadSanitizer|UndefinedBehaviorSanitizer|runtime error:|ERROR: libFuzzer/;
const binary = existsSync(keyturnBin) ? readFileSync(keyturnBin) : Buffer.alloc(0);
export const isSanitized = binary.includes('__asan_init');
export const hasFaultPoints = binary.includes('KEYTURN_KILL_AT');

// ---- programs

const running = new Set();
process.once('exit', () => { for (const program of running) program.child.kill('SIGKILL'); });
for (const name of ['SIGTERM', 'SIGINT', 'SIGHUP']) process.once(name, () => process.exit(1));

export class Program {
    constructor(name, file, args, { env = {}, cwd } = {}) {
        this.name = name;
        this.stdout = this.stderr = '';
        this.child = spawn(file, args, { cwd, env: { PATH: process.env.PATH, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
        this.child.stdout.on('data', part => { this.stdout += part; });
        this.child.stderr.on('data', part => { this.stderr += part; });
        running.add(this);
        const drained = new Promise(done => this.child.once('close', done));
        this.ended = new Promise((done, fail) => {
            this.child.once('error', error => { running.delete(this); fail(error); });
            this.child.once('exit', async (code, signal) => {
                running.delete(this);
                this.code = code;
                this.endSignal = signal;
                await Promise.race([drained, pause(1000)]);
                done({ code, signal });
            });
        });
        this.ended.catch(() => {});
    }

    get pid() { return this.child.pid; }
    get isRunning() { return this.child.exitCode === null && this.child.signalCode === null; }
    signal(name) { this.child.kill(name); }

    /** Sends the signal and waits for the end. */
    async end(signal = 'SIGTERM', within = 20_000) {
        if (this.isRunning) this.signal(signal);
        return bounded(`${this.name} ends after ${signal}`, this.ended, within);
    }
}

/** Runs a command to its end: { code, stdout, stderr }. */
export async function run(file, args, { env, cwd, within = 20_000 } = {}) {
    const program = new Program(file, file, args, { env, cwd });
    try {
        await bounded(`${file} ${args.join(' ')}`, program.ended, within);
    } finally {
        program.signal('SIGKILL');
    }
    return program;
}

/** A port nobody listens on, from the kernel. */
export async function freePort(host = '127.0.0.1') {
    const server = net.createServer().listen(0, host);
    await new Promise((done, fail) => { server.once('listening', done); server.once('error', fail); });
    const { port } = server.address();
    await new Promise(done => server.close(done));
    return port;
}

// ---- Redis

class Redis {
    constructor(directory) {
        this.directory = directory;
        mkdirSync(directory, { recursive: true });
        this.socket = join(directory, 'redis.sock');
        this.url = `unix://${this.socket}`;
    }

    async start() {
        this.program = new Program('redis-server', 'redis-server', ['--port', '0', '--unixsocket', this.socket, '--dir', this.directory,
            '--save', '', '--appendonly', 'yes', '--appendfsync', 'everysec', '--aof-use-rdb-preamble', 'no',
            '--maxmemory-policy', 'noeviction', '--enable-debug-command', 'yes']);
        await until('Redis answers', async () => {
            assert.ok(this.program.isRunning, `redis-server: ${this.program.stdout}`);
            return await this.ask('PING').catch(() => false) === 'PONG';
        });
        return this;
    }

    /** One command: texts, numbers, null, lists. */
    async ask(...args) {
        const client = await RedisClient.open(this.socket);
        try {
            return await client.ask(...args);
        } finally {
            client.close();
        }
    }

    async keyRecord(user) {
        const flat = await this.ask('HGETALL', `kt:k:{u:${user}}`);
        return flat.length ? Object.fromEntries(flat.flatMap((name, i) => i % 2 ? [] : [[name, flat[i + 1]]])) : null;
    }
    freeze() { this.program.signal('SIGSTOP'); }
    thaw() { this.program.signal('SIGCONT'); }

    async end() {
        this.thaw();
        await this.program.end('SIGTERM').catch(() => this.program.end('SIGKILL'));
    }
}

// ---- the simulated OpenRouter

class Sim {
    constructor(managementKey) { this.managementKey = managementKey; }

    async start({ port = 0 } = {}) {
        this.program = new Program('openrouter-sim', simBin, ['--listen', `127.0.0.1:${port}`, '--management-key', this.managementKey]);
        const line = await until('the simulator listens', () => {
            assert.ok(this.program.isRunning, `openrouter-sim: ${this.program.stderr}`);
            return this.program.stdout.match(/listening on (http:\S+)/);
        });
        this.url = line[1];
        this.origin = new URL(line[1]).origin;
        this.port = Number(new URL(line[1]).port);
        return this;
    }

    async control(method, path, body) {
        const answer = await call(this.origin, method, `/__sim${path}`, { body });
        assert.ok(answer.status < 300, `${method} /__sim${path}: ${answer.status} ${answer.text}`);
        return answer.json;
    }
    ledger() { return this.control('GET', '/ledger'); }
    async totals() { return (await this.control('GET', '/ledger?brief=1')).totals; }
    async keysMade() { return (await this.control('GET', '/ledger?brief=1')).keys_created; }
    /** Keys somebody still pays attention to: not deleted, expired and disabled ones included. */
    async keysKept() { return (await this.control('GET', '/ledger?brief=1')).keys.filter(key => !key.deleted); }
    async rowsSince(seq) { return (await this.control('GET', `/ledger?since=${seq}`)).requests; }
    async lastSeq() { return (await this.ledger()).requests.at(-1)?.seq ?? 0; }
    async fault(order) { return (await this.control('POST', '/fault', order)).id; }
    async hits(id) { return (await this.control('GET', '/fault')).faults.find(fault => fault.id === id)?.hits ?? 0; }
    heal(id) { return this.control('DELETE', id ? `/fault/${id}` : '/fault'); }
    set(settings) { return this.control('POST', '/settings', settings); }
    killKey(which) { return this.control('POST', '/kill_key', which); }
    expireKey(which) { return this.control('POST', '/expire_key', which); }
    disableKey(which) { return this.control('POST', '/disable_key', which); }
    freeze() { this.program.signal('SIGSTOP'); }
    thaw() { this.program.signal('SIGCONT'); }
}

// ---- keyturn

class Keyturn {
    constructor(world, { name, env = {}, listen = '127.0.0.1:0', args = [], wrap, bin = keyturnBin }) {
        Object.assign(this, { world, name, forgiven: false });
        this.env = world.environment(env);
        const command = [bin, 'serve', '--listen', listen, '--admin-listen', '127.0.0.1:0', ...args];
        const [file, ...rest] = wrap ? wrap(command) : command;
        this.program = new Program(name, file, rest, { env: this.env, cwd: world.directory });
    }

    get pid() { return this.program.pid; }
    get stderr() { return this.program.stderr; }
    get stdout() { return this.program.stdout; }
    /** Whole lines of its log, parsed; a line that is no JSON is an assertion. */
    logs(message) {
        const lines = this.stdout.slice(0, this.stdout.lastIndexOf('\n') + 1).split('\n').filter(Boolean).map(line => {
            try { return JSON.parse(line); } catch { throw new assert.AssertionError({ message: `no JSON in the log: ${line}` }); }
        });
        return message ? lines.filter(line => typeof message === 'string' ? line.msg === message : message.test(line.msg)) : lines;
    }

    async ready(within = 20_000) {
        await until(`${this.name} is ready`, async () => {
            if (!this.program.isRunning) {
                await this.program.ended;
                throw new Error(`${this.name} ended with ${this.program.code ?? this.program.endSignal}: ${this.stderr}${this.stdout}`);
            }
            [this.base, this.admin] = [this.addresses('clients')[0], this.addresses('operators')[0]];
            const answer = this.base && await call(this.base, 'GET', '/readyz', { agent: false }).catch(() => null);
            return answer?.status === 200;
        }, { within });
        return this;
    }
    /** Where it listens, as it says itself. */
    addresses(whom) {
        return this.logs('listening').filter(line => line.for === whom)
            .map(({ address }) => address.startsWith('unix:') ? address : `http://${address}`);
    }

    async call(method, path, options) {
        const answer = await call(this.base, method, path, options);
        this.world.secrets.look(`reply ${answer.status} of ${method} ${path}`, answer.text + JSON.stringify(answer.headers));
        return answer;
    }

    /** One inference request; `as` names the end user of a service token. */
    chat({ token, as, stream = false, path = '/v1/chat/completions', body = {}, headers = {}, ...options } = {}) {
        const more = { ...headers, ...(as && { 'x-keyturn-user': as }) };
        return this.call('POST', path, { token, headers: more, body: { ...bodyOf(path), ...(stream && { stream }), ...body }, ...options });
    }

    /** The metrics page as { 'name{labels}': number }. */
    async metrics() {
        const page = await call(this.admin, 'GET', '/metrics', { agent: false });
        assert.equal(page.status, 200);
        this.world.secrets.look(`metrics of ${this.name}`, page.text);
        return Object.fromEntries(page.text.split('\n').filter(line => line && !line.startsWith('#'))
            .map(line => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ') + 1))]));
    }
    residentBytes() {
        return Number(readFileSync(`/proc/${this.pid}/status`, 'utf8').match(/^VmRSS:\s+(\d+) kB/m)[1]) * 1024;
    }

    /** The end of one that must not start: { code, stderr }, and nothing else may be wrong with it. */
    async refusal(within = 30_000) {
        this.forgiven = true;
        const { code, signal } = await bounded(`${this.name} refuses to start`, this.program.ended, within);
        assert.equal(signal, null);
        return { code, stderr: this.stderr };
    }

    /** SIGTERM; anything but a clean end is an assertion. */
    async stop(within = 30_000) {
        await this.lookAround();
        const { code, signal } = await this.program.end('SIGTERM', within);
        assert.deepEqual({ code, signal }, { code: 0, signal: null }, `${this.name}: ${this.stderr}`);
        this.checkStderr();
    }
    /** kill -9; or tells that it has died by itself and that this was wanted. */
    async kill(signal = 'SIGKILL') {
        this.forgiven = true;
        return this.program.end(signal);
    }

    checkStderr() {
        assert.ok(!SANITIZER.test(this.stderr), `${this.name} and a sanitizer:\n${this.stderr.slice(0, 6000)}`);
        this.world.secrets.look(`log of ${this.name}`, this.stdout);
        this.world.secrets.look(`stderr of ${this.name}`, this.stderr);
    }
    async lookAround() {
        if (!this.program.isRunning) return;
        this.world.secrets.look(`command line of ${this.name}`, readFileSync(`/proc/${this.pid}/cmdline`, 'latin1'));
        await this.metrics().catch(() => {});
    }
}

/** The least body a route takes. */
export function bodyOf(path) {
    const model = 'openai/gpt-4o';
    const messages = [{ role: 'user', content: 'hello' }];
    if (path.endsWith('/chat/completions')) return { model, messages };
    if (path.endsWith('/completions')) return { model, prompt: 'hello' };
    if (path.endsWith('/responses')) return { model, input: 'hello' };
    if (path.endsWith('/messages')) return { model, messages, max_tokens: 16 };
    return { model: 'openai/text-embedding-3-small', input: 'hello' };
}

// ---- the world

/** Renewal as quick as the configuration's limits allow; for tests that wait for leases and the sweeper. */
export const quickRenewal = {
    KEYTURN_RENEWAL_LEASE: '5s', KEYTURN_RENEWAL_CALL_TIMEOUT: '2s', KEYTURN_RENEWAL_SWEEP_EVERY: '500ms',
    KEYTURN_RENEWAL_SWEEP_AGE: '5s', KEYTURN_RENEWAL_PACE: '1s',
};

export class World {
    static async open({ instances = 1, mode = 'production', env = {}, redis = true, managementKey = true, upstream } = {}) {
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
