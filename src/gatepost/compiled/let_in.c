/* The way in: `Extractor.take`, and the first half of `APIKeyMiddleware.__call__`. */

#include "hit.h"

/* Bytes of a header's value: hashlib lets other threads run while it hashes 2 KiB or more, and they might change what
   is being read here. A secret of gatepost's has less than a tenth of this. */
#define VALUE_MAX 1024

/* Both parts of a header, borrowed: 1, or 0 for what is not plainly one. */
static int
split(PyObject *header, PyObject **name, PyObject **value)
{
    if (PyTuple_CheckExact(header) && PyTuple_GET_SIZE(header) == 2) {
        *name = PyTuple_GET_ITEM(header, 0);
        *value = PyTuple_GET_ITEM(header, 1);
    } else if (PyList_CheckExact(header) && PyList_GET_SIZE(header) == 2) {
        *name = PyList_GET_ITEM(header, 0);
        *value = PyList_GET_ITEM(header, 1);
    } else {
        return 0;
    }
    return PyBytes_CheckExact(*name);
}

static int
is_name(PyObject *name, PyObject *names)
{
    for (Py_ssize_t at = 0; at < PyTuple_GET_SIZE(names); at++) {
        PyObject *each = PyTuple_GET_ITEM(names, at);
        if (PyBytes_GET_SIZE(each) == PyBytes_GET_SIZE(name)
            && memcmp(PyBytes_AS_STRING(each), PyBytes_AS_STRING(name), (size_t)PyBytes_GET_SIZE(name)) == 0) {
            return 1;
        }
    }
    return 0;
}

/* The secret, which is part of the headers, and the place of its header. NULL where there is not plainly one. */
static const char *
take(LetIn *self, PyObject *headers, Py_ssize_t *length, Py_ssize_t *place)
{
    PyObject **items = PySequence_Fast_ITEMS(headers);
    PyObject *carrier = NULL, *value = NULL;
    for (Py_ssize_t at = 0; at < PySequence_Fast_GET_SIZE(headers); at++) {
        PyObject *name, *content;
        if (!split(items[at], &name, &content)) {
            return NULL;
        }
        if (is_name(name, self->names)) {
            if (carrier != NULL) {
                return NULL;
            }
            carrier = name;
            value = content;
            *place = at;
        }
    }
    if (carrier == NULL || !PyBytes_CheckExact(value) || PyBytes_GET_SIZE(value) > VALUE_MAX) {
        return NULL;
    }
    const char *text = PyBytes_AS_STRING(value);
    *length = PyBytes_GET_SIZE(value);
    if (PyBytes_GET_SIZE(carrier) == 13 && memcmp(PyBytes_AS_STRING(carrier), "authorization", 13) == 0) {
        if (*length < 7 || memcmp(text, "Bearer ", 7) != 0) {
            return NULL;
        }
        *length -= 7;
        return text + 7;
    }
    return text;
}

/* The headers without the one at `place`, put into the scope: 0, or -1 with an error set. */
static int
strip(PyObject *scope, PyObject *headers, Py_ssize_t place)
{
    PyObject *kept = PySequence_List(headers);
    if (kept == NULL) {
        return -1;
    }
    int failed = PySequence_DelItem(kept, place) != 0 || PyDict_SetItem(scope, word.headers, kept) != 0;
    Py_DECREF(kept);
    return failed ? -1 : 0;
}

/* Take the secret out of the headers of a request that has failed: as in Python, where that comes first. The error that
   is set stays set. */
void
strip_failed(LetIn *self, PyObject *scope)
{
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    PyObject *headers = self->strip ? PyDict_GetItemWithError(scope, word.headers) : NULL;
    Py_ssize_t length, place;
    if (headers != NULL && (PyList_CheckExact(headers) || PyTuple_CheckExact(headers))) {
        Py_INCREF(headers);
        if (take(self, headers, &length, &place) != NULL) {
            strip(scope, headers, place);
        }
        Py_DECREF(headers);
    }
    PyErr_Clear();
    PyErr_Restore(type, value, traceback);
}

/* Whether a key has limits, which are for the caller to take from. */
int
is_limited(LetIn *self, PyObject *key)
{
    return (PyObject *)Py_TYPE(key) == self->limited;
}

/* Whether a key may be used from anywhere, or from the peer, since Python said so before; also 0 where an error is
   set. */
static int
is_within_bounds(LetIn *self, PyObject *key, PyObject *scope)
{
    if ((PyObject *)Py_TYPE(key) != self->bounded && !is_limited(self, key)) {
        return 1;
    }
    PyObject *judged = PyObject_GetAttr(key, word.judged);
    int is_within = judged == Py_None;
    if (judged != NULL && PyDict_CheckExact(judged) && self->bounded != NULL) {
        PyObject *client = PyDict_GetItemWithError(scope, word.client);
        if (client != NULL && PyTuple_CheckExact(client) && PyTuple_GET_SIZE(client) != 0) {
            PyObject *host = PyTuple_GET_ITEM(client, 0);
            is_within = PyUnicode_CheckExact(host) && PyDict_GetItemWithError(judged, host) == Py_True;
        }
    }
    Py_XDECREF(judged);
    return is_within;
}

/* The key's entries of the scope: 0, or -1 with an error set. */
static int
tell(LetIn *self, PyObject *scope, PyObject *key)
{
    int failed = 1;
    PyObject *permissions = PyObject_GetAttr(key, word.permissions), *auth = PyObject_GetAttr(key, word.auth);
    if (permissions != NULL && auth != NULL) {
        failed = PyDict_SetItem(scope, word.api_key, key) != 0 || PyDict_SetItem(scope, self->user, key) != 0
            || PyDict_SetItem(scope, word.permissions, permissions) != 0
            || PyDict_SetItem(scope, word.auth, auth) != 0;
    }
    Py_XDECREF(permissions);
    Py_XDECREF(auth);
    return failed ? -1 : 0;
}

/* What is known of the request, with the context variable set to it; `outer` is what that was. NULL with an error. */
static Served *
begin(LetIn *self, PyObject *scope, PyObject *middleware, PyObject *digest, PyObject *send, PyObject *key,
      PyObject *keys, PyObject **outer)
{
    PyObject *task = NULL, *token = NULL;
    if (self->task_of != NULL) {
        PyObject *loop = PyObject_GetAttr(keys, word.loop);
        if (loop == NULL) {
            return NULL;
        }
        task = PyObject_CallOneArg(self->task_of, loop);
        Py_DECREF(loop);
        if (task == NULL) {
            return NULL;
        }
    }
    Served *served = served_new(self->watched);
    if (served == NULL) {
        Py_XDECREF(task);
        return NULL;
    }
    served->items[SCOPE] = Py_NewRef(scope);
    served->items[MIDDLEWARE] = Py_NewRef(middleware);
    served->items[DIGEST] = Py_NewRef(digest);
    served->items[STREAM] = Py_NewRef(Py_None);
    if (task != NULL) {
        served->items[SEND] = Py_NewRef(send);
        served->items[KEY] = Py_NewRef(key);
        served->items[TASK] = task;
    }
    PyObject_GC_Track(served);
    if (PyContextVar_Get(self->variable, Py_None, outer) != 0
        || (token = PyContextVar_Set(self->variable, (PyObject *)served)) == NULL) {
        Py_CLEAR(*outer);
        Py_DECREF(served);
        return NULL;
    }
    Py_DECREF(token);
    return served;
}

void
found_empty(Found *found)
{
    Py_CLEAR(found->keys);
    Py_CLEAR(found->headers);
    Py_CLEAR(found->digest);
    Py_CLEAR(found->key);
}

/* The key that memory lets in: 1; or 0, where that is for Python to decide, or -1 with an error set: then nothing is
   found. Nothing is touched. */
int
find_key(LetIn *self, PyObject *middleware, PyObject *scope, Found *found)
{
    if (!PyDict_CheckExact(scope)) {
        return 0;
    }
    PyObject *type = PyDict_GetItemWithError(scope, word.type);
    PyObject *headers = PyDict_GetItemWithError(scope, word.headers);
    if (type == NULL || !PyUnicode_CheckExact(type) || headers == NULL
        || (type != word.http && PyUnicode_Compare(type, word.http) != 0)
        || !(PyList_CheckExact(headers) || PyTuple_CheckExact(headers))) {
        return PyErr_Occurred() ? -1 : 0;
    }
    PyObject *hit = NULL;
    found->headers = Py_NewRef(headers); /* a clock, or other `keys`, may run code that takes them out of the scope */
    if ((found->keys = PyObject_GetAttr(middleware, word.keys)) == NULL
        || (hit = PyObject_GetAttr(found->keys, word.hit)) == NULL
        || !Py_IS_TYPE(hit, &MemoryHit_Type) || memory_hit_is_empty(hit)) {
        goto no;
    }
    Py_ssize_t length = 0;
    const char *secret = take(self, headers, &length, &found->place); /* nothing else runs before it is hashed */
    if (secret == NULL || (found->digest = digest_of(self->sha256, secret, length)) == NULL) {
        goto no;
    }
    found->key = memory_hit_usable(hit, found->digest, self->bounded, self->limited, &found->now);
    if (found->key == NULL && !PyErr_Occurred()) {
        found->key = memory_hit_temporary(hit, &found->digest, &found->now);
    }
    if (found->key == NULL || !is_within_bounds(self, found->key, scope)) {
        goto no;
    }
    Py_DECREF(hit);
    return 1;
no:
    Py_XDECREF(hit);
    found_empty(found);
    return PyErr_Occurred() ? -1 : 0;
}

/* The request of what was found, let in; `limits`: what is left of the key's, or NULL. NULL with an error. */
Served *
let_in(LetIn *self, PyObject *middleware, PyObject *scope, PyObject *send, Found *found, PyObject *limits,
       PyObject **outer, Use *use)
{
    PyObject *uses = PyObject_GetAttr(found->keys, word.uses);
    Served *served = NULL;
    if (uses == NULL) {
        return NULL;
    }
    if ((!self->strip || strip(scope, found->headers, found->place) == 0) && tell(self, scope, found->key) == 0) {
        served = begin(self, scope, middleware, found->digest, send, found->key, found->keys, outer);
    }
    if (served != NULL && limits != NULL) {
        served->limits = Py_NewRef(limits);
        served->announce = Py_NewRef(self->announce);
    }
    if (served != NULL && uses != Py_None) {
        use->tally = Py_NewRef(uses);
        use->key = Py_NewRef(found->key);
    }
    Py_DECREF(uses);
    return served;
}

static PyObject *
let_in_new(PyTypeObject *type, PyObject *args, PyObject *named)
{
    static char *names[] = {"app",     "names",   "strip",        "user",  "sha256",   "variable", "finish",
                            "bounded", "task_of", "send_watched", "count", "routes", "limiting", NULL};
    PyObject *app, *headers, *user, *sha256, *variable, *finish, *bounded, *task_of, *watched, *count, *routes, *limiting;
    int strip;
    if (!PyArg_ParseTupleAndKeywords(args, named, "OO!pUOO!OOOOOO!O!", names, &app, &PyTuple_Type, &headers, &strip,
                                     &user, &sha256, &PyContextVar_Type, &variable, &finish, &bounded, &task_of,
                                     &watched, &count, &PyDict_Type, &routes, &PyTuple_Type, &limiting)) {
        return NULL;
    }
    if (PyTuple_GET_SIZE(limiting) != 6) {
        PyErr_SetString(PyExc_TypeError, "limiting must have six members");
        return NULL;
    }
    for (Py_ssize_t at = 0; at < PyTuple_GET_SIZE(headers); at++) {
        if (!PyBytes_CheckExact(PyTuple_GET_ITEM(headers, at))) {
            PyErr_SetString(PyExc_TypeError, "names must be bytes");
            return NULL;
        }
    }
    LetIn *self = (LetIn *)type->tp_alloc(type, 0);
    if (self != NULL) {
        self->app = Py_NewRef(app);
        self->names = Py_NewRef(headers);
        self->strip = strip;
        self->user = Py_NewRef(user);
        self->sha256 = Py_NewRef(sha256);
        self->variable = Py_NewRef(variable);
        self->finish = Py_NewRef(finish);
        self->bounded = bounded == Py_None ? NULL : Py_NewRef(bounded);
        self->task_of = task_of == Py_None ? NULL : Py_NewRef(task_of);
        self->watched = task_of == Py_None ? NULL : Py_NewRef(watched);
        self->count = Py_NewRef(count);
        self->routes = Py_NewRef(routes);
        if (task_of != Py_None) {
            self->limited = Py_NewRef(PyTuple_GET_ITEM(limiting, 0));
            self->limits = Py_NewRef(PyTuple_GET_ITEM(limiting, 1));
            self->ask = Py_NewRef(PyTuple_GET_ITEM(limiting, 2));
            self->announce = Py_NewRef(PyTuple_GET_ITEM(limiting, 3));
            self->deny = Py_NewRef(PyTuple_GET_ITEM(limiting, 4));
            self->ended = Py_NewRef(PyTuple_GET_ITEM(limiting, 5));
        }
    }
    return (PyObject *)self;
}

static int
let_in_traverse(PyObject *object, visitproc visit, void *arg)
{
    LetIn *self = (LetIn *)object;
    Py_VISIT(self->app);
    Py_VISIT(self->names);
    Py_VISIT(self->user);
    Py_VISIT(self->sha256);
    Py_VISIT(self->variable);
    Py_VISIT(self->finish);
    Py_VISIT(self->bounded);
    Py_VISIT(self->task_of);
    Py_VISIT(self->watched);
    Py_VISIT(self->count);
    Py_VISIT(self->routes);
    Py_VISIT(self->limited);
    Py_VISIT(self->limits);
    Py_VISIT(self->ask);
    Py_VISIT(self->announce);
    Py_VISIT(self->deny);
    Py_VISIT(self->ended);
    return 0;
}

static void
let_in_dealloc(PyObject *object)
{
    LetIn *self = (LetIn *)object;
    PyObject_GC_UnTrack(self);
    Py_XDECREF(self->app);
    Py_XDECREF(self->names);
    Py_XDECREF(self->user);
    Py_XDECREF(self->sha256);
    Py_XDECREF(self->variable);
    Py_XDECREF(self->finish);
    Py_XDECREF(self->bounded);
    Py_XDECREF(self->task_of);
    Py_XDECREF(self->watched);
    Py_XDECREF(self->count);
    Py_XDECREF(self->routes);
    Py_XDECREF(self->limited);
    Py_XDECREF(self->limits);
    Py_XDECREF(self->ask);
    Py_XDECREF(self->announce);
    Py_XDECREF(self->deny);
    Py_XDECREF(self->ended);
    Py_TYPE(self)->tp_free(object);
}

PyTypeObject LetIn_Type = { /* as a tuple it has no tp_clear: what it holds never changes */
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "gatepost.compiled.LetIn",
    .tp_doc = "How a middleware lets requests in.",
    .tp_basicsize = sizeof(LetIn),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .tp_new = let_in_new,
    .tp_dealloc = let_in_dealloc,
    .tp_traverse = let_in_traverse,
};
