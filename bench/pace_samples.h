/*
 * Every measured time of a run, for exact quantiles.
 *
 * Owns   its memory; it grows.
 * Units  kept in microseconds, given in nanoseconds.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct samples {
    uint32_t *us;
    size_t count;
    size_t room;
};

void samples_add(struct samples *samples, uint64_t ns);
void samples_sort(struct samples *samples);
/* Of sorted ones; 0 when there are none. */
uint32_t samples_quantile(const struct samples *samples, double part);
void samples_print(struct samples *samples); /* as members of a JSON object */
void samples_done(struct samples *samples);
