/* What the files of this module share. `hit.c` tells what it is for. */

#ifndef GATEPOST_HIT_H
#define GATEPOST_HIT_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stddef.h>
#include <string.h>

#if defined(__GNUC__) /* what is shared here is nobody else's, and quicker to reach then */
#pragma GCC visibility push(hidden)
#endif

/* Names of ASGI's and of gatepost's own, made once: `word.headers` is the text "headers". */
#define GATEPOST_WORDS(_) \
    _(type) _(http) _(headers) _(api_key) _(permissions) _(auth) _(more_body) _(keys) _(hit) _(loop) _(until) \
    _(offset) _(usable_until) _(ends_at) _(judged) _(client) _(digest) _(_let_in) _(throw) _(close) _(uses) _(route) \
    _(path_template) _(has_end) _(value) _(fastapi) _(parent) _(is_bound) _(is_limited)
#define GATEPOST_FIELD(name) *name,
extern struct words {
    PyObject GATEPOST_WORDS(GATEPOST_FIELD) *start, *name, *qualname, *outcome;
} word;

/* memory.c */
extern PyTypeObject MemoryHit_Type;
PyObject *memory_hit_usable(PyObject *self, PyObject *digest, PyObject *bounded, PyObject *limited, double *now);
PyObject *memory_hit_temporary(PyObject *self, PyObject **digest, double *now);
int memory_hit_is_empty(PyObject *self);

/* served.c */
typedef struct {
    PyObject_HEAD
    PyObject *items[7];  /* as of the list that `gatepost.asgi.current.Served` is; all NULL once it was cleared */
    PyObject *watched;   /* Python's send_watched; NULL: the response is not watched, and there are four items */
    PyObject *limits;    /* what is left of the key's limits; NULL: it has none, and there is no next one */
    PyObject *announce;
    vectorcallfunc call;
} Served;

enum { SCOPE, MIDDLEWARE, DIGEST, STREAM, SEND, KEY, TASK };

extern PyTypeObject Served_Type;
Served *served_new(PyObject *watched);
void served_empty(Served *self);

/* digest.c */
PyObject *find_openssl(PyObject *module, PyObject *path);
PyObject *digest_of(PyObject *sha256, const char *text, Py_ssize_t length);

/* let_in.c */
typedef struct {
    PyObject_HEAD
    PyObject *app;
    PyObject *names;    /* a tuple of bytes: the headers that may carry a secret */
    int strip;
    PyObject *user;     /* where in a scope the user goes */
    PyObject *sha256;
    PyObject *variable; /* the context variable of the request being served */
    PyObject *finish;   /* Python's end of a request that more is to be done for than to forget it */
    PyObject *bounded;  /* the class of records that have bounds; NULL: where a request is from only Python can tell */
    PyObject *task_of;  /* NULL: responses are not watched */
    PyObject *watched;  /* Python's send_watched; NULL likewise */
    PyObject *count;    /* Python's way to count a request */
    PyObject *routes;   /* a dict, which Python fills: the templates of routes, by their places in memory */
    PyObject *limited;  /* the class of records that have limits; NULL: those are for Python, and the next five too */
    PyObject *limits;   /* the class of what is left of them */
    PyObject *ask;      /* takes from them: answers what is left, or a coroutine that does */
    PyObject *announce; /* the message to send, which tells of them where it begins a response */
    PyObject *deny;     /* what Python does where they do not let a request in */
    PyObject *ended;    /* as `finish`, where the limits have an end too */
} LetIn;

extern PyTypeObject LetIn_Type;
/* What a request that was let in is counted by, once it is over. */
typedef struct {
    PyObject *tally; /* NULL: it is not counted */
    PyObject *key;
    double began;    /* boot clock */
} Use;

/* What memory lets in, but for its limits. All NULL where there is nothing. */
typedef struct {
    PyObject *keys, *headers, *digest, *key;
    Py_ssize_t place; /* of the header with the secret */
    double now;       /* boot clock */
} Found;

int find_key(LetIn *self, PyObject *middleware, PyObject *scope, Found *found);
void found_empty(Found *found);
int is_limited(LetIn *self, PyObject *key);
void strip_failed(LetIn *self, PyObject *scope);
Served *let_in(LetIn *self, PyObject *middleware, PyObject *scope, PyObject *send, Found *found, PyObject *limits,
               PyObject **outer, Use *use);

/* counting.c */
extern PyTypeObject Cell_Type;
extern PyTypeObject Tally_Type;
void count_request(LetIn *let_in, PyObject *tally, PyObject *key, PyObject *digest, PyObject *scope, double began);

/* request.c */
extern PyTypeObject Request_Type;
PyObject *request_new(PyObject *let_in, PyObject *function, PyObject *const *args);

/* awaited.c */
PyObject *iterator_of(PyObject *awaitable);

/* hit_first.c */
extern PyTypeObject HitFirst_Type;

#if defined(__GNUC__)
#pragma GCC visibility pop
#endif

#endif
