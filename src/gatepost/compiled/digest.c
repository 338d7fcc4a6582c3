/* SHA-256 of a secret, by the OpenSSL that hashlib uses: without the objects that hashlib and OpenSSL 3 make for each
   hash, which take longer than the hashing, where its functions for that are found; else by hashlib. */

#include "hit.h"

#if defined(__unix__) || defined(__APPLE__)
#include <dlfcn.h>
#endif

typedef union {
    unsigned char bytes[512]; /* OpenSSL's SHA256_CTX takes 112 */
    long long aligned;
} Context;

static int (*sha256_init)(Context *);
static int (*sha256_update)(Context *, const void *, size_t);
static int (*sha256_final)(unsigned char *, Context *);

static int
hashes(const char *text, size_t length, unsigned char *digest)
{
    Context context;
    return sha256_init(&context) == 1 && sha256_update(&context, text, length) == 1
        && sha256_final(digest, &context) == 1;
}

/* Take the functions of that library, if they are OpenSSL 3's and hash as they should. */
static int
try_library(const char *path)
{
#ifdef RTLD_NOLOAD
    static const unsigned char of_abc[32] = { /* FIPS 180-4's example */
        0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea, 0x41, 0x41, 0x40, 0xde, 0x5d, 0xae, 0x22, 0x23,
        0xb0, 0x03, 0x61, 0xa3, 0x96, 0x17, 0x7a, 0x9c, 0xb4, 0x10, 0xff, 0x61, 0xf2, 0x00, 0x15, 0xad,
    };
    unsigned long (*version)(void) = NULL;
    unsigned char digest[32];
    void *library = dlopen(path, RTLD_LAZY | RTLD_NOLOAD); /* not closed: the functions are used to the end */
    void *found[4] = {NULL, NULL, NULL, NULL};
    if (library != NULL) {
        found[0] = dlsym(library, "OpenSSL_version_num");
        found[1] = dlsym(library, "SHA256_Init");
        found[2] = dlsym(library, "SHA256_Update");
        found[3] = dlsym(library, "SHA256_Final");
    }
    if (found[0] == NULL || found[1] == NULL || found[2] == NULL || found[3] == NULL) {
        return 0;
    }
    memcpy(&version, &found[0], sizeof version); /* POSIX has these be functions, ISO C has no cast for it */
    if (version() < 0x30000000UL) {
        return 0;
    }
    memcpy(&sha256_init, &found[1], sizeof sha256_init);
    memcpy(&sha256_update, &found[2], sizeof sha256_update);
    memcpy(&sha256_final, &found[3], sizeof sha256_final);
    if (hashes("abc", 3, digest) && memcmp(digest, of_abc, 32) == 0) {
        return 1;
    }
#else
    (void)path;
#endif
    sha256_init = NULL;
    return 0;
}

PyObject *
find_openssl(PyObject *Py_UNUSED(module), PyObject *path)
{
    const char *text = PyUnicode_Check(path) ? PyUnicode_AsUTF8(path) : NULL;
    if (text == NULL && PyErr_Occurred()) {
        return NULL;
    }
    sha256_init = NULL;
    return PyBool_FromLong(text != NULL && try_library(text));
}

static PyObject *
by_hashlib(PyObject *sha256, const char *text, Py_ssize_t length)
{
    PyObject *digest = NULL, *secret = PyBytes_FromStringAndSize(text, length);
    PyObject *hash = secret == NULL ? NULL : PyObject_CallOneArg(sha256, secret);
    if (hash != NULL) {
        digest = PyObject_CallMethodNoArgs(hash, word.digest);
    }
    Py_XDECREF(hash);
    Py_XDECREF(secret);
    return digest;
}

PyObject *
digest_of(PyObject *sha256, const char *text, Py_ssize_t length)
{
    if (sha256_init == NULL) {
        return by_hashlib(sha256, text, length);
    }
    PyObject *digest = PyBytes_FromStringAndSize(NULL, 32);
    if (digest != NULL && !hashes(text, (size_t)length, (unsigned char *)PyBytes_AS_STRING(digest))) {
        Py_DECREF(digest);
        return by_hashlib(sha256, text, length);
    }
    return digest;
}
