// Figures: the same thing measured in several rounds. A figure is quoted by its median; where the rounds differ too much it
// is not quoted at all.

export const UNITS = {
    ratio: { digits: 2, spread: 1.25 },
    us: { digits: 1, spread: 1.35 },
    latency_us: { digits: 0, spread: 2 },
    kib: { digits: 1, spread: 1.25 },
    mib: { digits: 1, spread: 1.25 },
    percent: { digits: 0, spread: Infinity },
    count: { digits: 0, spread: 1.5 },
};

export const median = values => {
    const sorted = [...values].sort((a, b) => a - b), middle = sorted.length >> 1;
    return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
};

export class Figures {
    constructor() {
        this.table = new Map();
        this.notes = [];
    }

    /** `failed`: so many requests were not answered well that the figure tells nothing. */
    add(key, unit, value, failed = false) {
        if (!Number.isFinite(value)) return;
        if (!this.table.has(key)) this.table.set(key, { unit, values: [], failed: false });
        const figure = this.table.get(key);
        figure.values.push(value);
        figure.failed ||= failed;
    }
    /** Something the reader must know of a figure or of its absence. */
    note(text) { if (!this.notes.includes(text)) this.notes.push(text); }

    get(key) {
        const figure = this.table.get(key);
        return figure && summary(figure);
    }
    /** The median as text, or a dash; a "!" where it is not to be quoted. */
    text(key) {
        const figure = this.get(key);
        return figure ? `${figure.median.toFixed(UNITS[figure.unit].digits)}${isDoubtful(figure) ? ' !' : ''}` : '-';
    }
    span(key) {
        const figure = this.get(key);
        if (!figure) return '-';
        const digits = UNITS[figure.unit].digits;
        return [figure.min, figure.median, figure.max].map(value => value.toFixed(digits)).join(' / ');
    }
    get keys() { return [...this.table.keys()]; }
    all() { return Object.fromEntries(this.keys.map(key => [key, this.get(key)])); }
}

export const NOISY = 'too noisy to quote', FAILED = 'requests failed', STEADY = 'steady', SINGLE = 'one round';
export const isDoubtful = ({ verdict }) => verdict === NOISY || verdict === FAILED;

function summary({ unit, values, failed }) {
    const min = Math.min(...values), max = Math.max(...values);
    const spread = min > 0 ? max / min : max > 0 ? Infinity : 1;
    const verdict = failed ? FAILED : values.length === 1 ? SINGLE : spread > UNITS[unit].spread ? NOISY : STEADY;
    return { unit, median: median(values), min, max, rounds: values, spread: Number(spread.toFixed(3)), verdict };
}

/** The power p of y ~ x^p, by least squares through the logarithms. */
export function powerOf(points) {
    const logs = points.filter(([x, y]) => x > 0 && y > 0).map(([x, y]) => [Math.log(x), Math.log(y)]);
    const mean = i => logs.reduce((sum, point) => sum + point[i], 0) / logs.length;
    const [mx, my] = [mean(0), mean(1)];
    const above = logs.reduce((sum, [x, y]) => sum + (x - mx) * (y - my), 0), below = logs.reduce((sum, [x]) => sum + (x - mx) ** 2, 0);
    return below ? above / below : 0;
}
