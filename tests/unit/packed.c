/* SPDX-License-Identifier: MIT */
#include "tests/unit/packed.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

uint32_t next_random(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

struct bytes mixed_bytes(size_t len, uint32_t seed)
{
    static const char text[] = "the boot loader reads the kernel from the disk of the guest, ";
    struct bytes b = {malloc(len + 1), len};
    uint32_t r = seed;

    for (size_t i = 0; i < len;) {
        size_t piece = next_random(&r) % 5000 + 1;
        uint32_t kind = next_random(&r) % 5;
        size_t back = i > 0 ? (size_t)(next_random(&r) * 37ull % i) + 1 : 0;

        for (size_t k = 0; k < piece && i < len; k++, i++) {
            switch (kind) {
            case 0:
                b.data[i] = (uint8_t)text[k % (sizeof(text) - 1)];
                break;
            case 1:
                b.data[i] = 0;
                break;
            case 2:
                b.data[i] = (uint8_t)next_random(&r);
                break;
            case 3: /* calls, so that the x86 filter has work */
                b.data[i] = k % 5 == 0 ? 0xe8 : k % 5 < 3 ? (uint8_t)next_random(&r) : 0;
                break;
            default:
                b.data[i] = back > 0 ? b.data[i - back] : 'x';
                break;
            }
        }
    }
    return b;
}

static _Noreturn void die(const char *what, const char *command)
{
    printf("test data: %s: %s\n", what, command);
    exit(1);
}

struct bytes through_command(const char *command, struct bytes in)
{
    char dir[] = "/tmp/pvboot-test-XXXXXX", in_path[64], out_path[64], line[512];
    struct bytes out = {NULL, 0};

    if (mkdtemp(dir) == NULL)
        die("no temporary folder", command);
    snprintf(in_path, sizeof(in_path), "%s/in", dir);
    snprintf(out_path, sizeof(out_path), "%s/out", dir);
    FILE *f = fopen(in_path, "wb");

    if (f == NULL || fwrite(in.data, 1, in.len, f) != in.len || fclose(f) != 0)
        die("cannot write the input", command);
    snprintf(line, sizeof(line), "%s <%s >%s", command, in_path, out_path);
    if (system(line) != 0)
        die("the command failed", line);
    f = fopen(out_path, "rb");
    if (f == NULL || fseek(f, 0, SEEK_END) != 0)
        die("no output", command);
    out.len = (size_t)ftell(f);
    out.data = malloc(out.len + 1);
    rewind(f);
    if (fread(out.data, 1, out.len, f) != out.len)
        die("cannot read the output", command);
    fclose(f);
    unlink(in_path);
    unlink(out_path);
    rmdir(dir);
    return out;
}

struct bytes joined(struct bytes in, const void *more, size_t more_len)
{
    struct bytes b = {malloc(in.len + more_len + 1), in.len + more_len};

    memcpy(b.data, in.data, in.len);
    memcpy(b.data + in.len, more, more_len);
    return b;
}

void bytes_free(struct bytes *b)
{
    free(b->data);
    *b = (struct bytes){NULL, 0};
}

static struct err next_chunk(void *ctx, const uint8_t **data, size_t *len)
{
    struct chunks *c = ctx;
    size_t piece = c->all.len - c->off < c->chunk ? c->all.len - c->off : c->chunk;

    free(c->given);
    c->given = NULL;
    if (c->fail_at < c->off + piece)
        return ERR_AT(ERR_READ, c->fail_at, "the test source fails here", 0, 0);
    c->given = malloc(piece);
    memcpy(c->given, c->all.data + c->off, piece);
    c->off += piece;
    *data = c->given;
    *len = piece;
    return OK;
}

struct unpack_source chunk_source(struct chunks *c, struct bytes all, size_t chunk)
{
    *c = (struct chunks){.all = all, .chunk = chunk, .fail_at = UINT64_MAX};
    return (struct unpack_source){.ctx = c, .next = next_chunk};
}

void chunks_free(struct chunks *c)
{
    free(c->given);
    c->given = NULL;
}
