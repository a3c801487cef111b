// HTTP as the tests speak it: whole answers (call), streams of events (events), and bytes on a socket (raw, Raw).

import http from 'node:http';
import net from 'node:net';
import { bounded, until } from './wait.mjs';

const shared = new http.Agent({ keepAlive: true, maxSockets: Infinity });

/** base is an origin or unix:/path. Resolves with the whole answer; `cut` when it broke off. agent: false is a fresh connection. */
export function call(base, method, path, { token, headers = {}, body, agent = shared, within = 60_000, onHead, onData } = {}) {
    const bytes = body === undefined || typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body);
    const where = base.startsWith('unix:') ? { socketPath: base.slice(5) } : { host: new URL(base).hostname.replace(/^\[|\]$/g, ''), port: new URL(base).port };
    const fields = { ...(token && { authorization: `Bearer ${token}` }), ...(bytes !== undefined && { 'content-type': 'application/json' }), ...headers };
    let request;
    const answer = new Promise((done, fail) => {
        request = http.request({ ...where, method, path, agent, headers: fields }, response => {
            const parts = [];
            const began = Date.now();
            const end = cut => {
                const text = Buffer.concat(parts).toString();
                let json;
                try { json = JSON.parse(text); } catch { /* not JSON */ }
                done({ status: response.statusCode, headers: response.headers, text, json, cut, ms: Date.now() - began });
            };
            onHead?.(response, request);
            response.on('data', part => { parts.push(part); onData?.(part, request, response); });
            response.on('end', () => end(!response.complete));
            response.on('error', () => end(true));
        });
        request.on('error', fail);
        request.end(bytes);
    });
    return bounded(`${method} ${path} is answered`, answer, within).catch(error => { request.destroy(); throw error; });
}

/** The events of a stream: [{ event, data }], data parsed when it is JSON. */
export function events(text) {
    return text.split(/\r?\n\r?\n/).map(block => {
        const field = name => block.split(/\r?\n/).filter(line => line.startsWith(`${name}:`)).map(line => line.slice(name.length + 1).trim()).join('\n');
        const data = field('data');
        let json;
        try { json = JSON.parse(data); } catch { json = data; }
        return { event: field('event'), data: json };
    }).filter(event => event.data !== '');
}

/** A socket on which bytes go out as they are, and everything that comes back is kept. */
export class Raw {
    static async open(base, { allowHalfOpen = true } = {}) {
        const raw = new Raw();
        const where = base.startsWith('unix:') ? { path: base.slice(5) } : { host: new URL(base).hostname.replace(/^\[|\]$/g, ''), port: Number(new URL(base).port) };
        raw.text = '';
        raw.connected = raw.closed = raw.failed = raw.finished = false;
        raw.socket = net.connect({ ...where, allowHalfOpen });
        raw.socket.on('connect', () => { raw.connected = true; });
        raw.socket.on('data', part => { raw.text += part.toString('latin1'); });
        raw.socket.on('end', () => { raw.finished = true; });
        raw.socket.on('error', error => { raw.failed = error.code; });
        raw.socket.on('close', () => { raw.closed = true; });
        await until('a connection', () => raw.connected || raw.failed);
        return raw;
    }
    send(bytes) { this.socket.write(bytes, 'latin1'); return this; }
    finish() { this.socket.end(); return this; }
    /** Waits until the text matches; gives the match. */
    async expect(pattern, within = 10_000) {
        try {
            return await until(`${pattern}`, () => this.text.match(pattern) ?? (this.over && 'over'), { within, every: 5 }).then(found => {
                if (found !== 'over') return found;
                throw new Error(`the connection is over (${this.failed || 'closed'})`);
            });
        } catch (error) {
            throw new Error(`${error.message}; came: ${JSON.stringify(this.text.slice(0, 2000))}`);
        }
    }
    get over() { return this.finished || this.closed || this.failed; }
    async untilOver(within = 10_000) {
        await until('the connection is over', () => this.over, { within, every: 5 });
        return this;
    }
    /** The replies so far: [{ status, headers, body }], by Content-Length or chunks. */
    get replies() { return repliesIn(this.text); }
    destroy() { this.socket.destroy(); }
}

/** Sends bytes, waits until the other side is done, gives the socket. */
export async function raw(base, bytes, { half = false, within } = {}) {
    const socket = await Raw.open(base);
    socket.send(bytes);
    if (half) socket.finish();
    try {
        return await socket.untilOver(within);
    } finally {
        socket.destroy();
    }
}

function repliesIn(text) {
    const replies = [];
    while (text.startsWith('HTTP/1.')) {
        const end = text.indexOf('\r\n\r\n');
        if (end < 0) break;
        const [line, ...fields] = text.slice(0, end).split('\r\n');
        const headers = Object.fromEntries(fields.map(field => [field.slice(0, field.indexOf(':')).toLowerCase(), field.slice(field.indexOf(':') + 1).trim()]));
        const status = Number(line.split(' ')[1]);
        let body = '';
        text = text.slice(end + 4);
        if (headers['transfer-encoding'] === 'chunked') {
            for (;;) {
                const size = parseInt(text, 16);
                const start = text.indexOf('\r\n') + 2;
                if (Number.isNaN(size) || start < 2) return [...replies, { status, headers, body, cut: true }];
                body += text.slice(start, start + size);
                text = text.slice(start + size + 2);
                if (size === 0) break;
            }
        } else if (headers['content-length'] !== undefined) {
            body = text.slice(0, Number(headers['content-length']));
            text = text.slice(body.length);
        } else if (status >= 200) {
            body = text;
            text = '';
        }
        let json;
        try { json = JSON.parse(body); } catch { /* not JSON */ }
        replies.push({ status, headers, body, text: body, json });
    }
    return replies;
}
