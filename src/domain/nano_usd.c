#include "domain/nano_usd.h"

#include "base/number.h"

enum { NANO_PLACES = 9, PICO_PLACES = 12 };

/* The parts of a JSON number without a sign. */
struct decimal {
    struct span whole, fraction;
    int64_t exponent;
};

static bool parse_places(struct span text, int places, int64_t *ret_value);
static bool decimal_parse(struct span text, struct decimal *ret_decimal);
static struct span take_digits(struct span *text);
static bool take_exponent(struct span *text, int64_t *ret_exponent);
static bool add_digits(struct span digits, int64_t *place, uint64_t *value, bool *beyond);
static bool times_ten_and(uint64_t *value, unsigned digit);

bool nano_usd_parse(struct span text, int64_t *ret_nano_usd)
{
    return parse_places(text, NANO_PLACES, ret_nano_usd);
}

bool pico_usd_parse(struct span text, int64_t *ret_pico_usd)
{
    return parse_places(text, PICO_PLACES, ret_pico_usd);
}

void nano_usd_text(int64_t nano_usd, char ret_text[NANO_USD_TEXT_SIZE])
{
    const uint64_t nanos_per_usd = 1000000000u;
    uint64_t size = nano_usd < 0 ? 0 - (uint64_t)nano_usd : (uint64_t)nano_usd;
    uint64_t fraction = size % nanos_per_usd;
    char *to = ret_text;

    if (nano_usd < 0)
        *to++ = '-';
    to += number_text((int64_t)(size / nanos_per_usd), to).size;
    if (fraction)
        *to++ = '.';
    for (uint64_t place = nanos_per_usd / 10; fraction; place /= 10) {
        *to++ = (char)('0' + fraction / place);
        fraction %= place;
    }
    *to = '\0';
}

/* In units of the given decimal place. */
static bool parse_places(struct span text, int places, int64_t *ret_value)
{
    struct decimal decimal;
    if (!decimal_parse(text, &decimal))
        return false;
    int64_t place = (int64_t)decimal.whole.size - 1 + decimal.exponent + places;
    uint64_t value = 0;
    bool beyond = false;
    if (!add_digits(decimal.whole, &place, &value, &beyond) ||
        !add_digits(decimal.fraction, &place, &value, &beyond))
        return false;
    for (; value > 0 && place >= 0; place--)
        if (!times_ten_and(&value, 0))
            return false;
    value += beyond ? 1 : 0;
    if (value > INT64_MAX)
        return false;
    *ret_value = (int64_t)value;
    return true;
}

static bool decimal_parse(struct span text, struct decimal *ret_decimal)
{
    *ret_decimal = (struct decimal){SPAN_NONE, SPAN_NONE, 0};
    ret_decimal->whole = take_digits(&text);
    if (ret_decimal->whole.size == 0 ||
        (ret_decimal->whole.size > 1 && ret_decimal->whole.at[0] == '0'))
        return false;
    if (span_starts(text, SPAN("."))) {
        text = span_from(text, 1);
        ret_decimal->fraction = take_digits(&text);
        if (ret_decimal->fraction.size == 0)
            return false;
    }
    return take_exponent(&text, &ret_decimal->exponent) && text.size == 0;
}

static struct span take_digits(struct span *text)
{
    size_t count = 0;
    while (count < text->size && text->at[count] >= '0' && text->at[count] <= '9')
        count++;
    struct span digits = span_first(*text, count);
    *text = span_from(*text, count);
    return digits;
}

static bool take_exponent(struct span *text, int64_t *ret_exponent)
{
    const int64_t most = INT64_C(1) << 48; /* beyond any text's length, far from overflow */
    if (text->size == 0 || (text->at[0] != 'e' && text->at[0] != 'E'))
        return true;
    *text = span_from(*text, 1);
    bool negative = span_starts(*text, SPAN("-"));
    if (negative || span_starts(*text, SPAN("+")))
        *text = span_from(*text, 1);
    struct span digits = take_digits(text);
    int64_t exponent = 0;
    for (size_t i = 0; i < digits.size && exponent < most; i++)
        exponent = exponent * 10 + (digits.at[i] - '0');
    *ret_exponent = negative ? -exponent : exponent;
    return digits.size > 0;
}

/* place is the power of ten of the next digit, counted in units; digits beyond the last place only say "more". */
static bool add_digits(struct span digits, int64_t *place, uint64_t *value, bool *beyond)
{
    for (size_t i = 0; i < digits.size; i++, --*place) {
        unsigned digit = (unsigned)(digits.at[i] - '0');
        if (*place < 0)
            *beyond |= digit > 0;
        else if (!times_ten_and(value, digit))
            return false;
    }
    return true;
}

static bool times_ten_and(uint64_t *value, unsigned digit)
{
    if (*value > ((uint64_t)INT64_MAX - digit) / 10)
        return false;
    *value = *value * 10 + digit;
    return true;
}
