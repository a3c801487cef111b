// A real Redis on a Unix socket, with an append-only file as in production.

import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { Program } from './programs.mjs';
import { RedisClient } from './redis.mjs';
import { until } from './wait.mjs';

export class Redis {
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
