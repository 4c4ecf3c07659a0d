/* Users' tokens: made by openssl and Python, judged by us. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "services/order/user_token.h"
#include "tests/unit/token_support.h"

#define NOW  1800000000
#define PATH 256

static char dir[] = "/tmp/test_user_token.XXXXXX";
static char hs[PATH], hs2[PATH], rs[PATH], rs_public[PATH], es[PATH], es_public[PATH];

static const char *in_dir(const char *name, char out[PATH])
{
    snprintf(out, PATH, "%s/%s", dir, name);
    return out;
}

static void run(const char *format, ...)
{
    char command[2048];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(command, sizeof command, format, arguments);
    va_end(arguments);
    if (system(command) != 0)
        fail_msg("%s", command);
}

static int make_keys(void **state)
{
    (void)state;
    if (!mkdtemp(dir))
        return -1;
    umask(077);
    run("openssl rand -hex 32 > %s", in_dir("hs", hs));
    run("openssl rand -hex 32 > %s", in_dir("hs2", hs2));
    run("openssl genrsa -out %s 2048 2>/dev/null", in_dir("rs", rs));
    run("openssl rsa -in %s -pubout -out %s 2>/dev/null", rs, in_dir("rs.pub", rs_public));
    run("openssl ecparam -name prime256v1 -genkey -noout -out %s", in_dir("es", es));
    run("openssl ec -in %s -pubout -out %s 2>/dev/null", es, in_dir("es.pub", es_public));
    return 0;
}

static int remove_keys(void **state)
{
    (void)state;
    run("rm -rf %s", dir);
    return 0;
}

/* With the header {"alg": …, "typ": "JWT"}, or one of the caller's. */
static const char *token_of(const char *algorithm, const char *key, const char *claims, const char *header)
{
    static char token[8192];
    char plain[64];
    snprintf(plain, sizeof plain, "{\"alg\":\"%s\",\"typ\":\"JWT\"}", algorithm);
    if (strcmp(algorithm, "HS256") == 0) {
        char secret[4096];
        FILE *file = fopen(key, "r");
        assert_non_null(file);
        size_t len = fread(secret, 1, sizeof secret, file);
        fclose(file);
        while (len > 0 && secret[len - 1] == '\n')
            len--;
        return hs256_token(secret, len, header ? header : plain, claims);
    }
    char command[4096];
    snprintf(command, sizeof command, "python3 -S -E %s/tests/support/make_token.py %s '%s' '%s'",
             SECKILL_SOURCE_DIR, algorithm, key, claims);
    FILE *output = popen(command, "r");
    assert_non_null(output);
    assert_non_null(fgets(token, sizeof token, output));
    assert_int_equal(pclose(output), 0);
    token[strcspn(token, "\n")] = '\0';
    return token;
}

struct judged {
    enum token_verdict verdict;
    struct token_subject subject;
};

static struct judged judge_with(const char *files, const char *algorithms, const char *audience,
                                const char *token)
{
    struct token_keys *keys = NULL;
    struct detail why;
    struct judged j = {0};
    if (token_keys_load(&keys, files, algorithms, &why) != 0)
        fail_msg("%s", why.text);
    const struct token_rules rules = {.keys = keys, .audience = audience, .leeway_s = 30};
    j.verdict = user_token_judge(&rules, token, NOW, &j.subject);
    token_keys_free(keys);
    return j;
}

static enum token_verdict verdict_on(const char *claims)
{
    return judge_with(hs, "HS256", "shop", token_of("HS256", hs, claims, NULL)).verdict;
}

#define GOOD_CLAIMS "{\"sub\":\"u1\",\"exp\":1800000100,\"aud\":\"shop\"}"

static void test_a_good_token_of_each_algorithm_names_its_user(void **state)
{
    (void)state;
    const struct {
        const char *algorithm, *private, *public;
    } cases[] = {{"HS256", hs, hs}, {"RS256", rs, rs_public}, {"ES256", es, es_public}};
    for (size_t i = 0; i < 3; i++) {
        struct judged j = judge_with(cases[i].public, cases[i].algorithm, "shop",
                                     token_of(cases[i].algorithm, cases[i].private, GOOD_CLAIMS, NULL));
        assert_int_equal(j.verdict, TOKEN_GOOD);
        assert_string_equal(j.subject.user_id, "u1");
        assert_int_equal(j.subject.until_s, 1800000130);
    }
}

static void test_a_changed_token_is_not_taken(void **state)
{
    (void)state;
    const struct {
        const char *algorithm, *private, *public;
    } cases[] = {{"HS256", hs, hs}, {"RS256", rs, rs_public}, {"ES256", es, es_public}};
    for (size_t i = 0; i < 3; i++) {
        char token[8192];
        snprintf(token, sizeof token, "%s",
                 token_of(cases[i].algorithm, cases[i].private, GOOD_CLAIMS, NULL));
        char *middle = strrchr(token, '.') + 8;
        *middle = *middle == 'A' ? 'B' : 'A';
        assert_int_equal(judge_with(cases[i].public, cases[i].algorithm, "shop", token).verdict,
                         TOKEN_SIGNATURE);
    }
    assert_int_equal(judge_with(hs2, "HS256", "", token_of("HS256", hs, GOOD_CLAIMS, NULL)).verdict,
                     TOKEN_SIGNATURE);
}

static void test_none_is_refused(void **state)
{
    (void)state;
    char token[8192];
    /* with no signature it is not three parts; with one that is not looked at, another algorithm */
    snprintf(token, sizeof token, "%s", token_of("none", hs, GOOD_CLAIMS, NULL));
    assert_int_equal(judge_with(hs, "HS256", "", token).verdict, TOKEN_MALFORMED);
    strcat(token, "AAAA");
    assert_int_equal(judge_with(hs, "HS256", "", token).verdict, TOKEN_ALGORITHM);
    assert_int_equal(judge_with(rs_public, "RS256", "", token).verdict, TOKEN_ALGORITHM);
    assert_int_equal(
        judge_with(hs, "HS256", "", token_of("HS256", hs, GOOD_CLAIMS, "{\"alg\":\"None\"}")).verdict,
        TOKEN_ALGORITHM);
}

/* The classic: the public key, which everybody has, taken for the secret of an HMAC. */
static void test_a_public_key_is_no_secret(void **state)
{
    (void)state;
    const char *token = token_of("HS256", rs_public, GOOD_CLAIMS, NULL);
    assert_int_equal(judge_with(rs_public, "RS256", "", token).verdict, TOKEN_ALGORITHM);
    /* and where it claims to be RS256, its HMAC is no such signature */
    token = token_of("HS256", rs_public, GOOD_CLAIMS, "{\"alg\":\"RS256\"}");
    assert_int_equal(judge_with(rs_public, "RS256", "", token).verdict, TOKEN_SIGNATURE);
    struct token_keys *keys = NULL;
    struct detail why;
    assert_int_equal(token_keys_load(&keys, rs_public, "HS256", &why), E_INVALID);
    assert_non_null(strstr(why.text, "needs a secret"));
}

static void test_another_hash_of_the_same_family_is_another_algorithm(void **state)
{
    (void)state;
    assert_int_equal(
        judge_with(hs, "HS256", "", token_of("HS256", hs, GOOD_CLAIMS, "{\"alg\":\"HS512\"}")).verdict,
        TOKEN_ALGORITHM);
}

static void test_times_are_judged_with_the_leeway(void **state)
{
    (void)state;
    const struct {
        const char *claims;
        enum token_verdict verdict;
    } cases[] = {
        {"{\"sub\":\"u\",\"aud\":\"shop\",\"exp\":1799999971}",
         TOKEN_GOOD}, /* now is 1800000000, leeway 30 */
        {"{\"sub\":\"u\",\"aud\":\"shop\",\"exp\":1799999970}", TOKEN_EXPIRED},
        {"{\"sub\":\"u\",\"aud\":\"shop\",\"exp\":1800000001.5}", TOKEN_GOOD},
        {"{\"sub\":\"u\",\"aud\":\"shop\"}", TOKEN_NO_EXPIRY},
        {"{\"sub\":\"u\",\"aud\":\"shop\",\"exp\":\"1800000100\"}", TOKEN_MALFORMED},
        {"{\"sub\":\"u\",\"aud\":\"shop\",\"exp\":-1}", TOKEN_MALFORMED},
        {"{\"sub\":\"u\",\"aud\":\"shop\",\"exp\":1e300}", TOKEN_MALFORMED},
        {"{\"sub\":\"u\",\"aud\":\"shop\",\"exp\":1800000100,\"nbf\":1800000030}", TOKEN_GOOD},
        {"{\"sub\":\"u\",\"aud\":\"shop\",\"exp\":1800000100,\"nbf\":1800000031}", TOKEN_NOT_YET},
        {"{\"sub\":\"u\",\"aud\":\"shop\",\"exp\":1800000100,\"nbf\":null}", TOKEN_MALFORMED},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (verdict_on(cases[i].claims) != cases[i].verdict)
            fail_msg("%s: not %d", cases[i].claims, cases[i].verdict);
}

static void test_audience_and_subject(void **state)
{
    (void)state;
    const struct {
        const char *claims;
        enum token_verdict verdict;
    } cases[] = {
        {"{\"sub\":\"u\",\"aud\":[\"other\",\"shop\"],\"exp\":1800000100}", TOKEN_GOOD},
        {"{\"sub\":\"u\",\"aud\":[\"other\",1],\"exp\":1800000100}", TOKEN_AUDIENCE},
        {"{\"sub\":\"u\",\"aud\":\"shopping\",\"exp\":1800000100}", TOKEN_AUDIENCE},
        {"{\"sub\":\"u\",\"exp\":1800000100}", TOKEN_AUDIENCE},
        {"{\"aud\":\"shop\",\"exp\":1800000100}", TOKEN_NO_SUBJECT},
        {"{\"sub\":\"\",\"aud\":\"shop\",\"exp\":1800000100}", TOKEN_NO_SUBJECT},
        {"{\"sub\":7,\"aud\":\"shop\",\"exp\":1800000100}", TOKEN_NO_SUBJECT},
        {"{\"sub\":\"0123456789012345678901234567890123456789012345678901234567890123456789\",\"aud\":"
         "\"shop\","
         "\"exp\":1800000100}",
         TOKEN_NO_SUBJECT},
        /* who reads the first, and who the last? */
        {"{\"sub\":\"u\",\"sub\":\"v\",\"aud\":\"shop\",\"exp\":1800000100}", TOKEN_MALFORMED},
        {"[]", TOKEN_MALFORMED},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        enum token_verdict verdict = verdict_on(cases[i].claims);
        if (verdict != cases[i].verdict && !(i == 9 && verdict == TOKEN_MALFORMED))
            fail_msg("%s: %d, not %d", cases[i].claims, verdict, cases[i].verdict);
    }
}

static void test_a_kid_chooses_its_key(void **state)
{
    (void)state;
    char both[3 * PATH], unnamed[3 * PATH];
    snprintf(both, sizeof both, "new=%s, old=%s", hs2, hs);
    snprintf(unnamed, sizeof unnamed, "new=%s,%s", hs2, hs);
    const struct {
        const char *keys, *kid;
        enum token_verdict verdict;
    } cases[] = {
        {both, "{\"alg\":\"HS256\",\"kid\":\"old\"}", TOKEN_GOOD},
        {both, "{\"alg\":\"HS256\",\"kid\":\"new\"}", TOKEN_SIGNATURE}, /* only that key is tried */
        {both, "{\"alg\":\"HS256\",\"kid\":\"ghost\"}", TOKEN_UNKNOWN_KEY},
        {both, "{\"alg\":\"HS256\"}", TOKEN_GOOD},                      /* each is tried */
        {unnamed, "{\"alg\":\"HS256\",\"kid\":\"ghost\"}", TOKEN_GOOD}, /* then those without a name */
        {both, "{\"alg\":\"HS256\",\"typ\":\"jwt\"}", TOKEN_GOOD},
        {both, "{\"alg\":\"HS256\",\"typ\":\"at+jwt\"}", TOKEN_TYPE}, /* libjwt takes no other */
        {both, "{\"alg\":\"HS256\",\"kid\":7}", TOKEN_MALFORMED},
        {both, "{\"alg\":\"HS256\",\"kid\":\"\"}", TOKEN_MALFORMED},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *token = token_of("HS256", hs, GOOD_CLAIMS, cases[i].kid);
        enum token_verdict verdict = judge_with(cases[i].keys, "HS256", "shop", token).verdict;
        if (verdict != cases[i].verdict)
            fail_msg("%s: %d, not %d", cases[i].kid, verdict, cases[i].verdict);
    }
}

static void test_each_key_serves_its_own_algorithm_only(void **state)
{
    (void)state;
    char files[3 * PATH];
    snprintf(files, sizeof files, "%s,%s", hs, rs_public);
    assert_int_equal(judge_with(files, "HS256,RS256", "", token_of("RS256", rs, GOOD_CLAIMS, NULL)).verdict,
                     TOKEN_GOOD);
    assert_int_equal(judge_with(files, "HS256,RS256", "", token_of("HS256", hs, GOOD_CLAIMS, NULL)).verdict,
                     TOKEN_GOOD);
    assert_int_equal(
        judge_with(files, "HS256,RS256", "", token_of("HS256", rs_public, GOOD_CLAIMS, NULL)).verdict,
        TOKEN_SIGNATURE);
}

static void test_what_is_no_token_is_malformed(void **state)
{
    (void)state;
    char token[8192], long_one[USER_TOKEN_MAX + 16];
    snprintf(token, sizeof token, "%s", token_of("HS256", hs, GOOD_CLAIMS, NULL));
    memset(long_one, 'A', sizeof long_one);
    long_one[4] = long_one[9] = '.';
    long_one[sizeof long_one - 1] = '\0';
    static const char *const wrong[] = {"",
                                        ".",
                                        "..",
                                        "a.b",
                                        "AAAA.AAAA.AAAA.AAAA",
                                        "AAAA..AAAA",
                                        "AAAA.AAAA.",
                                        "AAAA=.AAAA.AAAA",
                                        "A+AA.AAAA.AAAA",
                                        "AAAAA.AAAA.AAAA",
                                        "AAAA.AAAA.AAAA "};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(judge_with(hs, "HS256", "", wrong[i]).verdict, TOKEN_MALFORMED);
    assert_int_equal(judge_with(hs, "HS256", "", long_one).verdict, TOKEN_MALFORMED);
    strcat(token, ".");
    assert_int_equal(judge_with(hs, "HS256", "", token).verdict, TOKEN_MALFORMED);
    const char *critical = token_of("HS256", hs, GOOD_CLAIMS, "{\"alg\":\"HS256\",\"crit\":[\"x\"],\"x\":1}");
    assert_int_equal(judge_with(hs, "HS256", "", critical).verdict, TOKEN_MALFORMED);
}

static void assert_no_keys(const char *files, const char *algorithms, const char *words)
{
    struct token_keys *keys = NULL;
    struct detail why = {""};
    assert_int_not_equal(token_keys_load(&keys, files, algorithms, &why), 0);
    if (!strstr(why.text, words))
        fail_msg("%s: \"%s\" does not say \"%s\"", files, why.text, words);
}

static void test_keys_that_would_not_do_are_refused_by_name(void **state)
{
    (void)state;
    char weak[PATH], weak_public[PATH], p384[PATH], p384_public[PATH], small[PATH], list[4 * PATH];
    run("openssl genrsa -out %s 1024 2>/dev/null", in_dir("weak", weak));
    run("openssl rsa -in %s -pubout -out %s 2>/dev/null", weak, in_dir("weak.pub", weak_public));
    run("openssl ecparam -name secp384r1 -genkey -noout -out %s", in_dir("p384", p384));
    run("openssl ec -in %s -pubout -out %s 2>/dev/null", p384, in_dir("p384.pub", p384_public));
    run("echo 0123456789012345678901234567890 > %s", in_dir("small", small));
    assert_no_keys(weak_public, "RS256", "2048 bits or more");
    assert_no_keys(p384_public, "ES256", "P-256");
    assert_no_keys(es_public, "RS256", "RSA key");
    assert_no_keys(rs_public, "ES256", "P-256");
    assert_no_keys(rs, "RS256", "not a public key in PEM");
    assert_no_keys(small, "HS256", "at least 32");
    assert_no_keys("/does/not/exist", "HS256", "/does/not/exist");
    assert_no_keys(hs, "HS384", "\"HS384\"");
    assert_no_keys(hs, "none", "\"none\"");
    assert_no_keys("", "HS256", "auth.jwt_keys");
    snprintf(list, sizeof list, "%s,,%s", hs, hs2);
    assert_no_keys(list, "HS256", "entry 2");
    snprintf(list, sizeof list, "%s,%s,%s", hs, hs2, hs);
    assert_no_keys(list, "HS256,HS256", "one for each of the 3 keys");
    snprintf(list, sizeof list, "=%s", hs);
    assert_no_keys(list, "HS256", "KID=FILE");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_good_token_of_each_algorithm_names_its_user),
        cmocka_unit_test(test_a_changed_token_is_not_taken),
        cmocka_unit_test(test_none_is_refused),
        cmocka_unit_test(test_a_public_key_is_no_secret),
        cmocka_unit_test(test_another_hash_of_the_same_family_is_another_algorithm),
        cmocka_unit_test(test_times_are_judged_with_the_leeway),
        cmocka_unit_test(test_audience_and_subject),
        cmocka_unit_test(test_a_kid_chooses_its_key),
        cmocka_unit_test(test_each_key_serves_its_own_algorithm_only),
        cmocka_unit_test(test_what_is_no_token_is_malformed),
        cmocka_unit_test(test_keys_that_would_not_do_are_refused_by_name),
    };
    return cmocka_run_group_tests_name("user_token", tests, make_keys, remove_keys);
}
