#include "domain/hidden_error.h"

#include <yyjson.h>

enum { STATUS_FIRST = 400, STATUS_LAST = 599, STATUS_UNTOLD = 502 };

/* A blank stands for any JSON whitespace, none too. An error that is null or false is none. */
static const char *const forms[] = {
    " { \"error\" : {",
    " { \"error\" : \"",
    " { \"type\" : \"error\"",
};

static enum body_beginning match(struct span body, const char *form);
static bool is_blank(char c);

enum body_beginning hidden_error_beginning(struct span body)
{
    enum body_beginning most = BEGINS_AS_ANSWER;

    for (size_t i = 0; i < sizeof(forms) / sizeof(*forms); i++) {
        enum body_beginning one = match(body, forms[i]);
        most = one > most ? one : most;
    }
    return most;
}

int hidden_error_status(struct span body)
{
    yyjson_doc *doc = body.size > 0 ? yyjson_read(body.at, body.size, 0) : NULL;
    yyjson_val *error = yyjson_obj_get(yyjson_doc_get_root(doc), "error");
    yyjson_val *code = yyjson_obj_get(error, "code");
    uint64_t status = yyjson_is_uint(code) ? yyjson_get_uint(code) : 0;

    yyjson_doc_free(doc);
    return status >= STATUS_FIRST && status <= STATUS_LAST ? (int)status : STATUS_UNTOLD;
}

static enum body_beginning match(struct span body, const char *form)
{
    size_t at = 0;

    for (; *form; form++) {
        if (*form == ' ') {
            while (at < body.size && is_blank(body.at[at]))
                at++;
            continue;
        }
        if (at == body.size)
            return BEGINS_OPEN;
        if (body.at[at++] != *form)
            return BEGINS_AS_ANSWER;
    }
    return BEGINS_AS_ERROR;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}
