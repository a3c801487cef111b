// The two ledgers, folded while they grow: the simulator's (what was really billed) and keyturn's books in Redis. Memory
// grows with users, and by eight bytes for each request.

import { createHash } from 'node:crypto';
import { LedgerReader } from './figures.mjs';
import { NOBODYS } from './crowd.mjs';

/** A set of 64-bit hashes in a flat table. */
class Seen {
    constructor(bits = 16) { this.grow(bits); }
    grow(bits) {
        const old = this.table;
        Object.assign(this, { mask: (1 << bits) - 1, bits, size: 0, table: new Uint32Array(2 << bits) });
        for (let i = 0; old && i < old.length; i += 2) if (old[i] || old[i + 1]) this.put(old[i], old[i + 1]);
    }
    put(a, b) {
        for (let at = a & this.mask; ; at = (at + 1) & this.mask) {
            const i = 2 * at;
            if (this.table[i] === a && this.table[i + 1] === b) return false;
            if (this.table[i] || this.table[i + 1]) continue;
            this.table[i] = a;
            this.table[i + 1] = b;
            this.size++;
            return true;
        }
    }
    /** False when it was there. hex: at least 16 digits. */
    add(hex) {
        if (2 * this.size > this.mask) this.grow(this.bits + 1);
        return this.put(parseInt(hex.slice(0, 8), 16), parseInt(hex.slice(8, 16), 16) || 1);
    }
}

const sixteen = text => createHash('sha256').update(text).digest('hex');

export class Upstream {
    constructor(sim) { Object.assign(this, { sim, users: new Map(), bodies: new Seen(), cursor: 0, ahead: new Set(), twice: [], billed: 0, rows: 0, missed: 0 }); }
    /** onRow is told every finished row once. */
    async read() {
        for (;;) {
            const rows = await this.sim.rowsSince(this.cursor);
            if (rows.length && rows[0].seq > this.cursor + 1) this.missed += rows[0].seq - this.cursor - 1;
            let open = false;
            for (const row of rows) {
                const ended = row.ended_at_ms >= 0 || row.status >= 300;
                open ||= !ended;
                if (ended && !this.ahead.has(row.seq)) { this.take(row); this.ahead.add(row.seq); }
                if (!open) { this.ahead.delete(row.seq); this.cursor = row.seq; }
            }
            if (open || !rows.length) return;
        }
    }
    take(row) {
        this.onRow?.(row);
        if (row.status !== 200) return;
        const user = this.of(row.user);
        this.rows++;
        this.billed += row.billed_nano_usd;
        user.billed += row.billed_nano_usd;
        user.rows++;
        if (row.billed_nano_usd > 0 && !this.bodies.add(row.body_sha256)) this.twice.push(row);
    }
    of(pseudonym) {
        if (!this.users.has(pseudonym)) this.users.set(pseudonym, { billed: 0, rows: 0 });
        return this.users.get(pseudonym);
    }
}

export class Books {
    constructor(ask, unknownHold) { Object.assign(this, { reader: new LedgerReader(ask), unknownHold, users: new Map(), ids: new Seen(), twice: [], sources: {}, settled: 0, entries: 0 }); }
    async read() {
        for (let rows; (rows = await this.reader.read()).length;) for (const row of rows) this.take(row);
    }
    take(row) {
        this.onRow?.(row);
        const user = this.of(row.user);
        if (!this.ids.add(sixteen(row.request_id))) this.twice.push(row);
        this.entries++;
        this.settled += row.cost;
        const source = this.sources[row.source] ??= { count: 0, cost: 0 };
        source.count++;
        source.cost += row.cost;
        user.settled += row.cost;
        if (row.source === 'estimate') user.estimates++;
        if (row.model === NOBODYS) user.declared += Math.max(0, row.cost - this.unknownHold);
    }
    of(name) {
        if (!this.users.has(name)) this.users.set(name, { settled: 0, estimates: 0, declared: 0 });
        return this.users.get(name);
    }
}
