// What stands behind the contenders: a private Redis, the simulated OpenRouter in its fast mode, people with tokens. A second
// rig has TLS in front of the simulator.

import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { call } from '../tests/e2e/http.mjs';
import { RedisClient } from '../tests/e2e/redis.mjs';
import { until } from '../tests/e2e/wait.mjs';
import { freePort } from './stage.mjs';

export const { KEYTURN_BIN, OPENROUTER_SIM_BIN, PACE_BIN } = process.env;
export const ROUTE = '/api/v1/chat/completions';
const PEOPLE = 100;
const MANAGEMENT_KEY = 'sk-or-v1-bench-management', SHARED_KEY = `sk-or-v1-${'5'.repeat(64)}`;

// Limits nobody reaches: they are counted all the same. `plain` has nothing to count and runs on the shared key.
const SETTINGS = `
keys: { default_tier: governed }
tiers:
  plain: { limit_usd: -1, key: shared, models: ["*"] }
  limited: { limit_usd: 1000000, messages_per_day: 1000000000, requests_per_minute: 1000000, max_concurrent: 1000000, key: shared, models: ["*"] }
  governed: { limit_usd: 1000000, messages_per_day: 1000000000, requests_per_minute: 1000000, max_concurrent: 1000000, models: ["*"] }
`;

export class Rig {
    static async build(stage, { name = 'rig', tls = false } = {}) {
        const rig = Object.assign(new Rig(), { stage, name });
        await Promise.all([rig.startRedis(), rig.startSim()]);
        rig.upstream = `127.0.0.1:${rig.simPort}`;
        rig.base = `http://${rig.upstream}/api/v1`;
        if (tls) await rig.startTls();
        rig.settings = stage.write(`${name}.yaml`, SETTINGS + (tls ? `upstream: { ca_file: ${rig.authority} }\n` : ''));
        rig.secret = `k1:${randomBytes(32).toString('base64')}`;
        return rig;
    }

    async startRedis() {
        this.redisSocket = this.stage.path(`${this.name}-redis.sock`);
        this.redis = this.stage.start(`${this.name}-redis`, ['redis-server', '--port', '0', '--unixsocket', this.redisSocket, '--unixsocketperm', '777',
            '--dir', this.stage.directory, '--save', '', '--appendonly', 'no', '--maxmemory-policy', 'noeviction', '--io-threads', '1']);
        await until('Redis answers', async () => {
            this.stage.mustRun(this.redis);
            return await this.ask('PING').catch(() => false) === 'PONG';
        });
    }
    async ask(...words) {
        const client = await RedisClient.open(this.redisSocket);
        try { return await client.ask(...words); } finally { client.close(); }
    }

    async startSim() {
        this.sim = this.stage.start(`${this.name}-sim`, [OPENROUTER_SIM_BIN, '--fast', '--management-key', MANAGEMENT_KEY, '--api-key', SHARED_KEY]);
        const line = await until('the simulator listens', () => {
            this.stage.mustRun(this.sim);
            return readFileSync(this.sim.log, 'utf8').match(/listening on http:\/\/127\.0\.0\.1:(\d+)/);
        });
        this.simPort = Number(line[1]);
        this.usual = await this.set({ credits_nano_usd: Number.MAX_SAFE_INTEGER });
    }
    /** Changes settings of the simulator. */
    async set(settings) {
        const answer = await call(`http://127.0.0.1:${this.simPort}`, 'POST', '/__sim/settings', { body: settings });
        if (answer.status !== 200) throw new Error(`the simulator refuses ${JSON.stringify(settings)}: ${answer.text}`);
        return answer.json;
    }
    streams({ chunks, gapMs }) { return this.set({ completion_tokens: chunks, chunk_delay_ms: gapMs, comments: false }); }
    plainAnswers() { return this.set({ completion_tokens: 16, chunk_delay_ms: 0, comments: true }); }

    async startTls() {
        const { stage } = this, port = await freePort();
        this.authority = stage.path('tls.pem');
        execFileSync('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', '/CN=localhost', '-addext',
            'subjectAltName=DNS:localhost,IP:127.0.0.1', '-keyout', stage.path('tls.key'), '-out', this.authority], { stdio: 'ignore' });
        const front = stage.start('tls', ['nginx', '-c', stage.write('tls.conf', fill(stage, 'tls.conf', { port, upstream: this.upstream }))]);
        await stage.listens(front, port);
        this.upstream = `127.0.0.1:${port}`;
        this.base = `https://localhost:${port}/api/v1`;
    }

    /** What keyturn is told. */
    get environment() {
        return {
            HOME: this.stage.directory, KEYTURN_ENV: 'production', KEYTURN_CONFIG: this.settings, KEYTURN_REDIS_URL: `unix://${this.redisSocket}`,
            KEYTURN_ENCRYPTION_SECRET: this.secret, OPENROUTER_BASE_URL: this.base, OPENROUTER_PROVISIONING_KEY: MANAGEMENT_KEY,
            OPENROUTER_API_KEY: SHARED_KEY, KEYTURN_LOG_LEVEL: 'warn', KEYTURN_SERVER_DRAIN_TIMEOUT: '1s',
        };
    }

    async token(user, ...options) {
        return (await this.stage.run([KEYTURN_BIN, 'token', 'create', user, ...options], { env: this.environment })).trim();
    }

    /** Files of header lines, one for each way to be known; needs a keyturn that has founded the store. */
    async invite() {
        const people = Array.from({ length: PEOPLE }, (_, i) => i);
        const tokens = { open: people.map(() => SHARED_KEY), rival: people.map(i => `rt_${i}_${randomBytes(32).toString('base64url')}`), plain: [], governed: [] };
        for (const i of people)
            for (const tier of ['plain', 'governed']) tokens[tier].push(await this.token(`${tier}-${i}`, '--tier', tier));
        const client = await RedisClient.open(this.redisSocket);
        for (const i of people) {
            await client.ask('SET', `rival:token:${tokens.rival[i]}`, `rival-${i}`);
            await client.ask('SET', `rival:key:rival-${i}`, SHARED_KEY);
        }
        this.admitScript = await client.ask('SCRIPT', 'LOAD', readFileSync(join(import.meta.dirname, 'rivals/admit.lua'), 'latin1'));
        client.close();
        this.tokens = tokens;
        this.heads = Object.fromEntries(Object.entries(tokens).map(([kind, list]) =>
            [kind, this.stage.write(`${this.name}-${kind}.heads`, list.map((token, i) => `Authorization: Bearer ${token}\tX-Number: ${i}\n`).join(''))]));
    }
}

/** A file of rivals/ with what stands in double braces filled in. */
export function fill(stage, file, words) {
    const connections = stage.files - 64;
    const all = {
        directory: stage.directory, rivals: join(import.meta.dirname, 'rivals'), modules: '/usr/lib/nginx/modules', files: stage.files, connections,
        haproxy_connections: Math.floor((stage.files - 100) / 2), user_line: process.getuid() === 0 ? 'user root;' : '', scheme: 'http', tls_lines: '', tls_words: '', ...words,
    };
    return readFileSync(join(import.meta.dirname, 'rivals', file), 'utf8').replace(/\{\{(\w+)\}\}/g, (whole, word) => {
        if (all[word] === undefined) throw new Error(`${file}: nothing is known for ${whole}`);
        return all[word];
    });
}

/** A body of about so many bytes, as a file. */
export function bodyFile(stage, bytes, more = {}) {
    const empty = { model: 'openai/gpt-4o-mini', max_tokens: 16, ...more, messages: [{ role: 'user', content: '' }] };
    const filler = 'Why do the tides come and go? ';
    const content = filler.repeat(Math.ceil(bytes / filler.length)).slice(0, Math.max(1, bytes - JSON.stringify(empty).length));
    return stage.write(`body-${bytes}${more.stream ? '-stream' : ''}.json`, JSON.stringify({ ...empty, messages: [{ role: 'user', content }] }));
}
