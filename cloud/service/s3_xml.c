/* SPDX-License-Identifier: MIT */
/* XML of requests, read with expat. A document type is refused: no entities, so no bombs. */
#include "cloud/service/s3.h"

#include <expat.h>
#include <string.h>

#define DEPTH_MAX      8
#define PATH_BYTES_MAX 256
#define TEXT_BYTES_MAX 4096

struct reader {
    XML_Parser parser;
    const char *(*element)(void *arg, const char *path, const char *text);
    void *arg;
    char path[PATH_BYTES_MAX];
    struct buf text;
    unsigned depth;
    bool has_children;
    const char *why;
};

static void stop(struct reader *x, const char *why)
{
    if (!x->why)
        x->why = why;
    XML_StopParser(x->parser, XML_FALSE);
}

static void XMLCALL on_start(void *arg, const XML_Char *name, const XML_Char **attributes)
{
    struct reader *x = arg;
    size_t at = strlen(x->path), len = strlen(name);

    (void)attributes;
    if (x->depth == DEPTH_MAX || len + 2 > sizeof(x->path) - at) {
        stop(x, "elements lie in one another too deep");
        return;
    }
    if (x->depth++ > 0)
        x->path[at++] = '/';
    memcpy(x->path + at, name, len + 1);
    buf_clear(&x->text);
    x->has_children = false;
}

static void XMLCALL on_text(void *arg, const XML_Char *s, int len)
{
    struct reader *x = arg;

    if (x->text.len + (size_t)len > TEXT_BYTES_MAX)
        stop(x, "the text of an element is too long");
    else
        buf_add(&x->text, s, (size_t)len);
}

static void XMLCALL on_end(void *arg, const XML_Char *name)
{
    struct reader *x = arg;
    char *slash = strrchr(x->path, '/');
    const char *why = x->element(x->arg, x->path, x->has_children ? NULL : x->text.text);

    (void)name;
    if (why)
        stop(x, why);
    if (slash)
        *slash = 0;
    else
        x->path[0] = 0;
    x->depth--;
    x->has_children = true;
}

static void XMLCALL on_doctype(void *arg, const XML_Char *name, const XML_Char *system,
                               const XML_Char *public, int subset)
{
    (void)name;
    (void)system;
    (void)public;
    (void)subset;
    stop(arg, "a document type is not allowed");
}

bool s3_read_xml(struct request *r,
                 const char *(*element)(void *arg, const char *path, const char *text), void *arg)
{
    struct reader x = {.element = element, .arg = arg, .parser = XML_ParserCreate(NULL)};
    bool good;

    if (!x.parser) {
        reply_error(r, 500, "InternalError", "There is no memory to read the document.");
        return false;
    }
    buf_clear(&x.text);
    XML_SetUserData(x.parser, &x);
    XML_SetElementHandler(x.parser, on_start, on_end);
    XML_SetCharacterDataHandler(x.parser, on_text);
    XML_SetStartDoctypeDeclHandler(x.parser, on_doctype);
    good = XML_Parse(x.parser, r->body.text ? r->body.text : "", (int)r->body.len, XML_TRUE) ==
           XML_STATUS_OK;
    if (!good)
        reply_error(r, 400, "MalformedXML", "Line %lu of the document: %s.",
                    (unsigned long)XML_GetCurrentLineNumber(x.parser),
                    x.why ? x.why : XML_ErrorString(XML_GetErrorCode(x.parser)));
    XML_ParserFree(x.parser);
    buf_free(&x.text);
    return good;
}
