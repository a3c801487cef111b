/* Bytes as a client may send them, through the search, the guard and llhttp. What is accepted must
 * be one request that every reader sees alike, and nothing may depend on how the bytes were cut.
 */
#include "../unit/io/front_reader.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds)
        abort();
}

static bool is_plain(struct span s, unsigned char least)
{
    for (size_t i = 0; i < s.size; i++) {
        unsigned char c = (unsigned char)s.at[i];
        if ((c < least && c != '\t') || c == 0x7f)
            return false;
    }
    return true;
}

static size_t count_named(struct headers headers, struct span name)
{
    size_t count = 0;

    for (size_t i = 0; i < headers.count; i++)
        count += span_equal_nocase(headers.rows[i].name, name);
    return count;
}

/* Written again from what was understood, it is the head that came, but for the spaces around
   values. */
static void is_one_request(const struct guarded_head *head, struct span bytes)
{
    size_t least = head->method_name.size + head->target.size + sizeof("  HTTP/1.x\r\n\r\n") - 1;
    size_t hosts = count_named(head->headers, SPAN("host")),
           sizes = count_named(head->headers, SPAN("content-length"));
    size_t codings = count_named(head->headers, SPAN("transfer-encoding"));
    size_t line_feeds = 0;

    must(head->target.size && head->target.at[0] == '/' && is_plain(head->target, 0x21));
    must(!memchr(head->target.at, '\t', head->target.size) &&
         !memchr(head->target.at, '#', head->target.size));
    for (size_t i = 0; i < head->headers.count; i++) {
        struct header row = head->headers.rows[i];
        must(row.name.size && is_plain(row.name, 0x21) && !memchr(row.name.at, ':', row.name.size));
        must(!memchr(row.name.at, '\t', row.name.size) && row.name.at[row.name.size] == ':');
        must(is_plain(row.value, 0x20) && span_trim(row.value).size == row.value.size);
        least += row.name.size + row.value.size + sizeof(":\r\n") - 1;
    }
    for (size_t i = 0; i < bytes.size; i++)
        line_feeds += bytes.at[i] == '\n';
    must(line_feeds == head->headers.count + 2 && least <= bytes.size);
    must(hosts == 1 || (!hosts && head->minor == 0));
    must(sizes + codings <= 1 && (head->body_size < 0) == (codings == 1) &&
         (codings == 0 || head->minor == 1));
    must(!count_named(head->headers, SPAN("upgrade")));
}

static void read_all(struct reader *r, struct span bytes, size_t step)
{
    size_t heads = 0;

    reader_init(r);
    for (; bytes.size && !r->fault; bytes = span_from(bytes, step)) {
        reader_feed(r, span_first(bytes, step));
        if (r->heads > heads && !r->fault)
            is_one_request(&r->head, buffer_view(&r->head_bytes));
        heads = r->heads;
        must(r->requests <= r->heads && r->heads <= r->requests + 1);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span bytes = {(const char *)data, size};
    struct reader whole, single, thirds;

    read_all(&whole, bytes, size + 1);
    read_all(&single, bytes, 1);
    read_all(&thirds, bytes, size / 3 + 1);
    must(whole.fault == single.fault && whole.fault == thirds.fault);
    must(whole.requests == single.requests && whole.requests == thirds.requests &&
         whole.heads == single.heads);
    must(whole.fault || span_equal(buffer_view(&whole.bodies), buffer_view(&single.bodies)));
    must(whole.fault || span_equal(buffer_view(&whole.bodies), buffer_view(&thirds.bodies)));
    reader_done(&whole);
    reader_done(&single);
    reader_done(&thirds);
    return 0;
}
