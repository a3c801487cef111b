#include "../base/unit.h"

#include "domain/hidden_error.h"

static const struct row {
    const char *body;
    enum body_beginning begins;
    size_t decided; /* by so many bytes, and not by fewer */
} rows[] = {
    {"{\"error\":{\"code\":502,\"message\":\"x\"}}", BEGINS_AS_ERROR, 10},
    {"{\"error\":\"plain text\"}", BEGINS_AS_ERROR, 10},
    {"\n\n \t\r\n{\"error\":{}}", BEGINS_AS_ERROR, 16},
    {" {\r\n\t\"error\" \n:\n {}}", BEGINS_AS_ERROR, 18},
    {"{\"type\":\"error\",\"error\":{\"type\":\"api_error\"}}", BEGINS_AS_ERROR, 15},
    {"{ \"type\" : \"error\"}", BEGINS_AS_ERROR, 18},
    {"{\"id\":\"gen-1\",\"choices\":[]}", BEGINS_AS_ANSWER, 3},
    {"\n\n\n{\"id\":\"gen-1\"}", BEGINS_AS_ANSWER, 6},
    {"{\"error\":null,\"id\":\"resp_1\"}", BEGINS_AS_ANSWER, 10},
    {"{\"error\":false}", BEGINS_AS_ANSWER, 10},
    {"{\"errors\":{}}", BEGINS_AS_ANSWER, 8},
    {"{\"err\":{}}", BEGINS_AS_ANSWER, 6},
    {"{\"error\"{", BEGINS_AS_ANSWER, 9},
    {"{\"type\":\"message\"}", BEGINS_AS_ANSWER, 10},
    {"{\"type\":\"errors\"}", BEGINS_AS_ANSWER, 15},
    {"{\"type\":{}}", BEGINS_AS_ANSWER, 9},
    {"{}", BEGINS_AS_ANSWER, 2},
    {"{{\"error\":{}}}", BEGINS_AS_ANSWER, 2},
    {"[{\"error\":{}}]", BEGINS_AS_ANSWER, 1},
    {"\"error\"", BEGINS_AS_ANSWER, 1},
    {"error", BEGINS_AS_ANSWER, 1},
    {"<html>", BEGINS_AS_ANSWER, 1},
    {"\xef\xbb\xbf{\"error\":{}}", BEGINS_AS_ANSWER, 1},
    {"\v{\"error\":{}}", BEGINS_AS_ANSWER, 1},
    {"{\\u0022error\":{}}", BEGINS_AS_ANSWER, 2},
};

/* Open until the byte that decides, and as decided ever after. */
static void test_every_beginning(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        const struct row *row = &rows[i];
        for (size_t size = 0; size <= strlen(row->body); size++) {
            char *copy = malloc(size + 1);
            memcpy(copy, row->body, size);
            enum body_beginning is = hidden_error_beginning((struct span){copy, size});
            enum body_beginning should = size < row->decided ? BEGINS_OPEN : row->begins;
            free(copy);
            if (is != should)
                fail_msg("%s: after %zu bytes %d and not %d", row->body, size, is, should);
        }
    }
    assert_int_equal(hidden_error_beginning(SPAN_NONE), BEGINS_OPEN);
    assert_int_equal(hidden_error_beginning(SPAN(" \n\n\n\n \t")), BEGINS_OPEN);
    assert_int_equal(hidden_error_beginning(SPAN("{\0\"error\":{}}")), BEGINS_AS_ANSWER);
}

static void test_status(void **state)
{
    (void)state;
    static const struct {
        const char *body;
        int status;
    } told[] = {
        {"{\"error\":{\"code\":400,\"message\":\"x\"}}", 400},
        {"\n\n{\"error\":{\"message\":\"x\",\"code\":503},\"user_id\":\"u\"}", 503},
        {"{\"error\":{\"code\":599}}", 599},
        {"{\"error\":{\"code\":600}}", 502},
        {"{\"error\":{\"code\":399}}", 502},
        {"{\"error\":{\"code\":200}}", 502},
        {"{\"error\":{\"code\":0}}", 502},
        {"{\"error\":{\"code\":-429}}", 502},
        {"{\"error\":{\"code\":429.0}}", 502},
        {"{\"error\":{\"code\":4294967725}}", 502}, /* 429 and 2^32 */
        {"{\"error\":{\"code\":18446744073709551616}}", 502},
        {"{\"error\":{\"code\":\"429\"}}", 502},
        {"{\"error\":{\"code\":\"server_error\"}}", 502},
        {"{\"error\":{\"code\":null}}", 502},
        {"{\"error\":{}}", 502},
        {"{\"error\":\"plain\"}", 502},
        {"{\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\"}}", 502},
        {"{\"error\":{\"code\":429", 502},
        {"{\"code\":429}", 502},
        {"\n\n", 502},
        {"", 502},
    };
    for (size_t i = 0; i < sizeof(told) / sizeof(*told); i++)
        if (hidden_error_status(span_of(told[i].body)) != told[i].status)
            fail_msg("%s is not %d", told[i].body, told[i].status);
    assert_int_equal(hidden_error_status(SPAN_NONE), 502);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_beginning),
        cmocka_unit_test(test_status),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
