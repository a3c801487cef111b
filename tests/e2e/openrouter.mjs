// The simulated OpenRouter of tests/sim, and what a test may ask of it.

import assert from 'node:assert/strict';
import { call } from './http.mjs';
import { Program, simBin } from './programs.mjs';
import { until } from './wait.mjs';

export class Sim {
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
