/* SPDX-License-Identifier: MIT */
/* The catalogue of AKIs: the one that is shipped, others, and what fits. */
#include <stdlib.h>

#include "host/aki.h"
#include "tests/unit/test.h"

static char why[AKI_WHY_MAX];

/* The program runs in the top folder, as `make check` does. */
static struct aki_table shipped(void)
{
    struct aki_table t = {0};

    CHECK(aki_table_add_file(&t, "share/pvboot/akis.tsv", why, sizeof(why)));
    return t;
}

static bool add(struct aki_table *t, const char *text)
{
    size_t len = strlen(text);
    char *exact = malloc(len); /* so that reading on would be noticed */

    for (size_t i = 0; i < len; i++)
        exact[i] = text[i];
    bool good = aki_table_add(t, "own.tsv", exact, len, why, sizeof(why));

    free(exact);
    return good;
}

static const char *selected(const struct aki_table *t, const char *region, bool narrow, bool hd00)
{
    const struct aki *a = aki_select(t, region, narrow, hd00, why, sizeof(why));

    return a != NULL ? a->id : "none";
}

static void knows_the_ids_of_the_first_release(void)
{
    static const struct {
        const char *region, *ids[4]; /* hd00 i386, hd00 x86_64, hd0 i386, hd0 x86_64 */
    } regions[] = {
        {"US-East-1", {"aki-4c7d9525", "aki-4e7d9527", "aki-407d9529", "aki-427d952b"}},
        {"US-West-1", {"aki-9da0f1d8", "aki-9fa0f1da", "aki-99a0f1dc", "aki-9ba0f1de"}},
        {"EU-West-1", {"aki-47eec433", "aki-41eec435", "aki-4deec439", "aki-4feec43b"}},
        {"AP-SouthEast-1", {"aki-6fd5aa3d", "aki-6dd5aa3f", "aki-13d5aa41", "aki-11d5aa43"}},
    };
    struct aki_table t = shipped();

    CHECK_U64(t.nr, 16);
    for (size_t i = 0; i < 4; i++) {
        CHECK_STR(selected(&t, regions[i].region, true, true), regions[i].ids[0]);
        CHECK_STR(selected(&t, regions[i].region, false, true), regions[i].ids[1]);
        CHECK_STR(selected(&t, regions[i].region, true, false), regions[i].ids[2]);
        CHECK_STR(selected(&t, regions[i].region, false, false), regions[i].ids[3]);
    }
    const struct aki *a = aki_find(&t, "aki-11d5aa43");

    CHECK(a != NULL);
    if (a != NULL) {
        CHECK_STR(a->region, "ap-southeast-1");
        CHECK_STR(a->version, "V1.01");
        CHECK_STR(a->manifest,
                  "ec2-public-images-ap-southeast-1/pv-grub-hd0-V1.01-x86_64.gz.manifest.xml");
    }
    aki_table_free(&t);
}

static bool fits(const struct aki_table *t, const char *id, const char *region, bool narrow,
                 bool hd00)
{
    return aki_fits(t, aki_find(t, id), region, narrow, hd00, why, sizeof(why));
}

static void names_the_right_one(void)
{
    struct aki_table t = shipped();

    CHECK(fits(&t, "aki-427d952b", "us-east-1", false, false));
    CHECK(fits(&t, "aki-427d952b", NULL, false, false));
    CHECK(!fits(&t, "aki-427d952b", "eu-west-1", false, false));
    CHECK_STR(why, "aki-427d952b belongs to the region us-east-1, not to eu-west-1; use "
                   "aki-4feec43b");
    CHECK(!fits(&t, "aki-427d952b", NULL, true, false));
    CHECK_STR(why, "aki-427d952b boots x86_64 kernels, but this is i386; use aki-407d9529");
    CHECK(!fits(&t, "aki-427d952b", NULL, true, true));
    CHECK_STR(why, "aki-427d952b boots x86_64 kernels, but this is i386, and is for images without "
                   "a partition table (hd0), but this one has one; use aki-4c7d9525");
    CHECK(!fits(&t, "aki-4e7d9527", "mars", false, false));
    CHECK(strstr(why, "use aki") == NULL);
    CHECK(strstr(why, "no region \"mars\"; it has us-east-1, us-west-1, eu-west-1, "
                      "ap-southeast-1;") != NULL);
    aki_table_free(&t);
}

static void takes_the_newest_and_ones_own(void)
{
    struct aki_table t = shipped();

    CHECK(add(&t, "# mine\r\n\naki-1\tus-east-1\tx86_64\thd0\tV1.9\tb/a\r\n"
                  "aki-2\tus-east-1\tx86_64\thd0\tV1.10\tb/b\naki-3\tbox\ti386\thd00\t1\tb/c"));
    CHECK_STR(selected(&t, "us-east-1", false, false), "aki-2");
    CHECK_STR(selected(&t, "box", true, true), "aki-3");
    CHECK_STR(selected(&t, "box", false, true), "none");
    CHECK_STR(why, "the catalogue has no AKI for x86_64 images of layout hd00 in box; add a line "
                   "to /etc/pvboot/akis.tsv");
    /* A later file replaces. */
    CHECK(add(&t, "aki-3\tbox\tx86_64\thd00\t1\tb/c\n"));
    CHECK_U64(t.nr, 19);
    CHECK_STR(selected(&t, "box", false, true), "aki-3");
    aki_table_free(&t);
}

static void refuses_bad_lines(void)
{
    static const struct {
        const char *text, *said;
    } bad[] = {
        {"aki-1\tr\tx86_64\thd0\t1\n", "own.tsv, line 1: a line has six cells"},
        {"\naki-1\tr\tx86_64\thd0\t1\tm\tn\n", "own.tsv, line 2: a line has six cells"},
        {"ami-1\tr\tx86_64\thd0\t1\tm\n", "the id (first cell)"},
        {"aki-1\033[2J\tr\tx86_64\thd0\t1\tm\n", "the id (first cell)"},
        {"aki-111111111111111111111111111111111111\tr\tx86_64\thd0\t1\tm\n", "the id (first"},
        {"aki-1\t\tx86_64\thd0\t1\tm\n", "the region (second cell)"},
        {"aki-1\tr\tamd64\thd0\t1\tm\n", "the width (third cell)"},
        {"aki-1\tr\ti386\thd1\t1\tm\n", "the layout (fourth cell)"},
        {"aki-1\tr\ti386\thd0\t\tm\n", "the version (fifth cell)"},
        {"aki-1\tr\ti386\thd0\t1\t\n", "the manifest (sixth cell)"},
        {"aki-1\tr\ti386\thd0\t1\tm\n#\naki-1\tr\ti386\thd0\t1\tm\n",
         "own.tsv, line 3: the id is already there, in line 1; remove one of them"},
    };

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct aki_table t = {0};

        CHECK(!add(&t, bad[i].text));
        if (strstr(why, bad[i].said) == NULL)
            printf("\"%s\" does not say \"%s\"\n", why, bad[i].said);
        CHECK(strstr(why, bad[i].said) != NULL);
        aki_table_free(&t);
    }
}

static void has_a_limit(void)
{
    struct aki_table t = {0};
    char line[64];

    for (unsigned i = 0; i < AKI_MAX; i++) {
        snprintf(line, sizeof(line), "aki-%u\tr\ti386\thd0\t1\tm", i);
        if (!add(&t, line))
            break;
    }
    CHECK_U64(t.nr, AKI_MAX);
    CHECK(!add(&t, "aki-one-more\tr\ti386\thd0\t1\tm"));
    CHECK(strstr(why, "too many lines") != NULL);
    CHECK(!aki_table_add_file(&t, "/nowhere/at/all", why, sizeof(why)));
    CHECK(strstr(why, "/nowhere/at/all cannot be read: ") != NULL);
    aki_table_free(&t);
}

int main(void)
{
    RUN(knows_the_ids_of_the_first_release);
    RUN(names_the_right_one);
    RUN(takes_the_newest_and_ones_own);
    RUN(refuses_bad_lines);
    RUN(has_a_limit);
    return test_done();
}
