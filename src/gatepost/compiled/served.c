/* A request that was let in: what `gatepost.asgi.current.Served` says of its list, and the `send` that the app gets. */

#include "hit.h"

/* The request is over: hold nothing of it any more. */
void
served_empty(Served *self)
{
    for (int at = 0; at < 7; at++) {
        Py_CLEAR(self->items[at]);
    }
    Py_CLEAR(self->limits);
    Py_CLEAR(self->announce);
}

static PyObject *
served_clear(PyObject *self, PyObject *Py_UNUSED(none))
{
    served_empty((Served *)self);
    Py_RETURN_NONE;
}

static Py_ssize_t
served_length(PyObject *object)
{
    Served *self = (Served *)object;
    return self->items[SCOPE] == NULL ? 0 : self->watched == NULL ? 4 : 7;
}

static PyObject *
served_item(PyObject *object, Py_ssize_t at)
{
    if (at < 0 || at >= served_length(object)) {
        PyErr_SetString(PyExc_IndexError, "there is nothing there, or the request is over");
        return NULL;
    }
    return Py_NewRef(((Served *)object)->items[at]);
}

static int
served_set_item(PyObject *object, Py_ssize_t at, PyObject *value)
{
    if (at != STREAM || value == NULL || served_length(object) == 0) {
        PyErr_SetString(PyExc_IndexError, "only a stream can be set, while the request is served");
        return -1;
    }
    Py_XSETREF(((Served *)object)->items[STREAM], Py_NewRef(value));
    return 0;
}

/* Whether a dict's first header is its content-length: then the start of a response announces no stream. */
static int
tells_its_length(PyObject *start)
{
    PyObject *headers = PyDict_GetItemWithError(start, word.headers);
    if (headers == NULL || !PyList_CheckExact(headers) || PyList_GET_SIZE(headers) == 0) {
        return 0;
    }
    PyObject *first = PyList_GET_ITEM(headers, 0), *name;
    if (PyTuple_CheckExact(first) && PyTuple_GET_SIZE(first) > 0) {
        name = PyTuple_GET_ITEM(first, 0);
    } else if (PyList_CheckExact(first) && PyList_GET_SIZE(first) > 0) {
        name = PyList_GET_ITEM(first, 0);
    } else {
        return 0;
    }
    return PyBytes_CheckExact(name) && PyBytes_GET_SIZE(name) == 14
        && memcmp(PyBytes_AS_STRING(name), "content-length", 14) == 0;
}

/* Whether a message neither belongs to a stream nor begins one, as far as can be told at once. */
static int
is_plain(Served *self, PyObject *message)
{
    if (self->items[STREAM] != Py_None || !PyDict_CheckExact(message)) { /* over, a stream, or some other mapping */
        return 0;
    }
    PyObject *type = PyDict_GetItemWithError(message, word.type);
    if (type == NULL || !PyUnicode_CheckExact(type)) {
        return 0;
    }
    if (type == word.start || PyUnicode_Compare(type, word.start) == 0) {
        return tells_its_length(message);
    }
    PyObject *more = PyDict_GetItemWithError(message, word.more_body);
    return more == Py_False || (more == NULL && !PyErr_Occurred());
}

/* Whether a message may begin a response, whose head is to tell of limits. */
static int
may_begin(PyObject *message)
{
    PyObject *type = PyDict_CheckExact(message) ? PyDict_GetItemWithError(message, word.type) : NULL;
    return type == NULL || !PyUnicode_CheckExact(type) || type == word.start
        || PyUnicode_Compare(type, word.start) == 0;
}

static PyObject *pass_on(PyObject *object, PyObject *message);

/* As Python's `send_watched`, of a message that tells of limits where it begins a response. */
static PyObject *
served_call(PyObject *object, PyObject *const *args, size_t nargsf, PyObject *named)
{
    Served *self = (Served *)object;
    if (PyVectorcall_NARGS(nargsf) != 1 || (named != NULL && PyTuple_GET_SIZE(named) != 0)) {
        PyErr_SetString(PyExc_TypeError, "send takes one message");
        return NULL;
    }
    if (self->limits == NULL || !may_begin(args[0])) {
        return PyErr_Occurred() ? NULL : pass_on(object, args[0]);
    }
    PyObject *both[] = {Py_NewRef(self->limits), args[0]}, *announce = Py_NewRef(self->announce);
    PyObject *message = PyErr_Occurred() ? NULL : PyObject_Vectorcall(announce, both, 2, NULL);
    Py_DECREF(announce);
    Py_DECREF(both[0]);
    PyObject *sent = message == NULL ? NULL : pass_on(object, message);
    Py_XDECREF(message);
    return sent;
}

/* As Python's `send_watched`, which is asked wherever there is more to do than to pass a message on. */
static PyObject *
pass_on(PyObject *object, PyObject *message)
{
    Served *self = (Served *)object;
    if (is_plain(self, message)) {
        PyObject *send = Py_NewRef(self->items[SEND]);
        PyObject *sent = PyObject_CallOneArg(send, message);
        Py_DECREF(send);
        return sent;
    }
    if (PyErr_Occurred()) {
        return NULL;
    }
    PyObject *both[] = {object, message};
    return PyObject_Vectorcall(self->watched, both, 2, NULL);
}

/* Empty, and not tracked by the garbage collector yet. */
Served *
served_new(PyObject *watched)
{
    Served *self = PyObject_GC_New(Served, &Served_Type);
    if (self != NULL) {
        memset(self->items, 0, sizeof self->items);
        self->watched = Py_XNewRef(watched);
        self->limits = self->announce = NULL;
        self->call = watched == NULL ? NULL : served_call; /* NULL: cannot be called */
    }
    return self;
}

static int
served_traverse(PyObject *object, visitproc visit, void *arg)
{
    Served *self = (Served *)object;
    for (int at = 0; at < 7; at++) {
        Py_VISIT(self->items[at]);
    }
    Py_VISIT(self->watched);
    Py_VISIT(self->limits);
    Py_VISIT(self->announce);
    return 0;
}

static int
served_tp_clear(PyObject *self)
{
    served_empty((Served *)self);
    return 0;
}

static void
served_dealloc(PyObject *object)
{
    PyObject_GC_UnTrack(object);
    served_empty((Served *)object);
    Py_CLEAR(((Served *)object)->watched);
    PyObject_GC_Del(object);
}

static PySequenceMethods served_sequence = {
    .sq_length = served_length,
    .sq_item = served_item,
    .sq_ass_item = served_set_item,
};

static PyMethodDef served_methods[] = {
    {"clear", served_clear, METH_NOARGS, "The request is over: hold nothing of it any more."},
    {NULL, NULL, 0, NULL},
};

PyTypeObject Served_Type = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "gatepost.compiled.Served",
    .tp_doc = "A request that was let in, and the `send` that its app gets.",
    .tp_basicsize = sizeof(Served),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_HAVE_VECTORCALL
        | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .tp_dealloc = served_dealloc,
    .tp_traverse = served_traverse,
    .tp_clear = served_tp_clear,
    .tp_call = PyVectorcall_Call,
    .tp_vectorcall_offset = offsetof(Served, call),
    .tp_as_sequence = &served_sequence,
    .tp_methods = served_methods,
};
