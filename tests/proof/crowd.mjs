// The clients: many at once over keep-alive connections, some of whom leave in the middle. Every body is unlike any other,
// so that the simulator's rows can be told apart by the hash of what arrived there.

import http from 'node:http';

export const MODEL = 'openai/gpt-4o', PROMPT = 2500, COMPLETION = 10000; // nano-USD a token
export const NOBODYS = 'nobody/knows-the-price';
export const STAGES = ['before the head', 'after the first token', 'just before the usage event'];

export const bodyFor = ({ nonce, stream = false, tokens = 16, model = MODEL }) =>
    JSON.stringify({ model, messages: [{ role: 'user', content: `this is ${String(nonce).padStart(12, '0')}` }], max_tokens: tokens, stream });
/** The least a request can be let through with: each byte of the body a token, and sixteen tokens of answer. */
export const leastOf = body => Buffer.byteLength(body) * PROMPT + 16 * COMPLETION;

/** Chance that can be repeated: a seed gives the same run as far as the machine allows. */
export function chance(seed) {
    let state = seed >>> 0 || 1;
    const next = () => {
        state ^= state << 13; state >>>= 0;
        state ^= state >>> 17;
        state ^= state << 5; state >>>= 0;
        return state / 2 ** 32;
    };
    return { next, below: count => Math.floor(next() * count), pick: list => list[Math.floor(next() * list.length)] };
}

export class Crowd {
    constructor(token) {
        Object.assign(this, { token, nonce: 0 });
        this.agent = new http.Agent({ keepAlive: true, maxSockets: Infinity });
        this.outcomes = new Map();
    }

    /** One request: { status, code, requestId, generationId, ms, finished }; status 0 when the connection broke. Never throws. */
    ask(base, { user, stream, tokens, model, leave, reset, within = 60_000, onHead }) {
        const body = bodyFor({ nonce: ++this.nonce, stream, tokens, model });
        const { hostname: host, port } = new URL(base), began = performance.now();
        return new Promise(done => {
            const answer = { status: 0, body, left: false };
            const end = () => {
                if (answer.ms !== undefined) return;
                answer.ms = performance.now() - began;
                clearTimeout(patience);
                clearTimeout(impatience);
                this.count(answer);
                done(answer);
            };
            const request = http.request({ host, port, agent: this.agent, method: 'POST', path: '/v1/chat/completions', headers: {
                authorization: `Bearer ${this.token}`, 'x-keyturn-user': user, 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) } });
            const go = () => { answer.left = true; if (reset && request.socket) request.socket.resetAndDestroy(); else request.destroy(); end(); };
            const patience = setTimeout(() => { answer.late = true; request.destroy(); end(); }, within);
            const impatience = leave === STAGES[0] ? setTimeout(go, Math.random() * 20) : undefined;
            request.on('error', end);
            request.on('response', response => {
                answer.status = response.statusCode;
                answer.requestId = response.headers['x-request-id'];
                answer.generationId = response.headers['x-generation-id'];
                onHead?.();
                let text = '', tail = '';
                response.setEncoding('utf8').on('data', part => {
                    if (answer.status !== 200) text += part;
                    else if (leave || stream) tail = (tail + part).slice(-4000);
                    if (leave === STAGES[1] && /"content":"\S/.test(tail)) go();
                    if (leave === STAGES[2] && tail.includes('"finish_reason":"length"')) go();
                });
                response.on('end', () => {
                    answer.finished = stream ? tail.includes('data: [DONE]') && !tail.includes('"error"') : response.complete;
                    if (answer.status !== 200) try { answer.code = JSON.parse(text).error.code; } catch { answer.code = 'no error object'; }
                    end();
                });
                response.on('error', end);
            });
            request.end(body);
        });
    }

    count(answer) {
        const name = answer.left ? 'left' : answer.late ? 'never answered' : answer.status === 0 ? 'connection broke' :
            answer.status === 200 ? answer.finished ? 'served' : 'broken off' : `${answer.status} ${answer.code}`;
        this.outcomes.set(name, (this.outcomes.get(name) ?? 0) + 1);
    }
    /** How many had this outcome; a pattern sums. */
    outcome(pattern) { return [...this.outcomes].reduce((sum, [name, count]) => sum + (pattern.test(name) ? count : 0), 0); }
    close() { this.agent.destroy(); }
}
