// Unique secrets are planted, and looked for wherever keyturn writes: a plaintext hit anywhere is a failure.

import assert from 'node:assert/strict';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { RedisClient } from './redis.mjs';

const SUB_KEY = /sk-or-v1-[0-9a-f]{64}/; // what OpenRouter makes

export class Secrets {
    planted = new Map();
    hits = [];
    looks = 0;

    plant(what, text) {
        assert.ok(text.length >= 16, 'too short to be found by accident');
        this.planted.set(text, what);
        return text;
    }

    look(where, text) {
        this.looks++;
        for (const [secret, what] of this.planted) if (text.includes(secret)) this.hits.push(`${what} in ${where}`);
        const key = text.match(SUB_KEY);
        if (key) this.hits.push(`a sub-key in ${where}: ...${text.slice(Math.max(0, key.index - 80), key.index)}`);
    }

    /** Every key and value, and the files behind them. */
    async lookInRedis(redis) {
        if (redis.program.isRunning) {
            const client = await RedisClient.open(redis.socket);
            for (const key of await client.ask('KEYS', '*')) {
                const read = { hash: ['HGETALL'], string: ['GET'], zset: ['ZRANGE', '0', '-1'], set: ['SMEMBERS'], list: ['LRANGE', '0', '-1'],
                    stream: ['XRANGE', '-', '+'] }[await client.ask('TYPE', key)];
                this.look(`Redis key ${key}`, key);
                this.look(`Redis value of ${key}`, JSON.stringify(await client.ask(read[0], key, ...read.slice(1))));
                this.look(`Redis dump of ${key}`, await client.ask('DUMP', key) ?? '');
            }
            client.close();
        }
        this.lookInFiles(redis.directory);
    }

    lookInFiles(directory) {
        for (const name of readdirSync(directory)) {
            const path = join(directory, name);
            if (statSync(path).isDirectory()) this.lookInFiles(path);
            else if (statSync(path).isFile()) this.look(`file ${name}`, readFileSync(path, 'latin1'));
        }
    }

    assertNone() { assert.deepEqual([...new Set(this.hits)], [], 'secrets in plaintext'); }
}
