// The least of a Redis client: one connection, one command at a time, replies as strings of bytes (latin1), numbers, lists.

import net from 'node:net';
import { bounded } from './wait.mjs';

export class RedisClient {
    static async open(path) {
        const client = new RedisClient();
        client.socket = net.connect({ path });
        client.bytes = Buffer.alloc(0);
        client.socket.on('data', part => { client.bytes = Buffer.concat([client.bytes, part]); client.answer(); });
        client.socket.on('error', error => client.fail?.(error));
        client.socket.on('close', () => client.fail?.(new Error('Redis closed the connection')));
        await bounded('a connection to Redis', new Promise((done, fail) => {
            client.socket.once('connect', done);
            client.socket.once('error', fail);
        }), 2000);
        return client;
    }

    ask(...args) {
        const parts = args.map(arg => Buffer.from(String(arg), 'latin1')).flatMap(arg => [Buffer.from(`$${arg.length}\r\n`), arg, Buffer.from('\r\n')]);
        return bounded(`Redis answers ${args[0]}`, new Promise((done, fail) => {
            Object.assign(this, { done, fail });
            this.socket.write(Buffer.concat([Buffer.from(`*${args.length}\r\n`), ...parts]));
        }), 5000);
    }
    close() { this.fail = null; this.socket.destroy(); }

    answer() {
        const parsed = this.parse(0);
        if (!parsed) return;
        this.bytes = this.bytes.subarray(parsed.next);
        if (parsed.value instanceof Error) this.fail?.(parsed.value);
        else this.done?.(parsed.value);
    }

    parse(at) {
        const end = this.bytes.indexOf('\r\n', at);
        if (end < 0) return null;
        const line = this.bytes.toString('latin1', at + 1, end);
        let next = end + 2;
        switch (String.fromCharCode(this.bytes[at])) {
        case '+': return { value: line, next };
        case '-': return { value: new Error(line), next };
        case ':': return { value: Number(line), next };
        case '$': {
            const size = Number(line);
            if (size < 0) return { value: null, next };
            if (this.bytes.length < next + size + 2) return null;
            return { value: this.bytes.toString('latin1', next, next + size), next: next + size + 2 };
        }
        default: {
            const list = [];
            for (let i = 0; i < Number(line); i++) {
                const item = this.parse(next);
                if (!item) return null;
                list.push(item.value);
                next = item.next;
            }
            return { value: list, next };
        }
        }
    }
}
